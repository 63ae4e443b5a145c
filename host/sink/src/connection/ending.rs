//! How a transaction that writes begins and ends, whatever it does in between. An end is reported only once the
//! server has confirmed it; if the connection is lost, the server is asked over another one.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::connection::connect::Connection;
use crate::connection::outcome::{Fate, Identity, Wish};
use crate::connection::session;
use crate::error::{SinkError, Work};

/// How long a request to cancel a statement may take.
const CANCEL_PATIENCE: Duration = Duration::from_secs(2);
/// How long a session that is no longer usable may take to end.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// Begins with this, in a transaction that is given up if it fails.
pub(crate) async fn begin_with<T>(
    connection: &Connection,
    lock_timeout: Option<Duration>,
    first: impl AsyncFnOnce(&Identity) -> Result<T, SinkError>,
) -> Result<(Identity, T), SinkError> {
    let begun = session::begin(connection, lock_timeout).await;
    if begun.as_ref().is_err_and(SinkError::has_lost_connection) {
        connection.cancel(CANCEL_PATIENCE).await;
    }
    let identity = begun?;
    match first(&identity).await {
        Ok(first) => Ok((identity, first)),
        Err(error) => {
            abandon(connection, &identity, &error).await;
            Err(error)
        }
    }
}

/// Ends a transaction that nobody will use, after this error. The server ends those whose connection is closed;
/// it need not notice that one is lost.
async fn abandon(connection: &Connection, identity: &Identity, error: &SinkError) {
    if error.has_lost_connection() {
        connection.cancel(CANCEL_PATIENCE).await;
        // It holds the lock, or will; the error is the same whether or not it could be ended.
        let _ = identity.find_out(connection, true, Wish::End, END_PATIENCE).await;
    }
}

/// The name of one of our tables with its schema, quoted: for queries by other sessions.
pub(crate) async fn qualified(connection: &Connection, table: &'static str) -> Result<String, SinkError> {
    let query = format!(
        "SELECT format('%I.%I', relnamespace::regnamespace, relname) FROM pg_class WHERE oid = '{table}'::regclass"
    );
    let rows = connection.query("look up the name of a table", &query, &[]).await?;
    Ok(rows.first().ok_or(SinkError::StrangeAnswer("a question about a table"))?.get(0))
}

/// Rolls back, and waits for the server to confirm it, at most this long. If the server does not answer, or the
/// connection is already lost, the session is ended over another connection.
///
/// # Errors
/// If it does not confirm; it rolls back nevertheless, because COMMIT was never sent.
pub(crate) async fn roll_back(
    connection: Connection,
    identity: &Identity,
    is_lost: bool,
    patience: Duration,
) -> Result<(), SinkError> {
    let started = Instant::now();
    let patience = patience.min(connection.target.patience.answer);
    if is_lost {
        connection.cancel(patience / 4).await;
    } else if ask_to_roll_back(&connection, patience / 4).await {
        connection.close().await;
        return Ok(());
    }
    let left = patience.saturating_sub(started.elapsed());
    match identity.find_out(&connection, true, Wish::End, left).await? {
        Fate::RolledBack => Ok(()),
        Fate::Committed => Err(SinkError::StrangeAnswer("ROLLBACK")),
    }
}

/// Sends ROLLBACK. If the server is still busy with something else after a while, cancels that.
async fn ask_to_roll_back(connection: &Connection, patience: Duration) -> bool {
    let asked = connection.answer("roll back", connection.client.batch_execute("ROLLBACK"));
    tokio::pin!(asked);
    let answer = match timeout(patience, &mut asked).await {
        Err(_) => {
            connection.cancel(patience).await;
            timeout(patience, asked).await
        }
        answered => answered,
    };
    match answer {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => tracing::debug!("{error}"),
        Err(_) => tracing::debug!("no answer to ROLLBACK"),
    }
    false
}

/// Commits. COMMIT of a transaction that has failed is answered without an error: the server rolls back. So it
/// is asked, in the same round trip, what became of the transaction.
///
/// # Errors
/// [`SinkError::OutcomeUnknown`] if the server could not be asked what became of it; after any other error, the
/// server has confirmed that nothing was committed.
pub(crate) async fn commit(
    connection: &Connection,
    identity: &Identity,
    work: Work,
) -> Result<(), SinkError> {
    let asked = connection.simple_query("commit", &identity.commit_statements()).await;
    let refusal = match asked {
        Ok(rows) => match rows.first().and_then(|row| row.get(0)) {
            Some("committed") => return Ok(()),
            Some("aborted") => return Err(SinkError::NotCommitted),
            _ => SinkError::StrangeAnswer("COMMIT"),
        },
        Err(refusal) => refusal,
    };
    let is_lost = refusal.has_lost_connection();
    if is_lost {
        tracing::warn!("{refusal}; asking what became of it");
    }
    let patience = connection.target.patience.answer;
    match identity.find_out(connection, is_lost, Wish::Commit, patience).await {
        Ok(Fate::Committed) => Ok(()),
        Ok(Fate::RolledBack) => Err(refusal),
        Err(source) => Err(SinkError::OutcomeUnknown {
            work,
            query: identity.deciding_query(),
            source: Some(Box::new(source)),
        }),
    }
}
