//! What a command says when it has done its work, on stdout: for people, or as one JSON object.

mod runs;
mod summary;

use std::fmt::Write as _;

pub use self::runs::{run, runs, verified};
pub use self::summary::{already_ingested, known_files, summary};
use crate::cli::Format;
use crate::error::Error;
use crate::output;
use crate::pipeline::Checked;
use crate::sink::RejectRecord;
use crate::source::{RejectLimit, RejectedRow};
use crate::text::{grouped, printable};

/// Prints a result for people to stdout.
///
/// # Errors
/// Where it could not be written. A reader that has gone away is not an error.
pub fn print(text: &str) -> Result<(), Error> {
    print_as(text, Format::Human)
}

/// Prints a result that is in this format.
///
/// # Errors
/// As [`print`].
pub fn print_as(text: &str, format: Format) -> Result<(), Error> {
    match format {
        Format::Human => output::result(text),
        Format::Json => output::json(text),
    }
    .map_err(Error::Output)
}

/// A rejected record, as one line.
#[must_use]
pub fn rejected(row: &RejectedRow) -> String {
    format!("{}:{}: {}: {}\n", printable(&row.file), row.line, row.reason(), row.message())
}

/// What a run would do.
#[must_use]
pub fn checked(checked: &Checked, limit: RejectLimit, is_refused: bool) -> String {
    let Checked { files, plugin, rows, anomalies, tally } = checked;
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "{}: {} rows, {} anomalies, {} rejected, in {} by {} {}",
        if is_refused { "a run would be refused" } else { "a run would be committed" },
        grouped(*rows),
        grouped(*anomalies),
        grouped(tally.count),
        match files.as_slice() {
            [file] => format!("`{}`", printable(&file.name)),
            files => format!("{} files", files.len()),
        },
        plugin.name,
        plugin.version,
    );
    for (reason, count) in &tally.by_reason {
        let _ = writeln!(text, "  {count} times {reason}");
    }
    if is_refused {
        let _ = writeln!(text, "  at most {limit} may be rejected; see --max-rejects");
    }
    text
}

/// The rejected records of a run.
#[must_use]
pub fn rejects(records: &[RejectRecord], format: Format) -> String {
    let line = |record: &RejectRecord| match format {
        Format::Human => {
            let RejectRecord { file, line, reason, message, raw, .. } = record;
            format!("{}:{line}: {reason}: {message}\n    {raw}\n", printable(file))
        }
        // A struct of numbers and strings always serialises.
        Format::Json => serde_json::to_string(record).unwrap_or_default() + "\n",
    };
    records.iter().map(line).collect()
}
