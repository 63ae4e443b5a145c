//! A guest that misbehaves as its setting `mode` says, for the sandbox tests. The tests build for themselves
//! what Rust cannot express (forged pointers, start functions).

#![allow(clippy::print_stdout, reason = "to be caught doing it")]

use std::hash::BuildHasher as _;
use std::time::{Duration, Instant, SystemTime};

use detector_sdk::{
    Anomaly, Batch, Detector, Error, Metadata, Ordering, SettingKind, Settings, export_detector, log,
};

/// The guest.
pub struct Hostile {
    mode: String,
    /// Batches seen so far.
    batches: u64,
    leaked: Vec<Vec<u8>>,
}

impl Detector for Hostile {
    fn describe() -> Metadata {
        Metadata::new("hostile", env!("CARGO_PKG_VERSION"), "Misbehaves as asked.", Ordering::File).setting(
            "mode",
            SettingKind::Text,
            "none",
            "What to do wrong.",
        )
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let mode = settings.text("mode").unwrap_or_default().to_owned();
        match mode.as_str() {
            "loop-in-configure" => spin(),
            "panic-in-configure" => panic!("configured to fail"),
            _ => {}
        }
        Ok(Hostile { mode, batches: 0, leaked: Vec::new() })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        self.batches += 1;
        let row = |row, score, reason: &str| Anomaly { row, score, reason: reason.into() };
        let last = batch.len() as u32 - 1;
        Ok(match self.mode.as_str() {
            "loop" => spin(),
            "panic" => misbehave_deeply(batch.len()),
            "panic-in-batch-29" if self.batches == 29 => panic!("late"),
            "panic-in-second-batch" if self.batches == 2 => panic!("late"),
            "abort" => std::process::abort(),
            "exit" => std::process::exit(0),
            "invalid-input" => return Err(Error::InvalidInput("the rows are \x1b[31mnot sorted".into())),
            "internal" => return Err(Error::Internal("the model is broken".into())),
            "recursion" => vec![row(recurse(u32::from(batch.is_empty())), 1.0, "")],
            "memory-bomb" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(vec![1; 1 << 20]);
                    if hoard.len() > 1 << 20 {
                        return Ok(Vec::new());
                    }
                }
            }
            "leak" => {
                // Three batches are more than 32 MiB.
                self.leaked.push(vec![1; 12 << 20]);
                Vec::new()
            }
            "many-anomalies" => (0..=last + 1).map(|i| row(i, 1.0, "")).collect(),
            "giant-list" => vec![row(0, 1.0, ""); 10_000_000],
            "giant-string" => vec![row(0, 1.0, &"x".repeat(100 << 20))],
            "large-string" => vec![row(0, 1.0, &"x".repeat(6 << 20))],
            "long-reason" => vec![row(0, 1.0, &"x".repeat(1 << 20))],
            "out-of-range" => vec![row(last + 1, 1.0, "")],
            "unsorted" => vec![row(1, 1.0, ""), row(0, 1.0, "")],
            "duplicate" => vec![row(0, 1.0, ""), row(0, 1.0, "")],
            "nan" => vec![row(0, f64::NAN, "")],
            "infinite" => vec![row(0, f64::INFINITY, "")],
            "nul" => vec![row(0, 1.0, "a\0b")],
            "escapes" => vec![row(0, 1.0, "\x1b[2J\x1b]0;owned\x07")],
            "log-flood" => {
                (0..20_000).for_each(|i| log::warn!("{i} \x1b[31m{}", "spam ".repeat(100)));
                Vec::new()
            }
            // These need WASI, which the build for wasm32-wasip2 has.
            "open-file" => vec![row(0, 1.0, &told(std::fs::read_to_string("/etc/passwd")))],
            "write-file" => vec![row(0, 1.0, &told(std::fs::write("owned", "owned")))],
            "list-folder" => vec![row(0, 1.0, &told(std::fs::read_dir("/").map(Iterator::count)))],
            "connect" => vec![row(0, 1.0, &told(std::net::TcpStream::connect("127.0.0.1:5432")))],
            "listen" => vec![row(0, 1.0, &told(std::net::TcpListener::bind("127.0.0.1:0")))],
            "resolve" => {
                let addresses = std::net::ToSocketAddrs::to_socket_addrs("localhost:80");
                vec![row(0, 1.0, &told(addresses.map(Iterator::count)))]
            }
            "environment" => {
                let (variables, arguments) = (std::env::vars().count(), std::env::args().count());
                vec![row(0, 1.0, &format!("{variables} variables, {arguments} arguments"))]
            }
            "read-stdin" => vec![row(0, 1.0, &told(std::io::read_to_string(std::io::stdin())))],
            "sleep" => {
                std::thread::sleep(Duration::from_secs(3_600));
                Vec::new()
            }
            "busy-clock" => {
                let started = Instant::now();
                while started.elapsed() < Duration::from_secs(3_600) {}
                Vec::new()
            }
            "entropy" => vec![row(0, 1.0, &entropy())],
            "print-flood" => {
                (0..20_000).for_each(|i| println!("{i} \x1b[31m{}", "spam ".repeat(100)));
                Vec::new()
            }
            _ => Vec::new(),
        })
    }

    fn finish(&mut self) -> Result<(), Error> {
        match self.mode.as_str() {
            "loop-in-finish" => spin(),
            "panic-in-finish" => panic!("at the very end"),
            "error-in-finish" => Err(Error::Internal("at the very end".into())),
            _ => Ok(()),
        }
    }
}

/// The result of something that must not work, in words.
fn told<T: std::fmt::Debug>(result: std::io::Result<T>) -> String {
    match result {
        Ok(value) => format!("got {value:?}"),
        Err(error) => format!("refused: {:?}", error.kind()),
    }
}

/// Everything that differs from run to run unless it is held fixed.
fn entropy() -> String {
    let started = Instant::now();
    let hashes: Vec<u64> = (0..3_u64).map(|i| std::hash::RandomState::new().hash_one(i)).collect();
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    format!("{hashes:?} {:?} {wall:?}", started.elapsed())
}

/// Loops forever, without letting the optimiser notice.
fn spin<T>() -> T {
    let mut i = 0_u64;
    loop {
        i = std::hint::black_box(i.wrapping_add(1));
    }
}

/// A separate function, to be visible in backtraces.
#[inline(never)]
fn misbehave_deeply(rows: usize) -> Vec<Anomaly> {
    panic!("{rows} rows are more than I can take\nhonestly")
}

#[inline(never)]
fn recurse(depth: u32) -> u32 {
    if depth == u32::MAX {
        return 0;
    }
    let buffer = std::hint::black_box([depth; 64]);
    // Not a tail call: the result is used afterwards.
    recurse(std::hint::black_box(depth + 1)).wrapping_add(buffer[depth as usize % 64])
}

export_detector!(Hostile);
