//! What `host status` and `host prune` print.

use std::fmt::Write as _;

use host_core::text::{counted, grouped};
use host_sink::Removed;
use serde::Serialize;

use super::runs::{RunObject, anomalies_of};
use crate::status::{Status, ago, percent};

/// [`status`] for programs.
#[derive(Serialize)]
pub struct StatusObject<'a> {
    is_as_expected: bool,
    problems: Vec<ProblemObject<'a>>,
    age_seconds: Option<i64>,
    anomaly_share: Option<f64>,
    earlier_anomaly_share: Option<f64>,
    /// The latest run.
    run: Option<RunObject<'a>>,
}

#[derive(Serialize)]
struct ProblemObject<'a> {
    kind: &'a str,
    text: &'a str,
}

impl<'a> StatusObject<'a> {
    /// The object for what was found.
    #[must_use]
    pub fn new(status: &'a Status) -> StatusObject<'a> {
        let problems = status.problems.iter();
        StatusObject {
            is_as_expected: status.problems.is_empty(),
            problems: problems
                .map(|problem| ProblemObject { kind: problem.kind, text: &problem.text })
                .collect(),
            age_seconds: status.age.map(|age| age.as_secs()),
            anomaly_share: status.anomaly_share,
            earlier_anomaly_share: status.earlier_anomaly_share,
            run: status.latest.as_ref().map(RunObject::new),
        }
    }
}

/// One line, as monitoring programs show it.
#[must_use]
pub fn status(status: &Status) -> String {
    let verdict = if status.problems.is_empty() { "ok" } else { "NOT AS EXPECTED" };
    let problems: Vec<&str> = status.problems.iter().map(|problem| problem.text.as_str()).collect();
    let mut text = format!("{verdict}: {}", problems.join("; "));
    if !problems.is_empty() {
        return text + "\n";
    }
    if let Some((run, age)) = status.latest.as_ref().zip(status.age) {
        let record = &run.record;
        let share = status.anomaly_share.map(|share| format!(" ({})", percent(share)));
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "run {}, {} ago: {}, {}{}, {} rejected",
            record.run_id,
            ago(age),
            counted(record.rows_written, "row"),
            anomalies_of(record.anomalies),
            share.unwrap_or_default(),
            grouped(record.rows_rejected),
        );
    }
    text + "\n"
}

/// [`pruned`] for programs.
#[derive(Serialize)]
pub struct PruneObject<'a> {
    is_dry_run: bool,
    rows_removed: u64,
    removed: &'a [Removed],
}

impl<'a> PruneObject<'a> {
    /// The object for what was removed.
    #[must_use]
    pub fn new(removed: &'a [Removed], is_dry_run: bool) -> PruneObject<'a> {
        PruneObject { is_dry_run, rows_removed: removed.iter().map(|removed| removed.rows).sum(), removed }
    }
}

/// What was removed, run by run.
#[must_use]
pub fn pruned(removed: &[Removed], is_dry_run: bool) -> String {
    if removed.is_empty() {
        return "there is nothing to remove\n".into();
    }
    let what = if is_dry_run { "would remove" } else { "removed" };
    let line = |Removed { run_id, table, rows }: &Removed| {
        format!("{what} {} of run {run_id} from {table}\n", counted(*rows, "row"))
    };
    removed.iter().map(line).collect()
}
