//! What is known about a run at its end, and what the ledger is asked about it before.

use std::collections::BTreeMap;

use host_core::digest::Sha256Digest;
use host_core::facts::{FileFacts, Reading};
use jiff::Timestamp;
use serde::Serialize;

/// Settings of a plugin: names and values, as given.
pub type Settings = BTreeMap<String, String>;

/// Which plugin classified. Field names are part of the interface, and their order of the ledger row's
/// digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginFacts {
    /// The name it gives itself.
    pub name: String,
    /// The version it gives itself.
    pub version: String,
    /// The digest of its file.
    pub sha256: String,
    /// The contract it was built for.
    pub contract_version: String,
    /// The settings that were given.
    pub settings: Settings,
}

/// What the ledger records about a run beyond what the transaction itself knows.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// The files, read to their end; at least one.
    pub files: Vec<FileFacts>,
    /// The plugin.
    pub plugin: PluginFacts,
    /// How the files were read.
    pub reading: Reading,
    /// The source that they came from, if it was named.
    pub source: Option<String>,
    /// When the run began.
    pub started_at: Timestamp,
    /// Files from which the detector learned before the first row, in order.
    pub history: Vec<FileFacts>,
    /// The feedback that the detector was given; `None` if it does not learn from any.
    pub feedback: Option<FeedbackSpan>,
    /// The names of the further columns that were kept for feedback; `None` if none were.
    pub kept_columns: Option<Vec<String>>,
}

impl RunFacts {
    /// The run as a question to the ledger: has this been ingested before?
    pub(crate) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            files: self.files.iter().map(|file| (file.name.clone(), Some(file.content_sha256))).collect(),
            plugin: &self.plugin,
            reading: &self.reading,
        }
    }
}

/// The state that a run has written. Field names are part of the interface, and their order of the ledger row's
/// digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateRecord {
    /// Its name.
    pub name: String,
    /// The run whose state it continued; `None` if it began anew.
    pub predecessor: Option<i64>,
    /// How many entries it has changed: rows of `detector_states`.
    pub entries: u64,
    /// Their digest.
    pub sha256: String,
}

/// Rows of `feedback`: those numbered after the first, up to the second. Field names are part of the interface, and
/// their order of the ledger row's digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FeedbackSpan {
    /// What earlier runs of the same state were given; 0 if that is nothing.
    pub after: i64,
    /// The last that was committed.
    pub through: i64,
}

/// What must not be ingested a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// A file's content; the other files of the run are ingested.
    File,
    /// The same files with the same plugin, settings and way of reading.
    All,
}

/// What the ledger is asked about: the files of a run, and what is to be done with them.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The files' names and, if known yet (those of a pipe are not), the digests of their contents.
    pub files: Vec<(String, Option<Sha256Digest>)>,
    /// Which plugin is to classify them.
    pub plugin: &'a PluginFacts,
    /// How they are read.
    pub reading: &'a Reading,
}
