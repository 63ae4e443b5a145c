//! The ledger: one row of `ingest_runs` a committed run, written in the run's own transaction.

use std::collections::BTreeMap;

use host_core::digest::Sha256Digest;
use host_core::facts::{FileFacts, Reading};
use jiff::Timestamp;

use super::once::{Candidate, KnownFile, KnownFrom};
use super::query::Parameter;
use super::runs::{FileRecord, RunRecord};
use super::{Connection, SinkError};

/// Settings of a plugin: names and values, as they were given.
pub type Settings = BTreeMap<String, String>;

/// Which plugin classified.
#[derive(Clone, Debug)]
pub struct PluginFacts {
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

/// What the ledger says of a run beyond what the transaction knows itself.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// The files, when they have been read to their end; at least one.
    pub files: Vec<FileFacts>,
    /// The plugin.
    pub plugin: PluginFacts,
    /// How the files were read.
    pub reading: Reading,
    /// When the run began.
    pub started_at: Timestamp,
}

impl RunFacts {
    /// All files as one: names joined, sizes and counts added up, and, where there are several,
    /// the digest of their digests.
    #[must_use]
    pub fn file(&self) -> FileRecord {
        let digests: Vec<_> = self.files.iter().map(|file| file.sha256).collect();
        FileRecord {
            name: joined(self.files.iter().map(|file| file.name.as_str())),
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            sha256: digest_of_all(&digests).to_string(),
            // What is known of single files only is with them.
            content_sha256: None,
            header: None,
            rows_read: self.files.iter().map(|file| file.rows_read).sum(),
            rows_rejected: self.files.iter().map(|file| file.rows_rejected).sum(),
        }
    }

    /// The run as a question: was it before?
    pub(super) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            files: self.files.iter().map(|file| (file.name.clone(), Some(file.content_sha256))).collect(),
            plugin: &self.plugin,
            reading: &self.reading,
        }
    }
}

/// The names of a run's files as one text of bounded length.
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

/// The digest of several files: that of their digests in hexadecimal, one after the other; of a
/// single file it is its own.
#[must_use]
pub fn digest_of_all(files: &[Sha256Digest]) -> Sha256Digest {
    match files {
        [file] => *file,
        files => Sha256Digest::of(files.iter().map(Sha256Digest::to_string).collect::<String>().as_bytes()),
    }
}

/// The row's digest covers the time of the commit, which the server gives.
const INSERT: &str = "
    WITH now AS MATERIALIZED (SELECT clock_timestamp() AS at)
    INSERT INTO ingest_runs (run_id, file_name, file_bytes, file_sha256,
        plugin_name, plugin_version, plugin_sha256, contract_version, settings,
        rows_read, rows_written, rows_rejected, rows_skipped, anomalies,
        first_transaction_id, last_transaction_id, host_version, started_at, committed_at,
        ids, reading, sha256, first_timestamp, last_timestamp, skipped_sha256)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, $11, $12, $13, $14, $15, $16, $17,
        $18::text::timestamptz, at, $19, $20::text::jsonb,
        encode(sha256(convert_to($21::text || (extract(epoch FROM at) * 1000000)::bigint, 'UTF8')), 'hex'),
        $22::text::timestamp, $23::text::timestamp, $24
    FROM now
    RETURNING (extract(epoch FROM committed_at) * 1000000)::bigint, sha256";

/// All files in one statement. Returns those whose content an earlier run has ingested, whatever
/// became of its rows.
const INSERT_FILES: &str = "
    INSERT INTO ingest_files AS new
        (run_id, position, name, bytes, sha256, content_sha256, header, rows_read, rows_rejected)
    SELECT $1, position, name, bytes, sha256, content_sha256, header, rows_read, rows_rejected
    FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[])
        WITH ORDINALITY
        AS f (name, bytes, sha256, content_sha256, header, rows_read, rows_rejected, position)
    RETURNING name, (SELECT max(run_id) FROM ingest_files earlier
                     WHERE coalesce(earlier.content_sha256, earlier.sha256) = new.content_sha256)";

/// What the server made of a ledger row.
pub(super) struct Entry {
    /// When it was written, immediately before COMMIT.
    pub committed_at: Timestamp,
    /// The row's digest, which no other run's row has.
    pub sha256: String,
    /// Files whose content an earlier run has ingested.
    pub known: Vec<KnownFile>,
}

/// Writes the run's rows.
pub(super) async fn record(connection: &Connection, record: &RunRecord) -> Result<Entry, SinkError> {
    let RunRecord { run_id, file, files, plugin, .. } = record;
    let digested = record.digested();
    let (settings, reading) = (json(&plugin.settings), json(&record.reading));
    let started_at = record.started_at.to_string();
    let [first_timestamp, last_timestamp] =
        [record.first_timestamp, record.last_timestamp].map(|time| time.map(|time| time.to_string()));
    let parameters: [&dyn Parameter; 24] = [
        run_id,
        &file.name,
        &signed(file.bytes),
        &file.sha256,
        &plugin.name,
        &plugin.version,
        &plugin.sha256,
        &plugin.contract_version,
        &settings,
        &signed(file.rows_read),
        &signed(record.rows_written),
        &signed(record.rows_rejected),
        &signed(record.rows_skipped),
        &signed(record.anomalies),
        &record.first_transaction_id,
        &record.last_transaction_id,
        &record.host_version,
        &started_at,
        &record.ids,
        &reading,
        &digested,
        &first_timestamp,
        &last_timestamp,
        &record.skipped_sha256,
    ];
    let rows = connection.query("write the ledger row", INSERT, &parameters).await?;
    let stored = rows.first().and_then(|row| {
        let committed_at = Timestamp::from_microsecond(row.try_get(0).ok()?).ok()?;
        Some((committed_at, row.try_get::<_, Option<String>>(1).ok()??))
    });
    // A trigger that leaves the row out, or takes its digest away.
    let (committed_at, sha256) = stored.ok_or(SinkError::LedgerRowRefused { table: "ingest_runs" })?;
    Ok(Entry { committed_at, sha256, known: record_files(connection, *run_id, files).await? })
}

async fn record_files(
    connection: &Connection,
    run_id: i64,
    files: &[FileRecord],
) -> Result<Vec<KnownFile>, SinkError> {
    fn column<T>(files: &[FileRecord], of: impl Fn(&FileRecord) -> T) -> Vec<T> {
        files.iter().map(of).collect()
    }
    let names = column(files, |file| file.name.clone());
    let bytes = column(files, |file| signed(file.bytes));
    let digests = column(files, |file| file.sha256.clone());
    let contents = column(files, |file| file.content_sha256.clone());
    let headers = column(files, |file| file.header.clone());
    let rows_read = column(files, |file| signed(file.rows_read));
    let rows_rejected = column(files, |file| signed(file.rows_rejected));
    let parameters: [&dyn Parameter; 8] =
        [&run_id, &names, &bytes, &digests, &contents, &headers, &rows_read, &rows_rejected];
    let rows = connection.query("write the ledger rows of the files", INSERT_FILES, &parameters).await?;
    if rows.len() != files.len() {
        return Err(SinkError::LedgerRowRefused { table: "ingest_files" });
    }
    let known = |row: &tokio_postgres::Row| {
        let run_id: Option<i64> = row.get(1);
        Some(KnownFile { name: row.get(0), from: KnownFrom::RunId(run_id?) })
    };
    Ok(rows.iter().filter_map(known).collect())
}

/// Structs and maps of text always serialise.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Sizes and counts are far below 2^63.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
