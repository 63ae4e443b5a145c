//! What became of a transaction whose connection can no longer be used. A connection that is lost
//! during COMMIT leaves the client in doubt, but never the server: it is asked over another connection
//! until it answers.
//!
//! The ledger decides, since its row is part of the transaction: if it is there, everything is. A run's row is
//! distinguished from all others by its digest; a number alone may be given out again, after a restore or by
//! a standby that took over. If there is no such row, the transaction's id distinguishes a transaction
//! that has ended from one that may still commit. All of it is asked in one query, which sees one
//! moment, so that no answer is pieced together from two.

use std::time::{Duration, Instant};

use crate::connection::connect::Connection;
use crate::error::SinkError;

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long one attempt may take: the server may be the next of several.
const ATTEMPT: Duration = Duration::from_secs(5);
const DOING: &str = "ask what became of the transaction";

/// A transaction, identified so that other sessions can ask about it.
pub(crate) struct Identity {
    /// The server process that serves it.
    pub pid: i32,
    xact_id: u64,
    trace: Option<Trace>,
}

/// What the transaction leaves in the ledger, and no other does.
struct Trace {
    /// The ledger's name with its schema, quoted.
    table: String,
    /// What holds of one of its rows if the transaction was committed, in SQL.
    condition: String,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Committed,
    RolledBack,
}

/// Whether a transaction that is in progress may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// COMMIT was sent: wait for the server, unless COMMIT never reached it.
    Commit,
    /// COMMIT was never sent: end the session, whatever it is doing, so that it holds no lock.
    End,
}

impl Identity {
    pub fn new(pid: i32, xact_id: u64) -> Identity {
        Identity { pid, xact_id, trace: None }
    }

    /// From now on, COMMIT may have been sent. `table` is the ledger's name with its schema; `condition` is true, in
    /// SQL, for one of its rows if and only if this transaction was committed.
    pub fn is_recorded(&mut self, table: String, condition: String) {
        self.trace = Some(Trace { table, condition });
    }

    /// COMMIT, together with the question of what became of it: COMMIT of a transaction that has failed is
    /// answered without an error.
    pub fn commit_statements(&self) -> String {
        format!("COMMIT; SELECT pg_xact_status('{}'::xid8)", self.xact_id)
    }

    /// A query that tells what became of the transaction, whenever and wherever it is run: also while the
    /// COMMIT is in progress, when the id is too old for `pg_xact_status`, and on a standby.
    pub fn deciding_query(&self) -> String {
        let is_there = self.trace.as_ref().map(|Trace { table, condition }| {
            format!("WHEN EXISTS (SELECT FROM {table} WHERE {condition}) THEN '{COMMITTED}' ")
        });
        // A transaction with an id holds a lock on it, which everybody can see; the lock shows 32 bits of it.
        let (id, short) = (self.xact_id, self.xact_id & u64::from(u32::MAX));
        format!(
            "SELECT CASE {}WHEN pg_is_in_recovery() THEN '{STANDBY}' \
            WHEN pg_visible_in_snapshot('{id}', pg_current_snapshot()) THEN '{NOT_COMMITTED}' \
            WHEN EXISTS (SELECT FROM pg_locks WHERE transactionid = '{short}' AND granted) THEN '{IN_PROGRESS}' \
            ELSE '{NO_TRACE}' END",
            is_there.unwrap_or_default()
        )
    }

    /// Asks until the server answers, at most this long: over the old connection until that is lost, then
    /// over others.
    ///
    /// # Errors
    /// The last problem that was in the way.
    pub async fn find_out(
        &self,
        old: &Connection,
        mut is_lost: bool,
        wish: Wish,
        patience: Duration,
    ) -> Result<Fate, SinkError> {
        let give_up = Instant::now() + patience;
        let mut was_without_trace = false;
        loop {
            let left = give_up.saturating_duration_since(Instant::now()).max(PAUSE);
            let seen = match is_lost {
                true => self.look(old, wish, left.min(ATTEMPT)).await,
                false => self.look_over(old, wish).await,
            };
            is_lost |= seen.is_err();
            let problem = match seen {
                Ok(Seen::Fate(fate)) => return Ok(fate),
                // It ended between the two halves of the first query, or it was never here.
                Ok(Seen::NoTrace) if was_without_trace => return Ok(Fate::RolledBack),
                Ok(Seen::NoTrace) => {
                    was_without_trace = true;
                    continue;
                }
                Ok(Seen::InProgress) => SinkError::StillInProgress,
                Err(error) => error,
            };
            tracing::debug!("the outcome is not known yet: {problem}");
            if Instant::now() + PAUSE >= give_up {
                return Err(problem);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&self, lost: &Connection, wish: Wish, within: Duration) -> Result<Seen, SinkError> {
        let connection = tokio::time::timeout(within, lost.another(within)).await;
        let doing = "connect again to ask what became of the transaction";
        let connection = connection.map_err(|_| SinkError::ServerSilent { doing, patience: within })??;
        let seen = self.look_over(&connection, wish).await;
        connection.close().await;
        seen
    }

    async fn look_over(&self, connection: &Connection, wish: Wish) -> Result<Seen, SinkError> {
        let rows = connection.simple_query(DOING, &self.deciding_query()).await?;
        Ok(match rows.first().and_then(|row| row.get(0)) {
            Some(COMMITTED) => Seen::Fate(Fate::Committed),
            Some(NOT_COMMITTED) => Seen::Fate(Fate::RolledBack),
            Some(IN_PROGRESS) => {
                self.end_session(connection, wish).await?;
                Seen::InProgress
            }
            // The row may arrive a moment later.
            Some(STANDBY) => Seen::InProgress,
            Some(NO_TRACE) => Seen::NoTrace,
            _ => return Err(SinkError::StrangeAnswer("a question about a transaction")),
        })
    }

    /// Ends our old session, if it is still in our transaction: process ids are reused, and behind a pooler
    /// the session may serve others next. If COMMIT was sent, only if it never arrived, so that the server
    /// is waiting for a client that cannot reach it any more.
    ///
    /// The role that logged in may do this; one that was set with `SET role` may not.
    async fn end_session(&self, connection: &Connection, wish: Wish) -> Result<(), SinkError> {
        let only = match wish {
            Wish::Commit => " AND wait_event = 'ClientRead'",
            Wish::End => "",
        };
        let end = format!(
            "BEGIN; SET LOCAL ROLE NONE;
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE pid = {} AND backend_xid = '{}'{only}; COMMIT",
            self.pid,
            self.xact_id & u64::from(u32::MAX)
        );
        connection.simple_query("end the old session", &end).await.map(drop)
    }
}

/// Answers of the deciding query.
const COMMITTED: &str = "committed";
const NOT_COMMITTED: &str = "not committed";
const IN_PROGRESS: &str = "in progress: ask again";
const STANDBY: &str = "this is a standby: ask the primary";
const NO_TRACE: &str = "no trace of it: ask again, if it says the same it was not committed";

/// What the query shows.
enum Seen {
    Fate(Fate),
    InProgress,
    NoTrace,
}
