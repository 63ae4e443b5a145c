//! The ledger, as a table or one page per run, and the result of a replay.

use std::fmt::Write as _;

use bytesize::ByteSize;
use host_core::facts::Reading;
use host_core::text::{counted, counted_as, grouped, printable, printable_up_to};
use host_sink::{
    FeedbackSpan, FileRecord, LedgerRun, PluginFacts, Pruned, RunFilter, RunRecord, StateRecord,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Serialize;

use super::json;
use super::table::aligned;
use crate::error::Failure;
use crate::verify::Verified;

/// Characters of a file's name in the table.
const NAME_CHARS: usize = 40;

/// A run as every command prints it for programs.
#[derive(Serialize)]
pub struct RunObject<'a> {
    pub(super) run_id: i64,
    pub(super) committed: bool,
    #[serde(serialize_with = "json::as_time")]
    pub(super) started_at: Timestamp,
    #[serde(serialize_with = "json::as_time")]
    pub(super) committed_at: Timestamp,
    /// When it was undone, if it was.
    #[serde(serialize_with = "json::as_optional_time")]
    pub(super) undone_at: Option<Timestamp>,
    /// In the rows' local time, which has no zone.
    pub(super) first_timestamp: Option<String>,
    pub(super) last_timestamp: Option<String>,
    pub(super) rows_read: u64,
    pub(super) rows_written: u64,
    pub(super) rows_rejected: u64,
    pub(super) rows_skipped: u64,
    /// Among the rows written.
    pub(super) rows_replaced: u64,
    pub(super) anomalies: u64,
    pub(super) first_transaction_id: Option<i64>,
    pub(super) last_transaction_id: Option<i64>,
    pub(super) ids: &'a str,
    pub(super) file: &'a FileRecord,
    pub(super) files: &'a [FileRecord],
    pub(super) source: Option<&'a str>,
    pub(super) plugin: &'a PluginFacts,
    pub(super) reading: Option<&'a Reading>,
    pub(super) host_version: &'a str,
    pub(super) is_intact: Option<bool>,
    pub(super) state: Option<&'a StateRecord>,
    pub(super) history: &'a [FileRecord],
    pub(super) feedback: Option<FeedbackSpan>,
    pub(super) kept_columns: Option<&'a [String]>,
}

impl<'a> RunObject<'a> {
    /// The object for a run in the ledger.
    #[must_use]
    pub fn new(run: &'a LedgerRun) -> RunObject<'a> {
        let LedgerRun { record, committed_at, undone_at, is_intact } = run;
        RunObject {
            run_id: record.run_id,
            committed: true,
            started_at: record.started_at,
            committed_at: *committed_at,
            undone_at: *undone_at,
            first_timestamp: record.first_timestamp.as_ref().map(row_time),
            last_timestamp: record.last_timestamp.as_ref().map(row_time),
            rows_read: record.file.rows_read,
            rows_written: record.rows_written,
            rows_rejected: record.rows_rejected,
            rows_skipped: record.rows_skipped,
            rows_replaced: record.rows_replaced,
            anomalies: record.anomalies,
            first_transaction_id: record.first_transaction_id,
            last_transaction_id: record.last_transaction_id,
            ids: &record.ids,
            // More is known about a single file.
            file: if let [file] = record.files.as_slice() { file } else { &record.file },
            files: &record.files,
            source: record.source.as_deref(),
            plugin: &record.plugin,
            reading: record.reading.as_ref(),
            host_version: &record.host_version,
            is_intact: *is_intact,
            state: record.state.as_ref(),
            history: &record.history,
            feedback: record.feedback,
            kept_columns: record.kept_columns.as_deref(),
        }
    }
}

/// The time of a row: `2024-02-29T23:59:59.000000`.
fn row_time(time: &DateTime) -> String {
    time.strftime("%FT%T%.6f").to_string()
}

/// The result of a replay, for programs.
#[derive(Serialize)]
pub struct VerifyObject<'a> {
    is_reproduced: bool,
    #[serde(flatten)]
    run: RunObject<'a>,
    difference_count: u64,
    /// The first of them.
    differences: Vec<String>,
    /// Rows that later runs have replaced.
    replaced_since: Vec<ReplacedSince>,
    /// What was removed of what the run had recorded.
    pruned: Vec<PrunedObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<json::ErrorObject<'a>>,
}

