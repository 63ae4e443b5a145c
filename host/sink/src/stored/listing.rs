//! Rejected, skipped and replaced rows of a run, for a command that lists them.

use host_core::text::printable_bytes;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::error::SinkError;
use crate::ledger::prunes::Pruned;
use crate::stored::cursor::{Cursor, RowOfRun};
use crate::stored::snapshot::Snapshot;

/// Rows of a run, for a command that lists them.
pub struct Listing<T> {
    snapshot: Snapshot,
    cursor: Cursor<T>,
    /// What `host prune` has removed of them.
    pub pruned: Option<Pruned>,
    /// When the run was undone, if it was: they are gone since, except for replaced rows, which were put back.
    pub undone_at: Option<Timestamp>,
}

impl<T: RowOfRun> Listing<T> {
    /// Begins to read the rows; `None` if there is no such run.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub async fn of_run(snapshot: Snapshot, run_id: i64) -> Result<Option<Listing<T>>, SinkError> {
        let Some(run) = snapshot.run(run_id).await? else { return Ok(None) };
        let pruned = snapshot.pruned(run_id).await?.into_iter().find(|pruned| pruned.table == T::TABLE);
        let cursor = snapshot.open(run_id).await?;
        Ok(Some(Listing { snapshot, cursor, pruned, undone_at: run.undone_at }))
    }

    /// The next few rows; empty after the last.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub async fn next(&self) -> Result<Vec<T>, SinkError> {
        self.snapshot.next(&self.cursor).await
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.snapshot.close().await;
    }
}

/// A rejected record.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RejectRecord {
    /// The file.
    pub file: String,
    /// The physical line, from 1.
    pub line: i64,
    /// Position in the decompressed and decoded file.
    pub byte_offset: i64,
    /// The column at fault.
    pub column: Option<String>,
    /// The kind of problem, for counting.
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// The record, made printable and truncated.
    pub raw: String,
    /// All of its bytes.
    pub raw_base64: String,
}

impl RowOfRun for RejectRecord {
    const DOING: &'static str = "look up the rejected rows";
    const CURSOR: &'static str = "host_reject_records";
    // Each may be a megabyte, and a third more in base64.
    const ROWS_AT_A_TIME: u32 = 4;
    const TABLE: &'static str = "rejected_rows";
    // Of the bytes, as many as `printable_bytes` uses.
    const COLUMNS: &'static str = "file, line, byte_offset, column_name, reason, message,
        substring(raw FOR 1024), translate(encode(raw, 'base64'), E'\\n', '')";

    fn of(row: &Row) -> RejectRecord {
        RejectRecord {
            file: row.get(1),
            line: row.get(2),
            byte_offset: row.get(3),
            column: row.get(4),
            reason: row.get(5),
            message: row.get(6),
            raw: printable_bytes(row.get(7)),
            raw_base64: row.get(8),
        }
    }
}

/// A row that was skipped because its id was already taken. What earlier hosts did not record is `None`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SkipRecord {
    /// The file.
    pub file: String,
    /// The physical line, from 1.
    pub line: i64,
    /// The id.
    pub transaction_id: i64,
    /// Whether the file's values differed from those that were stored.
    pub differs: bool,
    /// The file's user.
    pub user_id: Option<i64>,
    /// The file's amount, such as `12.50`.
    pub amount: Option<String>,
    /// The file's timestamp, such as `2024-02-29T23:59:59.000000`.
    pub transaction_timestamp: Option<String>,
}

impl RowOfRun for SkipRecord {
    const DOING: &'static str = "look up the skipped rows";
    const CURSOR: &'static str = "host_skip_records";
    const ROWS_AT_A_TIME: u32 = 500;
    const TABLE: &'static str = "skipped_rows";
    const COLUMNS: &'static str = "file, line, transaction_id, differs, user_id, amount::text,
        to_char(transaction_timestamp, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')";

    fn of(row: &Row) -> SkipRecord {
        SkipRecord {
            file: row.get(1),
            line: row.get(2),
            transaction_id: row.get(3),
            differs: row.get(4),
            user_id: row.get(5),
            amount: row.get(6),
            transaction_timestamp: row.get(7),
        }
    }
}

/// A row that the run replaced, with the values that it had until then.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ReplacedRecord {
    /// The file of the row that took its place.
    pub file: String,
    /// The physical line of that row, from 1.
    pub line: i64,
    /// The id of both.
    pub transaction_id: i64,
    /// Whether user, amount or timestamp were others.
    pub differs: bool,
    /// The run that had written it, if that is known.
    pub written_by: Option<i64>,
    /// Its user.
    pub user_id: Option<i64>,
    /// Its amount, such as `12.50`.
    pub amount: Option<String>,
    /// Its timestamp, such as `2024-02-29T23:59:59.000000`.
    pub transaction_timestamp: Option<String>,
    /// What the detector had said.
    pub is_anomalous: Option<i64>,
    /// The score of its anomaly.
    pub score: Option<f64>,
    /// The reason of its anomaly.
    pub reason: Option<String>,
}

impl RowOfRun for ReplacedRecord {
    const DOING: &'static str = "look up the replaced rows";
    const CURSOR: &'static str = "host_replaced_records";
    const ROWS_AT_A_TIME: u32 = 500;
    const TABLE: &'static str = "replaced_rows";
    const COLUMNS: &'static str = "file, line, transaction_id, differs, written_by, user_id, amount::text,
        to_char(transaction_timestamp, 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), is_anomalous, score, reason";

    fn of(row: &Row) -> ReplacedRecord {
        ReplacedRecord {
            file: row.get(1),
            line: row.get(2),
            transaction_id: row.get(3),
            differs: row.get(4),
            written_by: row.get(5),
            user_id: row.get(6),
            amount: row.get(7),
            transaction_timestamp: row.get(8),
            is_anomalous: row.get(9),
            score: row.get(10),
            reason: row.get(11),
        }
    }
}
