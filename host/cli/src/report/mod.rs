//! What a command reports on stdout when it is done: for people, or as one JSON object.

mod feedback;
pub mod json;
pub mod notes;
mod operations;
mod profiles;
mod runs;
mod several;
mod shrunk;
mod sniff;
mod state;
mod summary;
mod table;
mod undo;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use host_core::exit;
use host_core::rejected::RejectedRow;
use host_core::text::{counted, grouped, one_line, printable, printable_bytes};
use host_sink::{FileRecord, PluginFacts, RejectRecord, ReplacedRecord, SkipRecord};
use host_source::RejectLimit;
use serde::Serialize;

pub use self::feedback::{FeedbackObject, on_ids, recorded};
pub use self::operations::{PruneObject, StatusObject, pruned, status};
pub use self::profiles::Shown;
pub use self::runs::{RunObject, VerifyObject, anomalies_of, page, pruned_of, table, undone_since, verified};
pub use self::several::{EachObject, OneRun, Totals, outcome};
pub use self::shrunk::{ShrunkObject, shrunk, to_shrink};
pub use self::sniff::{Sniff, Tried, saved};
pub use self::state::{StateObject, StateShowObject, state_page, states};
pub use self::summary::{AlreadyObject, Summary, already_ingested};
pub use self::undo::{UndoObject, to_undo, undone};
use crate::cli::Format;
use crate::error::{Error, Failure};
use crate::pipeline::{CheckFiles, Checked};
use crate::{diagnostic, output};

/// Prints what a command has to say, in the format that was asked for.
pub struct Reporter {
    format: Format,
    command: OnceLock<String>,
}

impl Reporter {
    /// A reporter for a command that is not known yet.
    #[must_use]
    pub fn new(format: Format) -> Reporter {
        Reporter { format, command: OnceLock::new() }
    }

    /// From now on, what is printed belongs to this command.
    pub fn is_of(&self, command: &str) {
        // There is only one per process.
        let _ = self.command.set(command.to_owned());
    }

    fn command(&self) -> &str {
        self.command.get().map_or("", String::as_str)
    }

    /// One of several records of a listing.
    ///
    /// # Errors
    /// If it could not be written. A reader that has gone away is not an error.
    pub fn record(&self, record: &impl Serialize, human: impl FnOnce() -> String) -> Result<(), Error> {
        match self.format {
            Format::Human => output::result(&human()),
            Format::Json => output::json(&json::line(record)),
        }
        .map_err(Error::Output)
    }

    /// The end of a command, with its exit code: `body` is a struct or a map.
    ///
    /// # Errors
    /// As [`record`](Reporter::record).
    pub fn end(
        &self,
        exit_code: u8,
        body: impl Serialize,
        human: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        match self.format {
            Format::Human => output::result(&human()),
            Format::Json => output::json(&json::end(self.command(), exit_code, body)),
        }
        .map_err(Error::Output)
    }

    /// The end of a command that failed: on stderr for people, in either format, and as JSON on stdout if
    /// that was asked for. Returns the exit code.
    #[must_use]
    pub fn failed(&self, failure: &Failure) -> u8 {
        match self.command() {
            "undo" => diagnostic::print_of_undo(failure),
            "state prune" | "state drop" => diagnostic::print_of_state(failure),
            _ => diagnostic::print(failure),
        }
        if self.format == Format::Json && !matches!(failure.error, Error::Output(_)) {
            // If this fails, the exit code still says it.
            let _ = output::json(&json::failure(self.command.get().map(String::as_str), failure));
        }
        failure.exit_code()
    }

    /// Prints what clap has to say instead of running a command: help, the version, or what is wrong. Returns
    /// the exit code.
    ///
    /// # Errors
    /// If the help cannot be written.
    pub fn instead(&self, said: &clap::Error) -> Result<u8, Error> {
        let text = said.render();
        if !said.use_stderr() {
            output::help(&text).map_err(Error::Output)?;
            return Ok(exit::COMMITTED);
        }
        output::usage(&text);
        if self.format == Format::Json {
            // If this fails, the exit code still says it.
            let _ = output::json(&json::usage(&text.to_string(), exit::USAGE));
        }
        Ok(exit::USAGE)
    }
}

/// A rejected record, as one line.
#[must_use]
pub fn rejected(row: &RejectedRow) -> String {
    format!("{}:{}: {}: {}\n", printable(&row.file), row.line, row.reason(), row.message())
}

/// [`rejected`] for programs, with the same fields as the record in the database.
#[must_use]
pub fn rejected_object(row: &RejectedRow) -> impl Serialize {
    serde_json::json!({
        "file": &*row.file, "line": row.line, "byte_offset": row.byte_offset, "column": row.column,
        "reason": row.reason(), "message": row.message(), "raw": printable_bytes(&row.raw),
    })
}

/// Whether a run would be committed.
pub struct Verdict {
    /// How many records may be rejected.
    pub limit: RejectLimit,
    /// Whether there are more rejects than that.
    pub has_too_many_rejects: bool,
    /// How many rows there must be.
    pub min_rows: u64,
    /// Whether there are fewer rows than that.
    pub has_too_few_rows: bool,
}

