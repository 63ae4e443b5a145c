//! A run as stored in the ledger; field names are part of the interface, and their order is part of the
//! digest.

use std::fmt;

use host_core::digest::Sha256Digest;
use host_core::facts::{FileFacts, Reading};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize, Serializer};

use crate::ledger::facts::{FeedbackSpan, PluginFacts, RunFacts, StateRecord};

/// [`RunRecord::ids`] of a run whose ids were allotted.
pub const ASSIGN: &str = "assign";
/// [`RunRecord::ids`] of a run that kept the ids of its files.
pub const KEEP: &str = "keep";

/// What the ledger says about a run, except for the time of its commit. Field names are part of the
/// interface, and their order is part of the digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRecord {
    /// Its number.
    pub run_id: i64,
    /// All files combined.
    pub file: FileRecord,
    /// The files, in order.
    pub files: Vec<FileRecord>,
    /// The source that they came from, as it was named; absent if none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Which plugin classified.
    pub plugin: PluginFacts,
    /// How the files were read; `None` for runs of hosts that did not record it.
    pub reading: Option<Reading>,
    /// [`ASSIGN`] or [`KEEP`].
    pub ids: String,
    /// Rows of `transactions`.
    pub rows_written: u64,
    /// Those of them that took the place of stored rows: rows of `replaced_rows`.
    #[serde(skip_serializing_if = "is_zero")]
    pub rows_replaced: u64,
    /// The digest of these; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_sha256: Option<String>,
    /// Rows of `rejected_rows`.
    pub rows_rejected: u64,
    /// Rows of `skipped_rows`.
    pub rows_skipped: u64,
    /// The digest of these; absent if there are none, or if it was not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped_sha256: Option<String>,
    /// Rows of `anomalies`.
    pub anomalies: u64,
    /// The lowest id that was written.
    pub first_transaction_id: Option<i64>,
    /// The highest.
    pub last_transaction_id: Option<i64>,
    /// The earliest time of a row that was written; absent if there was none, or if it was not recorded.
    #[serde(serialize_with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub first_timestamp: Option<DateTime>,
    /// The latest.
    #[serde(serialize_with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub last_timestamp: Option<DateTime>,
    /// The host that wrote it.
    pub host_version: String,
    /// When the run began.
    #[serde(serialize_with = "as_text")]
    pub started_at: Timestamp,
    // What follows is absent if there is none, so that the rows of earlier hosts keep their digests.
    /// The state that it continued and wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateRecord>,
    /// Files from which its detector learned before the first row, without writing them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<FileRecord>,
    /// The feedback that its detector was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<FeedbackSpan>,
    /// The names of the further columns that were kept for feedback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_columns: Option<Vec<String>>,
}

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// As it was given.
    pub name: String,
    /// Its size on disk.
    pub bytes: u64,
    /// The digest of its bytes on disk.
    pub sha256: String,
    /// The digest of its bytes after decompression; absent if it was not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_sha256: Option<String>,
    /// The names of its columns; absent without a header, or if they were not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Records after the header.
    pub rows_read: u64,
    /// Those of them that were rejected.
    pub rows_rejected: u64,
}

/// A run as stored in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerRun {
    /// What was recorded.
    #[serde(flatten)]
    pub record: RunRecord,
    /// When it was committed.
    #[serde(serialize_with = "as_text")]
    pub committed_at: Timestamp,
    /// When it was undone, if it was. The digest does not cover it.
    #[serde(serialize_with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub undone_at: Option<Timestamp>,
    /// Whether the ledger's rows are still as the run wrote them; `None` for runs of hosts that did not
    /// record a digest.
    pub is_intact: Option<bool>,
}

impl RunRecord {
    pub(crate) fn new(
        run_id: i64,
        facts: &RunFacts,
        ids: &str,
        written: &Written,
        digests: WrittenDigests,
        state: Option<StateRecord>,
    ) -> RunRecord {
        RunRecord {
            run_id,
            file: FileRecord::of_all(&facts.files),
            files: facts.files.iter().map(FileRecord::of).collect(),
            source: facts.source.clone(),
            plugin: facts.plugin.clone(),
            reading: Some(facts.reading.clone()),
            ids: ids.to_owned(),
            rows_written: written.transactions,
            rows_replaced: written.replaced,
            replaced_sha256: digests.replaced,
            rows_rejected: written.rejected,
            rows_skipped: written.skipped,
            skipped_sha256: digests.skipped,
            anomalies: written.anomalies,
            first_transaction_id: written.transaction_ids.map(|(first, _)| first),
            last_transaction_id: written.transaction_ids.map(|(_, last)| last),
            first_timestamp: written.timestamps_micros.and_then(|(first, _)| local_time(first)),
            last_timestamp: written.timestamps_micros.and_then(|(_, last)| local_time(last)),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: facts.started_at,
            state,
            history: facts.history.iter().map(FileRecord::of).collect(),
            feedback: facts.feedback,
            kept_columns: facts.kept_columns.clone(),
        }
    }

