//! What `--format json` prints: one JSON object per line. The last is the end of the command, with the
//! fields `command` and `exit_code`, whether it succeeded or not. `schema/output.json` says what else is in
//! it; names of fields and kinds of errors are part of the interface.

use host_core::secret::hide_passwords;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::diagnostic;
use crate::error::{DatabaseState, Failure, Retry};
use crate::remarks::{self, Remark};

/// The end of a command.
#[derive(Serialize)]
struct End<'a, T> {
    command: Option<&'a str>,
    exit_code: u8,
    /// When it ended.
    #[serde(serialize_with = "as_time")]
    ended_at: Timestamp,
    /// The notes and warnings that people saw on the way.
    remarks: Vec<Remark>,
    #[serde(flatten)]
    body: T,
}

impl<T> End<'_, T> {
    fn new(command: Option<&str>, exit_code: u8, body: T) -> End<'_, T> {
        End { command, exit_code, ended_at: Timestamp::now(), remarks: remarks_so_far(), body }
    }
}

/// What was remarked since this was last asked.
pub(super) fn remarks_so_far() -> Vec<Remark> {
    let shown = |remark: Remark| Remark { text: hidden(&remark.text), ..remark };
    remarks::take().into_iter().map(shown).collect()
}

/// The last line of a command. `body` is a struct or a map.
#[must_use]
pub fn end(command: &str, exit_code: u8, body: impl Serialize) -> String {
    line(&End::new(Some(command), exit_code, body))
}

/// One line. We only print structs of text and numbers, which always serialise; paths, which need not be
/// valid text, are converted before.
#[must_use]
pub fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

/// A point in time, in the format used everywhere: `2024-02-29T23:59:59.000000Z`.
pub fn time(time: &Timestamp) -> String {
    time.strftime("%FT%T%.6fZ").to_string()
}

/// [`time`], for serde.
pub fn as_time<S: Serializer>(value: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time(value))
}

/// [`as_time`], if there is one.
pub fn as_optional_time<S: Serializer>(value: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => as_time(value, serializer),
        None => serializer.serialize_none(),
    }
}

/// A command, or one of several runs, that failed.
#[derive(Serialize)]
pub(super) struct Failed<'a> {
    /// Only for `run` and `feedback`; null if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<Option<bool>>,
    /// What happened to the database, if the command writes rows.
    database: Option<&'static str>,
    error: ErrorObject<'a>,
}

impl<'a> Failed<'a> {
    /// A run.
    pub(super) fn of_run(failure: &'a Failure) -> Failed<'a> {
        let committed = match failure.database {
            DatabaseState::Unknown => None,
            state => Some(state == DatabaseState::Committed),
        };
        let database = Some(state_name(failure.database));
        Failed { committed: Some(committed), database, error: error(failure) }
    }

    /// An undo.
    fn of_undo(failure: &'a Failure) -> Failed<'a> {
        Failed { committed: None, ..Failed::of_run(failure) }
    }

    /// Another command.
    fn of_other(failure: &'a Failure) -> Failed<'a> {
        Failed { committed: None, database: None, error: error(failure) }
    }
}

/// What went wrong.
#[derive(Serialize)]
pub struct ErrorObject<'a> {
    kind: &'a str,
    message: String,
    causes: Vec<String>,
    details: Vec<Detail>,
    file: Option<String>,
    line: Option<u64>,
    column: Option<String>,
    value: Option<String>,
    help: Option<String>,
    /// Whether the same command may simply be run again.
    retry: Retry,
}

#[derive(Serialize)]
struct Detail {
    label: String,
    text: String,
}

/// The last line of a command that failed, perhaps before it was known which command it is.
#[must_use]
pub fn failure(command: Option<&str>, failure: &Failure) -> String {
    let body = match command {
        Some("run" | "feedback") => Failed::of_run(failure),
        Some("undo") => Failed::of_undo(failure),
        _ => Failed::of_other(failure),
    };
    line(&End::new(command, failure.exit_code(), body))
}

/// The error of a failed command.
#[must_use]
pub fn error(failure: &Failure) -> ErrorObject<'_> {
    let error = &failure.error;
    let place = error.place();
    let details = diagnostic::details(error).into_iter();
    ErrorObject {
        kind: error.kind(),
        message: hidden(&error.to_string()),
        causes: diagnostic::causes(error).iter().map(|cause| hidden(cause)).collect(),
        details: details.map(|(label, text)| Detail { label, text: hidden(&text) }).collect(),
        file: place.file.as_deref().map(hidden),
        line: place.line,
        column: place.column,
        value: place.value,
        help: diagnostic::help(error).as_deref().map(hidden),
        retry: failure.retry(),
    }
}

/// Hides passwords in URLs, which may be in unexpected places.
fn hidden(text: &str) -> String {
    hide_passwords(text).into_owned()
}

fn state_name(state: DatabaseState) -> &'static str {
    match state {
        DatabaseState::Untouched | DatabaseState::NotConcerned => "untouched",
        DatabaseState::RolledBack => "rolled_back",
        DatabaseState::NeverCommitted => "never_committed",
        DatabaseState::Unknown => "unknown",
        DatabaseState::Committed => "committed",
    }
}

/// The last line if the arguments are invalid; `said` is clap's own message.
#[must_use]
pub fn usage(said: &str, exit_code: u8) -> String {
    let (message, rest) = said.split_once("\n\n").unwrap_or((said, ""));
    let body = Failed {
        committed: None,
        database: None,
        error: ErrorObject {
            kind: "usage",
            message: hidden(message.trim_start_matches("error: ").trim()),
            causes: Vec::new(),
            details: Vec::new(),
            file: None,
            line: None,
            column: None,
            value: None,
            help: Some(hidden(rest.trim())).filter(|help| !help.is_empty()),
            retry: Retry::No,
        },
    };
    line(&End::new(None, exit_code, body))
}
