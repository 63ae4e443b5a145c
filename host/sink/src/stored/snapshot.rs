//! The database as it is at one moment: for those who look, and what a replay is compared with.

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

/// A read-only transaction that sees nothing of what others write meanwhile.
pub struct Snapshot {
    connection: Connection,
}

impl Snapshot {
    /// Takes it.
    ///
    /// # Errors
    /// Where the server refuses.
    pub(crate) async fn take(connection: Connection) -> Result<Snapshot, SinkError> {
        session::begin_to_read(&connection).await?;
        Ok(Snapshot { connection })
    }

    /// What texts can be stored in it.
    #[must_use]
    pub fn encoding(&self) -> &Encoding {
        &self.connection.encoding
    }

    /// The ids that `transactions` can hold.
    ///
    /// # Errors
    /// Where the server refuses, or the tables do not fit.
    pub async fn id_range(&self) -> Result<RangeInclusive<i64>, SinkError> {
        Ok(columns::check(&self.connection).await?.id_range())
    }

    /// The latest runs that are wanted, the latest first, and how many more there are.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn runs(&self, wanted: &RunFilter, limit: u32) -> Result<(Vec<LedgerRun>, u64), SinkError> {
        read::runs(&self.connection, wanted, limit).await
    }

    /// One run, if there was one of that number.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn run(&self, run_id: i64) -> Result<Option<LedgerRun>, SinkError> {
        read::run(&self.connection, run_id).await
    }

    /// Those of these transactions, and of their anomalies, that are there.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn rows(
        &self,
        ids: &[i64],
    ) -> Result<(HashMap<i64, StoredRow>, HashMap<i64, StoredAnomaly>), SinkError> {
        tokio::try_join!(rows::rows(&self.connection, ids), rows::anomalies(&self.connection, ids))
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

    /// How many rows a table has of this run.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn count<T: RowOfRun>(&self, run_id: i64) -> Result<u64, SinkError> {
        let count = format!("SELECT count(*) FROM {} WHERE run_id = $1", T::TABLE);
        let rows = self.connection.query(T::DOING, &count, &[&run_id]).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
    }

    /// Begins to read them, in file order.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn open<T: RowOfRun>(&self, run_id: i64) -> Result<Cursor<T>, SinkError> {
        Cursor::open(&self.connection, run_id).await
    }

    /// The next few of them; empty after the last.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn next<T: RowOfRun>(&self, cursor: &Cursor<T>) -> Result<Vec<T>, SinkError> {
        cursor.next(&self.connection).await
    }

    /// Lets it go. The transaction is ended before the session is: otherwise a pooler closes the
    /// server's with ours.
    pub async fn close(self) {
        // Nothing depends on the answer.
        let _ = self.connection.simple_query("end reading", "COMMIT").await;
        self.connection.close().await;
    }
}
