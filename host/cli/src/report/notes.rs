//! Remarks on a successful run: what was left out, what was ingested before, and what is odd. All of them
//! for people; what was left out also for programs, file by file.

use std::path::Path;

use host_core::text::{counted, listed, path, printable};
use host_sink::{EarlierHeader, KnownFile, KnownFrom};
use host_source::{LinesLeftOut, Note, Tally};
use serde::Serialize;

use crate::config::IngestConfig;
use crate::pipeline::{Checked, Outcome, Taught};

/// Files that are named one by one.
const SHOWN_FILES: usize = 10;

/// Columns that are named one by one.
const SHOWN_COLUMNS: usize = 8;

/// What is odd about a run.
#[must_use]
pub fn of_run(outcome: &Outcome) -> Vec<String> {
    let record = &outcome.committed.run.record;
    let mut notes = known_files(outcome);
    let without_rows = record.files.iter().filter(|file| file.rows_read == 0);
    notes.extend(without_rows_in(without_rows.map(|file| file.name.clone()).collect()));
    notes.extend(changed_columns(outcome));
    notes.extend(not_learned(outcome));
    notes.extend(outcome.taught.iter().flat_map(|taught| not_taught(taught, &record.plugin.name)));
    notes.extend(outcome.noticed.notes(&record.plugin.name, outcome.minds_order));
    notes
}

/// What a detector did not learn of earlier files.
fn not_learned(outcome: &Outcome) -> Option<String> {
    let record = &outcome.committed.run.record;
    if let Some(state) = record.state.as_ref().filter(|_| outcome.is_history_unread) {
        return Some(format!(
            "`--history` was not read, since the state `{}` continues and would learn the same twice; a new one (`--state \
             new`, or another name) learns from it",
            printable(&state.name)
        ));
    }
    let rejected: u64 = record.history.iter().map(|file| file.rows_rejected).sum();
    (rejected > 0)
        .then(|| format!("left out {} of `--history` that could not be read", counted(rejected, "row")))
}

/// What a detector could not be told.
fn not_taught(taught: &Taught, plugin: &str) -> Vec<String> {
    let plugin = printable(plugin);
    let without_columns = (taught.without_columns > 0).then(|| {
        format!(
            "`{plugin}` was not told what has become known of {}, since columns that it requires were not kept: only runs of \
             detectors that learn from feedback keep them",
            counted(taught.without_columns, "row")
        )
    });
    let gone = (taught.gone > 0).then(|| {
        let gone = counted(taught.gone, "row");
        format!("`{plugin}` was not told what has become known of {gone} no longer there")
    });
    without_columns.into_iter().chain(gone).collect()
}

/// Columns that the last file of the same source (or of the same name) did not have, or that are missing
/// now: often the first sign that somebody has changed an export.
fn changed_columns(outcome: &Outcome) -> Option<String> {
    let record = &outcome.committed.run.record;
    let EarlierHeader { run_id, header } = outcome.committed.earlier_header.as_ref()?;
    let now = record.files.first()?.header.as_ref().filter(|now| *now != header)?;
    let delimiter = record.reading.as_ref().map_or(',', |reading| reading.delimiter);
    let (before, now) = (names(header, delimiter)?, names(now, delimiter)?);
    let missing_in = |names: &[String], other: &[String]| -> Vec<String> {
        names.iter().filter(|name| !other.contains(name)).cloned().collect()
    };
    let changes = [("new", missing_in(&now, &before)), ("missing", missing_in(&before, &now))];
    let changes: Vec<String> = changes
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", listed(&names, SHOWN_COLUMNS)))
        .collect();
    let name = printable(&record.files.first()?.name).into_owned();
    (!changes.is_empty()).then(|| {
        format!("the columns of `{name}` are not those that run {run_id} found; {}", changes.join("; "))
    })
}

/// The names in a header, as they are compared: in any case, without blanks around them. `None` if the ledger
/// may not have all of it.
fn names(header: &str, delimiter: char) -> Option<Vec<String>> {
    /// Below what the ledger keeps of a header.
    const MOST_BYTES: usize = 16_000;
    /// The ledger does not have the delimiter that a file itself has named.
    const OTHERS: [char; 3] = [';', '\t', ','];
    if header.len() >= MOST_BYTES {
        return None;
    }
    let mut split = std::iter::once(delimiter).chain(OTHERS).filter_map(|by| split(header, by));
    let names = split.next()?;
    if names.len() > 1 { Some(names) } else { split.find(|names| names.len() > 1).or(Some(names)) }
}

fn split(header: &str, delimiter: char) -> Option<Vec<String>> {
    let delimiter = u8::try_from(delimiter).ok()?;
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.delimiter(delimiter).has_headers(false).from_reader(header.as_bytes());
    let record = reader.records().next()?.ok()?;
    let names = record.iter().map(|name| name.trim().to_lowercase());
    Some(names.filter(|name| !name.is_empty() && !name.starts_with("rejected_")).collect())
}

