//! Removes what is there of a run, and puts back what it had replaced. Each count is held against what was found: a
//! trigger may leave rows out.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::error::SqlState;

use crate::connection::connect::Connection;
use crate::connection::query::Parameter;
use crate::error::SinkError;
use crate::undo::error::{Difference, UndoError};
use crate::undo::examine::Held;
use crate::write::sequences::RESTARTED;
use crate::write::triggers::{self, Trigger};

/// What was removed of a run. Field names are part of the interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undone {
    /// The run.
    pub run_id: i64,
    /// Rows of `transactions` that are gone.
    pub transactions: u64,
    /// Rows of `transactions` that are again what they were before the run had replaced them.
    pub transactions_put_back: u64,
    /// Rows of `anomalies` that are gone.
    pub anomalies: u64,
    /// Rows of `anomalies` that came back with their transactions.
    pub anomalies_put_back: u64,
    /// Rows of `rejected_rows` that are gone.
    pub rejected: u64,
    /// Rows of `skipped_rows` that are gone.
    pub skipped: u64,
    /// Rows of `detector_states` that are gone.
    pub state_entries: u64,
    /// Rows of `kept_columns` that are gone.
    pub kept_columns: u64,
    /// How what was there differed from what the run wrote; only if it was removed nevertheless.
    pub differences: Vec<Difference>,
    /// When it was marked in the ledger, immediately before COMMIT.
    #[serde(skip)]
    pub undone_at: Timestamp,
}

/// Removes it, within a transaction that holds the lock.
pub(crate) async fn remove(connection: &Connection, held: Held) -> Result<Undone, SinkError> {
    let run_id = held.own.run_id;
    let triggers = triggers::look_up(connection).await?;
    let work = Removal { connection, run_id, triggers };
    let anomalies = work.anomalies(&held).await?;
    let (put_back, anomalies_put_back) = match held.replaced {
        0 => (0, 0),
        _ => work.put_back(&held).await?,
    };
    let transactions = work.transactions(&held).await?;
    for (table, found) in [
        ("rejected_rows", held.rejected),
        ("skipped_rows", held.skipped),
        ("detector_states", held.state_entries),
        ("kept_columns", held.kept_columns),
    ] {
        work.beside(table, found).await?;
    }
    let undone_at = work.mark().await?;
    Ok(Undone {
        run_id,
        transactions,
        transactions_put_back: put_back,
        anomalies,
        anomalies_put_back,
        rejected: held.rejected,
        skipped: held.skipped,
        state_entries: held.state_entries,
        kept_columns: held.kept_columns,
        differences: held.differences,
        undone_at,
    })
}

/// Removing one run.
struct Removal<'a> {
    connection: &'a Connection,
    run_id: i64,
    triggers: Vec<Trigger>,
}

