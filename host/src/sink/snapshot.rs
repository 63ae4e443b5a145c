//! The database as it was at one moment: what a replay is compared with.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::stored::{self, Micros, StoredAnomaly};
use super::{Connection, Encoding, SinkError, StoredRow};

/// A read-only transaction that sees nothing of what others write meanwhile.
pub struct Snapshot {
    connection: Connection,
}

impl Snapshot {
    /// That of a connection which [`look`](super::look) has made.
    #[must_use]
    pub fn of(connection: Connection) -> Snapshot {
        Snapshot { connection }
    }

    /// What texts can be stored in it.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.connection.encoding.clone()
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

    /// The rows that this run skipped.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn skipped(&self, run_id: i64) -> Result<Vec<StoredSkip>, SinkError> {
        let rows = self.connection.query("look up the skipped rows", SKIPPED, &[&run_id]).await?;
        let skip = |row: &Row| StoredSkip {
            position: row.get(0),
            file: row.get(1),
            line: row.get(2),
            transaction_id: row.get(3),
            differs: row.get(4),
            user_id: row.get(5),
            amount_cents: row.get::<_, Option<&str>>(6).and_then(|cents| cents.parse().ok()),
            timestamp_micros: row.get::<_, Option<Micros>>(7).map(|micros| micros.0),
        };
        Ok(rows.iter().map(skip).collect())
    }

    /// How many records this run has in `rejected_rows`; begins to read them, in file order.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn begin_rejects(&self, run_id: i64) -> Result<u64, SinkError> {
        const COUNT: &str = "SELECT count(*) FROM rejected_rows WHERE run_id = $1";
        let rows = self.connection.query(REJECTS_DOING, COUNT, &[&run_id]).await?;
        let declare = format!(
            "DECLARE host_rejects NO SCROLL CURSOR FOR {REJECTS} WHERE run_id = {run_id} {REJECTS_ORDER}"
        );
        self.connection.simple_query(REJECTS_DOING, &declare).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
    }

    /// The next of them; empty after the last. Records are known by their digests, so that large
    /// ones need not come over.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn next_rejects(&self) -> Result<Vec<StoredReject>, SinkError> {
        let rows = self.connection.query(REJECTS_DOING, "FETCH 1000 FROM host_rejects", &[]).await?;
        let reject = |row: &Row| StoredReject {
            position: row.get(0),
            file: row.get(1),
            line: row.get(2),
            byte_offset: row.get(3),
            column: row.get(4),
            reason: row.get(5),
            message: row.get(6),
            raw_sha256: row.get(7),
            has_position: row.get(8),
        };
        Ok(rows.iter().map(reject).collect())
    }

    /// Lets it go.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

const SKIPPED: &str = "
    SELECT position, file, line, transaction_id, differs, user_id, trim_scale(amount * 100)::text,
           transaction_timestamp
    FROM skipped_rows WHERE run_id = $1";

const REJECTS_DOING: &str = "look up the rejected rows";

/// Hosts that did not record the position of a file knew it by its name.
const REJECTS: &str = "
    SELECT coalesce(position, (SELECT min(f.position) FROM ingest_files f
                               WHERE f.run_id = r.run_id AND f.name = r.file), 0),
           file, line, byte_offset, column_name, reason, message, encode(sha256(raw), 'hex'),
           position IS NOT NULL
    FROM rejected_rows r";
const REJECTS_ORDER: &str = "ORDER BY 1, line, byte_offset";

/// A row of `skipped_rows`; what hosts before did not record is `None`.
#[derive(Clone, Debug)]
pub struct StoredSkip {
    /// The file's position in the run, from 1.
    pub position: Option<i32>,
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
