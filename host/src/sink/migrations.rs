//! The tables, from the embedded SQL files of `migrations/`: each is applied once, in its own
//! transaction, under a lock, and remembered with its checksum in `ingest_migrations`.

use std::sync::Arc;

use tokio_postgres::error::SqlState;

use super::server_error::ServerError;
use super::{Connection, SinkError};
use crate::digest::Sha256Digest;

/// One migration. Released ones never change; later ones only add.
#[derive(Debug)]
pub struct Migration {
    /// Its number; they are applied in order.
    pub version: i32,
    /// What it is for.
    pub name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: [Migration; 6] = [
    Migration { version: 1, name: "tables", sql: include_str!("../../../migrations/0001_tables.sql") },
    Migration { version: 2, name: "ledger", sql: include_str!("../../../migrations/0002_ledger.sql") },
    Migration { version: 3, name: "rejects", sql: include_str!("../../../migrations/0003_rejects.sql") },
    Migration { version: 4, name: "runs", sql: include_str!("../../../migrations/0004_runs.sql") },
    Migration { version: 5, name: "places", sql: include_str!("../../../migrations/0005_places.sql") },
    Migration { version: 6, name: "skipped", sql: include_str!("../../../migrations/0006_skipped.sql") },
];

/// Any number will do as long as no other program uses it: the letters "ingest" and a zero.
const LOCK_KEY: i64 = 0x696e_6765_7374_0000;

const CREATE_BOOK: &str = "CREATE TABLE IF NOT EXISTS ingest_migrations (
    version INT PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now()
)";

impl Migration {
    fn checksum(&self) -> String {
        Sha256Digest::of(self.sql.as_bytes()).to_string()
    }
}

/// A migration and when it was applied, in the server's words; none if it has not been.
#[derive(Debug)]
pub struct Applied {
    /// The migration.
    pub migration: &'static Migration,
    /// For instance `2024-02-29 23:59:59+00`.
    pub at: Option<String>,
}

/// All migrations that this host knows, with what the database says of them.
///
/// # Errors
/// Where the database cannot be asked, or has another migration under the same number.
pub async fn status(connection: &Connection) -> Result<Vec<Applied>, SinkError> {
    const LIST: &str = "SELECT version, sha256, date_trunc('second', applied_at)::text FROM ingest_migrations ORDER BY version";
    let asked = connection.query("look up the applied migrations", LIST, &[]).await;
    let rows = match asked {
        // Nothing was ever applied.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Vec::new(),
        asked => asked?,
    };
    MIGRATIONS
        .iter()
        .map(|migration| {
            let Some(row) = rows.iter().find(|row| row.get::<_, i32>(0) == migration.version) else {
                return Ok(Applied { migration, at: None });
            };
            if row.get::<_, &str>(1) != migration.checksum() {
                let Migration { version, name, .. } = *migration;
                return Err(SinkError::MigrationChanged { version, name });
            }
            Ok(Applied { migration, at: row.get(2) })
        })
        .collect()
}

/// Applies what is missing; returns what was applied.
///
/// # Errors
/// [`SinkError::Migration`] where one fails; that one is rolled back, those before it stay.
pub async fn migrate(connection: &mut Connection) -> Result<Vec<&'static Migration>, SinkError> {
    // The common case costs one question and no lock.
    if status(connection).await?.iter().all(|applied| applied.at.is_some()) {
        return Ok(Vec::new());
    }
    let mut newly_applied = Vec::new();
    for migration in &MIGRATIONS {
        if apply(connection, migration).await? {
            newly_applied.push(migration);
        }
    }
    Ok(newly_applied)
}

/// Applies one migration unless another process was faster.
async fn apply(connection: &mut Connection, migration: &'static Migration) -> Result<bool, SinkError> {
    let Migration { version, name, sql } = *migration;
    let fail = |error| SinkError::Migration { version, name, source: ServerError(Arc::new(error)) };
    let transaction = connection.client.transaction().await.map_err(fail)?;
    transaction.query("SELECT pg_advisory_xact_lock($1)", &[&LOCK_KEY]).await.map_err(fail)?;
    transaction.batch_execute(CREATE_BOOK).await.map_err(fail)?;
    let applied = transaction
        .query_opt("SELECT FROM ingest_migrations WHERE version = $1", &[&version])
        .await
        .map_err(fail)?;
    if applied.is_some() {
        return Ok(false);
    }
    transaction.batch_execute(sql).await.map_err(fail)?;
    transaction
        .execute(
            "INSERT INTO ingest_migrations (version, name, sha256) VALUES ($1, $2, $3)",
            &[&version, &name, &migration.checksum()],
        )
        .await
        .map_err(fail)?;
    transaction.commit().await.map_err(fail)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_consecutive_and_every_file_is_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let embedded: Vec<_> = MIGRATIONS
            .iter()
            .map(|migration| format!("{:04}_{}.sql", migration.version, migration.name))
            .collect();
        assert_eq!(files, embedded);
        assert!(MIGRATIONS.iter().map(|migration| migration.version).eq(1..=MIGRATIONS.len() as i32));
    }
}
