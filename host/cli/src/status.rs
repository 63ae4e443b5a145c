//! Is everything as it should be? The latest run in the ledger against what its operator expects.

use host_core::text::{counted, grouped};
use host_sink::LedgerRun;
use jiff::{SignedDuration, Timestamp};

/// Runs before the latest one with which it is compared.
pub const EARLIER_RUNS: u32 = 30;

/// What is expected of the latest run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// How long ago it may have been committed.
    pub max_age: Option<SignedDuration>,
    /// How many rows it must have written.
    pub min_rows: Option<u64>,
    /// By how much its share of anomalies may differ from that of the runs before it: 0.5 is 50 %.
    pub anomaly_change: Option<f64>,
}

/// What was found.
#[derive(Debug)]
pub struct Status {
    /// The latest run, if there is one.
    pub latest: Option<LedgerRun>,
    /// Since its commit, by the server's clock.
    pub age: Option<SignedDuration>,
    /// Its anomalies as a share of its rows; `None` if it has no rows.
    pub anomaly_share: Option<f64>,
    /// The same of all runs before it together.
    pub earlier_anomaly_share: Option<f64>,
    /// What is not as expected.
    pub problems: Vec<Problem>,
}

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A word for it; part of the interface.
    pub kind: &'static str,
    /// In words.
    pub text: String,
}

/// Compares the latest of these runs, the newest first, with what is expected. `now` is the server's time.
#[must_use]
pub fn judge(mut runs: Vec<LedgerRun>, now: Timestamp, expected: Expected) -> Status {
    let mut problems = Vec::new();
    let mut problem = |kind, text| problems.push(Problem { kind, text });
    if runs.is_empty() {
        problem("no_run", "there is no such run".into());
        return Status {
            latest: None,
            age: None,
            anomaly_share: None,
            earlier_anomaly_share: None,
            problems,
        };
    }
    let latest = runs.remove(0);
    let run = format!("run {}", latest.record.run_id);
    let age = now.duration_since(latest.committed_at);
    if let Some(max_age) = expected.max_age.filter(|max_age| age > *max_age) {
        problem("too_old", format!("{run} was committed {} ago, longer than {}", ago(age), ago(max_age)));
    }
    let rows = latest.record.rows_written;
    if let Some(min_rows) = expected.min_rows.filter(|min_rows| rows < *min_rows) {
        problem(
            "too_few_rows",
            format!("{run} wrote {}, fewer than {}", counted(rows, "row"), grouped(min_rows)),
        );
    }
    let anomaly_share = share(latest.record.anomalies, rows);
    let sum = |of: fn(&LedgerRun) -> u64| runs.iter().map(of).sum();
    let earlier = share(sum(|run| run.record.anomalies), sum(|run| run.record.rows_written));
    if let Some(((now, before), change)) = anomaly_share.zip(earlier).zip(expected.anomaly_change)
        && (now - before).abs() > change * before
    {
        problem(
            "anomalies_changed",
            format!("{} of the rows of {run} are anomalous, {} until then", percent(now), percent(before)),
        );
    }
    Status { latest: Some(latest), age: Some(age), anomaly_share, earlier_anomaly_share: earlier, problems }
}

fn share(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// `0.42 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// The two largest units of a time: `2 days 3 h`.
#[must_use]
pub fn ago(time: SignedDuration) -> String {
    let minutes = time.as_mins().max(0) as u64;
    let (days, hours, minutes) = (minutes / (24 * 60), minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours} h {minutes} min"),
        (days, hours) => format!("{} {hours} h", counted(days, "day")),
    }
}
