//! The ledger as it is read: which runs there were, and whether their rows in it are as they were
//! written.

use std::fmt;

use host_core::digest::Sha256Digest;
use host_core::facts::{FileFacts, Reading};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::{Serialize, Serializer};
use tokio_postgres::Row;

use super::ledger::Settings;
use super::writer::Written;
use super::{Connection, IdPolicy, PluginFacts, RunFacts, SinkError, SkipDigest};

/// [`RunRecord::ids`] of a run whose ids were allotted.
pub const ASSIGN: &str = "assign";
/// That of a run whose ids are those of its files.
pub const KEEP: &str = "keep";

/// What the ledger says of a run, but for the time of its commit. Field names are part of the
/// interface, and their order of the digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRecord {
    /// Its number.
    pub run_id: i64,
    /// All files as one.
    pub file: FileRecord,
    /// The files, in order.
    pub files: Vec<FileRecord>,
    /// Which plugin classified.
    pub plugin: PluginRecord,
    /// How the files were read; none for runs of hosts that did not record it.
    pub reading: Option<Reading>,
    /// [`ASSIGN`] or [`KEEP`].
    pub ids: String,
    /// Rows of `transactions`.
    pub rows_written: u64,
    /// Rows of `rejected_rows`.
    pub rows_rejected: u64,
    /// Rows of `skipped_rows`.
    pub rows_skipped: u64,
    /// The digest of these; absent where there are none, or it was not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped_sha256: Option<String>,
    /// Rows of `anomalies`.
    pub anomalies: u64,
    /// The lowest id that was written.
    pub first_transaction_id: Option<i64>,
    /// The highest.
    pub last_transaction_id: Option<i64>,
    /// The earliest time of a row that was written; absent where no row was, or it was not recorded.
    #[serde(serialize_with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub first_timestamp: Option<DateTime>,
    /// The latest.
    #[serde(serialize_with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub last_timestamp: Option<DateTime>,
    /// The host that wrote it.
    pub host_version: String,
    /// When it began.
    #[serde(serialize_with = "as_text")]
    pub started_at: Timestamp,
}

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileRecord {
    /// As it was given.
    pub name: String,
    /// Its size on disk.
    pub bytes: u64,
    /// The digest of its bytes on disk.
    pub sha256: String,
    /// The digest of its bytes after decompression; absent where it was not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_sha256: Option<String>,
    /// The names of its columns; absent without a header, or where it was not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Records after the header.
    pub rows_read: u64,
    /// Those of them that were no rows.
    pub rows_rejected: u64,
}

/// The plugin of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginRecord {
    /// The name that it gives itself.
    pub name: String,
    /// The version that it gives itself.
    pub version: String,
    /// The digest of its file.
    pub sha256: String,
    /// The contract that it was built for.
    pub contract_version: String,
    /// The settings that were given.
    pub settings: Settings,
}

/// A run as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerRun {
    /// What was recorded.
    #[serde(flatten)]
    pub record: RunRecord,
    /// When it was committed.
    #[serde(serialize_with = "as_text")]
    pub committed_at: Timestamp,
    /// Whether the ledger's rows are as the run wrote them; unknown for runs of hosts that did not
    /// record a digest.
    pub is_intact: Option<bool>,
}

impl RunRecord {
    pub(super) fn new(
        run_id: i64,
        facts: &RunFacts,
        ids: IdPolicy,
        written: &Written,
        skip_digest: &SkipDigest,
    ) -> RunRecord {
        RunRecord {
            run_id,
            file: facts.file(),
            files: facts.files.iter().map(FileRecord::of).collect(),
            plugin: PluginRecord::of(&facts.plugin),
            reading: Some(facts.reading.clone()),
            ids: match ids {
                IdPolicy::Assign => ASSIGN.into(),
                IdPolicy::Keep(_) => KEEP.into(),
            },
            rows_written: written.transactions,
            rows_rejected: written.rejected,
            rows_skipped: written.skipped,
            skipped_sha256: (written.skipped > 0).then(|| skip_digest.digest().to_string()),
            anomalies: written.anomalies,
            first_transaction_id: written.transaction_ids.map(|(first, _)| first),
            last_transaction_id: written.transaction_ids.map(|(_, last)| last),
            first_timestamp: written.timestamps_micros.and_then(|(first, _)| local_time(first)),
            last_timestamp: written.timestamps_micros.and_then(|(_, last)| local_time(last)),
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: facts.started_at,
        }
    }

