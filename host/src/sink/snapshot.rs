//! The database as it was at one moment: what a replay is compared with.

use std::collections::{HashMap, HashSet};

use super::ledger::{self, RejectRecord};
use super::stored::{self, StoredAnomaly};
use super::{Connection, SinkError, StoredRow, session};

/// A read-only transaction that sees nothing of what others write meanwhile.
pub struct Snapshot {
    connection: Connection,
}

impl Snapshot {
    /// Takes it.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn take(connection: Connection) -> Result<Snapshot, SinkError> {
        session::begin_to_read(&connection).await?;
        Ok(Snapshot { connection })
    }

    /// Those of these transactions, and of their anomalies, that are there.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn rows(
        &self,
        ids: &[i64],
    ) -> Result<(HashMap<i64, StoredRow>, HashMap<i64, StoredAnomaly>), SinkError> {
        tokio::try_join!(stored::rows(&self.connection, ids), stored::anomalies(&self.connection, ids))
    }

    /// How many anomalies say that they are of this run.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn anomalies_of(&self, run_id: i64) -> Result<u64, SinkError> {
        const COUNT: &str = "SELECT count(*) FROM anomalies WHERE run_id = $1";
        let rows = self.connection.query("count the anomalies", COUNT, &[&run_id]).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
    }

    /// File and line of the rows that this run skipped.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn skipped(&self, run_id: i64) -> Result<HashSet<(String, u64)>, SinkError> {
        const SKIPPED: &str = "SELECT file, line FROM skipped_rows WHERE run_id = $1";
        let rows = self.connection.query("look up the skipped rows", SKIPPED, &[&run_id]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1).unsigned_abs())).collect())
    }

    /// The records that this run rejected, in file order.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn rejects(&self, run_id: i64) -> Result<Vec<RejectRecord>, SinkError> {
        Ok(ledger::rejects(&self.connection, run_id).await?.unwrap_or_default())
    }

    /// Lets it go.
    pub async fn close(self) {
        self.connection.close().await;
    }
}
