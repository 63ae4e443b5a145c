//! The progress bar: on a terminal only, on stderr, gone when the run ends.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// How far a run has got.
#[derive(Default)]
pub struct Progress {
    bar: OnceLock<(ProgressBar, Arc<AtomicU64>)>,
    rows: AtomicU64,
}

impl Progress {
    /// Shows the bar if stderr is a terminal. It follows `read_bytes`; without a size (a pipe has none) there
    /// is no bar.
    pub fn start(&self, size_bytes: Option<u64>, read_bytes: Arc<AtomicU64>) {
        let Some(size_bytes) = size_bytes.filter(|_| output::is_seen()) else { return };
        let template = "{bar:30} {bytes}/{total_bytes}, {msg} rows/s, {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(size_bytes).with_style(style);
        // Set only once, at the start of the run.
        let _ = self.bar.set((bar, read_bytes));
    }

    /// Adds rows that are on their way to the server.
    pub fn rows(&self, count: u64) {
        let rows = self.rows.fetch_add(count, Ordering::Relaxed) + count;
        if let Some((bar, read_bytes)) = self.bar.get() {
            let seconds = bar.elapsed().as_secs_f64();
            bar.set_position(read_bytes.load(Ordering::Relaxed));
            bar.set_message(format!("{:.0}", rows as f64 / seconds.max(0.001)));
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some((bar, _)) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}
