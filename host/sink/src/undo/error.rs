//! Why a run cannot be undone. Nothing was removed then.

use std::fmt;

use host_core::advice::on_database;
use host_core::text::{counted, grouped, printable};
use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use crate::server_error::ServerError;

/// Numbers of runs that are listed; the others are counted.
const LISTED_RUNS: usize = 10;

/// Why a run cannot be undone.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "undo_")]
#[non_exhaustive]
pub enum UndoError {
    /// There is no run of that number.
    #[error("there is no run {run_id} in this database")]
    NoRun {
        /// The number.
        run_id: i64,
    },
    /// It is undone already.
    #[error("run {run_id} was undone at {}", at.strftime("%F %TZ"))]
    AlreadyUndone {
        /// The run.
        run_id: i64,
        /// When.
        at: Timestamp,
    },
    /// Later runs have to be undone first.
    #[error("later runs depend on run {run_id}: {}", needed_by(needs))]
    NeededBy {
        /// The run.
        run_id: i64,
        /// These runs, and why, newest first.
        needs: Vec<(i64, Need)>,
    },
    /// What was known before it is not there any more.
    #[error(
        "run {run_id} cannot be undone any more: what its detector had learned is merged with what was known before it"
    )]
    Merged {
        /// The run.
        run_id: i64,
    },
    /// Not all is there as the run wrote it.
    #[error(
        "what is stored of run {run_id} is not what it wrote: {}",
        differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Differs {
        /// The run.
        run_id: i64,
        /// At least one.
        differences: Vec<Difference>,
    },
    /// Rows of other tables refer to rows of the run.
    #[error("other tables refer to rows of run {run_id} in `{table}`")]
    Referred {
        /// The run.
        run_id: i64,
        /// The table that is referred to.
        table: &'static str,
        /// What the server says.
        source: ServerError,
    },
    /// The server did less than it was asked to.
    #[error("the server {did} {done} of {} of `{table}`", counted(*wanted, "row"))]
    Incomplete {
        /// The table.
        table: &'static str,
        /// "removed" or "put back".
        did: &'static str,
        /// How many rows there are.
        wanted: u64,
        /// How many of them it did it to.
        done: u64,
        /// Triggers that may leave rows out, by returning NULL.
        triggers: Vec<String>,
    },
}

/// Why a later run has to be undone before an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Its detector continued the state of the earlier one.
    State,
    /// It replaced rows of the earlier one.
    Rows,
}

/// How what is there differs from what the run wrote. Field names are part of the interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// In words, with some of the transactions concerned.
    pub text: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.table, self.text)
    }
}

fn needed_by(needs: &[(i64, Need)]) -> String {
    let of = |wanted: Need| -> Vec<i64> {
        needs.iter().filter(|(_, need)| *need == wanted).map(|(run_id, _)| *run_id).collect()
    };
    let told = [(Need::State, "continued its state"), (Need::Rows, "replaced rows of it")];
    let told = told.into_iter().map(|(need, what)| (of(need), what)).filter(|(runs, _)| !runs.is_empty());
    told.map(|(runs, what)| format!("{} {what}", listed(&runs))).collect::<Vec<_>>().join(", ")
}

/// "run 3", "runs 4 and 3", "runs 5, 4 and 2 more".
fn listed(runs: &[i64]) -> String {
    let mut listed: Vec<String> = runs.iter().take(LISTED_RUNS).map(i64::to_string).collect();
    let more = runs.len().saturating_sub(LISTED_RUNS) as u64;
    if more > 0 {
        listed.push(format!("{} more", grouped(more)));
    }
    match listed.split_last() {
        Some((last, [])) => format!("run {last}"),
        Some((last, others)) => format!("runs {} and {last}", others.join(", ")),
        None => String::new(),
    }
}

impl UndoError {
    /// What the user can do, if anything.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let command = |arguments: String| on_database(&arguments);
        match self {
            UndoError::NoRun { .. } => Some(format!(
                "the numbers of runs that wrote nothing are not reused, so some are missing; `{}` lists the runs that exist",
                command("runs".into())
            )),
            UndoError::AlreadyUndone { run_id, .. } => {
                Some(format!("`{}` shows what it was", command(format!("runs {run_id}"))))
            }
            UndoError::NeededBy { run_id, needs } => Some(format!(
                "`{}` undoes {} as well, newest first",
                command(format!("undo {run_id} --cascade")),
                counted(needs.len() as u64, "later run")
            )),
            UndoError::Merged { .. } => Some("only about the last ten runs of a state can be undone, and none of those before `host state prune`; to correct what earlier ones stored, ingest corrected rows".into()),
            UndoError::Differs { run_id, .. } => Some(format!(
                "rows were altered or removed since, or the database was restored or its tables rewritten, after which nothing tells who wrote a row; `host verify` compares every row. To remove what is there: `{}`",
                command(format!("undo {run_id} --force"))
            )),
            UndoError::Referred { .. } => Some("remove the rows that refer to them first".into()),
            UndoError::Incomplete { triggers, .. } if triggers.is_empty() => None,
            UndoError::Incomplete { triggers, .. } => Some(format!(
                "a trigger leaves rows out by returning NULL; triggers on this table that may: {}",
                printable(&triggers.join(", "))
            )),
        }
    }
}
