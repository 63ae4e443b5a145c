//! Removing what old runs have recorded beside their rows: rejected, skipped and replaced rows. What was
//! removed is noted, so that nobody takes it for lost.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::connection::connect::Connection;
use crate::connection::session;
use crate::error::SinkError;

/// The table in which `host state drop` has removed all entries of a run, if there is a note of it.
pub(crate) const STATES: &str = "detector_states";

/// Whether the state that a run `r` wrote was dropped, in SQL: nothing goes on from there.
pub(crate) const STATE_IS_DROPPED: &str =
    "EXISTS (SELECT FROM ingest_prunes p WHERE p.run_id = r.run_id AND p.table_name = 'detector_states')";

/// A table whose rows may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prunable {
    /// `rejected_rows`.
    Rejected,
    /// `skipped_rows`.
    Skipped,
    /// `replaced_rows`.
    Replaced,
}

impl Prunable {
    /// The table's name.
    #[must_use]
    pub fn table(self) -> &'static str {
        match self {
            Prunable::Rejected => "rejected_rows",
            Prunable::Skipped => "skipped_rows",
            Prunable::Replaced => "replaced_rows",
        }
    }
}

/// Which runs' rows are to be removed; all conditions that are given must hold.
#[derive(Clone, Copy, Debug)]
pub struct PruneRequest {
    /// Only of runs that were committed longer ago than this, by the server's clock.
    pub older: Option<SignedDuration>,
    /// Only of this run.
    pub run_id: Option<i64>,
    /// Only say what would be removed.
    pub is_dry_run: bool,
}

/// What was removed of a run, or would be. Field names are part of the interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The run.
    pub run_id: i64,
    /// The table.
    pub table: &'static str,
    /// How many rows.
    pub rows: u64,
}

/// Removes rows in one transaction, in which it also notes what was removed.
///
/// # Errors
/// If the server refuses; nothing was removed then.
pub async fn prune(
    connection: &Connection,
    tables: &[Prunable],
    request: PruneRequest,
) -> Result<Vec<Removed>, SinkError> {
    session::begin(connection, None).await?;
    match remove(connection, tables, request).await {
        Ok(removed) => {
            let end = if request.is_dry_run { "ROLLBACK" } else { "COMMIT" };
            connection.simple_query("commit what was removed", end).await?;
            Ok(removed)
        }
        Err(error) => {
            // If this fails, too, the connection is lost, and with it the transaction.
            let _ = connection.simple_query("roll back what was removed", "ROLLBACK").await;
            Err(error)
        }
    }
}

/// Within a transaction.
async fn remove(
    connection: &Connection,
    tables: &[Prunable],
    request: PruneRequest,
) -> Result<Vec<Removed>, SinkError> {
    /// The runs meant, as `r`.
    const WANTED: &str = "
        ($1::bigint IS NULL OR r.committed_at < now() - $1::bigint * interval '1 second')
        AND ($2::bigint IS NULL OR r.run_id = $2::bigint)";
    let older = request.older.map(|older| older.as_secs());
    let mut removed = Vec::new();
    for table in tables {
        let table = table.table();
        // What an undone run has replaced was put back, and says who wrote it.
        let wanted = if table == Prunable::Replaced.table() {
            format!("{WANTED} AND r.undone_at IS NULL")
        } else {
            WANTED.to_owned()
        };
        let query = if request.is_dry_run {
            format!(
                "SELECT t.run_id, count(*) FROM {table} t JOIN ingest_runs r USING (run_id) WHERE {wanted}
                GROUP BY t.run_id ORDER BY t.run_id"
            )
        } else {
            format!(
                "WITH removed AS (
                    DELETE FROM {table} t USING ingest_runs r WHERE r.run_id = t.run_id AND {wanted}
                    RETURNING t.run_id
                ), noted AS (
                    INSERT INTO ingest_prunes (run_id, table_name, rows_removed, pruned_at)
                    SELECT run_id, '{table}', count(*), clock_timestamp() FROM removed GROUP BY run_id
                    RETURNING run_id, rows_removed
                )
                SELECT run_id, rows_removed FROM noted ORDER BY run_id"
            )
        };
        let rows = connection
            .query("remove what old runs have recorded", &query, &[&older, &request.run_id])
            .await?;
        removed.extend(rows.iter().map(|row| Removed {
            run_id: row.get(0),
            table,
            rows: row.get::<_, i64>(1).unsigned_abs(),
        }));
    }
    Ok(removed)
}

/// That rows of a run were removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The table.
    pub table: String,
    /// How many.
    pub rows: u64,
    /// When, the last time.
    pub at: Timestamp,
}

/// When the state that a run wrote was dropped; `None` if it was not.
pub(crate) async fn state_dropped_at(
    connection: &Connection,
    run_id: i64,
) -> Result<Option<Timestamp>, SinkError> {
    let pruned = of_run(connection, run_id).await?;
    Ok(pruned.into_iter().find(|pruned| pruned.table == STATES).map(|pruned| pruned.at))
}

/// What was removed of a run.
pub(crate) async fn of_run(connection: &Connection, run_id: i64) -> Result<Vec<Pruned>, SinkError> {
    const PRUNED: &str = "
        SELECT table_name, sum(rows_removed)::bigint, (extract(epoch FROM max(pruned_at)) * 1000000)::bigint
        FROM ingest_prunes WHERE run_id = $1 GROUP BY table_name ORDER BY table_name";
    let rows = connection.query("look up what was removed", PRUNED, &[&run_id]).await?;
    let pruned = |row: &tokio_postgres::Row| Pruned {
        table: row.get(0),
        rows: row.get::<_, i64>(1).unsigned_abs(),
        at: Timestamp::from_microsecond(row.get(2)).unwrap_or_default(),
    };
    Ok(rows.iter().map(pruned).collect())
}
