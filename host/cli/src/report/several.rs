//! Several runs of one command: how each of them ended, and all of them together.

use std::path::Path;

use host_core::exit;
use host_core::text::{counted, grouped, listed};
use jiff::Timestamp;
use serde::Serialize;

use super::json::{self, Failed};
use super::runs::anomalies_of;
use super::summary::{AlreadyObject, Summary};
use crate::config::RunConfig;
use crate::error::Failure;
use crate::pipeline::Ended;
use crate::remarks::Remark;

/// Files that are named one by one.
const SHOWN_FILES: usize = 10;

/// How one of several runs ended, for programs. It has what the last line of `host run` has.
#[derive(Serialize)]
pub struct OneRun<'a> {
    /// The file, as given or found.
    input: String,
    outcome: &'static str,
    /// With which `host run` would have ended.
    run_exit_code: u8,
    #[serde(serialize_with = "json::as_time")]
    ended_at: Timestamp,
    remarks: Vec<Remark>,
    /// Where the file is now, if it was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Committed(Box<Summary<'a>>),
    AlreadyIngested(Box<AlreadyObject<'a>>),
    Failed(Box<Failed<'a>>),
}

impl<'a> OneRun<'a> {
    /// The object for a run over `input`; takes the remarks since the last one.
    #[must_use]
    pub fn new(input: &Path, ended: &'a Result<Ended, Failure>, config: &RunConfig) -> OneRun<'a> {
        let (run_exit_code, body) = match ended {
            Ok(Ended::Committed(outcome)) => {
                (exit::COMMITTED, Body::Committed(Box::new(Summary::new(outcome, config))))
            }
            Ok(Ended::AlreadyIngested { already, notes }) => {
                (exit::COMMITTED, Body::AlreadyIngested(Box::new(AlreadyObject::new(already, notes))))
            }
            Err(failure) => (failure.exit_code(), Body::Failed(Box::new(Failed::of_run(failure)))),
        };
        OneRun {
            input: input.to_string_lossy().into_owned(),
            outcome: outcome(ended),
            run_exit_code,
            ended_at: Timestamp::now(),
            remarks: json::remarks_so_far(),
            moved_to: None,
            body,
        }
    }
}

/// How a run ended, in a word.
#[must_use]
pub fn outcome(ended: &Result<Ended, Failure>) -> &'static str {
    match ended {
        Ok(Ended::Committed(_)) => "committed",
        Ok(Ended::AlreadyIngested { .. }) => "already_ingested",
        Err(_) => "failed",
    }
}

/// Several runs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Files whose runs were committed.
    pub files_committed: u64,
    /// Files that were ingested before.
    pub files_already_ingested: u64,
    /// Files whose runs failed.
    pub files_failed: u64,
    /// Rows of the committed runs.
    pub rows_written: u64,
    /// Rejected rows of the committed runs.
    pub rows_rejected: u64,
    /// Anomalies of the committed runs.
    pub anomalies: u64,
}

impl Totals {
    /// Adds a run.
    pub fn add(&mut self, ended: &Result<Ended, Failure>) {
        match ended {
            Ok(Ended::Committed(outcome)) => {
                let record = &outcome.committed.run.record;
                self.files_committed += 1;
                self.rows_written += record.rows_written;
                self.rows_rejected += record.rows_rejected;
                self.anomalies += record.anomalies;
            }
            Ok(Ended::AlreadyIngested { .. }) => self.files_already_ingested += 1,
            Err(_) => self.files_failed += 1,
        }
    }

    /// For people, after a number of files: what became of them.
    #[must_use]
    pub fn human(&self) -> String {
        let mut parts = vec![format!(
            "{} committed ({}, {}, {} rejected)",
            grouped(self.files_committed),
            counted(self.rows_written, "row"),
            anomalies_of(self.anomalies),
            grouped(self.rows_rejected)
        )];
        let further = [(self.files_already_ingested, "already ingested"), (self.files_failed, "failed")];
        parts.extend(
            further.iter().filter(|(count, _)| *count > 0).map(|(n, what)| format!("{} {what}", grouped(*n))),
        );
        parts.join(", ")
    }
}

/// The end of `host run --each`.
#[derive(Serialize)]
pub struct EachObject {
    #[serde(flatten)]
    totals: Totals,
    files_given: u64,
    /// Those that failed, and those after the failure that ended the command.
    failed: Vec<String>,
    not_tried: Vec<String>,
}

impl EachObject {
    /// The object for these files.
    #[must_use]
    pub fn new(totals: Totals, given: usize, failed: &[&Path], not_tried: &[&Path]) -> EachObject {
        let names = |files: &[&Path]| {
            files.iter().map(|file| file.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        EachObject { totals, files_given: given as u64, failed: names(failed), not_tried: names(not_tried) }
    }

    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = format!("{}: {}", counted(self.files_given, "file"), self.totals.human());
        if !self.not_tried.is_empty() {
            text.push_str(&format!(", {} not tried", grouped(self.not_tried.len() as u64)));
        }
        text.push('\n');
        for (label, files) in [("failed", &self.failed), ("not tried", &self.not_tried)] {
            if !files.is_empty() {
                text.push_str(&format!("  {label:<11}{}\n", listed(files, SHOWN_FILES)));
            }
        }
        text
    }
}
