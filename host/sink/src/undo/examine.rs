//! What is there of a run, compared with what the ledger says that it wrote. Under the lock.

use host_core::text::{counted, grouped};

use crate::connection::connect::Connection;
use crate::connection::query::Parameter;
use crate::error::SinkError;
use crate::ledger::prunes;
use crate::ledger::runs::{KEEP, LedgerRun, RunRecord};
use crate::stored::writers::PUT_BACK;
use crate::undo::error::Difference;

/// Transactions that are named as examples.
const NAMED: usize = 5;

/// What is there of a run.
pub(crate) struct Held {
    /// The rows of the run in `transactions`.
    pub own: Own,
    /// How many rows of `transactions` that is.
    pub transactions: u64,
    /// How many of these had taken the place of others, which can be put back.
    pub replaced: u64,
    /// Rows of `anomalies`.
    pub anomalies: u64,
    /// Rows of `rejected_rows`.
    pub rejected: u64,
    /// Rows of `skipped_rows`.
    pub skipped: u64,
    /// Rows of `detector_states`.
    pub state_entries: u64,
    /// Rows of `kept_columns`.
    pub kept_columns: u64,
    /// How all of that differs from what the ledger says.
    pub differences: Vec<Difference>,
}

/// Which rows of `transactions` are the run's: a condition, and its parameters.
pub(crate) struct Own {
    pub run_id: i64,
    first: i64,
    last: i64,
    /// The `xmin` of the rows; 0, which no row has, if it is not known.
    writer: String,
    /// Whether the run kept the ids of its file, so that rows of others may be between its own.
    keeps_ids: bool,
    /// Whether rows of nobody between the first id and the last one are taken to be the run's.
    with_strays: bool,
}

impl Own {
    async fn look_up(connection: &Connection, record: &RunRecord) -> Result<Own, SinkError> {
        const WRITER: &str = "
            SELECT xmin::text FROM ingest_runs r WHERE run_id = $1 AND NOT EXISTS (
                SELECT FROM ingest_runs other WHERE other.xmin = r.xmin AND other.run_id <> r.run_id
                  AND other.undone_at IS NULL AND other.first_transaction_id <= r.last_transaction_id
                  AND other.last_transaction_id >= r.first_transaction_id)";
        let rows = connection.query("look up who wrote the rows", WRITER, &[&record.run_id]).await?;
        let ids = record.first_transaction_id.zip(record.last_transaction_id);
        let (first, last) = ids.unwrap_or((1, 0));
        Ok(Own {
            run_id: record.run_id,
            first,
            last,
            writer: rows.first().map_or_else(|| "0".to_owned(), |row| row.get(0)),
            keeps_ids: record.ids == KEEP,
            with_strays: false,
        })
    }

    /// For rows `t` of `transactions`, with [`parameters`](Self::parameters).
    pub fn condition(&self) -> String {
        let is_own = format!(
            "t.transaction_id BETWEEN $2 AND $3 AND (t.xmin = $4::text::xid OR (t.transaction_id::bigint, t.xmin::text) IN (
                SELECT p.transaction_id, p.xmin::text FROM {PUT_BACK} WHERE p.written_by = $1))"
        );
        if self.with_strays { format!("({is_own} OR {})", self.is_stray()) } else { format!("({is_own})") }
    }

    /// Whether a row `t` of `transactions` is between the first id and the last one, but of nobody: no run wrote it as
    /// it is, nor does its id belong to another run.
    fn is_stray(&self) -> String {
        let others = if self.keeps_ids { "other.run_id <> $1" } else { "other.run_id > $1" };
        format!(
            "t.transaction_id BETWEEN $2 AND $3 AND t.xmin <> $4::text::xid
            AND NOT EXISTS (
                SELECT FROM ingest_runs r WHERE r.xmin = t.xmin AND r.run_id <> $1 AND r.undone_at IS NULL
                  AND t.transaction_id BETWEEN r.first_transaction_id AND r.last_transaction_id)
            AND (t.transaction_id::bigint, t.xmin::text) NOT IN (
                SELECT p.transaction_id, p.xmin::text FROM {PUT_BACK} WHERE p.written_by IS NOT NULL)
            AND NOT EXISTS (
                SELECT FROM ingest_runs other WHERE other.ids = 'assign' AND {others} AND other.undone_at IS NULL
                  AND t.transaction_id BETWEEN other.first_transaction_id AND other.last_transaction_id)"
        )
    }

    /// `$1` to `$4`.
    pub fn parameters(&self) -> [&dyn Parameter; 4] {
        [&self.run_id, &self.first, &self.last, &self.writer]
    }

    /// Some numbers, of a query with the [`parameters`](Self::parameters).
    async fn numbers<const N: usize>(
        &self,
        connection: &Connection,
        query: &str,
    ) -> Result<[u64; N], SinkError> {
        let rows = connection.query("compare the run with the ledger", query, &self.parameters()).await?;
        let row = rows.first().ok_or(SinkError::StrangeAnswer("a count"))?;
        Ok(std::array::from_fn(|i| row.get::<_, i64>(i).unsigned_abs()))
    }

    /// The lowest of some transactions, and how many there are.
    async fn examples(&self, connection: &Connection, query: &str) -> Result<(u64, Vec<i64>), SinkError> {
        let query =
            format!("SELECT id::bigint, count(*) OVER () FROM ({query}) x (id) ORDER BY 1 LIMIT {NAMED}");
        let rows = connection.query("compare the run with the ledger", &query, &self.parameters()).await?;
        let count = rows.first().map_or(0, |row| row.get::<_, i64>(1).unsigned_abs());
        Ok((count, rows.iter().map(|row| row.get(0)).collect()))
    }
}

