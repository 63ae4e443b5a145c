//! The ledger: one row of `ingest_runs` a committed run, written in the run's own transaction.

use jiff::Timestamp;
use tokio_postgres::Client;

use super::{Connection, SinkError};
use crate::digest::Sha256Digest;
use crate::source::FileFacts;
use crate::text::printable_bytes;

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
    pub settings: Vec<(String, String)>,
}

/// What the ledger says of a run beyond what the transaction knows itself.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// The files, when they have been read to their end; at least one.
    pub files: Vec<FileFacts>,
    /// The plugin.
    pub plugin: PluginFacts,
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
        let digests: String = self.files.iter().map(|file| file.sha256.to_string()).collect();
        FileFacts {
            name: names.join(", "),
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            sha256: Sha256Digest::of(digests.as_bytes()),
            rows_read: self.files.iter().map(|file| file.rows_read).sum(),
            rows_rejected: self.files.iter().map(|file| file.rows_rejected).sum(),
        }
    }
}

/// What the transaction has counted.
pub(super) struct Counts {
    pub rows_written: u64,
    pub rows_rejected: u64,
    pub anomalies: u64,
    /// First and last id; none without rows.
    pub transaction_ids: Option<(i64, i64)>,
}

const INSERT: &str = "
    INSERT INTO ingest_runs (run_id, file_name, file_bytes, file_sha256,
        plugin_name, plugin_version, plugin_sha256, contract_version, settings,
        rows_read, rows_written, rows_rejected, anomalies,
        first_transaction_id, last_transaction_id, host_version, started_at, committed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, $11, $12, $13, $14, $15, $16,
        $17::text::timestamptz, clock_timestamp())
    RETURNING (SELECT max(run_id) FROM ingest_runs WHERE file_sha256 = $4)";

/// Writes the run's row. Returns the latest earlier run of a file with the same content.
pub(super) async fn record(
    client: &Client,
    run_id: i64,
    facts: &RunFacts,
    counts: &Counts,
) -> Result<Option<i64>, SinkError> {
    let RunFacts { files, plugin, started_at } = facts;
    let file = facts.file();
    let settings: serde_json::Map<String, serde_json::Value> =
        plugin.settings.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let row = client
        .query_one(
            INSERT,
            &[
                &run_id,
                &file.name,
                &signed(file.bytes),
                &file.sha256.to_string(),
                &plugin.name,
                &plugin.version,
                &plugin.sha256,
                &plugin.contract_version,
                &serde_json::Value::Object(settings).to_string(),
                &signed(file.rows_read),
                &signed(counts.rows_written),
                &signed(counts.rows_rejected),
                &signed(counts.anomalies),
                &counts.transaction_ids.map(|(first, _)| first),
                &counts.transaction_ids.map(|(_, last)| last),
                &env!("CARGO_PKG_VERSION"),
                &started_at.to_string(),
            ],
        )
        .await
        .map_err(SinkError::statement("write the ledger row"))?;
    for (position, file) in (1_i32..).zip(files) {
        client
            .execute(
                INSERT_FILE,
                &[
                    &run_id,
                    &position,
                    &file.name,
                    &signed(file.bytes),
                    &file.sha256.to_string(),
                    &signed(file.rows_read),
                    &signed(file.rows_rejected),
                ],
            )
            .await
            .map_err(SinkError::statement("write the ledger rows of the files"))?;
    }
    Ok(row.get(0))
}

const INSERT_FILE: &str = "
    INSERT INTO ingest_files (run_id, position, name, bytes, sha256, rows_read, rows_rejected)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

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
    let fail = SinkError::statement("look up the rejected rows");
    if connection.client.query_opt(RUN, &[&run_id]).await.map_err(&fail)?.is_none() {
        return Ok(None);
    }
    let rows = connection.client.query(REJECTS, &[&run_id]).await.map_err(&fail)?;
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
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