impl Removal<'_> {
    /// Those that the run wrote, and those that others wrote of its rows.
    async fn anomalies(&self, held: &Held) -> Result<u64, SinkError> {
        let remove = format!(
            "WITH removed AS (
                DELETE FROM anomalies a WHERE a.run_id = $1 OR a.transaction_id IN (
                    SELECT t.transaction_id FROM transactions t WHERE {})
                RETURNING run_id
            )
            SELECT count(*), count(*) FILTER (WHERE run_id = $1) FROM removed",
            held.own.condition()
        );
        let doing = "remove the anomalies of the run";
        let [removed, own] = self.count("anomalies", doing, &remove, &held.own.parameters()).await?;
        self.expect("anomalies", "removed", held.anomalies, own)?;
        Ok(removed)
    }

    /// Rows become what they were, with their anomalies. What was kept of them is written once more, so that they are
    /// attributed to the runs that had written them; see [`writers`](crate::stored::writers).
    async fn put_back(&self, held: &Held) -> Result<(u64, u64), SinkError> {
        let currency = self.currency().await?;
        let restore = format!(
            "WITH restored AS (
                UPDATE transactions t SET user_id = kept.user_id, amount = kept.amount,
                    transaction_timestamp = kept.transaction_timestamp, is_anomalous = kept.is_anomalous,
                    source_id = kept.source_id, source_key = kept.source_key, currency = {currency}
                FROM replaced_rows kept
                WHERE kept.run_id = $1 AND t.transaction_id = kept.transaction_id AND {}
                RETURNING t.transaction_id
            )
            SELECT count(*) FROM restored",
            held.own.condition()
        );
        let doing = "put back the rows that the run had replaced";
        let [restored] = self.count("transactions", doing, &restore, &held.own.parameters()).await?;
        self.expect("transactions", "put back", held.replaced, restored)?;
        const AGAIN: &str = "
            WITH written AS (UPDATE replaced_rows SET differs = differs WHERE run_id = $1 RETURNING run_id)
            SELECT count(*) FROM written";
        let [_] = self.count("replaced_rows", doing, AGAIN, &[&self.run_id]).await?;
        const ANOMALIES: &str = "
            WITH wanted AS (
                SELECT kept.* FROM replaced_rows kept JOIN transactions t USING (transaction_id)
                WHERE kept.run_id = $1 AND had_anomaly AND t.xmin = pg_current_xact_id()::xid
            ), written AS (
                INSERT INTO anomalies (transaction_id, user_id, amount, transaction_timestamp, score, reason, run_id)
                SELECT transaction_id, user_id, amount, transaction_timestamp, score, reason, anomaly_run_id FROM wanted
                ORDER BY transaction_id
                RETURNING transaction_id
            )
            SELECT (SELECT count(*) FROM wanted), (SELECT count(*) FROM written)";
        let doing = "put back the anomalies of the rows that the run had replaced";
        let [wanted, written] = self.count("anomalies", doing, ANOMALIES, &[&self.run_id]).await?;
        self.expect("anomalies", "put back", wanted, written)?;
        Ok((restored, written))
    }

    /// Where `currency` is somebody else's column, it may be of any type, or computed.
    async fn currency(&self) -> Result<String, SinkError> {
        const COLUMN: &str = "
            SELECT CASE attgenerated WHEN '' THEN 'kept.currency::' || format_type(atttypid, atttypmod) ELSE 'DEFAULT' END
            FROM pg_attribute WHERE attrelid = 'transactions'::regclass AND attname = 'currency' AND NOT attisdropped";
        let rows = self.connection.query("look at the tables' columns", COLUMN, &[]).await?;
        Ok(rows.first().map_or_else(|| "DEFAULT".to_owned(), |row| row.get(0)))
    }

    /// Rows that are not there in place of others.
    async fn transactions(&self, held: &Held) -> Result<u64, SinkError> {
        let remove = format!(
            "WITH removed AS (
                DELETE FROM transactions t WHERE {} AND t.transaction_id NOT IN (
                    SELECT transaction_id FROM replaced_rows WHERE run_id = $1)
                RETURNING 1
            )
            SELECT count(*) FROM removed",
            held.own.condition()
        );
        let doing = "remove the rows of the run";
        let [removed] = self.count("transactions", doing, &remove, &held.own.parameters()).await?;
        self.expect("transactions", "removed", held.transactions - held.replaced, removed)?;
        Ok(removed)
    }

    /// What is recorded beside the rows.
    async fn beside(&self, table: &'static str, found: u64) -> Result<(), SinkError> {
        if found == 0 {
            return Ok(());
        }
        let remove = format!(
            "WITH removed AS (DELETE FROM {table} WHERE run_id = $1 RETURNING 1) SELECT count(*) FROM removed"
        );
        let doing = "remove what is recorded about the run";
        let [removed] = self.count(table, doing, &remove, &[&self.run_id]).await?;
        self.expect(table, "removed", found, removed)
    }

    /// Marks it in the ledger.
    async fn mark(&self) -> Result<Timestamp, SinkError> {
        let mark = format!(
            "WITH unmerged AS (DELETE FROM detector_state_bases WHERE run_id = $1)
            UPDATE ingest_runs SET undone_at = clock_timestamp(),
                undone_mark = (SELECT coalesce(pg_sequence_last_value(oid), nextval(oid::regclass)) FROM ({RESTARTED}) s)
            WHERE run_id = $1 AND undone_at IS NULL
            RETURNING (extract(epoch FROM undone_at) * 1000000)::bigint"
        );
        let rows = self.connection.query("mark the run as undone", &mark, &[&self.run_id]).await?;
        let at = rows.first().and_then(|row| Timestamp::from_microsecond(row.try_get(0).ok()?).ok());
        at.ok_or(SinkError::LedgerRowRefused { table: "ingest_runs" })
    }

    /// Some numbers; `table` is the one that others may refer to.
    async fn count<const N: usize>(
        &self,
        table: &'static str,
        doing: &'static str,
        query: &str,
        parameters: &[&dyn Parameter],
    ) -> Result<[u64; N], SinkError> {
        let rows = self.connection.query(doing, query, parameters).await.map_err(|error| match error {
            SinkError::Statement { source, .. }
                if source.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) =>
            {
                UndoError::Referred { run_id: self.run_id, table, source }.into()
            }
            error => error,
        })?;
        let row = rows.first().ok_or(SinkError::StrangeAnswer("a count"))?;
        Ok(std::array::from_fn(|i| row.get::<_, i64>(i).unsigned_abs()))
    }

    fn expect(
        &self,
        table: &'static str,
        did: &'static str,
        wanted: u64,
        done: u64,
    ) -> Result<(), SinkError> {
        if wanted == done {
            return Ok(());
        }
        let triggers = triggers::names(&self.triggers, table, |trigger| trigger.may_leave_out);
        Err(UndoError::Incomplete { table, did, wanted, done, triggers }.into())
    }
}
