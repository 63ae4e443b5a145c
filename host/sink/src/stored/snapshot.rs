//! The database as it is at one moment, for commands that only read, and for comparison with a replay.

use std::collections::HashMap;

use host_core::capacity::Capacity;
use host_core::state::StateDigest;
use jiff::Timestamp;

use crate::connection::connect::Connection;
use crate::connection::encoding::Encoding;
use crate::connection::query::Parameter;
use crate::connection::session;
use crate::error::SinkError;
use crate::ledger::facts::{FeedbackSpan, StateRecord};
use crate::ledger::prunes::Pruned;
use crate::ledger::read::RunFilter;
use crate::ledger::runs::{KEEP, LedgerRun};
use crate::ledger::states::{StateRun, StateSummary};
use crate::ledger::{prunes, read, states};
use crate::schema::columns;
use crate::stored::cursor::{Cursor, RowOfRun};
use crate::stored::replaced::{ReplacedRow, ReplacingRun};
use crate::stored::rows::{StoredAnomaly, StoredRow};
use crate::stored::state::{StateChain, StateEntries};
use crate::stored::{feedback, replaced, rows, state, users, writers};
use crate::undo::plan::plan;

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

    /// Its connection, for what is read part by part.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Which texts can be stored in it.
    #[must_use]
    pub fn encoding(&self) -> &Encoding {
        &self.connection.encoding
    }

    /// What the tables can hold of a row of this run.
    ///
    /// # Errors
    /// If the server refuses, or the tables do not fit.
    pub async fn capacity_of(&self, run: &LedgerRun) -> Result<Capacity, SinkError> {
        const TEXTUAL_USERS: &str =
            "SELECT EXISTS (SELECT FROM ingest_runs WHERE reading ->> 'user_ids' = 'text' AND run_id < $1)";
        let widths = columns::check(&self.connection, false).await?;
        let parameters: [&dyn Parameter; 1] = [&run.record.run_id];
        let rows = self.connection.query("look for textual users", TEXTUAL_USERS, &parameters).await?;
        let has_textual_users = rows.first().is_some_and(|row| row.get(0));
        Ok(widths.capacity(run.record.ids == KEEP, has_textual_users))
    }

    /// The state as it was after a run.
    ///
    /// # Errors
    /// [`SinkError::StateDamaged`], [`SinkError::StateMerged`] or [`SinkError::StateDropped`], and if the server refuses.
    pub async fn state_after(&self, run_id: i64) -> Result<StateChain, SinkError> {
        state::continuable(&self.connection, run_id).await
    }

    /// Whether the entries of this run are not all there any more, because they were merged with those before it, or
    /// the state was dropped.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn lacks_entries(&self, run_id: i64) -> Result<bool, SinkError> {
        state::lacks_entries(&self.connection, run_id).await
    }

    /// Whether the entries that a run has written are still as it wrote them.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn has_state_of(&self, run_id: i64, record: &StateRecord) -> Result<bool, SinkError> {
        let digest = StateDigest::parse(&record.sha256, record.entries);
        let mut entries = StateEntries::of_run(&self.connection, &record.name, run_id, digest).await?;
        loop {
            match entries.next(&self.connection).await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(true),
                Err(SinkError::StateDamaged { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// The numbers of users with these ids; `None` for those who have none.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn number_users(&self, keys: &[String]) -> Result<Vec<Option<i64>>, SinkError> {
        users::numbers(&self.connection, keys).await
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

    /// A run that was undone after this one, and of whose rows this one was given feedback; `None` if there is none.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn feedback_undone_since(
        &self,
        run_id: i64,
        span: FeedbackSpan,
    ) -> Result<Option<i64>, SinkError> {
        feedback::undone_since(&self.connection, run_id, span).await
    }

    /// The states that runs can continue, by name, or only the one of this name.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn states(&self, name: Option<&str>) -> Result<Vec<StateSummary>, SinkError> {
        states::states(&self.connection, name).await
    }

    /// The latest runs that have written a state, newest first, and how many more there are.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn runs_of_state(&self, name: &str, limit: u32) -> Result<(Vec<StateRun>, u64), SinkError> {
        states::runs(&self.connection, name, limit).await
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

    /// How many anomalies are recorded as this run's, including those that later runs have replaced.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn anomalies_of(&self, run_id: i64) -> Result<u64, SinkError> {
        const COUNT: &str = "
            SELECT (SELECT count(*) FROM anomalies WHERE run_id = $1)
                   + (SELECT count(*) FROM replaced_rows p JOIN ingest_runs r USING (run_id)
                      WHERE had_anomaly AND anomaly_run_id = $1 AND undone_at IS NULL)";
        let rows = self.connection.query("count the anomalies", COUNT, &[&run_id]).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
    }

    /// What runs after this one have replaced of these ids, the earliest first.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn replaced_since(
        &self,
        ids: &[i64],
        run_id: i64,
    ) -> Result<HashMap<i64, Vec<ReplacedRow>>, SinkError> {
        replaced::since(&self.connection, ids, run_id).await
    }

    /// The runs after this one that have replaced rows.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn replacing_runs_since(&self, run_id: i64) -> Result<Vec<ReplacingRun>, SinkError> {
        replaced::replacing_runs(&self.connection, run_id).await
    }

    /// The digest of what a run has kept of the rows that it replaced; `None` if there is nothing.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn replaced_digest(&self, run_id: i64) -> Result<Option<String>, SinkError> {
        replaced::digest(&self.connection, run_id).await
    }

    /// The runs that wrote these rows, as far as that is known.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn writers(&self, ids: &[i64]) -> Result<HashMap<i64, i64>, SinkError> {
        writers::writers(&self.connection, ids).await
    }

    /// What was removed of what a run had recorded.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn pruned(&self, run_id: i64) -> Result<Vec<Pruned>, SinkError> {
        prunes::of_run(&self.connection, run_id).await
    }

    /// The runs that are undone if this one is, newest first, itself as the last: those that depend on it have to be
    /// undone as well, which `cascades` allows.
    ///
    /// # Errors
    /// [`UndoError`](crate::UndoError), or if the server refuses.
    pub async fn undo_plan(&self, run_id: i64, cascades: bool) -> Result<Vec<LedgerRun>, SinkError> {
        Ok(plan(&self.connection, run_id, cascades).await?.runs)
    }

    /// The server's clock.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn now(&self) -> Result<Timestamp, SinkError> {
        const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        let rows = self.connection.query("ask for the time", NOW, &[]).await?;
        let now = rows.first().and_then(|row| Timestamp::from_microsecond(row.get(0)).ok());
        now.ok_or(SinkError::StrangeAnswer("the question for the time"))
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

    /// Ends it, so that its connection can be used for something else.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn end(self) -> Result<Connection, SinkError> {
        self.connection.simple_query("end reading", "COMMIT").await?;
        Ok(self.connection)
    }

    /// Closes it. The transaction is ended before the session: otherwise a pooler closes the server's
    /// session together with ours.
    pub async fn close(self) {
        // Nothing depends on the answer.
        let _ = self.connection.simple_query("end reading", "COMMIT").await;
        self.connection.close().await;
    }
}
