//! Reading the ledger: which runs there were, and whether their ledger rows are still as they were
//! written.

use host_core::digest::Sha256Digest;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::connection::connect::Connection;
use crate::error::SinkError;
use crate::ledger::facts::{FeedbackSpan, PluginFacts, StateRecord};
use crate::ledger::runs::{FileRecord, LedgerRun, RunRecord, local_time};

/// A run; the files come as arrays.
const SELECT: &str = "
    SELECT r.run_id, file_name, file_bytes, file_sha256, r.rows_read, r.rows_rejected,
           plugin_name, plugin_version, plugin_sha256, contract_version, settings::text, reading::text,
           ids, rows_written, rows_skipped, anomalies, first_transaction_id, last_transaction_id,
           host_version, (extract(epoch FROM started_at) * 1000000)::bigint,
           (extract(epoch FROM committed_at) * 1000000)::bigint, r.sha256,
           f.names, f.bytes, f.sha256s, f.rows_read, f.rows_rejected, f.contents, f.headers,
           (extract(epoch FROM first_timestamp) * 1000000)::bigint,
           (extract(epoch FROM last_timestamp) * 1000000)::bigint, skipped_sha256, f.are_numbered,
           source, rows_replaced, replaced_sha256, r.state, state_predecessor, state_entries, state_sha256,
           history::text, feedback_after, feedback_through, kept_columns,
           (extract(epoch FROM undone_at) * 1000000)::bigint AS undone_at
    FROM ingest_runs r, LATERAL (
        SELECT count(*) = 0 OR min(position) = 1 AND max(position) = count(*) AS are_numbered,
               coalesce(array_agg(name ORDER BY position), '{}') AS names,
               coalesce(array_agg(bytes ORDER BY position), '{}') AS bytes,
               coalesce(array_agg(sha256 ORDER BY position), '{}') AS sha256s,
               coalesce(array_agg(content_sha256 ORDER BY position), '{}') AS contents,
               coalesce(array_agg(header ORDER BY position), '{}') AS headers,
               coalesce(array_agg(rows_read ORDER BY position), '{}') AS rows_read,
               coalesce(array_agg(rows_rejected ORDER BY position), '{}') AS rows_rejected
        FROM ingest_files f WHERE f.run_id = r.run_id
    ) f";

/// Which runs are wanted; all conditions that are given must hold.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Committed at this time or later.
    pub since: Option<Timestamp>,
    /// One of its files has a name that contains this.
    pub file: Option<String>,
    /// Classified by the plugin of this name.
    pub plugin: Option<String>,
    /// Of files from this source.
    pub source: Option<String>,
    /// Not undone.
    pub is_not_undone: bool,
}

impl RunFilter {
    /// Whether every run is wanted, or every one that was not undone.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.since.is_none() && self.file.is_none() && self.plugin.is_none() && self.source.is_none()
    }
}

