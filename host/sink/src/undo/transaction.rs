//! The one transaction of an undo: it begins under the lock that runs take, removes what the runs wrote, and marks
//! them. Dropping it before COMMIT changes nothing.

use std::time::{Duration, Instant};

use crate::connection::connect::Connection;
use crate::connection::outcome::Identity;
use crate::connection::{ending, lock};
use crate::error::{SinkError, Work};
use crate::schema::relations::Relations;
use crate::undo::error::UndoError;
use crate::undo::examine::examine;
use crate::undo::plan::plan;
use crate::undo::remove::{Undone, remove};

/// What is to be undone.
#[derive(Clone, Copy, Debug)]
pub struct UndoRequest {
    /// The run.
    pub run_id: i64,
    /// Later runs that depend on it are undone as well.
    pub cascades: bool,
    /// What is there is removed even if it is not what the runs wrote.
    pub is_forced: bool,
    /// How long to wait for the lock.
    pub lock_timeout: Option<Duration>,
}

/// An open transaction.
pub struct UndoTransaction {
    connection: Connection,
    identity: Identity,
    request: UndoRequest,
}

/// What the server acknowledged.
#[derive(Clone, Debug)]
pub struct CommittedUndo {
    /// What was removed, in the order in which it was: the newest run first.
    pub runs: Vec<Undone>,
    /// How long the server took for the COMMIT itself.
    pub commit_time: Duration,
}

impl UndoTransaction {
    /// Begins, and waits for runs in progress to end.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn begin(connection: Connection, request: UndoRequest) -> Result<UndoTransaction, SinkError> {
        let (identity, ()) = ending::begin_with(&connection, request.lock_timeout, async |identity| {
            Relations::look_up(&connection).await?.check_undoable()?;
            lock::lock(&connection, identity, request.lock_timeout).await
        })
        .await?;
        Ok(UndoTransaction { connection, identity, request })
    }

    /// A query that tells, at any later time, whether the run was undone.
    #[must_use]
    pub fn deciding_query(&self) -> String {
        self.identity.deciding_query()
    }

    /// Removes what the runs wrote; what remains is [`commit`](Self::commit). `agreed` are the runs that may be undone,
    /// as [`Snapshot::undo_plan`](crate::Snapshot::undo_plan) had them.
    ///
    /// # Errors
    /// [`UndoError`], or if the server refuses. The transaction must then still be rolled back.
    pub async fn remove(&mut self, agreed: &[i64]) -> Result<Vec<Undone>, SinkError> {
        let UndoRequest { run_id, cascades, is_forced, .. } = self.request;
        let plan = plan(&self.connection, run_id, cascades).await?;
        let new = plan.needs.into_iter().filter(|(later, _)| !agreed.contains(later)).collect::<Vec<_>>();
        if !new.is_empty() {
            return Err(UndoError::NeededBy { run_id, needs: new }.into());
        }
        let mut undone = Vec::with_capacity(plan.runs.len());
        for run in &plan.runs {
            let held = examine(&self.connection, run, !plan.is_merged).await?;
            if !held.differences.is_empty() && !is_forced {
                let (run_id, differences) = (run.record.run_id, held.differences);
                return Err(UndoError::Differs { run_id, differences }.into());
            }
            undone.push(remove(&self.connection, held).await?);
        }
        self.leave_trace(&undone).await?;
        Ok(undone)
    }

    /// From now on, another session can tell whether this was committed: only one transaction has marked the run at
    /// this time.
    async fn leave_trace(&mut self, undone: &[Undone]) -> Result<(), SinkError> {
        let table = ending::qualified(&self.connection, "ingest_runs").await?;
        if let Some(Undone { run_id, undone_at, .. }) = undone.last() {
            let micros = undone_at.as_microsecond();
            let condition =
                format!("run_id = {run_id} AND (extract(epoch FROM undone_at) * 1000000)::bigint = {micros}");
            self.identity.is_recorded(table, condition);
        }
        Ok(())
    }

    /// Commits, and returns only when the server has confirmed it: if the connection is lost on the way, the
    /// server is asked over another one.
    ///
    /// # Errors
    /// [`SinkError::OutcomeUnknown`] if the server could not be asked what became of it; after any other
    /// error, the server has confirmed that nothing was removed.
    pub async fn commit(self, runs: Vec<Undone>) -> Result<CommittedUndo, SinkError> {
        let started = Instant::now();
        ending::commit(&self.connection, &self.identity, Work::Undo).await?;
        let commit_time = started.elapsed();
        self.connection.close().await;
        Ok(CommittedUndo { runs, commit_time })
    }

    /// Rolls back, and waits for the server to confirm it, at most this long.
    ///
    /// # Errors
    /// If it does not confirm; it rolls back nevertheless, because COMMIT was never sent.
    pub async fn roll_back(self, is_lost: bool, patience: Duration) -> Result<(), SinkError> {
        ending::roll_back(self.connection, &self.identity, is_lost, patience).await
    }
}