    /// What the row's digest is of, with the microseconds of the commit to follow.
    pub(super) fn digested(&self) -> String {
        // A struct of numbers and strings always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl FileRecord {
    /// That of a file that was read.
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

impl PluginRecord {
    /// That of a plugin that classifies.
    #[must_use]
    pub fn of(plugin: &PluginFacts) -> PluginRecord {
        PluginRecord {
            name: plugin.name.clone(),
            version: plugin.version.clone(),
            sha256: plugin.sha256.clone(),
            contract_version: plugin.contract_version.clone(),
            settings: plugin.settings.clone(),
        }
    }
}

/// A run; the files come as arrays.
const SELECT: &str = "
    SELECT r.run_id, file_name, file_bytes, file_sha256, r.rows_read, r.rows_rejected,
           plugin_name, plugin_version, plugin_sha256, contract_version, settings::text, reading::text,
           ids, rows_written, rows_skipped, anomalies, first_transaction_id, last_transaction_id,
           host_version, (extract(epoch FROM started_at) * 1000000)::bigint,
           (extract(epoch FROM committed_at) * 1000000)::bigint, r.sha256,
           f.names, f.bytes, f.sha256s, f.rows_read, f.rows_rejected, f.contents, f.headers,
           (extract(epoch FROM first_timestamp) * 1000000)::bigint,
           (extract(epoch FROM last_timestamp) * 1000000)::bigint, skipped_sha256, f.are_numbered
    FROM ingest_runs r, LATERAL (
        SELECT count(*) = 0 OR min(position) = 1 AND max(position) = count(*) AS are_numbered,
               coalesce(array_agg(name ORDER BY position), '{}') AS names,
               coalesce(array_agg(bytes ORDER BY position), '{}') AS bytes,
               coalesce(array_agg(sha256 ORDER BY position), '{}') AS sha256s,
               coalesce(array_agg(content_sha256 ORDER BY position), '{}') AS contents,
               coalesce(array_agg(header ORDER BY position), '{}') AS headers,
               coalesce(array_agg(rows_read ORDER BY position), '{}') AS rows_read,
               coalesce(array_agg(rows_rejected ORDER BY position), '{}') AS rows_rejected
        FROM ingest_files f WHERE f.run_id = r.run_id
    ) f";

/// Which runs are wanted; all that is given must be so.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Committed at this time or later.
    pub since: Option<Timestamp>,
    /// A file's name contains this.
    pub file: Option<String>,
    /// By the plugin of this name.
    pub plugin: Option<String>,
}

impl RunFilter {
    /// Whether every run is wanted.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.since.is_none() && self.file.is_none() && self.plugin.is_none()
    }
}

