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
    output::say("note", text, &format!("note: {}\n", one_line(text)));
}

/// Keeps a remark.
pub fn add(level: Level, text: &str) {
    let mut remarks = REMARKS.lock().unwrap_or_else(PoisonError::into_inner);
    if remarks.len() < MAX_REMARKS {
        remarks.push(Remark { level, text: printable_up_to(text, MAX_CHARS).into_owned() });
    }
}

/// The remarks since this was last asked, in order: those of one run, if a command has several.
#[must_use]
pub fn take() -> Vec<Remark> {
    std::mem::take(&mut REMARKS.lock().unwrap_or_else(PoisonError::into_inner))
}
