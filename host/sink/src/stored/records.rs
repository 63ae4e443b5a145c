//! Rejected and skipped rows as stored, for comparison with a replay.

use tokio_postgres::Row;

use crate::ledger::skips::SkipDigest;
use crate::stored::cursor::RowOfRun;
use crate::stored::rows::Micros;

/// A row of `skipped_rows`; what earlier hosts did not record is `None`.
#[derive(Clone, Debug)]
pub struct StoredSkip {
    /// The file's position in the run, from 1.
    pub position: i32,
    /// Whether the position was stored, rather than found by the file's name.
    pub has_position: bool,
    /// The file's name as it was given.
    pub file: String,
    /// The physical line, from 1.
    pub line: i64,
    /// The id that was already taken.
    pub transaction_id: i64,
    /// Whether the file's values differed from those that were stored.
    pub differs: bool,
    /// The file's user.
    pub user_id: Option<i64>,
    /// The file's amount in hundredths.
    pub amount_cents: Option<i64>,
    /// The file's timestamp.
    pub timestamp_micros: Option<i64>,
}

impl StoredSkip {
    /// Adds it to the digest of a run's skipped rows.
    pub fn add_to(&self, digest: &mut SkipDigest) {
        digest.add([
            Some(i64::from(self.position)),
            Some(self.line),
            Some(self.transaction_id),
            Some(i64::from(self.differs)),
            self.user_id,
            self.amount_cents,
            self.timestamp_micros,
        ]);
    }
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
    /// Whether the position was stored, rather than found by the file's name.
    pub has_position: bool,
    /// The file's name as it was given.
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
    /// The digest of the record's bytes.
    pub raw_sha256: String,
}

impl RowOfRun for StoredReject {
    const DOING: &'static str = "look up the rejected rows";
    const CURSOR: &'static str = "host_rejects";
    // Records are compared by their digests, so that large ones need not be transferred.
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
