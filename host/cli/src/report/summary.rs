//! The summary of a committed run, and what is said if there was nothing to commit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytesize::ByteSize;
use host_core::advice;
use host_core::text::{counted, grouped, one_line, printable};
use host_sink::{AlreadyIngested, KnownFile, Once, StateRecord};
use host_source::Note;
use serde::Serialize;

use super::notes::{self, LeftOut, LeftOutLines};
use super::runs::{RunObject, anomalies_of, entries_of};
use crate::config::RunConfig;
use crate::pipeline::Outcome;

/// What is said if nothing was written because everything was ingested before.
#[must_use]
pub fn already_ingested(already: &AlreadyIngested) -> String {
    let AlreadyIngested { once, files, run } = already;
    let run_id = run.record.run_id;
    let at = run.committed_at.strftime("%F %TZ");
    let what = match (once, files.len()) {
        (Once::All, _) => "the same content, plugin and settings",
        (Once::File, 1) => "the same content",
        (Once::File, _) => "the last of these files; the others by it or by earlier runs",
    };
    format!("already ingested by run {run_id}, committed at {at}: {what}; nothing was written\n")
}

/// [`already_ingested`] for programs: everything about the earlier run.
#[derive(Serialize)]
pub struct AlreadyObject<'a> {
    #[serde(flatten)]
    run: RunObject<'a>,
    already_ingested: bool,
    /// Everything that was given, or found in what was given.
    left_out: Vec<LeftOut<'a>>,
}

impl<'a> AlreadyObject<'a> {
    /// The object for such a run; `notes` say what was left out because of what it is.
    #[must_use]
    pub fn new(already: &'a AlreadyIngested, notes: &[Note]) -> AlreadyObject<'a> {
        AlreadyObject {
            run: RunObject::new(&already.run),
            already_ingested: true,
            left_out: notes::left_out(notes, &already.files),
        }
    }
}

/// What is printed about a committed run: the run as stored in the ledger, and what only the run itself
/// knows.
#[derive(Serialize)]
pub struct Summary<'a> {
    #[serde(flatten)]
    run: RunObject<'a>,
    already_ingested: bool,
    rejected_by_reason: &'a BTreeMap<String, u64>,
    /// Skipped rows whose values differ from those of the rows already there.
    rows_skipped_differing: u64,
    /// Replaced rows whose values were others.
    rows_replaced_differing: u64,
    database: &'a str,
    /// How many entries of its state the detector was given before the first row.
    state_entries_restored: u64,
    /// Rows of which a learning detector was told what has become known; null if it does not learn.
    feedback_rows: Option<u64>,
    /// Rows that it was not given, because they, or columns that it requires, are not there.
    feedback_rows_left_out: Option<u64>,
    /// Where rejected rows were written, besides the database.
    rejects: Option<String>,
    /// Files whose content an earlier run had ingested, and which were ingested once more.
    ingested_before: &'a [KnownFile],
    /// Files that were left out for that reason, or because there is no data in them.
    left_out: Vec<LeftOut<'a>>,
    /// Lines of the other files that are neither a header nor rows.
    lines_left_out: Vec<LeftOutLines<'a>>,
    ignored_columns: &'a [String],
    /// Rows whose time is earlier than that of the row before.
    rows_back_in_time: u64,
    seconds: Seconds,
    rows_per_second: u64,
    /// Of this process; not available on every system.
    peak_memory_bytes: Option<u64>,
    plugin_memory_bytes: usize,
    /// `None` if there was no limit.
    plugin_fuel: Option<u64>,
    plugin_log_lines_dropped: u64,
    look: String,
}

#[derive(Serialize)]
struct Seconds {
    load: f64,
    connect: f64,
    restore: f64,
    read: f64,
    classify: f64,
    write: f64,
    commit: f64,
    total: f64,
}

