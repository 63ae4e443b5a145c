//! The ledger: one row in `ingest_runs` for each committed run, written in the run's own transaction.

use jiff::Timestamp;

use crate::connection::connect::Connection;
use crate::connection::query::Parameter;
use crate::error::SinkError;
use crate::known_file::{KnownFile, KnownFrom};
use crate::ledger::runs::{FileRecord, RunRecord};

/// The row's digest covers the time of the commit, which comes from the server.
const INSERT: &str = "
    WITH now AS MATERIALIZED (SELECT clock_timestamp() AS at)
    INSERT INTO ingest_runs (run_id, file_name, file_bytes, file_sha256,
        plugin_name, plugin_version, plugin_sha256, contract_version, settings,
        rows_read, rows_written, rows_rejected, rows_skipped, anomalies,
        first_transaction_id, last_transaction_id, host_version, started_at, committed_at,
        ids, reading, sha256, first_timestamp, last_timestamp, skipped_sha256,
        source, rows_replaced, replaced_sha256, state, state_predecessor, state_entries, state_sha256,
        history, feedback_after, feedback_through, kept_columns)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, $11, $12, $13, $14, $15, $16, $17,
        $18::text::timestamptz, at, $19, $20::text::jsonb,
        encode(sha256(convert_to($21::text || (extract(epoch FROM at) * 1000000)::bigint, 'UTF8')), 'hex'),
        $22::text::timestamp, $23::text::timestamp, $24, $25, $26, $27, $28, $29, $30, $31,
        $32::text::jsonb, $33, $34, $35
    FROM now
    RETURNING (extract(epoch FROM committed_at) * 1000000)::bigint, sha256";

/// All files in one statement. Returns those whose content an earlier run has ingested, even if its rows
/// are gone, unless it was undone.
const INSERT_FILES: &str = "
    INSERT INTO ingest_files AS new
        (run_id, position, name, bytes, sha256, content_sha256, header, rows_read, rows_rejected)
    SELECT $1, position, name, bytes, sha256, content_sha256, header, rows_read, rows_rejected
    FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[])
        WITH ORDINALITY
        AS f (name, bytes, sha256, content_sha256, header, rows_read, rows_rejected, position)
    RETURNING name, (SELECT max(run_id) FROM ingest_files earlier
                     WHERE coalesce(earlier.content_sha256, earlier.sha256) = new.content_sha256
                       AND earlier.run_id NOT IN (SELECT run_id FROM ingest_runs WHERE undone_at IS NOT NULL))";

/// What the server returned for a ledger row.
pub(crate) struct Entry {
    /// When it was written, immediately before COMMIT.
    pub committed_at: Timestamp,
    /// The row's digest, which is different for every run.
    pub sha256: String,
    /// Files whose content an earlier run has ingested.
    pub known: Vec<KnownFile>,
    /// What the last file of the same source, or else of the same name, had as its header.
    pub earlier_header: Option<EarlierHeader>,
}

/// The header of a file of an earlier run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierHeader {
    /// The run.
    pub run_id: i64,
    /// The names of the columns, as they were in the file.
    pub header: String,
}

