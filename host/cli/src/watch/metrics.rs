//! What a watch has done and how it is doing, for Prometheus, and whether it is healthy.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::error::Failure;
use crate::pipeline::Ended;
use crate::report;

/// Upper bounds of the histogram of durations, in seconds.
const BUCKETS_SECONDS: [f64; 10] = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0];
/// How long something may be wrong before that is unhealthy: servers restart.
const PATIENCE: Duration = Duration::from_secs(60);
/// How runs end. All are shown from the start, so that a rate can be computed from the first on.
const OUTCOMES: [&str; 4] = ["committed", "already_ingested", "failed", POSTPONED];
/// The outcome of a run whose file stays and is tried again.
const POSTPONED: &str = "postponed";

/// What can be wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The folder cannot be listed.
    Folder,
    /// Runs fail for a reason that has nothing to do with their files.
    Runs,
    /// There is nothing to do, and the database does not answer.
    Database,
}

/// The counts; shared between the watch and those who ask.
#[derive(Default)]
pub struct Metrics(Mutex<Numbers>);

#[derive(Default)]
struct Numbers {
    runs: BTreeMap<&'static str, u64>,
    rows: u64,
    anomalies: u64,
    rejected: u64,
    hook_failures: u64,
    files_waiting: u64,
    oldest: Option<SystemTime>,
    last_success: Option<SystemTime>,
    /// How many durations are at most as long as each bound, and all of them together.
    buckets: [u64; BUCKETS_SECONDS.len()],
    durations: u64,
    seconds: f64,
    troubles: BTreeMap<Trouble, (Instant, String)>,
    /// Since when the folder is being listed.
    looking_since: Option<Instant>,
}

impl Metrics {
    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run has ended, and its file has been dealt with.
    pub fn ran(&self, ended: &Result<Ended, Failure>, duration: Duration) {
        let mut numbers = self.numbers();
        *numbers.runs.entry(report::outcome(ended)).or_default() += 1;
        if let Ok(Ended::Committed(outcome)) = ended {
            let record = &outcome.committed.run.record;
            numbers.rows += record.rows_written;
            numbers.anomalies += record.anomalies;
            numbers.rejected += record.rows_rejected;
        }
        if ended.is_ok() {
            numbers.last_success = Some(SystemTime::now());
        }
        let seconds = duration.as_secs_f64();
        for (count, bound) in numbers.buckets.iter_mut().zip(BUCKETS_SECONDS) {
            *count += u64::from(seconds <= bound);
        }
        numbers.durations += 1;
        numbers.seconds += seconds;
        numbers.files_waiting = numbers.files_waiting.saturating_sub(1);
    }

    /// A run has failed, and its file stays.
    pub fn postponed(&self) {
        *self.numbers().runs.entry(POSTPONED).or_default() += 1;
    }

    /// The hook has failed.
    pub fn hook_failed(&self) {
        self.numbers().hook_failures += 1;
    }

    /// The folder is being listed, from this moment on.
    pub fn looks(&self, now: Instant) {
        self.numbers().looking_since = Some(now);
    }

    /// It has been listed.
    pub fn looked(&self, files_waiting: u64, oldest: Option<SystemTime>) {
        let mut numbers = self.numbers();
        numbers.looking_since = None;
        numbers.files_waiting = files_waiting;
        numbers.oldest = oldest;
    }

    /// Something is wrong, or still is.
    pub fn is_wrong(&self, trouble: Trouble, reason: String, now: Instant) {
        let mut numbers = self.numbers();
        numbers.looking_since = None;
        let since = numbers.troubles.get(&trouble).map_or(now, |(since, _)| *since);
        numbers.troubles.insert(trouble, (since, reason));
    }

    /// Whether something is wrong.
    pub fn has(&self, trouble: Trouble) -> bool {
        self.numbers().troubles.contains_key(&trouble)
    }

    /// It is not wrong any more; returns whether it was.
    pub fn is_right(&self, trouble: Trouble) -> bool {
        self.numbers().troubles.remove(&trouble).is_some()
    }

    /// Whether all is well.
    ///
    /// # Errors
    /// What has been wrong for longer than a restart takes.
    pub fn health(&self, now: Instant) -> Result<(), String> {
        let numbers = self.numbers();
        let lasting = |since: Instant| {
            Some(now.saturating_duration_since(since)).filter(|wrong_for| *wrong_for >= PATIENCE)
        };
        let troubles = numbers.troubles.values().map(|(since, reason)| (*since, reason.as_str()));
        let looking = numbers.looking_since.map(|since| (since, "listing the folder takes very long"));
        let reasons = troubles
            .chain(looking)
            .filter_map(|(since, reason)| Some(format!("for {} s: {reason}", lasting(since)?.as_secs())));
        let reasons: Vec<String> = reasons.collect();
        if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
    }

