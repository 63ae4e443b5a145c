//! The migrations: SQL files of `migrations/`, embedded in the program. Each is applied once, in
//! order, and remembered with its checksum in `ingest_migrations`.

use std::time::Duration;

use host_core::digest::Sha256Digest;
use tokio_postgres::error::SqlState;

use crate::connection::connect::{Connection, connect};
use crate::connection::lock;
use crate::connection::lock::Wait;
use crate::connection::outcome::Identity;
use crate::connection::target::Target;
use crate::error::SinkError;

/// One migration. Released ones never change; later ones only add.
#[derive(Debug)]
pub struct Migration {
    /// Its number; they are applied in order.
    pub version: i32,
    /// What it is for.
    pub name: &'static str,
    /// The tables it creates, which must not exist before; those of the original system are adopted
    /// instead.
    pub(crate) creates: &'static [&'static str],
    sql: &'static str,
}

const MIGRATIONS: [Migration; 11] = [
    Migration {
        version: 1,
        name: "tables",
        creates: &[],
        sql: include_str!("../../../../migrations/0001_tables.sql"),
    },
    Migration {
        version: 2,
        name: "ledger",
        creates: &["ingest_runs"],
        sql: include_str!("../../../../migrations/0002_ledger.sql"),
    },
    Migration {
        version: 3,
        name: "rejects",
        creates: &["rejected_rows", "ingest_files"],
        sql: include_str!("../../../../migrations/0003_rejects.sql"),
    },
    Migration {
        version: 4,
        name: "runs",
        creates: &["skipped_rows"],
        sql: include_str!("../../../../migrations/0004_runs.sql"),
    },
    Migration {
        version: 5,
        name: "places",
        creates: &[],
        sql: include_str!("../../../../migrations/0005_places.sql"),
    },
    Migration {
        version: 6,
        name: "skipped",
        creates: &[],
        sql: include_str!("../../../../migrations/0006_skipped.sql"),
    },
    Migration {
        version: 7,
        name: "ids",
        creates: &[],
        sql: include_str!("../../../../migrations/0007_ids.sql"),
    },
    Migration {
        version: 8,
        name: "currency",
        creates: &[],
        sql: include_str!("../../../../migrations/0008_currency.sql"),
    },
    Migration {
        version: 9,
        name: "operations",
        creates: &["replaced_rows", "ingest_prunes"],
        sql: include_str!("../../../../migrations/0009_operations.sql"),
    },
    Migration {
        version: 10,
        name: "knowledge",
        creates: &["detector_states", "detector_state_bases", "feedback", "kept_columns"],
        sql: include_str!("../../../../migrations/0010_knowledge.sql"),
    },
    Migration {
        version: 11,
        name: "undo",
        creates: &[],
        sql: include_str!("../../../../migrations/0011_undo.sql"),
    },
];

const CREATE_BOOK: &str = "CREATE TABLE IF NOT EXISTS ingest_migrations (
    version INT PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now()
);";

impl Migration {
    fn checksum(&self) -> String {
        Sha256Digest::of(self.sql.as_bytes()).to_string()
    }

    /// Applies it within a transaction, waiting for sessions that use the tables.
    ///
    /// # Errors
    /// [`SinkError::Migration`] if the server refuses it.
    pub(crate) async fn apply(
        &self,
        connection: &Connection,
        identity: &Identity,
        lock_timeout: Option<Duration>,
    ) -> Result<(), SinkError> {
        let Migration { version, name, sql, .. } = *self;
        tracing::info!("applying migration {version}, {name}");
        let remember = format!(
            "INSERT INTO ingest_migrations (version, name, sha256) VALUES ({version}, '{name}', '{}')",
            self.checksum()
        );
        let wait = Wait {
            statement: &format!("{CREATE_BOOK}\n{sql};\n{remember}"),
            doing: "apply a migration",
            lock: "the tables to be altered",
        };
        lock::wait(connection, identity, lock_timeout, &wait).await.map_err(|error| match error {
            SinkError::Statement { source, .. } => SinkError::Migration { version, name, source },
            other => other,
        })
    }
}

