//! What was said on the way to the end of a command, besides its result: notes, and warnings of ours and
//! of plugins. People read it on stderr; programs find it in the last line of `--format json`.

use std::sync::{Mutex, PoisonError};

use host_core::text::{one_line, printable_up_to};
use serde::Serialize;

use crate::output;

/// After so many the rest is not kept: a plugin may say very much.
const MAX_REMARKS: usize = 1_000;
/// What is kept of one, in characters.
const MAX_CHARS: usize = 2_000;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is good to know.
    Note,
    /// Somebody should look.
    Warning,
}

/// One of them.
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

/// Keeps what people are told.
pub fn add(level: Level, text: &str) {
    let mut remarks = REMARKS.lock().unwrap_or_else(PoisonError::into_inner);
    if remarks.len() < MAX_REMARKS {
        remarks.push(Remark { level, text: printable_up_to(text, MAX_CHARS).into_owned() });
    }
}

/// All of this process so far, in order.
#[must_use]
pub fn all() -> Vec<Remark> {
    REMARKS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
