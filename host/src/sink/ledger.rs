//! The ledger: one row of `ingest_runs` a committed run, written in the run's own transaction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use super::runs::RunRecord;
use super::{Connection, Ingested, SinkError};
use crate::digest::Sha256Digest;
use crate::source::{FileFacts, Reading};
use crate::text::printable_bytes;

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
    pub fn file(&self) -> FileFacts {
        if let [file] = self.files.as_slice() {
            return file.clone();
        }
        let names: Vec<_> = self.files.iter().map(|file| file.name.as_str()).collect();
        FileFacts {
            name: names.join(", "),
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            sha256: digest_of_all(&self.digests()),
            rows_read: self.files.iter().map(|file| file.rows_read).sum(),
            rows_rejected: self.files.iter().map(|file| file.rows_rejected).sum(),
        }
    }

    /// What makes this run the same as another.
    pub(super) fn key(&self) -> RunKey {
        RunKey::new(&self.digests(), &self.plugin, self.reading.clone())
    }

    fn digests(&self) -> Vec<Sha256Digest> {
        self.files.iter().map(|file| file.sha256).collect()
    }
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

/// What makes two runs the same: content, plugin and settings.
#[derive(Clone, Debug)]
pub struct RunKey {
    /// The digest of the files, as [`RunFacts::file`] has it.
    pub file_sha256: Sha256Digest,
    /// The digest of the plugin.
    pub plugin_sha256: String,
    /// Its settings.
    pub settings: Settings,
    /// How the files are read.
    pub reading: Reading,
}

impl RunKey {
    /// That of files with these digests.
    #[must_use]
    pub fn new(files: &[Sha256Digest], plugin: &PluginFacts, reading: Reading) -> RunKey {
        RunKey {
            file_sha256: digest_of_all(files),
            plugin_sha256: plugin.sha256.clone(),
            settings: plugin.settings.clone(),
            reading,
        }
    }
}

/// The latest run with this key whose rows are still there. A run's rows are gone where its first
/// or last id is, or where this or a later run was given the same ids.
const SAME_RUN: &str = "
    SELECT run_id, date_trunc('second', committed_at)::text FROM ingest_runs r
    WHERE file_sha256 = $1 AND plugin_sha256 = $2
      AND settings = $3::text::jsonb AND reading = $4::text::jsonb
      AND (rows_written = 0
           OR EXISTS (SELECT FROM transactions WHERE transaction_id = r.first_transaction_id
                                                 AND xmin <> pg_current_xact_id()::xid)
              AND EXISTS (SELECT FROM transactions WHERE transaction_id = r.last_transaction_id
                                                     AND xmin <> pg_current_xact_id()::xid)
              AND NOT (ids = 'assign'
                       AND EXISTS (SELECT FROM ingest_runs later
                                   WHERE later.run_id > r.run_id
                                     AND later.first_transaction_id <= r.last_transaction_id
                                     AND later.last_transaction_id >= r.first_transaction_id)))
    ORDER BY run_id DESC LIMIT 1";

/// Looks for a run that did the same.
pub(super) async fn same_run(connection: &Connection, key: &RunKey) -> Result<Option<Ingested>, SinkError> {
    let RunKey { file_sha256, plugin_sha256, settings, reading } = key;
    let (settings, reading) = (json(settings), json(reading));
    let file_sha256 = file_sha256.to_string();
    let parameters: [&(dyn ToSql + Sync); 4] = [&file_sha256, plugin_sha256, &settings, &reading];
    let rows = connection.query("look for the same run in the ledger", SAME_RUN, &parameters).await?;
    Ok(rows.first().map(|row| Ingested { run_id: row.get(0), committed_at: row.get(1) }))
}

/// The row's digest covers the time of the commit, which the server gives.
const INSERT: &str = "
    WITH now AS MATERIALIZED (SELECT clock_timestamp() AS at)
    INSERT INTO ingest_runs (run_id, file_name, file_bytes, file_sha256,
        plugin_name, plugin_version, plugin_sha256, contract_version, settings,
        rows_read, rows_written, rows_rejected, rows_skipped, anomalies,
        first_transaction_id, last_transaction_id, host_version, started_at, committed_at,
        ids, reading, sha256)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, $11, $12, $13, $14, $15, $16, $17,
        $18::text::timestamptz, at, $19, $20::text::jsonb,
        encode(sha256(convert_to($21::text || (extract(epoch FROM at) * 1000000)::bigint, 'UTF8')), 'hex')
    FROM now
    RETURNING (SELECT max(run_id) FROM ingest_runs WHERE file_sha256 = $4)";

const INSERT_FILE: &str = "
    INSERT INTO ingest_files (run_id, position, name, bytes, sha256, rows_read, rows_rejected)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// Writes the run's rows. Returns the latest earlier run of a file with the same content.
pub(super) async fn record(connection: &Connection, record: &RunRecord) -> Result<Option<i64>, SinkError> {
    let RunRecord { run_id, file, files, plugin, .. } = record;
    let (client, digested) = (&connection.client, record.digested());
    let (settings, reading) = (json(&plugin.settings), json(&record.reading));
    let started_at = record.started_at.to_string();
    let parameters: [&(dyn ToSql + Sync); 21] = [
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
    ];
    let row = connection.answer("write the ledger row", client.query_one(INSERT, &parameters)).await?;
    for (position, file) in (1_i32..).zip(files) {
        let parameters: [&(dyn ToSql + Sync); 7] = [
            run_id,
            &position,
            &file.name,
            &signed(file.bytes),
            &file.sha256,
            &signed(file.rows_read),
            &signed(file.rows_rejected),
        ];
        let asked = client.execute(INSERT_FILE, &parameters);
        connection.answer("write the ledger rows of the files", asked).await?;
    }
    Ok(row.get(0))
}

/// Structs and maps of text always serialise.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A rejected record as the database has it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RejectRecord {
    /// The file.
    pub file: String,
    /// The physical line, from 1.
    pub line: i64,
    /// Position in the decompressed and decoded file.
    pub byte_offset: i64,
    /// The column to blame.
    pub column: Option<String>,
    /// A word for counting.
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// The record, printable.
    pub raw: String,
}

/// The rejected records of a run, in file order; none where there is no such run.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn rejects(connection: &Connection, run_id: i64) -> Result<Option<Vec<RejectRecord>>, SinkError> {
    const RUN: &str = "SELECT FROM ingest_runs WHERE run_id = $1";
    const REJECTS: &str =
        "SELECT file, line, byte_offset, column_name, reason, message, raw FROM rejected_rows r
        WHERE run_id = $1
        ORDER BY (SELECT min(position) FROM ingest_files f WHERE f.run_id = r.run_id AND f.name = r.file), line";
    let doing = "look up the rejected rows";
    if connection.query(doing, RUN, &[&run_id]).await?.is_empty() {
        return Ok(None);
    }
    let rows = connection.query(doing, REJECTS, &[&run_id]).await?;
    let record = |row: tokio_postgres::Row| RejectRecord {
        file: row.get(0),
        line: row.get(1),
        byte_offset: row.get(2),
        column: row.get(3),
        reason: row.get(4),
        message: row.get(5),
        raw: printable_bytes(row.get(6)),
    };
    Ok(Some(rows.into_iter().map(record).collect()))
}

/// Sizes and counts are far below 2^63.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
