//! What the fuzz targets that run plugins share.

use std::sync::OnceLock;
use std::time::Duration;

use host_core::batch::{Batch, Row};
use host_detector::{Cache, Requirements, Detector, DetectorError, Limits, Sandbox, compiler, load};

const MEMORY_BYTES: usize = 16 << 20;

/// A whole run with this batch; returns whether it completed.
pub fn run(plugin: &[u8], batch: &Batch) -> bool {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), plugin).expect("write the temporary file");
    let run = || -> Result<(), DetectorError> {
        let mut detector = Detector::start(&load(sandbox(), file.path())?)?;
        let done =
            detector.configure(&[]).and_then(|()| detector.classify(batch)).and_then(|_| detector.finish());
        assert!(detector.peak_memory_bytes() <= MEMORY_BYTES);
        done
    };
    match run() {
        Ok(()) => true,
        Err(error @ (DetectorError::CompilerCrash { .. } | DetectorError::Engine { .. })) => {
            panic!("{error:?}")
        }
        Err(_) => false,
    }
}

/// The smallest batch.
pub fn one_row() -> Batch {
    let mut batch = Batch::default();
    batch.push(Row { transaction_id: 1, user_id: 1, amount_cents: 1, timestamp_micros: 0, line: 2 });
    batch
}

fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        // The host catches panics of a library that is not made for such input; these are not our bugs. A
        // panic that is not caught still aborts.
        std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
        let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debug/host").into();
        compiler::compile_with(std::env::var_os("HOST_PROGRAM").map_or(built, Into::into));
        let limits = Limits {
            call_deadline: Duration::from_millis(500),
            memory_bytes: MEMORY_BYTES,
            transfer_bytes: 1 << 20,
            fuel: Some(1_000_000),
            ..Limits::default()
        };
        let cache = Cache::in_folder(&std::env::temp_dir().join("host-fuzz-cache"));
        Sandbox::new(limits, Requirements::default(), cache).expect("the engine starts")
    })
}
