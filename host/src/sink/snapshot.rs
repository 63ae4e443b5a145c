//! The database as it is at one moment: for those who look, and what a replay is compared with.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use tokio_postgres::Row;

use super::listing::{Cursor, RowOfRun};
use super::stored::{self, Micros, StoredAnomaly};
use super::{Connection, Encoding, LedgerRun, RunFilter, SinkError, StoredRow, runs, schema, session};

/// A read-only transaction that sees nothing of what others write meanwhile.
pub struct Snapshot {
    connection: Connection,
}

impl Snapshot {
    /// Takes it.
    ///
    /// # Errors
    /// Where the server refuses.
    pub(super) async fn take(connection: Connection) -> Result<Snapshot, SinkError> {
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
        Ok(schema::check_columns(&self.connection).await?.id_range())
    }

    /// The latest runs that are wanted, the latest first, and how many more there are.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn runs(&self, wanted: &RunFilter, limit: u32) -> Result<(Vec<LedgerRun>, u64), SinkError> {
        runs::runs(&self.connection, wanted, limit).await
    }

    /// One run, if there was one of that number.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn run(&self, run_id: i64) -> Result<Option<LedgerRun>, SinkError> {
        runs::run(&self.connection, run_id).await
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

/// A row of `skipped_rows`; what hosts before did not record is `None`.
#[derive(Clone, Debug)]
pub struct StoredSkip {
    /// The file's position in the run, from 1.
    pub position: i32,
    /// Whether that is what is stored, rather than found by the file's name.
    pub has_position: bool,
    /// The file's name as it was given.
    pub file: String,
    /// The physical line, from 1.
    pub line: i64,
    /// The id that was there already.
    pub transaction_id: i64,
    /// Whether the file's values were others than those that were stored.
    pub differs: bool,
    /// The file's user.
    pub user_id: Option<i64>,
    /// The file's amount in hundredths.
    pub amount_cents: Option<i64>,
    /// The file's timestamp.
    pub timestamp_micros: Option<i64>,
}

impl RowOfRun for StoredSkip {
    const DOING: &'static str = "look up the skipped rows";
    const CURSOR: &'static str = "host_skipped";
    const ROWS_AT_A_TIME: u32 = 1_000;
    const TABLE: &'static str = "skipped_rows";
    const COLUMNS: &'static str = "position IS NOT NULL, file, line, transaction_id, differs, user_id,
        trim_scale(amount * 100)::text, transaction_timestamp";

    fn of(row: &Row) -> StoredSkip {
        StoredSkip {
            position: row.get(0),
            has_position: row.get(1),
            file: row.get(2),
            line: row.get(3),
            transaction_id: row.get(4),
            differs: row.get(5),
            user_id: row.get(6),
            amount_cents: row.get::<_, Option<&str>>(7).and_then(|cents| cents.parse().ok()),
            timestamp_micros: row.get::<_, Option<Micros>>(8).map(|micros| micros.0),
        }
    }
}

/// A row of `rejected_rows`.
#[derive(Clone, Debug)]
pub struct StoredReject {
    /// The file's position in the run, from 1.
    pub position: i32,
    /// Whether that is what is stored, rather than found by the file's name.
    pub has_position: bool,
    /// The file's name as it was given.
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
    /// The digest of the record's bytes.
    pub raw_sha256: String,
}

impl RowOfRun for StoredReject {
    const DOING: &'static str = "look up the rejected rows";
    const CURSOR: &'static str = "host_rejects";
    // Records are known by their digests, so that large ones need not come over.
    const ROWS_AT_A_TIME: u32 = 1_000;
    const TABLE: &'static str = "rejected_rows";
    const COLUMNS: &'static str =
        "position IS NOT NULL, file, line, byte_offset, column_name, reason, message,
        encode(sha256(raw), 'hex')";

    fn of(row: &Row) -> StoredReject {
        StoredReject {
            position: row.get(0),
            has_position: row.get(1),
            file: row.get(2),
            line: row.get(3),
            byte_offset: row.get(4),
            column: row.get(5),
            reason: row.get(6),
            message: row.get(7),
            raw_sha256: row.get(8),
        }
    }
}