    /// Everything, in Prometheus' text format.
    #[must_use]
    pub fn text(&self) -> String {
        let numbers = self.numbers();
        let mut text = Text::default();
        text.family("host_build_info", "gauge", "The version of the program");
        text.sample(&format!("host_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1);
        text.family("host_runs_total", "counter", "Runs, by how they ended; postponed ones are tried again");
        for outcome in OUTCOMES {
            let count = numbers.runs.get(outcome).copied().unwrap_or_default();
            text.sample(&format!("host_runs_total{{outcome=\"{outcome}\"}}"), count);
        }
        let counters = [
            ("host_rows_total", "Rows that were committed", numbers.rows),
            ("host_anomalies_total", "Anomalies that were committed", numbers.anomalies),
            ("host_rejected_rows_total", "Rows of committed runs that were rejected", numbers.rejected),
            ("host_hook_failures_total", "Hooks that failed or took too long", numbers.hook_failures),
        ];
        for (name, help, value) in counters {
            text.single(name, "counter", help, value);
        }
        let waiting = "Files in the folder, complete or not";
        text.single("host_files_waiting", "gauge", waiting, numbers.files_waiting);
        let age = numbers.oldest.and_then(|oldest| oldest.elapsed().ok()).unwrap_or_default();
        let age = if numbers.files_waiting == 0 { 0.0 } else { age.as_secs_f64() };
        let oldest = "How long the oldest of them has been there";
        text.single("host_oldest_file_age_seconds", "gauge", oldest, age);
        let last = numbers.last_success.and_then(|last| last.duration_since(SystemTime::UNIX_EPOCH).ok());
        let success = "When a file was last ingested; 0 if none was since the start";
        let last = last.unwrap_or_default().as_secs_f64();
        text.single("host_last_success_timestamp_seconds", "gauge", success, last);
        let troubles = "What is wrong for the moment, apart from files: the folder, or what runs need";
        text.single("host_troubles", "gauge", troubles, numbers.troubles.len());
        text.family("host_run_duration_seconds", "histogram", "How long runs took");
        for (count, bound) in numbers.buckets.iter().zip(BUCKETS_SECONDS) {
            text.sample(&format!("host_run_duration_seconds_bucket{{le=\"{bound}\"}}"), count);
        }
        text.sample("host_run_duration_seconds_bucket{le=\"+Inf\"}", numbers.durations);
        text.sample("host_run_duration_seconds_sum", numbers.seconds);
        text.sample("host_run_duration_seconds_count", numbers.durations);
        text.0
    }
}

/// Text as it is being written. (Writing into a String cannot fail.)
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn failed() -> Result<Ended, Failure> {
        Err(Error::Internal("a bug").into())
    }

    #[test]
    fn what_is_wrong_for_a_while_is_unhealthy() {
        let (metrics, start) = (Metrics::default(), Instant::now());
        let health = |seconds| metrics.health(start + Duration::from_secs(seconds));
        assert_eq!(health(0), Ok(()));
        metrics.is_wrong(Trouble::Runs, "no server".into(), start);
        metrics.is_wrong(Trouble::Runs, "still no server".into(), start + Duration::from_secs(30));
        assert_eq!((health(59), health(61)), (Ok(()), Err("for 61 s: still no server".into())));
        assert!(metrics.is_right(Trouble::Runs));
        assert!(!metrics.is_right(Trouble::Runs));
        assert_eq!(health(61), Ok(()));
        metrics.looks(start);
        assert_eq!(health(70), Err("for 70 s: listing the folder takes very long".into()));
        metrics.looked(0, None);
        assert_eq!(health(70), Ok(()));
    }

    #[test]
    fn durations_are_counted_in_every_bucket_that_holds_them() {
        let metrics = Metrics::default();
        metrics.looked(3, Some(SystemTime::now()));
        metrics.ran(&failed(), Duration::from_millis(500));
        metrics.ran(&failed(), Duration::from_secs(5_000));
        metrics.postponed();
        let text = metrics.text();
        for line in [
            "host_runs_total{outcome=\"failed\"} 2",
            "host_runs_total{outcome=\"postponed\"} 1",
            "host_runs_total{outcome=\"committed\"} 0",
            "host_run_duration_seconds_bucket{le=\"0.3\"} 0",
            "host_run_duration_seconds_bucket{le=\"1\"} 1",
            "host_run_duration_seconds_bucket{le=\"3000\"} 1",
            "host_run_duration_seconds_bucket{le=\"+Inf\"} 2",
            "host_run_duration_seconds_sum 5000.5",
            "host_files_waiting 1",
            "host_last_success_timestamp_seconds 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    /// A sample has a family, which is described before it; names and values are what Prometheus reads.
    #[test]
    fn the_text_is_prometheus_format() {
        let text = Metrics::default().text();
        let mut family = "";
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                family = help.split(' ').next().unwrap();
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, family);
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(name.starts_with(family), "{line}");
                value.parse::<f64>().unwrap();
            }
        }
    }
}
