//! What became of a transaction whose connection is of no use any more. A connection that is lost
//! during COMMIT leaves the client in doubt, but never the server: it is asked over another
//! connection until it says.
//!
//! What decides is the ledger row, which is part of the transaction: where it is, everything is.
//! Where it is not, `pg_xact_status` (PostgreSQL 10 and later) tells a transaction that has ended
//! from one that may still commit. A session that waits for us, although we cannot reach it any
//! more, is ended: otherwise it would hold its lock until the server notices by itself.

use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use super::{Connection, SinkError};

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long one attempt may take: the server may be the next of several.
const ATTEMPT: Duration = Duration::from_secs(5);

/// A session of the server's. Numbers of processes are used again, but not at the same time.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub pid: i32,
    started: String,
}

/// A transaction, as others can ask about it.
pub(super) struct Identity {
    pub session: Session,
    pub xact_id: String,
    pub run_id: i64,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    RolledBack,
}

impl Session {
    /// That of this connection.
    pub async fn of(connection: &Connection) -> Result<Session, SinkError> {
        const ASK: &str =
            "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let row = connection.answer("look up our session", connection.client.query_one(ASK, &[])).await?;
        Ok(Session { pid: row.get(0), started: row.get(1) })
    }
}

impl Identity {
    /// A query that returns a row exactly if the transaction was committed.
    pub fn deciding_query(&self) -> String {
        format!("SELECT run_id FROM ingest_runs WHERE run_id = {}", self.run_id)
    }

    /// Asks until the server says, at most this long: over the old connection, until that is lost,
    /// then over others.
    ///
    /// # Errors
    /// What was in the way at last.
    pub async fn find_out(
        &self,
        old: &Connection,
        mut is_lost: bool,
        patience: Duration,
    ) -> Result<Fate, SinkError> {
        let give_up = Instant::now() + patience;
        let mut has_ended = false;
        loop {
            let left = give_up.saturating_duration_since(Instant::now()).max(PAUSE);
            let seen =
                if is_lost { self.look(old, left.min(ATTEMPT)).await } else { self.look_over(old).await };
            is_lost |= seen.is_err();
            let problem = match seen {
                Ok(Seen::Fate(fate)) => return Ok(fate),
                // The ledger was looked at before it ended: once more decides.
                Ok(Seen::EndedWithoutLedgerRow) if has_ended => return Ok(Fate::RolledBack),
                Ok(Seen::EndedWithoutLedgerRow) => {
                    has_ended = true;
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

    async fn look(&self, lost: &Connection, within: Duration) -> Result<Seen, SinkError> {
        let connection = tokio::time::timeout(within, lost.another(within)).await;
        let doing = "connect again to ask what became of the transaction";
        let connection = connection.map_err(|_| SinkError::ServerSilent { doing, patience: within })??;
        let seen = self.look_over(&connection).await;
        connection.close().await;
        seen
    }

    async fn look_over(&self, connection: &Connection) -> Result<Seen, SinkError> {
        if one_value(connection, &self.deciding_query()).await?.is_some() {
            return Ok(Seen::Fate(Fate::Committed));
        }
        // A standby may have the row a moment later.
        if one_value(connection, "SELECT pg_is_in_recovery()").await?.as_deref() == Some("t") {
            return Ok(Seen::InProgress);
        }
        let ask = format!("SELECT pg_xact_status('{}'::xid8)", self.xact_id);
        match one_value(connection, &ask).await.as_ref().map(Option::as_deref) {
            Ok(Some("in progress")) => {
                self.end_session(connection).await?;
                Ok(Seen::InProgress)
            }
            Ok(Some("aborted")) => Ok(Seen::Fate(Fate::RolledBack)),
            // Committed, or too long ago, or a server that has never heard of it (a standby that took
            // over): what is in the database says it.
            Ok(_) => Ok(Seen::EndedWithoutLedgerRow),
            Err(SinkError::Statement { source, .. }) if source.code().is_some() => {
                Ok(Seen::EndedWithoutLedgerRow)
            }
            Err(_) => Ok(Seen::InProgress),
        }
    }

    /// Ends our old session if it waits for us: COMMIT has not reached it, and never will.
    async fn end_session(&self, connection: &Connection) -> Result<(), SinkError> {
        let Session { pid, started } = &self.session;
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE pid = {pid} AND backend_start = '{started}' AND wait_event = 'ClientRead'"
        );
        one_value(connection, &end).await.map(drop)
    }
}

/// What a look at the server shows.
enum Seen {
    Fate(Fate),
    InProgress,
    EndedWithoutLedgerRow,
}

/// The first value of the first row; none where there is no row or it is NULL.
async fn one_value(connection: &Connection, query: &str) -> Result<Option<String>, SinkError> {
    let doing = "ask what became of the transaction";
    let answer = connection.answer(doing, connection.client.simple_query(query)).await?;
    Ok(answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
