//! BEGIN, with the settings that our guarantees depend on, for this transaction alone: roles,
//! databases and poolers have defaults that were chosen for other programs.
//!
//! | setting | here | why |
//! | --- | --- | --- |
//! | isolation level | READ COMMITTED | what another run has committed while we waited for the lock must be seen |
//! | `quote_all_identifiers` | off | definitions of keys are compared |
//! | `synchronous_commit` | `on` where it is `off` | a COMMIT that was acknowledged must survive a crash |
//! | `statement_timeout`, `transaction_timeout`, `idle_in_transaction_session_timeout` | none | a COPY is one statement however large the file is, and waits for the file |
//! | `lock_timeout` | `--lock-timeout` | a run waits as long as the user said |
//!
//! A limit that the connection's own `options` set (in the URL, `PGOPTIONS` or a service file) is
//! meant for this program, and stays. Settings that our queries and COPY do not depend on are left alone,
//! because triggers may depend on them: `DateStyle`, `TimeZone`, `search_path`.

use std::time::Duration;

use tokio_postgres::SimpleQueryRow;

use crate::connection::connect::Connection;
use crate::connection::outcome::Identity;
use crate::connection::target::Server;
use crate::error::SinkError;

/// Limits that a long run would hit.
const LIMITS: [&str; 3] = ["statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"];

/// What the server says about itself, and about our session. The transaction's id is asked for before
/// anything else, so that the outcome can be asked about whatever happens from here on.
const FACTS: &str = "
    SELECT pg_backend_pid(), current_setting('transaction_read_only'), pg_is_in_recovery(),
        concat_ws(' and ', CASE current_setting('fsync') WHEN 'off' THEN 'fsync' END,
                           CASE current_setting('full_page_writes') WHEN 'off' THEN 'full_page_writes' END),
        CASE WHEN NOT pg_is_in_recovery() THEN pg_current_xact_id() END";

const DOING: &str = "begin the transaction";
/// The setting is an `int` (PostgreSQL's guc_tables); this is 24 days.
const MAX_LOCK_TIMEOUT_MILLIS: u128 = i32::MAX as u128;

/// Begins a transaction that may write.
pub(crate) async fn begin(
    connection: &Connection,
    lock_timeout: Option<Duration>,
) -> Result<Identity, SinkError> {
    let options = connection.options().unwrap_or_default();
    let rows = connection.simple_query(DOING, &statements(options, lock_timeout)).await?;
    let facts = rows.last().ok_or(SinkError::StrangeAnswer("BEGIN"))?;
    let is_set = |column, to| facts.get(column) == Some(to);
    if is_set(2, "t") || is_set(1, "on") {
        return Err(SinkError::ReadOnly { is_standby: is_set(2, "t") });
    }
    if let Some(unsafe_settings) = facts.get(3).filter(|settings| !settings.is_empty()) {
        tracing::warn!(
            "the server runs without {unsafe_settings}: if its machine crashes, committed rows may be lost"
        );
    }
    identity(facts).ok_or(SinkError::StrangeAnswer("BEGIN"))
}

fn identity(facts: &SimpleQueryRow) -> Option<Identity> {
    Some(Identity::new(facts.get(0)?.parse().ok()?, facts.get(4)?.parse().ok()?))
}

/// Begins a transaction that reads what is there at one moment.
pub(crate) async fn begin_to_read(connection: &Connection) -> Result<(), SinkError> {
    // With row security off, a policy that hides rows is an error rather than a wrong answer.
    let mut statements =
        String::from("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off;");
    lift_limits(&mut statements, connection.options().unwrap_or_default());
    connection.simple_query("begin to read", &statements).await.map(drop)
}

fn statements(options: &str, lock_timeout: Option<Duration>) -> String {
    let mut statements = String::from(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL quote_all_identifiers = off;
        SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';",
    );
    lift_limits(&mut statements, options);
    match lock_timeout {
        Some(limit) => {
            let millis = limit.as_millis().clamp(1, MAX_LOCK_TIMEOUT_MILLIS);
            statements.push_str(&format!("SET LOCAL lock_timeout = {millis};"));
        }
        None if names(options, "lock_timeout") => {}
        None => statements.push_str("SET LOCAL lock_timeout = 0;"),
    }
    statements + FACTS
}

/// Adds statements that lift the limits which the connection's own options do not set. Not every
/// version has all of them.
fn lift_limits(statements: &mut String, options: &str) {
    for limit in LIMITS.into_iter().filter(|limit| !names(options, limit)) {
        statements.push_str(&format!(
            "SELECT set_config('{limit}', '0', true) WHERE current_setting('{limit}', true) IS NOT NULL;"
        ));
    }
}

/// Whether a server command line, `-c name=value` or `--name=value`, sets this.
fn names(options: &str, setting: &str) -> bool {
    options.split_whitespace().any(|word| {
        let word = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")).unwrap_or(word);
        let name = word.split('=').next().unwrap_or_default();
        name.replace('-', "_").eq_ignore_ascii_case(setting)
    })
}

impl Connection {
    /// What the connection asks the server to set.
    fn options(&self) -> Option<&str> {
        match &self.target.server {
            Server::Given(server) => server.config.get_options(),
            Server::Embedded(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::connection::session::names;

    #[test]
    fn settings_are_found_in_options() {
        for options in [
            "-c statement_timeout=5s",
            "-cstatement_timeout=5s",
            "--statement-timeout=5s",
            "-c search_path=x -c STATEMENT_TIMEOUT=5",
        ] {
            assert!(names(options, "statement_timeout"), "{options}");
        }
        for options in
            ["", "-c deadlock_timeout=5s", "-c application_name=lock_timeout", "-c x.lock_timeout=1"]
        {
            assert!(!names(options, "lock_timeout"), "{options}");
        }
    }
}