/// The latest runs, the latest first, and how many more there are.
///
/// # Errors
/// Where the database cannot be asked.
pub(super) async fn runs(
    connection: &Connection,
    wanted: &RunFilter,
    limit: u32,
) -> Result<(Vec<LedgerRun>, u64), SinkError> {
    const WANTED: &str = "
        WHERE ($1::bigint IS NULL OR committed_at >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond')
          AND ($2::text IS NULL OR strpos(file_name, $2::text) > 0
               OR EXISTS (SELECT FROM ingest_files f WHERE f.run_id = r.run_id AND strpos(f.name, $2::text) > 0))
          AND ($3::text IS NULL OR plugin_name = $3::text)";
    let doing = "look up the runs";
    let since = wanted.since.map(Timestamp::as_microsecond);
    let (file, plugin) = (&wanted.file, &wanted.plugin);
    let query = format!("SELECT count(*) FROM ingest_runs r {WANTED}");
    let counted = connection.query(doing, &query, &[&since, file, plugin]).await?;
    let count = counted.first().map_or(0, |row| row.get::<_, i64>(0));
    let query = format!("{SELECT} {WANTED} ORDER BY r.run_id DESC LIMIT $4");
    let rows = connection.query(doing, &query, &[&since, file, plugin, &i64::from(limit)]).await?;
    let not_shown = u64::try_from(count).unwrap_or_default().saturating_sub(rows.len() as u64);
    Ok((rows.iter().map(ledger_run).collect(), not_shown))
}

/// One run, if there was one of that number.
///
/// # Errors
/// Where the database cannot be asked.
pub(super) async fn run(connection: &Connection, run_id: i64) -> Result<Option<LedgerRun>, SinkError> {
    let query = format!("{SELECT} WHERE r.run_id = $1");
    let rows = connection.query("look up the run", &query, &[&run_id]).await?;
    Ok(rows.first().map(ledger_run))
}

/// What cannot be what the host has written is left empty: the digest tells.
fn ledger_run(row: &Row) -> LedgerRun {
    let count = |i: usize| u64::try_from(row.get::<_, i64>(i)).unwrap_or_default();
    let text = |i: usize| row.get::<_, Option<String>>(i);
    let counts =
        |i: usize| row.get::<_, Vec<i64>>(i).into_iter().map(|n| u64::try_from(n).unwrap_or_default());
    let file = FileRecord {
        name: row.get(1),
        bytes: count(2),
        sha256: row.get(3),
        content_sha256: None,
        header: None,
        rows_read: count(4),
        rows_rejected: count(5),
    };
    let names = row.get::<_, Vec<String>>(22).into_iter().zip(row.get::<_, Vec<String>>(24));
    let numbers = counts(23).zip(counts(25)).zip(counts(26));
    let contents =
        row.get::<_, Vec<Option<String>>>(27).into_iter().zip(row.get::<_, Vec<Option<String>>>(28));
    let files = names.zip(numbers).zip(contents).map(|((texts, numbers), (content_sha256, header))| {
        let ((name, sha256), ((bytes, rows_read), rows_rejected)) = (texts, numbers);
        FileRecord { name, bytes, sha256, content_sha256, header, rows_read, rows_rejected }
    });
    let micros = |i: usize| Timestamp::from_microsecond(row.get(i)).unwrap_or_default();
    let record = RunRecord {
        run_id: row.get(0),
        file,
        files: files.collect(),
        plugin: PluginRecord {
            name: row.get(6),
            version: row.get(7),
            sha256: row.get(8),
            contract_version: row.get(9),
            settings: text(10).and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
        },
        reading: text(11).and_then(|json| serde_json::from_str(&json).ok()),
        ids: row.get(12),
        rows_written: count(13),
        rows_skipped: count(14),
        skipped_sha256: text(31),
        rows_rejected: count(5),
        anomalies: count(15),
        first_transaction_id: row.get(16),
        last_transaction_id: row.get(17),
        first_timestamp: row.get::<_, Option<i64>>(29).and_then(local_time),
        last_timestamp: row.get::<_, Option<i64>>(30).and_then(local_time),
        host_version: row.get(18),
        started_at: micros(19),
    };
    let digest = Sha256Digest::of(format!("{}{}", record.digested(), row.get::<_, i64>(20)).as_bytes());
    LedgerRun {
        // Their positions, by which rejected and skipped rows find their files, are not in the digest.
        is_intact: text(21).map(|recorded| recorded == digest.to_string() && row.get(32)),
        committed_at: micros(20),
        record,
    }
}

/// Microseconds since 1970 as the time that a clock shows.
fn local_time(micros: i64) -> Option<DateTime> {
    Some(Offset::UTC.to_datetime(Timestamp::from_microsecond(micros).ok()?))
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
