//! The tables: what is missing is created, what exists is adopted if it fits, and what does not fit is
//! reported together with what to do about it, all before a file is read. Commands that only read create
//! nothing.
//!
//! [`relations`] says whether this role can use the tables, [`columns`] whether they hold what the host
//! writes, [`migrations`] which of them have to be created. Migrations and both checks are one
//! transaction: a database that is refused is left as it was found.

pub(crate) mod columns;
pub(crate) mod migrations;
pub(crate) mod relations;

use std::time::Duration;

use crate::connection::connect::Connection;
use crate::connection::lock::Wait;
use crate::connection::outcome::Identity;
use crate::connection::{lock, session};
use crate::error::SinkError;
use crate::schema::migrations::{Migration, State};
use crate::schema::relations::Relations;

/// Any number will do as long as no other program uses it: the letters "ingest" and a zero.
const LOCK_KEY: i64 = 0x696e_6765_7374_0000;

/// Ensures that the tables exist and can be written to; returns the migrations that were applied. All or
/// nothing: after an error, the database is as it was.
///
/// # Errors
/// Says what does not fit, or is not allowed.
pub async fn ensure(
    connection: &Connection,
    lock_timeout: Option<Duration>,
) -> Result<Vec<&'static Migration>, SinkError> {
    // The common case is one round trip and no lock.
    let (relations, state) = tokio::join!(Relations::look_up(connection), State::look_up(connection));
    let relations = relations?;
    relations.check_usable()?;
    relations.warn_of_rules();
    if state?.missing()?.is_empty() {
        if relations.check_complete().is_err() {
            // Another host may have created them between the two queries; that is the only excuse.
            Relations::look_up(connection).await?.check_complete()?;
        }
        return Ok(Vec::new());
    }
    let identity = session::begin(connection, lock_timeout).await?;
    match migrate(connection, &identity, lock_timeout).await {
        Ok(applied) => {
            connection.simple_query("commit the migrations", "COMMIT").await?;
            Ok(applied)
        }
        Err(error) => {
            // If this fails, too, the connection is lost, and with it the transaction.
            let _ = connection.simple_query("roll back the migrations", "ROLLBACK").await;
            Err(error)
        }
    }
}

/// Within a transaction.
async fn migrate(
    connection: &Connection,
    identity: &Identity,
    lock_timeout: Option<Duration>,
) -> Result<Vec<&'static Migration>, SinkError> {
    let wait = Wait {
        statement: &format!("SELECT pg_advisory_xact_lock({LOCK_KEY})"),
        doing: "wait for another host that is creating the tables",
        lock: "the lock for creating tables",
    };
    lock::wait(connection, identity, lock_timeout, &wait).await?;
    // Another host may have been faster.
    let relations = Relations::look_up(connection).await?;
    relations.check_usable()?;
    let state = match relations.has("ingest_migrations") {
        true => State::look_up(connection).await?,
        false => State::default(),
    };
    let missing = state.missing()?;
    relations.check_room(&missing)?;
    for migration in &missing {
        migration.apply(connection, identity, lock_timeout).await?;
    }
    let relations = Relations::look_up(connection).await?;
    relations.check_complete()?;
    relations.check_usable()?;
    columns::check(connection).await?;
    Ok(missing)
}
