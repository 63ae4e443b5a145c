//! What `host state prune` and `drop` ask and print.

use host_core::text::{counted, printable};
use host_sink::{Shrunk, StateSummary};
use serde::Serialize;

use super::runs::entries_of;
use crate::pipeline::Shrinking;

/// What would be removed.
#[must_use]
pub fn to_shrink(state: &StateSummary, shrinking: Shrinking) -> String {
    let name = printable(&state.name);
    let (entries, runs) = (entries_of(state.entries), counted(state.runs, "run"));
    match shrinking {
        Shrinking::Prune => format!(
            "the older entries of the state `{name}`, which has {entries} in {runs}: only the newest of each user stay, and none of these runs can be undone or verified with its state any more\n"
        ),
        Shrinking::Drop => format!(
            "all of the state `{name}`, {entries} of {runs}: the next run begins anew, and none of these runs can be verified with its state any more\n"
        ),
    }
}

/// [`shrunk`] for programs.
#[derive(Serialize)]
pub struct ShrunkObject<'a> {
    state: &'a str,
    runs: u64,
    run_id: Option<i64>,
    entries_removed: u64,
    entries_left: u64,
    commit_seconds: f64,
}

impl<'a> ShrunkObject<'a> {
    /// The object for what was removed.
    #[must_use]
    pub fn new(state: &'a str, shrunk: &Shrunk) -> ShrunkObject<'a> {
        ShrunkObject {
            state,
            runs: shrunk.runs,
            run_id: shrunk.run_id,
            entries_removed: shrunk.entries_removed,
            entries_left: shrunk.entries_left,
            commit_seconds: shrunk.commit_time.as_secs_f64(),
        }
    }
}

/// What was removed.
#[must_use]
pub fn shrunk(state: &StateSummary, shrinking: Shrinking, shrunk: &Shrunk) -> String {
    let name = printable(&state.name);
    let (runs, removed) = (counted(shrunk.runs, "run"), entries_of(shrunk.entries_removed));
    match (shrinking, shrunk.run_id) {
        (Shrinking::Prune, Some(run_id)) => format!(
            "merged {runs} of the state `{name}`, up to run {run_id}: {removed} removed, {} left\n",
            entries_of(shrunk.entries_left)
        ),
        (Shrinking::Prune, None) => {
            format!("nothing to merge: the state `{name}` has one entry of each user\n")
        }
        (Shrinking::Drop, Some(_)) => {
            format!("dropped the state `{name}` of {runs}: {removed} removed; the next run begins anew\n")
        }
        (Shrinking::Drop, None) => format!("the state `{name}` was dropped meanwhile\n"),
    }
}
