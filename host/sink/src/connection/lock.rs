//! Waiting for locks, and finding out who holds them.
//!
//! The lock on `transactions` keeps others from inserting transactions until we have committed, so that
//! the ids after the highest one are ours; readers are not blocked. Runs wait in the server's queue, so
//! they are served in order and none starves.
//!
//! Waiting is legitimate, however long it takes. It ends with an error only if the connection breaks
//! (keepalive detects that) or if, for as long as the server may take to answer, a second connection
//! either finds nobody in the way or cannot be made at all. A server that refuses the second connection
//! is alive.

use std::time::{Duration, Instant};

use host_core::text::printable;

use crate::connection::connect::Connection;
use crate::connection::outcome::Identity;
use crate::connection::query::rows;
use crate::error::SinkError;
use crate::server_error::ErrorClass;

/// How long to wait before asking who is in the way, and before asking again.
const CURIOSITY: Duration = Duration::from_secs(1);
/// The longest wait before trying to connect again in order to ask.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// A statement that waits until others release a lock.
pub(crate) struct Wait<'a> {
    /// One or several statements, without parameters.
    pub statement: &'a str,
    /// A verb with its object, such as "lock `transactions`".
    pub doing: &'static str,
    /// What is waited for, for messages.
    pub lock: &'static str,
}

/// Waits for the lock on `transactions`, at most for `lock_timeout`.
pub(crate) async fn lock(
    connection: &Connection,
    identity: &Identity,
    lock_timeout: Option<Duration>,
) -> Result<(), SinkError> {
    let wait = Wait {
        statement: "LOCK TABLE transactions IN SHARE ROW EXCLUSIVE MODE",
        doing: "lock `transactions`",
        lock: "the lock on `transactions`",
    };
    self::wait(connection, identity, lock_timeout, &wait).await
}

/// Runs a statement that has to wait for others.
pub(crate) async fn wait(
    connection: &Connection,
    identity: &Identity,
    lock_timeout: Option<Duration>,
    &Wait { statement, doing, lock }: &Wait<'_>,
) -> Result<(), SinkError> {
    let started = Instant::now();
    let mut observer = Observer::new(connection, identity.pid, lock);
    let locking = connection.client.batch_execute(statement);
    tokio::pin!(locking);
    let patience = connection.target.patience.answer;
    let pause = CURIOSITY.min(patience).min(lock_timeout.map_or(CURIOSITY, |limit| limit / 2));
    let answer = loop {
        tokio::select! {
            answer = &mut locking => break answer,
            () = observer.look(pause) => {}
        }
        if observer.last_sign_of_life.elapsed() >= patience {
            return Err(SinkError::ServerSilent { doing, patience });
        }
    };
    answer.map_err(|error| {
        let source = connection.server_error(error);
        match source.class() {
            ErrorClass::LockTimeout => {
                SinkError::LockTimeout { doing, waited: started.elapsed(), holders: observer.holders, source }
            }
            _ => SinkError::Statement { doing, source },
        }
    })
}

/// Finds out who keeps us waiting, over a connection of its own, which it keeps open.
struct Observer<'a> {
    waiting: &'a Connection,
    /// The process that waits.
    pid: i32,
    lock: &'static str,
    second: Option<Connection>,
    /// How long to wait before trying to connect again.
    pause: Duration,
    /// Who holds the lock, as far as is known.
    holders: String,
    last_sign_of_life: Instant,
}

impl Observer<'_> {
    fn new<'a>(waiting: &'a Connection, pid: i32, lock: &'static str) -> Observer<'a> {
        Observer {
            waiting,
            pid,
            lock,
            second: None,
            pause: Duration::ZERO,
            holders: String::new(),
            last_sign_of_life: Instant::now(),
        }
    }

    /// Waits, then asks. The wait is longer if no second connection is available.
    async fn look(&mut self, pause: Duration) {
        tokio::time::sleep(pause.max(self.pause)).await;
        match self.ask().await {
            Ok(holders) if holders.is_empty() => {}
            Ok(holders) => {
                self.last_sign_of_life = Instant::now();
                if holders != self.holders {
                    tracing::warn!("waiting for {}, {holders}", self.lock);
                }
                self.holders = holders;
            }
            Err(error) => {
                self.second = None;
                let longest = MAX_PAUSE.min(self.waiting.target.patience.answer);
                self.pause = (self.pause * 2).max(CURIOSITY).min(longest);
                if error.is_an_answer() {
                    self.last_sign_of_life = Instant::now();
                }
                tracing::info!("waiting for {}; could not ask who holds it: {error}", self.lock);
            }
        }
    }

    /// Who is in the way; empty if nobody is.
    async fn ask(&mut self) -> Result<String, SinkError> {
        let second = match self.second.take() {
            Some(second) => second,
            None => self.waiting.another(CURIOSITY).await?,
        };
        // A session's name, user and start time are visible to everybody; what it is doing is not.
        let holders = format!(
            "SELECT pid, coalesce(nullif(application_name, ''), 'a session'), coalesce(usename, 'nobody'),
                    ', connected at ' || to_char(backend_start, 'HH24:MI:SS')
            FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids({})) ORDER BY backend_start",
            self.pid
        );
        let answer = second.answer("ask who holds the lock", second.client.simple_query(&holders)).await?;
        self.second = Some(second);
        self.pause = Duration::ZERO;
        let holder = |row: tokio_postgres::SimpleQueryRow| {
            let text = |i| printable(row.get(i).unwrap_or_default()).into_owned();
            format!("`{}` (process {}, user `{}`{})", text(1), text(0), text(2), text(3))
        };
        let holders: Vec<_> = rows(answer).into_iter().map(holder).collect();
        Ok(if holders.is_empty() { String::new() } else { format!("held by {}", holders.join(" and ")) })
    }
}
