//! What tests have said of themselves when they could not do their work.

use std::fs;
use std::path::Path;

/// One line a test: its name, and why.
pub fn read(left_out: &Path) -> Vec<String> {
    fs::read_to_string(left_out).unwrap_or_default().lines().map(str::to_owned).collect()
}