/// Looks at what is there. `with_state` is whether all of its entries in `detector_states` have to be there: not if they
/// were merged with later ones.
pub(crate) async fn examine(
    connection: &Connection,
    run: &LedgerRun,
    with_state: bool,
) -> Result<Held, SinkError> {
    let record = &run.record;
    let mut own = Own::look_up(connection, record).await?;
    let mut differences = Vec::new();
    if run.is_intact == Some(false) {
        let text = "the row of the run was altered after it was committed".into();
        differences.push(Difference { table: "ingest_runs", text });
    }
    let transactions = transactions(connection, &mut own, record, &mut differences).await?;
    let anomalies = anomalies(connection, &own, record, &mut differences).await?;
    let replaced = replaced(connection, &own, record, &mut differences).await?;
    const BESIDE: &str = "
        SELECT (SELECT count(*) FROM rejected_rows WHERE run_id = $1), (SELECT count(*) FROM skipped_rows WHERE run_id = $1),
               (SELECT count(*) FROM detector_states WHERE run_id = $1), (SELECT count(*) FROM kept_columns WHERE run_id = $1),
               (SELECT coalesce(state_entries, 0) FROM ingest_runs WHERE run_id = $1)";
    let [rejected, skipped, state_entries, kept_columns, entries] = own.numbers(connection, BESIDE).await?;
    let pruned = prunes::of_run(connection, record.run_id).await?;
    // A dropped state has nothing of what runs before had merged, either.
    let with_state = with_state && !pruned.iter().any(|pruned| pruned.table == prunes::STATES);
    let beside = [
        ("rejected_rows", record.rows_rejected, rejected),
        ("skipped_rows", record.rows_skipped, skipped),
        ("detector_states", if with_state { entries } else { state_entries }, state_entries),
    ];
    for (table, recorded, found) in beside {
        let removed = pruned.iter().find(|pruned| pruned.table == table).map_or(0, |pruned| pruned.rows);
        let expected = recorded.saturating_sub(removed);
        if let Some(text) = surplus_or_lack(found, expected) {
            differences.push(Difference { table, text });
        }
    }
    Ok(Held {
        own,
        transactions,
        replaced,
        anomalies,
        rejected,
        skipped,
        state_entries,
        kept_columns,
        differences,
    })
}

/// Rows of `transactions`; decides, if some are missing, whether those of nobody in between are the run's.
async fn transactions(
    connection: &Connection,
    own: &mut Own,
    record: &RunRecord,
    differences: &mut Vec<Difference>,
) -> Result<u64, SinkError> {
    let count = |own: &Own| format!("SELECT count(*) FROM transactions t WHERE {}", own.condition());
    let [found] = own.numbers(connection, &count(own)).await?;
    let recorded = record.rows_written;
    if found == recorded {
        return Ok(found);
    }
    let strays = format!("SELECT t.transaction_id FROM transactions t WHERE {}", own.is_stray());
    let (strays, stray_ids) = own.examples(connection, &strays).await?;
    let lost = recorded.saturating_sub(found);
    let of_all = |count: u64| format!("{} of {}", grouped(count), counted(recorded, "row"));
    let text = if let Some(text) = surplus_or_lack(found, recorded).filter(|_| found > recorded) {
        text
    } else if strays > lost {
        format!(
            "{} {} missing or altered since; {} between the first id and the last one {} of no run ({})",
            of_all(lost),
            if lost == 1 { "is" } else { "are" },
            counted(strays, "row"),
            if strays == 1 { "is" } else { "are" },
            named(&stray_ids, strays)
        )
    } else {
        let mut parts = Vec::new();
        if strays > 0 {
            let were = if strays == 1 { "was" } else { "were" };
            parts.push(format!("{} {were} altered since ({})", of_all(strays), named(&stray_ids, strays)));
        }
        if lost > strays {
            let missing = lost - strays;
            let is = if missing == 1 { "is" } else { "are" };
            let ids = if own.keeps_ids { Vec::new() } else { missing_ids(connection, own).await? };
            let ids = if ids.is_empty() { String::new() } else { format!(" ({})", named(&ids, missing)) };
            parts.push(format!("{} {is} missing{ids}", of_all(missing)));
        }
        parts.join(", ")
    };
    differences.push(Difference { table: "transactions", text });
    own.with_strays = strays > 0 && strays <= lost;
    Ok(if own.with_strays { found + strays } else { found })
}

