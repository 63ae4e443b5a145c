//! Errors as people read them, on stderr:
//!
//! ```text
//! error: what went wrong, where, with which value
//!   caused by: why
//! note: what is in the database
//! help: what to do
//! ```

use std::error::Error as _;
use std::fmt::Write as _;
use std::process::ExitCode;

use crate::error::{DatabaseState, Error, Failure, exit};

/// Prints a failure to stderr.
#[allow(clippy::print_stderr, reason = "this is the module that prints errors")]
pub fn print(failure: &Failure) {
    eprint!("{}", render(failure));
}

/// Prints a remark to stderr.
#[allow(clippy::print_stderr, reason = "this is the module that prints remarks")]
pub fn note(text: &str) {
    eprintln!("note: {text}");
}

/// Says that not even the runtime could be started.
#[allow(clippy::print_stderr, reason = "this is the module that prints errors")]
pub fn no_runtime(error: &std::io::Error) -> ExitCode {
    eprintln!("error: could not start the asynchronous runtime\n  caused by: {error}");
    ExitCode::from(exit::INTERNAL)
}

/// A failure as text, ending in a line break.
#[must_use]
pub fn render(failure: &Failure) -> String {
    let mut text = format!("error: {}\n", failure.error);
    // Writing into a String cannot fail.
    let mut cause = failure.error.source();
    while let Some(error) = cause {
        let _ = writeln!(text, "  caused by: {error}");
        cause = error.source();
    }
    for (label, detail) in details(&failure.error) {
        let _ = writeln!(text, "  {label}: {detail}");
    }
    if let Some(note) = note_on(failure.database) {
        let _ = writeln!(text, "note: {note}");
    }
    if let Some(help) = help(&failure.error) {
        let _ = writeln!(text, "help: {help}");
    }
    text
}

fn details(error: &Error) -> Vec<(String, &str)> {
    match error {
        Error::Source(error) => error.details(),
        Error::Detector(error) => error.details(),
        _ => Vec::new(),
    }
}

fn note_on(database: DatabaseState) -> Option<&'static str> {
    match database {
        DatabaseState::Untouched => Some("nothing was written"),
        DatabaseState::RolledBack => Some("nothing was written; the transaction was rolled back"),
        DatabaseState::NeverCommitted => {
            Some("nothing was written: the transaction was never committed, and the server rolls it back")
        }
        DatabaseState::Unknown => Some("whether the run was committed is not known"),
        DatabaseState::NotConcerned => None,
    }
}

fn help(error: &Error) -> Option<String> {
    match error {
        Error::Variable(error) => Some(error.help()),
        Error::Config(error) => error.help(),
        Error::Source(error) => error.help(),
        Error::Detector(error) => error.help(),
        Error::Tools(error) => error.help(),
        Error::Sink(error) => error.help(),
        Error::Verify(error) => error.help(),
        Error::Interrupted(_) => None,
        Error::Internal(_) => {
            Some("this is a mistake in the host; please report it with the lines above".into())
        }
    }
}
