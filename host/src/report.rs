//! What a command says when it has done its work, on stdout: for people, or as one JSON object.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use bytesize::ByteSize;
use serde::Serialize;

use crate::cli::Format;
use crate::pipeline::{Checked, Outcome};
use crate::sink::RejectRecord;
use crate::source::{FileFacts, RejectLimit, RejectedRow};
use crate::text::printable;

/// Prints to stdout. A reader that has gone away is no error of ours: the run is committed.
pub fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// The summary of a committed run.
#[must_use]
pub fn summary(outcome: &Outcome, format: Format) -> String {
    let summary = Summary::new(outcome);
    match format {
        Format::Human => summary.human(),
        // A struct of numbers and strings always serialises.
        Format::Json => serde_json::to_string(&summary).unwrap_or_default() + "\n",
    }
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

/// What is printed, in the words of the ledger. Field names are part of the interface.
#[derive(Serialize)]
struct Summary<'a> {
    run_id: i64,
    committed: bool,
    rows_read: u64,
    rows_written: u64,
    rows_rejected: u64,
    rejected_by_reason: &'a BTreeMap<String, u64>,
    anomalies: u64,
    first_transaction_id: Option<i64>,
    last_transaction_id: Option<i64>,
    /// All files as one, as the ledger has it.
    file: FilePart,
    files: Vec<FilePart>,
    plugin: PluginPart<'a>,
    database: &'a str,
    earlier_run_of_same_file: Option<i64>,
    seconds: Seconds,
    rows_per_second: u64,
    /// Of this process; not known on every system.
    peak_memory_bytes: Option<u64>,
    plugin_memory_bytes: usize,
    /// None where there was no limit.
    plugin_fuel: Option<u64>,
    plugin_log_lines_dropped: u64,
    look: String,
}

#[derive(Serialize)]
struct FilePart {
    name: String,
    bytes: u64,
    sha256: String,
    rows_read: u64,
    rows_rejected: u64,
}

impl FilePart {
    fn new(file: &FileFacts) -> FilePart {
        FilePart {
            name: file.name.clone(),
            bytes: file.bytes,
            sha256: file.sha256.to_string(),
            rows_read: file.rows_read,
            rows_rejected: file.rows_rejected,
        }
    }
}

#[derive(Serialize)]
struct PluginPart<'a> {
    name: &'a str,
    version: &'a str,
    sha256: &'a str,
    contract_version: &'a str,
    settings: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct Seconds {
    load: f64,
    connect: f64,
    read: f64,
    classify: f64,
    write: f64,
    commit: f64,
    total: f64,
}

impl<'a> Summary<'a> {
    fn new(outcome: &'a Outcome) -> Summary<'a> {
        let Outcome { committed, facts, server, times, guest, tally } = outcome;
        let (file, plugin) = (facts.file(), &facts.plugin);
        let seconds = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e6;
        Summary {
            run_id: committed.run_id,
            committed: true,
            rows_read: file.rows_read,
            rows_written: committed.rows_written,
            rows_rejected: committed.rows_rejected,
            rejected_by_reason: &tally.by_reason,
            anomalies: committed.anomalies,
            first_transaction_id: committed.transaction_ids.map(|(first, _)| first),
            last_transaction_id: committed.transaction_ids.map(|(_, last)| last),
            files: facts.files.iter().map(FilePart::new).collect(),
            file: FilePart::new(&file),
            plugin: PluginPart {
                name: &plugin.name,
                version: &plugin.version,
                sha256: &plugin.sha256,
                contract_version: &plugin.contract_version,
                settings: plugin
                    .settings
                    .iter()
                    .map(|(name, value)| (name.clone(), value.as_str().into()))
                    .collect(),
            },
            database: server,
            earlier_run_of_same_file: committed.earlier_run,
            seconds: Seconds {
                load: seconds(times.load),
                connect: seconds(times.connect),
                read: seconds(times.read),
                classify: seconds(times.classify),
                write: seconds(times.write),
                commit: seconds(times.commit),
                total: seconds(times.total),
            },
            rows_per_second: (committed.rows_written as f64 / times.total.as_secs_f64().max(1e-6)).round()
                as u64,
            peak_memory_bytes: peak_memory_bytes(),
            plugin_memory_bytes: guest.memory_bytes,
            plugin_fuel: guest.fuel,
            plugin_log_lines_dropped: guest.dropped_log_lines,
            look: format!(
                "SELECT * FROM anomalies WHERE run_id = {} ORDER BY score DESC LIMIT 10",
                committed.run_id
            ),
        }
    }

    fn human(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "committed run {}: {} rows, {} anomalies, {} rejected",
            self.run_id,
            grouped(self.rows_written),
            grouped(self.anomalies),
            grouped(self.rows_rejected),
        );
        let mut line = |label: &str, value: String| {
            let _ = writeln!(text, "  {label:<9}{value}");
        };
        if let (Some(first), Some(last)) = (self.first_transaction_id, self.last_transaction_id) {
            line("ids", format!("transactions {first} to {last}"));
        }
        line(
            "file",
            format!(
                "`{}`, {}, sha256 {}",
                printable(&self.file.name),
                ByteSize::b(self.file.bytes),
                &self.file.sha256[..16]
            ),
        );
        line(
            "plugin",
            format!("{} {}, sha256 {}", self.plugin.name, self.plugin.version, &self.plugin.sha256[..16]),
        );
        if self.rows_rejected > 0 {
            let reasons: Vec<_> =
                self.rejected_by_reason.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            line("rejected", format!("{}; see: host rejects {}", reasons.join(", "), self.run_id));
        }
        line("into", self.database.to_owned());
        let Seconds { load, connect, read, classify, write, commit, total } = self.seconds;
        line(
            "time",
            format!(
                "{total:.3} s, {} rows/s (load {load:.3}, connect {connect:.3}; side by side: read {read:.3}, \
                 classify {classify:.3}, write {write:.3}; commit {commit:.3})",
                grouped(self.rows_per_second),
            ),
        );
        if let Some(bytes) = self.peak_memory_bytes {
            let plugin = ByteSize::b(self.plugin_memory_bytes as u64);
            line("memory", format!("{} at most, of which the plugin {plugin}", ByteSize::b(bytes)));
        }
        if let Some(fuel) = self.plugin_fuel {
            line("fuel", format!("{} units", grouped(fuel)));
        }
        if self.plugin_log_lines_dropped > 0 {
            line(
                "log",
                format!("{} lines of the plugin's log were dropped", grouped(self.plugin_log_lines_dropped)),
            );
        }
        line("look", format!("{};", self.look));
        text
    }
}

/// The most memory this process ever had (Linux's proc(5), `VmHWM`).
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// With commas: 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_grouped() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(super::grouped(number), text);
        }
    }
}
