//! BEGIN and the lock on `transactions`, in one round trip; and, where others hold the lock, who.
//!
//! The lock keeps others from inserting transactions until we have committed, so that the ids
//! after the highest one are ours; readers are not kept from anything. Whoever waits does so in
//! the server's queue, so runs are served in their order and none starves.

use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use super::outcome::Session;
use super::server_error::Trouble;
use super::{Connection, SinkError};
use crate::text::printable;

/// How long to wait before asking who is in the way, and between asking again.
const CURIOSITY: Duration = Duration::from_secs(1);
const DOING: &str = "begin the transaction and lock `transactions`";

/// What is known once the lock is ours.
pub(super) struct Begun {
    /// The highest id; none in an empty table.
    pub last_id: Option<i64>,
    pub xact_id: String,
    pub run_id: i64,
}

/// Begins, and waits for the lock, at most for `lock_timeout`.
pub(super) async fn begin(
    connection: &Connection,
    session: &Session,
    lock_timeout: Option<Duration>,
) -> Result<Begun, SinkError> {
    let limit = lock_timeout.map(|limit| format!("SET LOCAL lock_timeout = {};", limit.as_millis().max(1)));
    let statements = format!(
        "BEGIN; {}
        LOCK TABLE transactions IN SHARE ROW EXCLUSIVE MODE;
        SELECT coalesce(max(transaction_id)::text, ''), pg_current_xact_id()::text,
               nextval(pg_get_serial_sequence('ingest_runs', 'run_id'))
        FROM transactions",
        limit.unwrap_or_default()
    );
    let started = Instant::now();
    let mut holders = String::new();
    let begin = connection.client.simple_query(&statements);
    tokio::pin!(begin);
    let patience = connection.target.patience.answer;
    let pause = CURIOSITY.min(patience).min(lock_timeout.map_or(CURIOSITY, |limit| limit / 2));
    let mut last_sign_of_life = Instant::now();
    let answer = loop {
        tokio::select! {
            answer = &mut begin => break answer,
            () = tokio::time::sleep(pause) => {}
        }
        match who_holds(connection, session).await {
            Ok(found) if !found.is_empty() => {
                last_sign_of_life = Instant::now();
                if found != holders {
                    tracing::warn!("waiting for the lock on `transactions`, {found}");
                }
                holders = found;
            }
            // Nobody is in the way, or nobody says; then the answer is merely late.
            Ok(_) | Err(_) if last_sign_of_life.elapsed() < patience => {}
            Ok(_) | Err(_) => return Err(SinkError::ServerSilent { doing: DOING, patience }),
        }
    };
    match answer {
        Ok(answer) => begun(&answer),
        Err(error) => {
            let source = connection.server_error(error);
            Err(match (source.trouble(), lock_timeout) {
                (Trouble::LockTimeout, _) => {
                    SinkError::LockTimeout { waited: started.elapsed(), holders, source }
                }
                _ => SinkError::Statement { doing: DOING, source },
            })
        }
    }
}

fn begun(answer: &[SimpleQueryMessage]) -> Result<Begun, SinkError> {
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let field = |i| row.and_then(|row| row.get(i)).ok_or(SinkError::StrangeAnswer("BEGIN"));
    let number = |i| field(i)?.parse::<i64>().map_err(|_| SinkError::StrangeAnswer("BEGIN"));
    let last_id = if field(0)?.is_empty() { None } else { Some(number(0)?) };
    Ok(Begun { last_id, xact_id: field(1)?.to_owned(), run_id: number(2)? })
}

/// Who keeps our session waiting, asked over a connection of its own; empty where nobody does.
async fn who_holds(waiting: &Connection, session: &Session) -> Result<String, SinkError> {
    // What it is called, by whom and since when is for everybody to see; what it does is not.
    const HOLDERS: &str = "
        SELECT pid, coalesce(nullif(application_name, ''), 'a session'), usename::text,
               to_char(backend_start, 'HH24:MI:SS')
        FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids($1)) ORDER BY backend_start";
    let connection = waiting.another(CURIOSITY).await?;
    let rows = connection.query("ask who holds the lock", HOLDERS, &[&session.pid]).await;
    connection.close().await;
    let holder = |row: &tokio_postgres::Row| {
        let (pid, name): (i32, &str) = (row.get(0), row.get(1));
        let user = row.get::<_, Option<&str>>(2).unwrap_or("nobody");
        let since = row.get::<_, Option<&str>>(3).map(|since| format!(", connected at {since}"));
        format!(
            "`{}` (process {pid}, user `{}`{})",
            printable(name),
            printable(user),
            since.unwrap_or_default()
        )
    };
    let holders: Vec<_> = rows?.iter().map(holder).collect();
    Ok(if holders.is_empty() { String::new() } else { format!("held by {}", holders.join(" and ")) })
}