impl<'a> Summary<'a> {
    /// The summary of a run with this configuration.
    #[must_use]
    pub fn new(outcome: &'a Outcome, config: &RunConfig) -> Summary<'a> {
        let Outcome { committed, server, times, guest, tally, left_out, notes, noticed, .. } = outcome;
        let taught = outcome.taught;
        let run = RunObject::new(&committed.run);
        let seconds = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e6;
        Summary {
            already_ingested: false,
            rejected_by_reason: &tally.by_reason,
            rows_skipped_differing: committed.rows_skipped_differing,
            rows_replaced_differing: committed.rows_replaced_differing,
            database: server,
            state_entries_restored: outcome.restored_entries.unwrap_or_default(),
            feedback_rows: taught.map(|taught| taught.rows),
            feedback_rows_left_out: taught.map(|taught| taught.gone + taught.without_columns),
            rejects: config.rejects_file.as_ref().map(|file| file.to_string_lossy().into_owned()),
            ingested_before: &committed.known,
            left_out: notes::left_out(notes, left_out),
            lines_left_out: LeftOutLines::of(&noticed.lines_left_out),
            ignored_columns: &noticed.ignored_columns,
            rows_back_in_time: noticed.rows_back_in_time,
            seconds: Seconds {
                load: seconds(times.load),
                connect: seconds(times.connect),
                restore: seconds(times.restore),
                read: seconds(times.read),
                classify: seconds(times.classify),
                write: seconds(times.write),
                commit: seconds(times.commit),
                total: seconds(times.total),
            },
            rows_per_second: (run.rows_written as f64 / times.total.as_secs_f64().max(1e-6)).round() as u64,
            peak_memory_bytes: peak_memory_bytes(),
            plugin_memory_bytes: guest.memory_bytes,
            plugin_fuel: guest.fuel,
            plugin_log_lines_dropped: guest.dropped_log_lines,
            look: format!(
                "SELECT * FROM anomalies WHERE run_id = {} ORDER BY score DESC LIMIT 10",
                run.run_id
            ),
            run,
        }
    }

    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "committed run {}: {}, {}, {} rejected",
            self.run.run_id,
            counted(self.run.rows_written, "row"),
            anomalies_of(self.run.anomalies),
            grouped(self.run.rows_rejected),
        );
        let mut line = |label: &str, value: String| {
            let _ = writeln!(text, "  {label:<9}{value}");
        };
        if let (Some(first), Some(last)) = (self.run.first_transaction_id, self.run.last_transaction_id) {
            line("ids", format!("transactions {first} to {last}"));
        }
        line(
            "file",
            format!(
                "`{}`, {}, sha256 {}",
                printable(&self.run.file.name),
                ByteSize::b(self.run.file.bytes),
                &self.run.file.sha256[..16]
            ),
        );
        if let Some(source) = self.run.source {
            line("source", printable(source).into_owned());
        }
        line(
            "plugin",
            format!(
                "{} {}, sha256 {}",
                printable(&self.run.plugin.name),
                printable(&self.run.plugin.version),
                &self.run.plugin.sha256[..16]
            ),
        );
        if let Some(state) = self.run.state {
            line("state", state_of(state, self.state_entries_restored));
        }
        if !self.run.history.is_empty() {
            let rows = self.run.history.iter().map(|file| file.rows_read - file.rows_rejected).sum();
            let files = counted(self.run.history.len() as u64, "earlier file");
            line("history", format!("learned from {} of {files}", counted(rows, "row")));
        }
        if let Some(rows) = self.feedback_rows.filter(|rows| *rows > 0) {
            line("feedback", format!("on {}, before the first one", counted(rows, "row")));
        }
        if self.run.rows_rejected > 0 {
            let reasons: Vec<_> =
                self.rejected_by_reason.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            let see = advice::on_database(&format!("rejects {}", self.run.run_id));
            line("rejected", format!("{}; see: {see}", reasons.join(", ")));
        }
        if self.run.rows_skipped > 0 {
            let skipped = counted(self.run.rows_skipped, "row");
            let differing = match self.rows_skipped_differing {
                0 => "all with the same values".into(),
                count => format!("{} with other values", grouped(count)),
            };
            let look = format!("see: {}", advice::on_database(&format!("skipped {}", self.run.run_id)));
            line("skipped", format!("{skipped} with an id that was already taken, {differing}; {look}"));
        }
        if self.run.rows_replaced > 0 {
            let replaced = counted(self.run.rows_replaced, "row");
            let differing = match self.rows_replaced_differing {
                0 => "all of which had the same values".into(),
                count => format!("{} of which had other values", grouped(count)),
            };
            let look = format!("see: {}", advice::on_database(&format!("replaced {}", self.run.run_id)));
            line("replaced", format!("{replaced} with the same id, {differing}; {look}"));
        }
        if let Some(rejects) = self.rejects.as_ref().filter(|_| self.run.rows_rejected > 0) {
            line("", format!("also written to `{}`", one_line(rejects)));
        }
        if let (Some(first), Some(last)) = (&self.run.first_timestamp, &self.run.last_timestamp) {
            line("rows of", format!("{} to {}", whole_seconds(first), whole_seconds(last)));
        }
        line("into", self.database.to_owned());
        let (started, committed) = (self.run.started_at, self.run.committed_at);
        line("at", format!("{}, started {}", committed.strftime("%F %TZ"), started.strftime("%F %TZ")));
        let Seconds { load, connect, restore, read, classify, write, commit, total } = self.seconds;
        let restore = match self.run.state.is_some() || !self.run.history.is_empty() {
            true => format!(", restore {restore:.3}"),
            false => String::new(),
        };
        line(
            "time",
            format!(
                "{total:.3} s, {} rows/s (load {load:.3}, connect {connect:.3}{restore}; side by side: read {read:.3}, \
                 classify {classify:.3}, write {write:.3}; commit {commit:.3})",
                grouped(self.rows_per_second),
            ),
        );
        if let Some(bytes) = self.peak_memory_bytes {
            let plugin = ByteSize::b(self.plugin_memory_bytes as u64);
            line("memory", format!("{} at most, {plugin} of it in the plugin", ByteSize::b(bytes)));
        }
        if let Some(fuel) = self.plugin_fuel {
            line("fuel", counted(fuel, "unit"));
        }
        if self.plugin_log_lines_dropped > 0 {
            line(
                "log",
                format!("dropped {} of the plugin's log", counted(self.plugin_log_lines_dropped, "line")),
            );
        }
        line("look", format!("{};", self.look));
        text
    }
}

/// What the run did with its state.
fn state_of(StateRecord { name, predecessor, entries, .. }: &StateRecord, restored: u64) -> String {
    let (name, wrote) = (printable(name), entries_of(*entries));
    match predecessor {
        Some(run_id) => {
            format!("continued `{name}` of run {run_id} ({}), wrote {wrote}", entries_of(restored))
        }
        None => format!("began `{name}`, wrote {wrote}"),
    }
}

/// The time of a row in a readable form: `2024-02-29 23:59:59`.
fn whole_seconds(time: &str) -> String {
    time.split('.').next().unwrap_or(time).replace('T', " ")
}

/// The most memory this process ever used (Linux's proc(5), `VmHWM`).
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}
