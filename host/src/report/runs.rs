//! The ledger, as a table or a page a run, and the result of a replay.

use std::fmt::Write as _;

use bytesize::ByteSize;

use crate::cli::Format;
use crate::pipeline::Verified;
use crate::sink::{LedgerRun, RunRecord};
use crate::text::{grouped, printable, printable_up_to};

/// Characters of a file's name in the table.
const NAME_CHARS: usize = 40;

/// Runs as a table, or one JSON object a line.
#[must_use]
pub fn runs(runs: &[LedgerRun], format: Format) -> String {
    match format {
        Format::Json => runs.iter().map(json).collect(),
        Format::Human if runs.is_empty() => "no runs yet\n".into(),
        Format::Human => table(runs),
    }
}

/// All of one run.
#[must_use]
pub fn run(run: &LedgerRun, format: Format) -> String {
    match format {
        Format::Json => json(run),
        Format::Human => page(run),
    }
}

/// The result of a replay.
#[must_use]
pub fn verified(verified: &Verified) -> String {
    let Verified { run, differences, count } = verified;
    let RunRecord { run_id, rows_written, anomalies, rows_rejected, .. } = run.record;
    if *count == 0 {
        return format!(
            "run {run_id} is exactly reproduced: {} rows, {} anomalies, {} rejected\n",
            grouped(rows_written),
            grouped(anomalies),
            grouped(rows_rejected),
        );
    }
    let mut text: String = differences.iter().map(|difference| format!("{difference}\n")).collect();
    let untold = count - differences.len() as u64;
    if untold > 0 {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "and {} more", grouped(untold));
    }
    text
}

/// A struct of numbers and strings always serialises.
fn json(run: &LedgerRun) -> String {
    serde_json::to_string(run).unwrap_or_default() + "\n"
}

fn table(runs: &[LedgerRun]) -> String {
    let head = ["run", "committed at", "rows", "anomalies", "rejected", "plugin", "file"].map(str::to_owned);
    let mut lines = vec![head];
    lines.extend(runs.iter().map(|LedgerRun { record, committed_at, is_intact }| {
        let altered = if *is_intact == Some(false) { " (altered)" } else { "" };
        [
            format!("{}{altered}", record.run_id),
            committed_at.strftime("%F %TZ").to_string(),
            grouped(record.rows_written),
            grouped(record.anomalies),
            grouped(record.rows_rejected),
            printable(&format!("{} {}", record.plugin.name, record.plugin.version)).into_owned(),
            printable_up_to(&record.file.name, NAME_CHARS).into_owned(),
        ]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            // Numbers to the right.
            if (2..5).contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

fn page(run: &LedgerRun) -> String {
    let LedgerRun { record, committed_at, is_intact } = run;
    let mut text = format!("run {}, committed at {}\n", record.run_id, committed_at.strftime("%F %T.%6fZ"));
    let mut line = |label: &str, value: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {label:<11}{value}");
    };
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
    line("anomalies", grouped(record.anomalies));
    if let Some((first, last)) = record.first_transaction_id.zip(record.last_transaction_id) {
        line("ids", format!("transactions {first} to {last} ({})", record.ids));
    }
    for file in &record.files {
        let size = ByteSize::b(file.bytes);
        line("file", format!("`{}`, {size}, {} rows read", printable(&file.name), grouped(file.rows_read)));
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
