//! What a command said besides its result: notes, and warnings from the host and from plugins. People read
//! them on stderr; programs find them in the last line of `--format json`.

use std::sync::{Mutex, PoisonError};

use host_core::text::{one_line, printable_up_to};
use serde::Serialize;

use crate::output;

/// Remarks beyond this number are not kept: a plugin may say very much.
const MAX_REMARKS: usize = 1_000;
/// How much of each is kept, in characters.
const MAX_CHARS: usize = 2_000;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Note,
    /// Somebody should look into it.
    Warning,
}

/// A note or warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// How much it matters.
    pub level: Level,
    /// In words, on one line.
    pub text: String,
}

static REMARKS: Mutex<Vec<Remark>> = Mutex::new(Vec::new());

/// Prints a note to stderr, and keeps it.
pub fn note(text: &str) {
    add(Level::Note, text);
    output::message(&format!("note: {}\n", one_line(text)));
}

/// Keeps a remark.
pub fn add(level: Level, text: &str) {
    let mut remarks = REMARKS.lock().unwrap_or_else(PoisonError::into_inner);
    if remarks.len() < MAX_REMARKS {
        remarks.push(Remark { level, text: printable_up_to(text, MAX_CHARS).into_owned() });
    }
}

/// All remarks of this process so far, in order.
#[must_use]
pub fn all() -> Vec<Remark> {
    REMARKS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
