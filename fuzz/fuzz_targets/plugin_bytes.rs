//! Any bytes as a plugin: they are refused or they run within their limits; nothing else happens.
//! Seeds: the plugins in target/debug/plugins.
#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use host::batch::{Batch, Row};
use host::detector::{Cache, Demands, Detector, Limits, Sandbox, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    let sandbox = SANDBOX.get_or_init(|| {
        let limits = Limits {
            call_deadline: Duration::from_millis(200),
            memory_bytes: 16 << 20,
            transfer_bytes: 1 << 20,
            fuel: Some(1_000_000),
            ..Limits::default()
        };
        Sandbox::new(limits, Demands::default(), Cache::none()).expect("the engine starts")
    });
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("write the temporary file");
    let Ok(plugin) = load(sandbox, file.path()) else { return };
    let Ok(mut detector) = Detector::start(&plugin) else { return };
    let mut batch = Batch::default();
    batch.push(Row { transaction_id: 1, user_id: 1, amount_cents: 1, timestamp_micros: 0, line: 2 });
    let _ = detector.configure(&[]);
    let _ = detector.classify(&batch);
    let _ = detector.finish();
});
