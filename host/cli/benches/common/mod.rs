//! What the benchmarks share that print their own tables.

use std::path::PathBuf;

/// The middle one of them.
pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A folder of plugins beside the host. Benchmarks are built into `target/release/deps`.
pub fn folder(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().with_file_name("..").join(name)
}
