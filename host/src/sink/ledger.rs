//! The ledger: one row of `ingest_runs` a committed run, written in the run's own transaction.

use jiff::Timestamp;
use tokio_postgres::Client;

use super::SinkError;
use crate::source::FileFacts;

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
    /// The file, when it has been read to its end.
    pub file: FileFacts,
    /// The plugin.
    pub plugin: PluginFacts,
    /// When the run began.
    pub started_at: Timestamp,
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
    let RunFacts { file, plugin, started_at } = facts;
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
    Ok(row.get(0))
}

/// Sizes and counts are far below 2^63.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