/// Writes the run's rows.
pub(crate) async fn record(connection: &Connection, record: &RunRecord) -> Result<Entry, SinkError> {
    let RunRecord { run_id, file, files, plugin, .. } = record;
    let earlier_header = earlier_header(connection, record).await?;
    let digested = record.digested();
    let (settings, reading) = (json(&plugin.settings), json(&record.reading));
    let started_at = record.started_at.to_string();
    let [first_timestamp, last_timestamp] =
        [record.first_timestamp, record.last_timestamp].map(|time| time.map(|time| time.to_string()));
    let (state, feedback) = (record.state.as_ref(), record.feedback.as_ref());
    let history = (!record.history.is_empty()).then(|| json(&record.history));
    let parameters: [&dyn Parameter; 35] = [
        run_id,
        &file.name,
        &signed(file.bytes),
        &file.sha256,
        &plugin.name,
        &plugin.version,
        &plugin.sha256,
        &plugin.contract_version,
        &settings,
        &signed(file.rows_read),
        &signed(record.rows_written),
        &signed(record.rows_rejected),
        &signed(record.rows_skipped),
        &signed(record.anomalies),
        &record.first_transaction_id,
        &record.last_transaction_id,
        &record.host_version,
        &started_at,
        &record.ids,
        &reading,
        &digested,
        &first_timestamp,
        &last_timestamp,
        &record.skipped_sha256,
        &record.source,
        &signed(record.rows_replaced),
        &record.replaced_sha256,
        &state.map(|state| &state.name),
        &state.and_then(|state| state.predecessor),
        &state.map(|state| signed(state.entries)),
        &state.map(|state| &state.sha256),
        &history,
        &feedback.map(|span| span.after),
        &feedback.map(|span| span.through),
        &record.kept_columns,
    ];
    let rows = connection.query("write the ledger row", INSERT, &parameters).await?;
    let stored = rows.first().and_then(|row| {
        let committed_at = Timestamp::from_microsecond(row.try_get(0).ok()?).ok()?;
        Some((committed_at, row.try_get::<_, Option<String>>(1).ok()??))
    });
    // Missing if a trigger left the row out, or removed its digest.
    let (committed_at, sha256) = stored.ok_or(SinkError::LedgerRowRefused { table: "ingest_runs" })?;
    let known = record_files(connection, *run_id, files).await?;
    Ok(Entry { committed_at, sha256, known, earlier_header })
}

async fn earlier_header(
    connection: &Connection,
    RunRecord { source, files, .. }: &RunRecord,
) -> Result<Option<EarlierHeader>, SinkError> {
    const EARLIER: &str = "
        SELECT run_id, header FROM ingest_files f JOIN ingest_runs r USING (run_id)
        WHERE header IS NOT NULL AND undone_at IS NULL AND CASE WHEN $1::text IS NULL THEN name = $2 ELSE source = $1 END
        ORDER BY run_id DESC, position DESC LIMIT 1";
    let Some(first) = files.first() else { return Ok(None) };
    let rows = connection.query("look up the last header", EARLIER, &[source, &first.name]).await?;
    let earlier = rows.first().map(|row| EarlierHeader { run_id: row.get(0), header: row.get(1) });
    // The database's encoding may lack characters of it.
    let is_same =
        |header: &str| first.header.as_ref().is_some_and(|now| connection.encoding.storable(now) == header);
    Ok(earlier.filter(|earlier| !is_same(&earlier.header)))
}

async fn record_files(
    connection: &Connection,
    run_id: i64,
    files: &[FileRecord],
) -> Result<Vec<KnownFile>, SinkError> {
    fn column<T>(files: &[FileRecord], of: impl Fn(&FileRecord) -> T) -> Vec<T> {
        files.iter().map(of).collect()
    }
    let names = column(files, |file| file.name.clone());
    let bytes = column(files, |file| signed(file.bytes));
    let digests = column(files, |file| file.sha256.clone());
    let contents = column(files, |file| file.content_sha256.clone());
    let headers = column(files, |file| file.header.clone());
    let rows_read = column(files, |file| signed(file.rows_read));
    let rows_rejected = column(files, |file| signed(file.rows_rejected));
    let parameters: [&dyn Parameter; 8] =
        [&run_id, &names, &bytes, &digests, &contents, &headers, &rows_read, &rows_rejected];
    let rows = connection.query("write the ledger rows of the files", INSERT_FILES, &parameters).await?;
    if rows.len() != files.len() {
        return Err(SinkError::LedgerRowRefused { table: "ingest_files" });
    }
    let known = |row: &tokio_postgres::Row| {
        let run_id: Option<i64> = row.get(1);
        Some(KnownFile { name: row.get(0), from: KnownFrom::RunId(run_id?) })
    };
    Ok(rows.iter().filter_map(known).collect())
}

/// Structs and maps of strings always serialise.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Sizes and counts are far below 2^63.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
