//! Errors as people read them, on stderr:
//!
//! ```text
//! error: what went wrong, where, with which value
//!   caused by: why
//! note: what is in the database
//! help: what to do
//! ```

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt::Write as _;
use std::path::Path;

use host_core::advice;
use host_core::text::{one_line, path};

use crate::error::{DatabaseState, Error, Failure};
use crate::{output, panics};

/// Prints a failure to stderr.
pub fn print(failure: &Failure) {
    say(&render(failure));
}

/// The same for one of several runs, which is the one over this file.
pub fn print_of(failure: &Failure, file: &Path) {
    say(&render_of(failure, file));
}

/// The same for a command that removes what a run wrote.
pub fn print_of_undo(failure: &Failure) {
    say(&render_of_removal(
        failure,
        "whether the run was undone is not known",
        "the run was undone, and nothing of it is there",
    ));
}

/// The same of a command that removes what is stored of a state.
pub fn print_of_state(failure: &Failure) {
    say(&render_of_removal(failure, "whether anything was removed is not known", "it was removed"));
}

fn say(text: &str) {
    output::say("error", text.trim_start_matches("error: ").trim_end(), text);
}

/// A failure as text, ending in a line break. Each part of it is one line, whatever external text it
/// contains: nobody can forge a `note:`.
#[must_use]
pub fn render(failure: &Failure) -> String {
    render_with(failure, note_on(failure.database).map(Into::into))
}

/// The same for one of several runs: others may have written something.
#[must_use]
pub fn render_of(failure: &Failure, file: &Path) -> String {
    let nothing = format!("nothing of `{}` was written", path(file));
    let note = note_on(failure.database).map(|note| note.replacen("nothing was written", &nothing, 1).into());
    render_with(failure, note)
}

/// The same for a command that removes something.
fn render_of_removal(failure: &Failure, unknown: &'static str, committed: &'static str) -> String {
    let note = match failure.database {
        DatabaseState::Unknown => Some(unknown.into()),
        DatabaseState::Committed => Some(committed.into()),
        state => {
            note_on(state).map(|note| note.replacen("nothing was written", "nothing was removed", 1).into())
        }
    };
    render_with(failure, note)
}

fn render_with(failure: &Failure, note: Option<Cow<'_, str>>) -> String {
    let mut text = String::new();
    let mut line = |label: &str, words: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{label}: {}", one_line(words));
    };
    line("error", &failure.error.to_string());
    for cause in causes(&failure.error) {
        line("  caused by", &cause);
    }
    for (label, detail) in details(&failure.error) {
        line(&format!("  {}", one_line(&label)), &detail);
    }
    if let Some(note) = note {
        line("note", &note);
    }
    if let Some(help) = help(&failure.error) {
        line("help", &help);
    }
    text
}

/// The causes, from the nearest to the root.
#[must_use]
pub fn causes(error: &Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    if let Error::Internal(_) = error {
        causes.extend(panics::last());
    }
    causes
}

/// What else is known, each piece with a label.
#[must_use]
pub fn details(error: &Error) -> Vec<(String, Cow<'_, str>)> {
    match error {
        Error::History(error) => details(error),
        Error::Source(error) => {
            error.details().into_iter().map(|(label, text)| (label, text.into())).collect()
        }
        Error::Detector(error) => error.details(),
        Error::Config(_) => {
            advice::profile().map(|profile| ("profile".into(), profile.into())).into_iter().collect()
        }
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
        DatabaseState::Committed => Some("the run was committed, and all of it is there"),
        DatabaseState::NotConcerned => None,
    }
}

/// What to do.
#[must_use]
pub fn help(error: &Error) -> Option<String> {
    match error {
        Error::History(error) => help(error),
        Error::Variable(error) => Some(error.help()),
        Error::Config(error) => error.help(),
        Error::Profile(error) => error.help(),
        Error::Source(error) => error.help(),
        Error::AnomaliesFile(error) => error.help(),
        Error::Lookup(error) => Some(error.help()),
        Error::Detector(error) => error.help(),
        Error::Tools(error) => error.help(),
        Error::Sink(error) => error.help(),
        Error::State(error) => error.help(),
        Error::Verify(error) => error.help(),
        Error::Watch(error) => error.help(),
        Error::Thread(error) => error.help(),
        Error::Interrupted(_) | Error::Runtime(_) => None,
        Error::Output(_) => {
            Some("check the file or pipe that standard output goes to, then run the command again".into())
        }
        Error::Internal(_) => Some("this is a bug in host; please report it with the lines above".into()),
    }
}