/// A migration that this host knows or that the database has.
#[derive(Debug)]
pub struct Applied {
    /// Its number.
    pub version: i32,
    /// Its name.
    pub name: String,
    /// Whether this host has it.
    pub known: Known,
    /// When it was applied, in the server's words, for instance `2024-02-29 23:59:59+00`; `None` if
    /// it was not.
    pub at: Option<String>,
}

/// Whether this host knows a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It does.
    Here,
    /// It does not: a later host applied it.
    Later,
}

/// All migrations that this host knows or that the database has, in order. Creates nothing.
///
/// # Errors
/// If the database cannot be queried, or has another migration under the same number.
pub async fn status(target: &Target) -> Result<Vec<Applied>, SinkError> {
    let mut state = State::default();
    if target.is_there() {
        let connection = connect(target).await?;
        state = State::look_up(&connection).await?;
        connection.close().await;
    }
    let State(booked) = state;
    let mut all = Vec::new();
    for migration in &MIGRATIONS {
        let entry = booked.iter().find(|entry| entry.version == migration.version);
        if let Some(entry) = entry {
            entry.check(migration)?;
        }
        all.push(Applied {
            version: migration.version,
            name: migration.name.to_owned(),
            known: Known::Here,
            at: entry.map(|entry| entry.at.clone()),
        });
    }
    for Entry { version, name, at, .. } in booked.into_iter().filter(Entry::is_later) {
        all.push(Applied { version, name, known: Known::Later, at: Some(at) });
    }
    Ok(all)
}

/// The migrations that the database records as applied.
#[derive(Default)]
pub(crate) struct State(Vec<Entry>);

struct Entry {
    version: i32,
    name: String,
    sha256: String,
    at: String,
}

impl Entry {
    fn is_later(&self) -> bool {
        !MIGRATIONS.iter().any(|migration| migration.version == self.version)
    }

    fn check(&self, migration: &Migration) -> Result<(), SinkError> {
        if self.sha256 == migration.checksum() {
            return Ok(());
        }
        let Migration { version, name, .. } = *migration;
        Err(SinkError::MigrationChanged { version, name })
    }
}

impl State {
    /// Queries them. If nothing was ever applied, the query fails, which would end a transaction.
    pub async fn look_up(connection: &Connection) -> Result<State, SinkError> {
        const LIST: &str = "
            SELECT version, name, sha256, date_trunc('second', applied_at)::text FROM ingest_migrations
            ORDER BY version";
        let entry = |row: &tokio_postgres::Row| {
            Some(Entry {
                version: row.try_get(0).ok()?,
                name: row.try_get(1).ok()?,
                sha256: row.try_get(2).ok()?,
                at: row.try_get(3).ok()?,
            })
        };
        let strange = || SinkError::TableDoesNotFit {
            table: "ingest_migrations",
            problem: "it is not the table that the host creates".into(),
            help: crate::error::OTHER_SCHEMA.into(),
        };
        match connection.query("look up the applied migrations", LIST, &[]).await {
            Ok(rows) => rows.iter().map(entry).collect::<Option<_>>().map(State).ok_or_else(strange),
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(State::default()),
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_COLUMN) => Err(strange()),
            Err(error) => Err(error),
        }
    }

    /// Those that are yet to be applied, in order.
    ///
    /// # Errors
    /// If the database belongs to another host: one of the migrations differs, or is a later one.
    pub fn missing(&self) -> Result<Vec<&'static Migration>, SinkError> {
        if let Some(Entry { version, name, .. }) = self.0.iter().find(|entry| entry.is_later()) {
            return Err(SinkError::LaterMigration { version: *version, name: name.clone() });
        }
        let mut missing = Vec::new();
        for migration in &MIGRATIONS {
            match self.0.iter().find(|entry| entry.version == migration.version) {
                Some(entry) => entry.check(migration)?,
                None => missing.push(migration),
            }
        }
        Ok(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_consecutive_and_every_file_is_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
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