/// The latest runs, newest first, and how many more there are.
///
/// # Errors
/// If the database cannot be queried.
pub(crate) async fn runs(
    connection: &Connection,
    wanted: &RunFilter,
    limit: u32,
) -> Result<(Vec<LedgerRun>, u64), SinkError> {
    const WANTED: &str = "
        WHERE ($1::bigint IS NULL OR committed_at >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond')
          AND ($2::text IS NULL OR strpos(file_name, $2::text) > 0
               OR EXISTS (SELECT FROM ingest_files f WHERE f.run_id = r.run_id AND strpos(f.name, $2::text) > 0))
          AND ($3::text IS NULL OR plugin_name = $3::text)
          AND ($4::text IS NULL OR source = $4::text)
          AND (undone_at IS NULL OR NOT $5::bool)";
    let doing = "look up the runs";
    let since = wanted.since.map(Timestamp::as_microsecond);
    let RunFilter { file, plugin, source, is_not_undone, .. } = wanted;
    let query = format!("SELECT count(*) FROM ingest_runs r {WANTED}");
    let counted = connection.query(doing, &query, &[&since, file, plugin, source, is_not_undone]).await?;
    let count = counted.first().map_or(0, |row| row.get::<_, i64>(0));
    let query = format!("{SELECT} {WANTED} ORDER BY r.run_id DESC LIMIT $6");
    let limit = i64::from(limit);
    let rows =
        connection.query(doing, &query, &[&since, file, plugin, source, is_not_undone, &limit]).await?;
    let not_shown = u64::try_from(count).unwrap_or_default().saturating_sub(rows.len() as u64);
    Ok((rows.iter().map(ledger_run).collect(), not_shown))
}

/// One run; `None` if there is none with that number.
///
/// # Errors
/// If the database cannot be queried.
pub(crate) async fn run(connection: &Connection, run_id: i64) -> Result<Option<LedgerRun>, SinkError> {
    let query = format!("{SELECT} WHERE r.run_id = $1");
    let rows = connection.query("look up the run", &query, &[&run_id]).await?;
    Ok(rows.first().map(ledger_run))
}

/// Values that the host cannot have written are left empty: the digest then shows the difference.
fn ledger_run(row: &Row) -> LedgerRun {
    let count = |i: usize| u64::try_from(row.get::<_, i64>(i)).unwrap_or_default();
    let text = |i: usize| row.get::<_, Option<String>>(i);
    let counts =
        |i: usize| row.get::<_, Vec<i64>>(i).into_iter().map(|n| u64::try_from(n).unwrap_or_default());
    let file = FileRecord {
        name: row.get(1),
        bytes: count(2),
        sha256: row.get(3),
        content_sha256: None,
        header: None,
        rows_read: count(4),
        rows_rejected: count(5),
    };
    let names = row.get::<_, Vec<String>>(22).into_iter().zip(row.get::<_, Vec<String>>(24));
    let numbers = counts(23).zip(counts(25)).zip(counts(26));
    let contents =
        row.get::<_, Vec<Option<String>>>(27).into_iter().zip(row.get::<_, Vec<Option<String>>>(28));
    let files = names.zip(numbers).zip(contents).map(|((texts, numbers), (content_sha256, header))| {
        let ((name, sha256), ((bytes, rows_read), rows_rejected)) = (texts, numbers);
        FileRecord { name, bytes, sha256, content_sha256, header, rows_read, rows_rejected }
    });
    // What is not a list of files cannot be read, and no host has written it.
    let history = text(40).map_or_else(|| Some(Vec::new()), |json| serde_json::from_str(&json).ok());
    let is_history_readable = history.is_some();
    let micros = |i: usize| Timestamp::from_microsecond(row.get(i)).unwrap_or_default();
    let record = RunRecord {
        run_id: row.get(0),
        file,
        files: files.collect(),
        source: text(33),
        plugin: PluginFacts {
            name: row.get(6),
            version: row.get(7),
            sha256: row.get(8),
            contract_version: row.get(9),
            settings: text(10).and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
        },
        reading: text(11).and_then(|json| serde_json::from_str(&json).ok()),
        ids: row.get(12),
        rows_written: count(13),
        rows_replaced: count(34),
        replaced_sha256: text(35),
        rows_skipped: count(14),
        skipped_sha256: text(31),
        rows_rejected: count(5),
        anomalies: count(15),
        first_transaction_id: row.get(16),
        last_transaction_id: row.get(17),
        first_timestamp: row.get::<_, Option<i64>>(29).and_then(local_time),
        last_timestamp: row.get::<_, Option<i64>>(30).and_then(local_time),
        host_version: row.get(18),
        started_at: micros(19),
        state: state(row),
        history: history.unwrap_or_default(),
        feedback: feedback(row),
        kept_columns: row.get(43),
    };
    let digest = Sha256Digest::of(format!("{}{}", record.digested(), row.get::<_, i64>(20)).as_bytes());
    LedgerRun {
        // The digest does not cover the files' positions, by which rejected and skipped rows refer to them.
        is_intact: text(21)
            .map(|recorded| recorded == digest.to_string() && row.get(32) && is_history_readable),
        committed_at: micros(20),
        undone_at: row.get::<_, Option<i64>>("undone_at").and_then(|at| Timestamp::from_microsecond(at).ok()),
        record,
    }
}

/// `None` only if nothing is recorded of one; what is missing is left empty.
fn state(row: &Row) -> Option<StateRecord> {
    let (name, sha256): (Option<String>, Option<String>) = (row.get(36), row.get(39));
    let (predecessor, entries): (Option<i64>, Option<i64>) = (row.get(37), row.get(38));
    if name.is_none() && predecessor.is_none() && entries.is_none() && sha256.is_none() {
        return None;
    }
    Some(StateRecord {
        name: name.unwrap_or_default(),
        predecessor,
        entries: entries.and_then(|count| u64::try_from(count).ok()).unwrap_or_default(),
        sha256: sha256.unwrap_or_default(),
    })
}

/// `None` only if nothing is recorded of any.
fn feedback(row: &Row) -> Option<FeedbackSpan> {
    let (after, through): (Option<i64>, Option<i64>) = (row.get(41), row.get(42));
    let none = after.is_none() && through.is_none();
    (!none).then(|| FeedbackSpan { after: after.unwrap_or_default(), through: through.unwrap_or_default() })
}