#[derive(Serialize)]
struct ReplacedSince {
    run_id: i64,
    rows: u64,
}

#[derive(Serialize)]
struct PrunedObject<'a> {
    table: &'a str,
    rows: u64,
    #[serde(serialize_with = "json::as_time")]
    pruned_at: Timestamp,
}

impl<'a> VerifyObject<'a> {
    /// The object for a replay, and what was wrong with it.
    #[must_use]
    pub fn new(verified: &'a Verified, failure: Option<&'a Failure>) -> VerifyObject<'a> {
        VerifyObject {
            is_reproduced: failure.is_none(),
            run: RunObject::new(&verified.run),
            difference_count: verified.count,
            differences: verified.differences.iter().map(ToString::to_string).collect(),
            replaced_since: verified
                .replaced
                .iter()
                .map(|(run_id, rows)| ReplacedSince { run_id: *run_id, rows: *rows })
                .collect(),
            pruned: verified
                .pruned
                .iter()
                .map(|Pruned { table, rows, at }| PrunedObject { table, rows: *rows, pruned_at: *at })
                .collect(),
            error: failure.map(json::error),
        }
    }
}

/// The result of a replay.
#[must_use]
pub fn verified(verified: &Verified) -> String {
    let Verified { run, differences, count, replaced, pruned } = verified;
    let RunRecord { run_id, rows_written, anomalies, rows_rejected, .. } = &run.record;
    let mut text: String = differences.iter().map(|difference| format!("{difference}\n")).collect();
    let untold = count - differences.len() as u64;
    // Writing into a String cannot fail.
    if untold > 0 {
        let _ = writeln!(text, "and {} more", grouped(untold));
    }
    if *count == 0 {
        let _ = writeln!(
            text,
            "run {run_id} is exactly reproduced: {}, {}, {} rejected",
            counted(*rows_written, "row"),
            anomalies_of(*anomalies),
            grouped(*rows_rejected),
        );
    }
    for (by, rows) in replaced {
        let were = if *rows == 1 { "was" } else { "were" };
        let _ = writeln!(text, "  {} of its rows {were} replaced since, by run {by}", grouped(*rows));
    }
    for pruned in pruned {
        let _ = write!(text, "  {}", pruned_of(*run_id, pruned));
    }
    text
}

/// Runs as a table.
#[must_use]
pub fn table(runs: &[LedgerRun], not_shown: u64, wanted: &RunFilter) -> String {
    if runs.is_empty() {
        return if wanted.is_all() { "no runs yet\n".into() } else { "no such runs\n".into() };
    }
    let head = ["run", "committed at", "rows", "anomalies", "rejected", "plugin", "file"].map(str::to_owned);
    let mut lines = vec![head];
    lines.extend(runs.iter().map(|LedgerRun { record, committed_at, undone_at, is_intact }| {
        let altered = if *is_intact == Some(false) { " (altered)" } else { "" };
        let undone = if undone_at.is_some() { " (undone)" } else { "" };
        [
            format!("{}{undone}{altered}", record.run_id),
            committed_at.strftime("%F %TZ").to_string(),
            grouped(record.rows_written),
            grouped(record.anomalies),
            grouped(record.rows_rejected),
            printable(&format!("{} {}", record.plugin.name, record.plugin.version)).into_owned(),
            files(record),
        ]
    }));
    let mut text = aligned(lines, &[2, 3, 4]);
    if not_shown > 0 {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "and {}; see --limit", counted(not_shown, "earlier run"));
    }
    text
}

/// The first file of a run, and how many more there are.
pub(super) fn files(record: &RunRecord) -> String {
    let first = record.files.first().map_or(&record.file.name, |file| &file.name);
    let first = printable_up_to(first, NAME_CHARS);
    match record.files.len() {
        0 | 1 => first.into_owned(),
        count => format!("{first} and {} more", grouped(count as u64 - 1)),
    }
}

