//! The one transaction of `host state prune` and `drop`: under the lock that runs take, it removes what is stored of a
//! state. Dropping it before COMMIT changes nothing.

use std::time::{Duration, Instant};

use tokio_postgres::Row;

use crate::connection::connect::Connection;
use crate::connection::outcome::Identity;
use crate::connection::query::Parameter;
use crate::connection::{ending, lock};
use crate::error::{SinkError, Work};
use crate::ledger::prunes::STATE_IS_DROPPED;
use crate::schema::relations::Relations;
use crate::stored::state::{self, StateEntries};
use crate::write::merge::{self, Merged};

/// An open transaction.
pub struct StateTransaction {
    connection: Connection,
    identity: Identity,
    /// The state's name.
    name: String,
}

/// What was removed of a state, or is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shrunk {
    /// How many runs are concerned; 0 if there is nothing to do.
    pub runs: u64,
    /// The newest of them.
    pub run_id: Option<i64>,
    /// How many entries are gone.
    pub entries_removed: u64,
    /// How many entries of these runs are left.
    pub entries_left: u64,
    /// How long the server took for the COMMIT itself.
    pub commit_time: Duration,
}

impl StateTransaction {
    /// Begins, and waits for runs in progress to end.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn begin(
        connection: Connection,
        name: String,
        lock_timeout: Option<Duration>,
    ) -> Result<StateTransaction, SinkError> {
        let (identity, ()) = ending::begin_with(&connection, lock_timeout, async |identity| {
            Relations::look_up(&connection).await?.check_shrinkable()?;
            lock::lock(&connection, identity, lock_timeout).await
        })
        .await?;
        Ok(StateTransaction { connection, identity, name })
    }

    /// A query that tells, at any later time, whether it was committed.
    #[must_use]
    pub fn deciding_query(&self) -> String {
        self.identity.deciding_query()
    }

    /// Merges all that is known after the newest run into one entry of each user. All of it is read before, so that
    /// nothing that was altered is taken for what the runs wrote.
    ///
    /// # Errors
    /// [`SinkError::StateDamaged`], or if the server refuses. The transaction must then still be rolled back.
    pub async fn prune(&mut self) -> Result<Shrunk, SinkError> {
        let Some(newest) = state::newest(&self.connection, &self.name).await? else {
            return Ok(Shrunk::default());
        };
        let chain = state::continuable(&self.connection, newest).await?;
        if !chain.can_be_merged() {
            return Ok(Shrunk::default());
        }
        let mut entries = StateEntries::open(&self.connection, &chain).await?;
        while entries.next(&self.connection).await?.is_some() {}
        let Some(Merged { runs, run_id, removed, left, at_micros }) =
            merge::all(&self.connection, &chain).await?
        else {
            return Ok(Shrunk::default());
        };
        let condition =
            format!("run_id = {run_id} AND (extract(epoch FROM merged_at) * 1000000)::bigint = {at_micros}");
        self.leave_trace("detector_state_bases", condition).await?;
        let run_id = Some(run_id);
        Ok(Shrunk { runs, run_id, entries_removed: removed, entries_left: left, ..Shrunk::default() })
    }

    /// Removes everything that its runs wrote of the state, and notes that: the next run begins anew.
    ///
    /// # Errors
    /// If the server refuses. The transaction must then still be rolled back.
    pub async fn drop_all(&mut self) -> Result<Shrunk, SinkError> {
        let drop = format!(
            "WITH meant AS (
                SELECT run_id FROM ingest_runs r
                WHERE state = $1 AND undone_at IS NULL AND NOT {STATE_IS_DROPPED}
            ), removed AS (
                DELETE FROM detector_states d USING meant WHERE d.run_id = meant.run_id RETURNING d.run_id
            ), unmerged AS (
                DELETE FROM detector_state_bases b USING meant WHERE b.run_id = meant.run_id
            )
            INSERT INTO ingest_prunes (run_id, table_name, rows_removed, pruned_at)
            SELECT run_id, 'detector_states', coalesce(entries, 0), clock_timestamp()
            FROM meant LEFT JOIN (SELECT run_id, count(*) AS entries FROM removed GROUP BY run_id) n USING (run_id)
            RETURNING run_id, rows_removed, (extract(epoch FROM pruned_at) * 1000000)::bigint"
        );
        let parameters: [&dyn Parameter; 1] = [&self.name];
        let rows = self.connection.query("drop the state", &drop, &parameters).await?;
        let Some(newest) = rows.iter().max_by_key(|row| row.get::<_, i64>(0)) else {
            return Ok(Shrunk::default());
        };
        let (run_id, micros): (i64, i64) = (newest.get(0), newest.get(2));
        let condition = format!(
            "run_id = {run_id} AND table_name = 'detector_states' AND (extract(epoch FROM pruned_at) * 1000000)::bigint = {micros}"
        );
        self.leave_trace("ingest_prunes", condition).await?;
        let entries = |row: &Row| row.get::<_, i64>(1).unsigned_abs();
        Ok(Shrunk {
            runs: rows.len() as u64,
            run_id: Some(run_id),
            entries_removed: rows.iter().map(entries).sum(),
            ..Shrunk::default()
        })
    }

    /// From now on, another session can tell whether this was committed: only one transaction has written this row.
    async fn leave_trace(&mut self, table: &'static str, condition: String) -> Result<(), SinkError> {
        let table = ending::qualified(&self.connection, table).await?;
        self.identity.is_recorded(table, condition);
        Ok(())
    }

    /// Commits, and returns only when the server has confirmed it: if the connection is lost on the way, the
    /// server is asked over another one.
    ///
    /// # Errors
    /// [`SinkError::OutcomeUnknown`] if the server could not be asked what became of it; after any other
    /// error, the server has confirmed that nothing was removed.
    pub async fn commit(self, shrunk: Shrunk) -> Result<Shrunk, SinkError> {
        let started = Instant::now();
        ending::commit(&self.connection, &self.identity, Work::State).await?;
        let commit_time = started.elapsed();
        self.connection.close().await;
        Ok(Shrunk { commit_time, ..shrunk })
    }

    /// Rolls back, and waits for the server to confirm it, at most this long.
    ///
    /// # Errors
    /// If it does not confirm; it rolls back nevertheless, because COMMIT was never sent.
    pub async fn roll_back(self, is_lost: bool, patience: Duration) -> Result<(), SinkError> {
        ending::roll_back(self.connection, &self.identity, is_lost, patience).await
    }
}
