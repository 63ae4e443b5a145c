//! The database as it is at one moment, for commands that only read, and for comparison with a replay.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::connection::connect::Connection;
use crate::connection::encoding::Encoding;
use crate::connection::session;
use crate::error::SinkError;
use crate::ledger::read;
use crate::ledger::read::RunFilter;
use crate::ledger::runs::LedgerRun;
use crate::schema::columns;
use crate::stored::cursor::{Cursor, RowOfRun};
use crate::stored::rows;
use crate::stored::rows::{StoredAnomaly, StoredRow};

/// A read-only transaction that sees nothing that others write meanwhile.
pub struct Snapshot {
    connection: Connection,
}

impl Snapshot {
    /// Takes it.
    ///
    /// # Errors
    /// If the server refuses.
    pub(crate) async fn take(connection: Connection) -> Result<Snapshot, SinkError> {
        session::begin_to_read(&connection).await?;
        Ok(Snapshot { connection })
    }

    /// Which texts can be stored in it.
    #[must_use]
    pub fn encoding(&self) -> &Encoding {
        &self.connection.encoding
    }

    /// The ids that `transactions` can hold.
    ///
    /// # Errors
    /// If the server refuses, or the tables do not fit.
    pub async fn id_range(&self) -> Result<RangeInclusive<i64>, SinkError> {
        Ok(columns::check(&self.connection, false).await?.id_range())
    }

    /// The latest of the wanted runs, newest first, and how many more there are.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn runs(&self, wanted: &RunFilter, limit: u32) -> Result<(Vec<LedgerRun>, u64), SinkError> {
        read::runs(&self.connection, wanted, limit).await
    }

    /// One run; `None` if there is none with that number.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn run(&self, run_id: i64) -> Result<Option<LedgerRun>, SinkError> {
        read::run(&self.connection, run_id).await
    }

    /// The rows that exist with these ids, and their anomalies.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn rows(
        &self,
        ids: &[i64],
    ) -> Result<(HashMap<i64, StoredRow>, HashMap<i64, StoredAnomaly>), SinkError> {
        tokio::try_join!(rows::rows(&self.connection, ids), rows::anomalies(&self.connection, ids))
    }

    /// How many anomalies are recorded as this run's.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn anomalies_of(&self, run_id: i64) -> Result<u64, SinkError> {
        const COUNT: &str = "SELECT count(*) FROM anomalies WHERE run_id = $1";
        let rows = self.connection.query("count the anomalies", COUNT, &[&run_id]).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
    }

    /// How many rows of this run a table has.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn count<T: RowOfRun>(&self, run_id: i64) -> Result<u64, SinkError> {
        let count = format!("SELECT count(*) FROM {} WHERE run_id = $1", T::TABLE);
        let rows = self.connection.query(T::DOING, &count, &[&run_id]).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
    }

    /// Begins to read a run's rows, in file order.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn open<T: RowOfRun>(&self, run_id: i64) -> Result<Cursor<T>, SinkError> {
        Cursor::open(&self.connection, run_id).await
    }

    /// The next few rows; empty after the last.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn next<T: RowOfRun>(&self, cursor: &Cursor<T>) -> Result<Vec<T>, SinkError> {
        cursor.next(&self.connection).await
    }

    /// Closes it. The transaction is ended before the session: otherwise a pooler closes the server's
    /// session together with ours.
    pub async fn close(self) {
        // Nothing depends on the answer.
        let _ = self.connection.simple_query("end reading", "COMMIT").await;
        self.connection.close().await;
    }
}
