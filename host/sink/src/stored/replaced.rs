//! Rows that later runs have replaced, as they were until then, and the digest of what a run kept of them.

use std::collections::HashMap;

use tokio_postgres::Row;

use crate::connection::connect::Connection;
use crate::error::SinkError;
use crate::stored::rows::{Micros, StoredAnomaly, StoredRow};

/// Computed by the server, when the rows are written as well as later: the same text for the same values,
/// whatever the session's settings.
const DIGEST: &str = "
    SELECT encode(sha256(string_agg(sha256(convert_to(ROW(position, line, transaction_id, differs, written_by,
            user_id, amount, encode(timestamp_send(transaction_timestamp), 'hex'), is_anomalous, source_id,
            source_key, currency, had_anomaly, anomaly_run_id, encode(float8send(score), 'hex'), reason)::text, 'UTF8')),
        ''::bytea ORDER BY position, line)), 'hex')
    FROM replaced_rows WHERE run_id = $1";

/// The digest of the rows that a run has kept; `None` if there are none.
pub(crate) async fn digest(connection: &Connection, run_id: i64) -> Result<Option<String>, SinkError> {
    let rows = connection.query("compute the digest of the replaced rows", DIGEST, &[&run_id]).await?;
    Ok(rows.first().and_then(|row| row.get(0)))
}

/// A row as it was until a run replaced it.
#[derive(Clone, Debug)]
pub struct ReplacedRow {
    /// The run that replaced it.
    pub run_id: i64,
    /// The run that had written it, if that is known.
    pub written_by: Option<i64>,
    /// Its values.
    pub row: StoredRow,
    /// Its anomaly, if it had one.
    pub anomaly: Option<StoredAnomaly>,
}

const REPLACED: &str = "
    SELECT transaction_id, run_id, written_by, user_id, trim_scale(amount * 100)::text, transaction_timestamp,
           is_anomalous, source_id, had_anomaly, score, reason, anomaly_run_id, source_key, currency,
           (SELECT atthasdef OR attgenerated <> '' FROM pg_attribute
            WHERE attrelid = 'transactions'::regclass AND attname = 'currency')
    FROM replaced_rows WHERE transaction_id = ANY ($1::bigint[]) AND run_id > $2
      AND run_id NOT IN (SELECT run_id FROM ingest_runs WHERE undone_at IS NOT NULL)
    ORDER BY run_id";

/// What runs after this one have replaced of these ids, the earliest first. What was put back is not among it.
pub(crate) async fn since(
    connection: &Connection,
    ids: &[i64],
    run_id: i64,
) -> Result<HashMap<i64, Vec<ReplacedRow>>, SinkError> {
    let rows = connection.query("look for replaced rows", REPLACED, &[&ids, &run_id]).await?;
    let mut found: HashMap<i64, Vec<ReplacedRow>> = HashMap::new();
    for row in &rows {
        found.entry(row.get(0)).or_default().push(replaced_row(row));
    }
    Ok(found)
}

fn replaced_row(row: &Row) -> ReplacedRow {
    let amount_cents = row.get::<_, Option<&str>>(4).and_then(|cents| cents.parse().ok());
    let timestamp_micros = row.get::<_, Option<Micros>>(5).map(|micros| micros.0);
    let values = StoredRow {
        user_id: row.get(3),
        amount_cents,
        timestamp_micros,
        is_anomalous: row.get(6),
        source_id: row.get(7),
        source_key: row.get(12),
        currency: row.get(13),
        has_default_currency: row.get(14),
        is_ours: false,
    };
    // An anomaly has the user, amount and timestamp of its row.
    let anomaly = row.get::<_, bool>(8).then(|| StoredAnomaly {
        user_id: row.get(3),
        amount_cents,
        timestamp_micros,
        score: row.get(9),
        reason: row.get(10),
        run_id: row.get(11),
    });
    ReplacedRow { run_id: row.get(1), written_by: row.get(2), row: values, anomaly }
}

/// The runs after this one that have replaced rows and were not undone.
pub(crate) async fn replacing_runs(
    connection: &Connection,
    run_id: i64,
) -> Result<Vec<ReplacingRun>, SinkError> {
    const RUNS: &str = "
        SELECT r.run_id, replaced_sha256,
               EXISTS (SELECT FROM ingest_prunes p WHERE p.run_id = r.run_id AND table_name = 'replaced_rows')
        FROM ingest_runs r WHERE r.run_id > $1 AND rows_replaced > 0 AND undone_at IS NULL ORDER BY r.run_id";
    let rows = connection.query("look for runs that replaced rows", RUNS, &[&run_id]).await?;
    let run = |row: &Row| ReplacingRun { run_id: row.get(0), sha256: row.get(1), is_pruned: row.get(2) };
    Ok(rows.iter().map(run).collect())
}

/// A run that has replaced rows.
#[derive(Clone, Debug)]
pub struct ReplacingRun {
    /// Its number.
    pub run_id: i64,
    /// The digest of what it kept of them.
    pub sha256: Option<String>,
    /// Whether that was removed since.
    pub is_pruned: bool,
}
