//! Telling what was done: it stays done, even if that cannot be told.

use host_core::advice;

use crate::error::Error;
use crate::{diagnostic, remarks};

/// If it could not be printed, that is noted: `done` is what was done and what is missing, such as "run 7 is committed,
/// but its summary"; `see` is a command that tells.
pub(super) fn note_unless_told(printed: Result<(), Error>, done: &str, see: Option<&str>) {
    if let Err(error) = printed {
        let why = diagnostic::causes(&error).join(": ");
        let see = see.map_or_else(String::new, |command| format!("; see: {}", advice::on_database(command)));
        remarks::note(&format!("{done} could not be written to standard output ({why}){see}"));
    }
}