/// The same for a check, which writes nothing.
#[must_use]
pub fn of_check(checked: &Checked) -> Vec<String> {
    let without_rows = checked.files.iter().filter(|file| file.rows_read == 0);
    let without_rows = without_rows_in(without_rows.map(|file| file.name.clone()).collect());
    let odd = checked.noticed.notes(&checked.plugin.name, checked.minds_order);
    let name = printable(&checked.plugin.name);
    let stateless = checked.is_stateful.then(|| {
        format!("`{name}` learns from one run to the next; `host check` judges as its first run would, without a state")
    });
    without_rows.into_iter().chain(odd).chain(stateless).collect()
}

/// Files whose content was ingested before, whether they were left out or not.
fn known_files(outcome: &Outcome) -> Vec<String> {
    let known = |file: &KnownFile| {
        let name = printable(&file.name);
        match &file.from {
            KnownFrom::RunId(run_id) => {
                format!("the content of `{name}` was ingested before, by run {run_id}")
            }
            KnownFrom::SameAs(other) => format!("`{name}` has the same content as `{}`", printable(other)),
        }
    };
    let left_out = outcome.left_out.iter().map(|file| format!("{}; it was left out", known(file)));
    let mut notes: Vec<String> = left_out.chain(outcome.committed.known.iter().map(known)).collect();
    let untold = notes.len().saturating_sub(SHOWN_FILES);
    if untold > 0 {
        notes.truncate(SHOWN_FILES);
        notes.push(format!("the same goes for {}", counted(untold as u64, "more file")));
    }
    notes
}

/// A file with only a header may be a delivery that went wrong.
fn without_rows_in(files: Vec<String>) -> Option<String> {
    let files = (!files.is_empty()).then(|| listed(&files, SHOWN_FILES))?;
    Some(format!("there are no rows in {files}; to fail in that case, pass `--min-rows 1`"))
}

/// How a file of rejected rows differs from the files that they are from. Some arguments are about what is around the
/// rows of those; without them, the same command reads it.
#[must_use]
pub fn on_rejects(
    rejects: Option<&Path>,
    tally: &Tally,
    config: &IngestConfig,
    min_rows: u64,
) -> Option<String> {
    let rejects = rejects.filter(|_| tally.count > 0)?;
    let (lines, expected) = (&config.rules.lines, &config.expected);
    let arguments = [
        ("--skip-lines", lines.skip_lines > 0),
        ("--skip-last", lines.skip_last > 0),
        ("--stop-at", lines.stop_at.is_some()),
        ("--trailer", lines.trailer.is_some()),
        ("--expect-rows", expected.rows.is_some()),
        ("--expect-total", expected.total_cents.is_some()),
        ("--expect-sha256", !expected.sha256.is_empty()),
        ("--min-rows", min_rows > 0),
    ];
    let given: Vec<String> =
        arguments.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name.to_owned()).collect();
    let without = (!given.is_empty()).then(|| listed(&given, given.len()))?;
    let file = printable(&path(rejects)).into_owned();
    Some(format!("once it is mended, `{file}` is read by the same command without {without}"))
}

/// Lines that were left out, for programs.
#[derive(Serialize)]
pub struct LeftOutLines<'a> {
    file: &'a str,
    /// Physical lines, from 1.
    first_line: u64,
    last_line: u64,
}

impl<'a> LeftOutLines<'a> {
    /// All of a run.
    #[must_use]
    pub fn of(lines: &'a [LinesLeftOut]) -> Vec<LeftOutLines<'a>> {
        let of = |LinesLeftOut { file, first_line, last_line }: &'a LinesLeftOut| LeftOutLines {
            file,
            first_line: *first_line,
            last_line: *last_line,
        };
        lines.iter().map(of).collect()
    }
}

/// What was left out, for programs.
#[derive(Serialize)]
pub struct LeftOut<'a> {
    /// A file or folder: as given, or within the folder or pattern that was given.
    name: String,
    reason: &'static str,
    /// The folder or pattern in which it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<String>,
    /// The run that ingested its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<i64>,
    /// A file of this run with the same content.
    #[serde(skip_serializing_if = "Option::is_none")]
    same_as: Option<&'a str>,
}

/// Everything that was left out: because of what it is, or because its content is already known.
#[must_use]
pub fn left_out<'a>(notes: &[Note], known: &'a [KnownFile]) -> Vec<LeftOut<'a>> {
    let known = known.iter().map(|file| {
        let (run_id, same_as) = match &file.from {
            KnownFrom::RunId(run_id) => (Some(*run_id), None),
            KnownFrom::SameAs(other) => (None, Some(other.as_str())),
        };
        LeftOut { name: file.name.clone(), reason: "known_content", within: None, run_id, same_as }
    });
    notes.iter().flat_map(of_note).chain(known).collect()
}

fn of_note<'a>(note: &Note) -> Vec<LeftOut<'a>> {
    let (reason, within, names) = match note {
        Note::Hidden { within, names } => ("hidden", Some(within), names.clone()),
        Note::OtherNames { within, names } => ("other_name", Some(within), names.clone()),
        Note::SubFolders { within, names } => ("sub_folder", Some(within), names.clone()),
        Note::Empty { files } => {
            ("empty", None, files.iter().map(|file| file.display().to_string()).collect())
        }
    };
    let within = within.map(|within| within.display().to_string());
    let one = |name| LeftOut { name, reason, within: within.clone(), run_id: None, same_as: None };
    names.into_iter().map(one).collect()
}