/// Everything about one run.
#[must_use]
pub fn page(run: &LedgerRun) -> String {
    let LedgerRun { record, committed_at, undone_at, is_intact } = run;
    let mut text = format!("run {}, committed at {}\n", record.run_id, committed_at.strftime("%F %T.%6fZ"));
    let mut line = |label: &str, value: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {label:<11}{value}");
    };
    if let Some(at) = undone_at {
        line("undone", format!("at {}: nothing of it is there", at.strftime("%F %T.%6fZ")));
    }
    line("started", record.started_at.strftime("%F %T.%6fZ").to_string());
    line(
        "rows",
        format!(
            "{} read, {} written, {} rejected, {} skipped",
            grouped(record.file.rows_read),
            grouped(record.rows_written),
            grouped(record.rows_rejected),
            grouped(record.rows_skipped),
        ),
    );
    if record.rows_replaced > 0 {
        line("", format!("{} in place of stored ones", grouped(record.rows_replaced)));
    }
    line("anomalies", grouped(record.anomalies));
    if let Some((first, last)) = record.first_transaction_id.zip(record.last_transaction_id) {
        line("ids", format!("transactions {first} to {last} ({})", record.ids));
    }
    if let Some(source) = &record.source {
        line("source", printable(source).into_owned());
    }
    for file in &record.files {
        let size = ByteSize::b(file.bytes);
        line("file", format!("`{}`, {size}, {} read", printable(&file.name), counted(file.rows_read, "row")));
        line("", format!("sha256 {}", printable(&file.sha256)));
    }
    if let Some(reading) = &record.reading {
        line("read as", printable(&serde_json::to_string(reading).unwrap_or_default()).into_owned());
    }
    let plugin = &record.plugin;
    let named = format!("{} {}, contract {}", plugin.name, plugin.version, plugin.contract_version);
    line("plugin", printable(&named).into_owned());
    line("", format!("sha256 {}", printable(&plugin.sha256)));
    for (name, value) in &plugin.settings {
        line("setting", printable(&format!("{name}={value}")).into_owned());
    }
    if let Some(state) = &record.state {
        line("state", state_of(state));
        line("", format!("sha256 {}", printable(&state.sha256)));
    }
    for file in &record.history {
        line("history", format!("`{}`, {}", printable(&file.name), counted(file.rows_read, "row")));
        line("", format!("sha256 {}", printable(&file.sha256)));
    }
    if let Some(FeedbackSpan { after, through }) = record.feedback {
        line("feedback", format!("numbers {} to {}", after.saturating_add(1), through));
    }
    line("host", printable(&record.host_version).into_owned());
    line(
        "ledger",
        match is_intact {
            Some(true) => "as the run wrote it",
            Some(false) => "ALTERED after the run was committed",
            None => "written by a host that recorded no digest",
        }
        .into(),
    );
    text
}

/// What a run did with its state.
fn state_of(StateRecord { name, predecessor, entries, .. }: &StateRecord) -> String {
    let begun = match predecessor {
        Some(run_id) => format!("continued from run {run_id}"),
        None => "begun anew".to_owned(),
    };
    format!("`{}`, {begun}, wrote {}", printable(name), entries_of(*entries))
}

/// "1 entry", "2 entries".
#[must_use]
pub fn entries_of(count: u64) -> String {
    counted_as(count, "entry", "entries")
}

/// That what a listing could list was removed.
#[must_use]
pub fn pruned_of(run_id: i64, Pruned { table, rows, at }: &Pruned) -> String {
    let command = if table == "detector_states" { "state drop" } else { "prune" };
    let (rows, table, at) = (counted(*rows, "row"), printable(table), at.strftime("%F %TZ"));
    format!("`host {command}` removed {rows} of run {run_id} from {table} at {at}\n")
}

/// That what a listing could list went with the run.
#[must_use]
pub fn undone_since(run_id: i64, undone_at: Option<Timestamp>) -> String {
    let at = undone_at.map(|at| format!(" at {}", at.strftime("%F %TZ"))).unwrap_or_default();
    format!("run {run_id} was undone{at}\n")
}

/// "1 anomaly", "2 anomalies".
#[must_use]
pub fn anomalies_of(count: u64) -> String {
    counted_as(count, "anomaly", "anomalies")
}