/// The first ids of a block that no row has, or one of another run.
async fn missing_ids(connection: &Connection, own: &Own) -> Result<Vec<i64>, SinkError> {
    let missing = format!(
        "SELECT id FROM generate_series($2::bigint, $3::bigint) id WHERE NOT EXISTS (
            SELECT FROM transactions t WHERE t.transaction_id = id AND ({} OR {}))",
        own.condition(),
        own.is_stray()
    );
    Ok(own.examples(connection, &missing).await?.1)
}

async fn anomalies(
    connection: &Connection,
    own: &Own,
    record: &RunRecord,
    differences: &mut Vec<Difference>,
) -> Result<u64, SinkError> {
    let is_own = format!(
        "(a.xmin = $4::text::xid OR (a.transaction_id::bigint, a.xmin::text) IN (
            SELECT p.transaction_id, p.xmin::text FROM {PUT_BACK} WHERE p.had_anomaly AND p.anomaly_run_id = $1))"
    );
    let count = format!(
        "SELECT count(*), count(*) FILTER (WHERE NOT is_own) FROM (
            SELECT {is_own} AS is_own FROM anomalies a WHERE a.run_id = $1) x"
    );
    let [found, altered] = own.numbers(connection, &count).await?;
    let mut add = |text| differences.push(Difference { table: "anomalies", text });
    if let Some(text) = surplus_or_lack(found, record.anomalies) {
        add(text);
    }
    if altered > 0 {
        let query = format!("SELECT a.transaction_id FROM anomalies a WHERE a.run_id = $1 AND NOT {is_own}");
        let (_, ids) = own.examples(connection, &query).await?;
        let were = if altered == 1 { "was" } else { "were" };
        add(format!("{} {were} altered since ({})", counted(altered, "row"), named(&ids, altered)));
    }
    let foreign = format!(
        "SELECT t.transaction_id FROM transactions t JOIN anomalies a USING (transaction_id)
        WHERE {} AND a.run_id IS DISTINCT FROM $1",
        own.condition()
    );
    let (foreign, ids) = own.examples(connection, &foreign).await?;
    if foreign > 0 {
        add(format!("{} that the run did not write ({})", counted(foreign, "row"), named(&ids, foreign)));
    }
    Ok(found)
}

/// Rows that took the place of others which can be put back.
async fn replaced(
    connection: &Connection,
    own: &Own,
    record: &RunRecord,
    differences: &mut Vec<Difference>,
) -> Result<u64, SinkError> {
    if record.rows_replaced == 0 {
        return Ok(0);
    }
    let count = format!(
        "SELECT count(*) FROM transactions t WHERE {} AND t.transaction_id IN (
            SELECT transaction_id FROM replaced_rows WHERE run_id = $1)",
        own.condition()
    );
    let [found] = own.numbers(connection, &count).await?;
    let digest = crate::stored::replaced::digest(connection, record.run_id).await?;
    if found != record.rows_replaced {
        let lost = counted(record.rows_replaced.saturating_sub(found), "row");
        let text = format!("{lost} that it had replaced cannot be put back");
        differences.push(Difference { table: "replaced_rows", text });
    } else if digest != record.replaced_sha256 {
        let text = "what the rows were before was altered since".into();
        differences.push(Difference { table: "replaced_rows", text });
    }
    Ok(found)
}

/// How a count differs from what was written.
fn surplus_or_lack(found: u64, written: u64) -> Option<String> {
    match found.checked_sub(written) {
        Some(0) => None,
        Some(surplus) => Some(format!("{} more than it has written", counted(surplus, "row"))),
        None => {
            let lack = written - found;
            let is = if lack == 1 { "is" } else { "are" };
            Some(format!("{} of {} {is} missing", grouped(lack), counted(written, "row")))
        }
    }
}

/// "transaction 5", "transactions 5, 7 and 10 more".
fn named(ids: &[i64], count: u64) -> String {
    let noun = if count == 1 { "transaction" } else { "transactions" };
    let listed = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    match count.saturating_sub(ids.len() as u64) {
        0 => format!("{noun} {listed}"),
        more => format!("{noun} {listed} and {} more", grouped(more)),
    }
}
