//! What `host undo` asks and prints.

use std::fmt::Write as _;

use host_core::text::{counted, counted_as, grouped, one_line};
use host_sink::{CommittedUndo, LedgerRun, Undone};
use jiff::Timestamp;
use serde::Serialize;

use super::json;
use super::runs::{anomalies_of, files};

/// What would be removed, by the ledger: a line for each run.
#[must_use]
pub fn to_undo(plan: &[LedgerRun]) -> String {
    let line = |LedgerRun { record, committed_at, .. }: &LedgerRun| {
        let mut text = format!(
            "run {} of {}, `{}`: {}, {}",
            record.run_id,
            committed_at.strftime("%F %TZ"),
            files(record),
            counted(record.rows_written, "row"),
            anomalies_of(record.anomalies),
        );
        let beside = [
            (record.rows_rejected, "rejected"),
            (record.rows_skipped, "skipped"),
            (record.rows_replaced, "in place of others, which are put back"),
        ];
        for (count, what) in beside.into_iter().filter(|(count, _)| *count > 0) {
            // Writing into a String cannot fail.
            let _ = write!(text, ", {} {what}", grouped(count));
        }
        text + "\n"
    };
    plan.iter().map(line).collect()
}

/// [`undone`] for programs.
#[derive(Serialize)]
pub struct UndoObject<'a> {
    undone: bool,
    runs: Vec<UndoneObject<'a>>,
    commit_seconds: f64,
}

#[derive(Serialize)]
struct UndoneObject<'a> {
    #[serde(flatten)]
    undone: &'a Undone,
    #[serde(serialize_with = "json::as_time")]
    undone_at: Timestamp,
}

impl<'a> UndoObject<'a> {
    /// The object for what was removed.
    #[must_use]
    pub fn new(committed: &'a CommittedUndo) -> UndoObject<'a> {
        let runs = committed.runs.iter();
        UndoObject {
            undone: true,
            runs: runs.map(|undone| UndoneObject { undone, undone_at: undone.undone_at }).collect(),
            commit_seconds: committed.commit_time.as_secs_f64(),
        }
    }
}

/// What was removed, run by run.
#[must_use]
pub fn undone(committed: &CommittedUndo) -> String {
    committed.runs.iter().map(one).collect()
}

fn one(undone: &Undone) -> String {
    let mut text = format!(
        "undone run {}: {} and {} removed\n",
        undone.run_id,
        counted(undone.transactions, "row"),
        anomalies_of(undone.anomalies)
    );
    let mut line = |label: &str, value: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {label:<11}{value}");
    };
    if undone.transactions_put_back > 0 {
        let (rows, anomalies) = (undone.transactions_put_back, undone.anomalies_put_back);
        line(
            "put back",
            format!("{} that it had replaced, {}", counted(rows, "row"), anomalies_of(anomalies)),
        );
    }
    let beside = [
        (undone.rejected, "rejected row", "rejected rows"),
        (undone.skipped, "skipped row", "skipped rows"),
        (undone.state_entries, "state entry", "state entries"),
        (undone.kept_columns, "row of kept columns", "rows of kept columns"),
    ];
    for (count, one, many) in beside.into_iter().filter(|(count, ..)| *count > 0) {
        line("removed", counted_as(count, one, many));
    }
    for difference in &undone.differences {
        line("differed", one_line(&difference.to_string()).into_owned());
    }
    text
}
