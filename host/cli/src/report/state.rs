//! What `host state` prints.

use std::fmt::Write as _;

use bytesize::ByteSize;
use host_core::text::{counted, grouped, printable};
use host_sink::{StateRun, StateSummary};
use jiff::Timestamp;
use serde::Serialize;

use super::json;
use super::runs::entries_of;
use super::table::aligned;

/// Digits of a digest that are enough to tell it from others.
const DIGEST_DIGITS: usize = 12;

/// A state, for programs.
#[derive(Serialize)]
pub struct StateObject<'a> {
    state: &'a str,
    plugin: &'a str,
    plugin_version: &'a str,
    run_id: i64,
    #[serde(serialize_with = "json::as_time")]
    committed_at: Timestamp,
    runs: u64,
    entries: u64,
    bytes: u64,
}

impl<'a> StateObject<'a> {
    /// The object for a state.
    #[must_use]
    pub fn new(state: &'a StateSummary) -> StateObject<'a> {
        StateObject {
            state: &state.name,
            plugin: &state.plugin_name,
            plugin_version: &state.plugin_version,
            run_id: state.run_id,
            committed_at: state.committed_at,
            runs: state.runs,
            entries: state.entries,
            bytes: state.bytes,
        }
    }
}

/// A state and its runs, for programs.
#[derive(Serialize)]
pub struct StateShowObject<'a> {
    #[serde(flatten)]
    state: StateObject<'a>,
    runs_shown: Vec<StateRunObject<'a>>,
    not_shown: u64,
}

#[derive(Serialize)]
struct StateRunObject<'a> {
    run_id: i64,
    #[serde(serialize_with = "json::as_time")]
    committed_at: Timestamp,
    predecessor: Option<i64>,
    plugin: &'a str,
    plugin_version: &'a str,
    entries: u64,
    sha256: &'a str,
    entries_stored: u64,
    bytes_stored: u64,
    is_merged: bool,
    is_undone: bool,
    is_dropped: bool,
}

impl<'a> StateShowObject<'a> {
    /// The object for a state and the latest of its runs.
    #[must_use]
    pub fn new(state: &'a StateSummary, runs: &'a [StateRun], not_shown: u64) -> StateShowObject<'a> {
        let run = |run: &'a StateRun| StateRunObject {
            run_id: run.run_id,
            committed_at: run.committed_at,
            predecessor: run.predecessor,
            plugin: &run.plugin_name,
            plugin_version: &run.plugin_version,
            entries: run.entries,
            sha256: &run.sha256,
            entries_stored: run.entries_stored,
            bytes_stored: run.bytes_stored,
            is_merged: run.is_merged,
            is_undone: run.undone_at.is_some(),
            is_dropped: run.dropped_at.is_some(),
        };
        StateShowObject {
            state: StateObject::new(state),
            runs_shown: runs.iter().map(run).collect(),
            not_shown,
        }
    }
}

/// A table of states.
#[must_use]
pub fn states(states: &[StateSummary]) -> String {
    if states.is_empty() {
        return "no detector has left a state yet\n".into();
    }
    let head =
        ["state", "newest run", "committed at", "runs", "entries", "values", "plugin"].map(str::to_owned);
    let line = |state: &StateSummary| {
        [
            printable(&state.name).into_owned(),
            state.run_id.to_string(),
            state.committed_at.strftime("%F %TZ").to_string(),
            grouped(state.runs),
            grouped(state.entries),
            ByteSize::b(state.bytes).to_string(),
            named(&state.plugin_name, &state.plugin_version),
        ]
    };
    aligned(std::iter::once(head).chain(states.iter().map(line)).collect(), &[1, 3, 4, 5])
}

/// A state, and the latest of its runs.
#[must_use]
pub fn state_page(state: &StateSummary, runs: &[StateRun], not_shown: u64) -> String {
    let mut text = format!(
        "state `{}` of {}, as run {} left it\n  {} in {}, {}\n\n",
        printable(&state.name),
        named(&state.plugin_name, &state.plugin_version),
        state.run_id,
        entries_of(state.entries),
        counted(state.runs, "run"),
        ByteSize::b(state.bytes),
    );
    let head = ["run", "committed at", "continues", "entries", "stored", "digest", ""].map(str::to_owned);
    let line = |run: &StateRun| {
        [
            run.run_id.to_string(),
            run.committed_at.strftime("%F %TZ").to_string(),
            run.predecessor.map_or_else(|| "anew".into(), |run_id| run_id.to_string()),
            grouped(run.entries),
            grouped(run.entries_stored),
            printable(&run.sha256).chars().take(DIGEST_DIGITS).collect(),
            match (run.undone_at, run.dropped_at) {
                (Some(at), _) => format!("undone at {}", at.strftime("%F %TZ")),
                (None, Some(at)) => format!("dropped at {}", at.strftime("%F %TZ")),
                (None, None) if run.is_merged => "merged".into(),
                (None, None) => String::new(),
            },
        ]
    };
    text += &aligned(std::iter::once(head).chain(runs.iter().map(line)).collect(), &[0, 2, 3, 4]);
    if not_shown > 0 {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "and {}; see --limit", counted(not_shown, "earlier run"));
    }
    text
}

fn named(plugin: &str, version: &str) -> String {
    printable(&format!("{plugin} {version}")).into_owned()
}
