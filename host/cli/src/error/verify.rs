//! Why a run cannot be verified, or differs from what was written.

use host_core::advice::on_database;
use host_core::text::counted;
use jiff::Timestamp;
use thiserror::Error;

/// Why a run cannot be verified, or differs from what was written.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "verify_")]
pub enum VerifyError {
    /// The ledger's rows are not those that the run wrote.
    #[error("the ledger's rows of run {run_id} were altered after it was committed")]
    Altered {
        /// The run.
        run_id: i64,
    },
    /// The run was undone.
    #[error("run {run_id} was undone at {}: nothing of it is there", at.strftime("%F %TZ"))]
    Undone {
        /// The run.
        run_id: i64,
        /// When.
        at: Timestamp,
    },
    /// The run is from a host that did not record how it read its files.
    #[error(
        "run {run_id} was written by host {host_version}, which did not record everything that a replay needs"
    )]
    NotRecorded {
        /// The run.
        run_id: i64,
        /// Its host.
        host_version: String,
    },
    /// What the run recorded about skipped rows was removed.
    #[error(
        "run {run_id} cannot be verified any more: which rows it skipped was removed by `host prune` at {}",
        at.strftime("%F %TZ")
    )]
    SkipsPruned {
        /// The run.
        run_id: i64,
        /// When.
        at: Timestamp,
    },
    /// The detector had learned from rows that are not there any more.
    #[error(
        "run {run_id} cannot be verified any more: its detector had learned from rows of run {undone}, which was undone since"
    )]
    FeedbackUndone {
        /// The run.
        run_id: i64,
        /// The run with these rows.
        undone: i64,
    },
    /// Other files.
    #[error("these are not the files of run {run_id}: {problem}")]
    OtherFile {
        /// The run.
        run_id: i64,
        /// How they differ.
        problem: String,
    },
    /// Other files to learn from.
    #[error("these are not the files from which run {run_id} learned before its first row: {problem}")]
    OtherHistory {
        /// The run.
        run_id: i64,
        /// How they differ.
        problem: String,
    },
    /// What is stored differs from what the replay gives.
    #[error("what is stored of run {run_id} differs from its replay in {}", counted(*count, "place"))]
    Differs {
        /// The run.
        run_id: i64,
        /// How many.
        count: u64,
    },
}

impl VerifyError {
    /// What the user can do, if anything.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            VerifyError::Altered { run_id } => Some(format!("`{}` shows what the ledger says now", on_database(&format!("runs {run_id}")))),
            VerifyError::OtherFile { .. } => Some("name the same files in the same order; they are identified by their SHA-256, not by their names".into()),
            VerifyError::OtherHistory { run_id, .. } => Some(format!("name them with `--history`, one each, in the same order; `{}` lists them", on_database(&format!("runs {run_id}")))),
            VerifyError::NotRecorded { .. }
            | VerifyError::SkipsPruned { .. }
            | VerifyError::FeedbackUndone { .. }
            | VerifyError::Undone { .. } => None,
            VerifyError::Differs { .. } => Some("rows were altered or removed after the run, or the plugin does not always give the same answer: `host plugin check` finds that".into()),
        }
    }
}