impl Verdict {
    /// Whether the run would be refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.has_too_many_rejects || self.has_too_few_rows
    }
}

/// What a run would do, for programs: the fields are those of a run.
#[derive(Serialize)]
pub struct CheckObject<'a> {
    would_commit: bool,
    rows_read: u64,
    rows_written: u64,
    rows_rejected: u64,
    rejected_by_reason: &'a BTreeMap<String, u64>,
    anomalies: u64,
    max_rejects: String,
    /// Where rejected rows were written.
    rejects: Option<String>,
    /// Where the anomalies were written.
    anomalies_file: Option<String>,
    left_out: Vec<notes::LeftOut<'a>>,
    lines_left_out: Vec<notes::LeftOutLines<'a>>,
    ignored_columns: &'a [String],
    /// Rows whose time is earlier than that of the row before.
    rows_back_in_time: u64,
    files: Vec<FileRecord>,
    plugin: PluginFacts,
}

impl<'a> CheckObject<'a> {
    /// The object for a check.
    #[must_use]
    pub fn new(checked: &'a Checked, written: CheckFiles<'_>, verdict: &Verdict) -> CheckObject<'a> {
        let named = |file: &Path| file.to_string_lossy().into_owned();
        CheckObject {
            would_commit: !verdict.is_refused(),
            rows_read: checked.files.iter().map(|file| file.rows_read).sum(),
            rows_written: checked.rows,
            rows_rejected: checked.tally.count,
            rejected_by_reason: &checked.tally.by_reason,
            anomalies: checked.anomalies,
            max_rejects: verdict.limit.to_string(),
            rejects: written.rejects.map(named),
            anomalies_file: written.anomalies.map(named),
            left_out: notes::left_out(&checked.left_out, &[]),
            lines_left_out: notes::LeftOutLines::of(&checked.noticed.lines_left_out),
            ignored_columns: &checked.noticed.ignored_columns,
            rows_back_in_time: checked.noticed.rows_back_in_time,
            files: checked.files.iter().map(FileRecord::of).collect(),
            plugin: checked.plugin.clone(),
        }
    }
}

/// What a run would do.
#[must_use]
pub fn checked(checked: &Checked, verdict: &Verdict) -> String {
    let Checked { files, plugin, rows, anomalies, tally, .. } = checked;
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "{}: {}, {}, {} rejected, in {} by {} {}",
        if verdict.is_refused() { "a run would be refused" } else { "a run would be committed" },
        counted(*rows, "row"),
        anomalies_of(*anomalies),
        grouped(tally.count),
        match files.as_slice() {
            [file] => format!("`{}`", printable(&file.name)),
            files => counted(files.len() as u64, "file"),
        },
        printable(&plugin.name),
        printable(&plugin.version),
    );
    for (reason, count) in &tally.by_reason {
        let _ = writeln!(text, "  {} {reason}", counted(*count, "time"));
    }
    if verdict.has_too_few_rows {
        let _ = writeln!(text, "  fewer rows than --min-rows {}", verdict.min_rows);
    }
    if verdict.has_too_many_rejects {
        let _ = writeln!(text, "  at most {} may be rejected; see --max-rejects", verdict.limit);
        if let Some(hint) = &tally.hint {
            let _ = writeln!(text, "  help: {hint}");
        }
    }
    text
}

/// A rejected record of a run.
#[must_use]
pub fn reject(record: &RejectRecord) -> String {
    let RejectRecord { file, line, reason, message, raw, .. } = record;
    format!(
        "{}:{line}: {}: {}\n    {}\n",
        printable(file),
        printable(reason),
        one_line(message),
        one_line(raw)
    )
}

/// A row that a run skipped because its id was already taken.
#[must_use]
pub fn skip(record: &SkipRecord) -> String {
    let SkipRecord { file, line, transaction_id, differs, .. } = record;
    let is = if *differs { "differs" } else { "same" };
    let mut text = format!("{}:{line}: {is}: id {transaction_id}", printable(file));
    let values = (&record.user_id, &record.amount, &record.transaction_timestamp);
    if let (Some(user_id), Some(amount), Some(timestamp)) = values {
        // Writing into a String cannot fail.
        let _ = write!(text, ", user {user_id}, {}, {}", one_line(amount), one_line(timestamp));
    }
    text + "\n"
}

/// A row that a run replaced, as it was before.
#[must_use]
pub fn replaced(record: &ReplacedRecord) -> String {
    let ReplacedRecord { file, line, transaction_id, differs, .. } = record;
    let is = if *differs { "differed" } else { "same" };
    let mut text = format!("{}:{line}: {is}: id {transaction_id} was", printable(file));
    let mut add = |what: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing into a String cannot fail.
            let _ = write!(text, "{what}{}", one_line(&value));
        }
    };
    add(" of user ", record.user_id.map(|user| user.to_string()));
    add(", ", record.amount.clone());
    add(", ", record.transaction_timestamp.clone());
    add(", anomalous: ", record.reason.clone());
    add(", written by run ", record.written_by.map(|run_id| run_id.to_string()));
    text + "\n"
}