    /// What the row's digest is computed from; the commit's microseconds are appended to it.
    pub(crate) fn digested(&self) -> String {
        // A struct of numbers and strings always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl FileRecord {
    /// All files combined: names joined, sizes and counts added up, and, if there are several, the digest of
    /// their digests.
    #[must_use]
    pub fn of_all(files: &[FileFacts]) -> FileRecord {
        let digests: Vec<_> = files.iter().map(|file| file.sha256).collect();
        FileRecord {
            name: joined(files.iter().map(|file| file.name.as_str())),
            bytes: files.iter().map(|file| file.bytes).sum(),
            sha256: digest_of_all(&digests).to_string(),
            // What is known only for single files is stored with them.
            content_sha256: None,
            header: None,
            rows_read: files.iter().map(|file| file.rows_read).sum(),
            rows_rejected: files.iter().map(|file| file.rows_rejected).sum(),
        }
    }

    /// The record of a file that was read.
    #[must_use]
    pub fn of(file: &FileFacts) -> FileRecord {
        FileRecord {
            name: file.name.clone(),
            bytes: file.bytes,
            sha256: file.sha256.to_string(),
            content_sha256: Some(file.content_sha256.to_string()),
            header: file.header.clone(),
            rows_read: file.rows_read,
            rows_rejected: file.rows_rejected,
        }
    }
}

/// The names of a run's files as one string of bounded length.
fn joined<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const MAX_BYTES: usize = 1_000;
    let count = names.len();
    let mut text = String::new();
    for (i, name) in names.enumerate() {
        if i > 0 && text.len() + name.len() > MAX_BYTES {
            text.push_str(&format!(" and {} more", count - i));
            break;
        }
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(name);
    }
    text
}

/// The digest of several files: that of their digests in hexadecimal, one after the other. For a single
/// file, it is that file's own digest.
#[must_use]
pub fn digest_of_all(files: &[Sha256Digest]) -> Sha256Digest {
    match files {
        [file] => *file,
        files => Sha256Digest::of(files.iter().map(Sha256Digest::to_string).collect::<String>().as_bytes()),
    }
}

/// The digests of what a run has written beside its rows; `None` if that is nothing.
#[derive(Debug, Default)]
pub(crate) struct WrittenDigests {
    pub skipped: Option<String>,
    pub replaced: Option<String>,
}

/// Rows that the server has stored, by table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub transactions: u64,
    /// Those of them that took the place of stored ones.
    pub replaced: u64,
    pub anomalies: u64,
    pub rejected: u64,
    pub skipped: u64,
    /// The lowest and the highest id.
    pub transaction_ids: Option<(i64, i64)>,
    /// The earliest and the latest time.
    pub timestamps_micros: Option<(i64, i64)>,
}

/// Microseconds since 1970 as a local date and time.
pub(crate) fn local_time(micros: i64) -> Option<DateTime> {
    Some(Offset::UTC.to_datetime(Timestamp::from_microsecond(micros).ok()?))
}

/// For what hosts before it was introduced did not write, so that the digests of their rows still fit.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn as_optional_text<S: Serializer>(
    value: &Option<impl fmt::Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> RunRecord {
        let files = vec![FileRecord {
            name: "a.csv".into(),
            bytes: 1,
            sha256: "f".into(),
            content_sha256: None,
            header: None,
            rows_read: 0,
            rows_rejected: 0,
        }];
        RunRecord {
            run_id: 7,
            file: files[0].clone(),
            files,
            source: None,
            plugin: PluginFacts {
                name: "p".into(),
                version: "1".into(),
                sha256: "d".into(),
                contract_version: "0.1.0".into(),
                settings: [].into(),
            },
            reading: None,
            ids: ASSIGN.into(),
            rows_written: 0,
            rows_replaced: 0,
            replaced_sha256: None,
            rows_rejected: 0,
            rows_skipped: 0,
            skipped_sha256: None,
            anomalies: 0,
            first_transaction_id: None,
            last_transaction_id: None,
            first_timestamp: None,
            last_timestamp: None,
            host_version: "1".into(),
            started_at: Timestamp::UNIX_EPOCH,
            state: None,
            history: Vec::new(),
            feedback: None,
            kept_columns: None,
        }
    }

    /// As hosts digested it that knew neither states nor feedback.
    #[test]
    fn the_digest_of_an_earlier_row_is_as_it_was() {
        let file = r#"{"name":"a.csv","bytes":1,"sha256":"f","rows_read":0,"rows_rejected":0}"#;
        let expected = format!(
            r#"{{"run_id":7,"file":{file},"files":[{file}],"plugin":{{"name":"p","version":"1","sha256":"d","contract_version":"0.1.0","settings":{{}}}},"reading":null,"ids":"assign","rows_written":0,"rows_rejected":0,"rows_skipped":0,"anomalies":0,"first_transaction_id":null,"last_transaction_id":null,"host_version":"1","started_at":"1970-01-01T00:00:00Z"}}"#
        );
        assert_eq!(record().digested(), expected);
    }

    #[test]
    fn whatever_is_altered_changes_the_digest() {
        let state =
            StateRecord { name: "zscore".into(), predecessor: Some(6), entries: 2, sha256: "a".into() };
        let with_state = |state: StateRecord| RunRecord { state: Some(state), ..record() };
        let all = [
            record(),
            with_state(StateRecord { name: "other".into(), ..state.clone() }),
            with_state(StateRecord { predecessor: None, ..state.clone() }),
            with_state(StateRecord { entries: 3, ..state.clone() }),
            with_state(StateRecord { sha256: "b".into(), ..state.clone() }),
            with_state(state),
            RunRecord { history: record().files, ..record() },
            RunRecord { feedback: Some(FeedbackSpan { after: 0, through: 1 }), ..record() },
            RunRecord { feedback: Some(FeedbackSpan { after: 0, through: 2 }), ..record() },
            RunRecord { kept_columns: Some(Vec::new()), ..record() },
            RunRecord { kept_columns: Some(vec!["country".into()]), ..record() },
        ];
        let digested: std::collections::BTreeSet<String> = all.iter().map(RunRecord::digested).collect();
        assert_eq!(digested.len(), all.len());
    }
}
