//! Commands on the database itself: the tables and the embedded server.

use std::fmt::Write as _;

use host_core::environment::Environment;
use host_core::{exit, text};
use host_sink::{Applied, Cluster, KnownMigration, State, Stopped};
use serde_json::json;

use super::psql;
use crate::cli::{DbCommand, MigrateArgs};
use crate::config;
use crate::error::Error;
use crate::report::{self, Reporter};

/// Creates or updates the tables.
pub async fn migrate(arguments: &MigrateArgs, reporter: &Reporter) -> Result<u8, Error> {
    let target = config::target(&arguments.database)?;
    let mut newly_applied = None;
    if !arguments.status {
        let connection = host_sink::connect(&target).await?;
        newly_applied = Some(host_sink::ensure_schema(&connection, None).await?.len() as u64);
        host_sink::check_columns(&connection, false).await?;
        connection.close().await;
    }
    let migrations = host_sink::migration_status(&target).await?;
    let listed = |applied: &Applied| {
        // The server formats the time of application.
        let at = applied.at.as_deref().and_then(|at| at.parse().ok());
        json!({
            "version": applied.version,
            "name": applied.name,
            "is_known": applied.known == KnownMigration::Here,
            "is_applied": applied.at.is_some(),
            "applied_at": at.map(|at| report::json::time(&at)),
        })
    };
    let object = json!({
        "newly_applied": newly_applied.unwrap_or(0),
        "migrations": migrations.iter().map(listed).collect::<Vec<_>>(),
    });
    reporter.end(exit::COMMITTED, object, || {
        let mut text = newly_applied
            .map_or_else(String::new, |count| format!("{} applied\n", text::counted(count, "migration")));
        for Applied { version, name, known, at } in &migrations {
            let at = at.as_ref().map_or("not applied".into(), |at| format!("applied {at}"));
            let later = if *known == KnownMigration::Later { ", by a later host" } else { "" };
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{version:04} {name:<12} {at}{later}");
        }
        text
    })?;
    Ok(exit::COMMITTED)
}

/// Starts, stops and describes the embedded server; returns the exit code.
pub fn db(command: &DbCommand, reporter: &Reporter) -> Result<u8, Error> {
    let cluster = Cluster::of_user(&Environment::of_process())?;
    let done = |object, text: String| reporter.end(exit::COMMITTED, object, || text + "\n");
    match command {
        DbCommand::Start => {
            cluster.start_and_keep()?;
            done(json!({ "url": cluster.url() }), cluster.url())?;
        }
        DbCommand::Stop => {
            let (state, text) = match cluster.stop()? {
                Stopped::Now => ("stopped", "stopped"),
                Stopped::WhenUnused => ("stopping", "a run is using it; it stops when that has ended"),
                Stopped::WasNotRunning => ("was_not_running", "it was not running"),
            };
            done(json!({ "state": state }), text.into())?;
        }
        DbCommand::Status => return status(&cluster, reporter),
        DbCommand::Url => done(json!({ "url": cluster.url() }), cluster.url())?,
        DbCommand::Programs => {
            let folder = text::path(&Cluster::programs_folder()?);
            done(json!({ "folder": folder }), folder)?;
        }
        DbCommand::Guard => cluster.guard()?,
        // Exits with psql's exit code rather than ours.
        DbCommand::Psql { arguments } => return psql::psql(&cluster, arguments),
    }
    Ok(exit::COMMITTED)
}

fn status(cluster: &Cluster, reporter: &Reporter) -> Result<u8, Error> {
    // Queried only once: it may be stopping right now.
    let (state, text, exit_code) = match cluster.state() {
        State::Absent => ("absent", "not created yet", exit::NOT_RUNNING),
        State::Stopped => ("stopped", "stopped", exit::NOT_RUNNING),
        State::RunningOnDemand => ("running", "running, until nobody uses it", exit::COMMITTED),
        State::KeptRunning => ("kept_running", "running, until `host db stop`", exit::COMMITTED),
        State::Unreachable => (
            "unreachable",
            "running, but its socket is gone; `host db stop` stops it, the next run starts it again",
            exit::COMMITTED,
        ),
    };
    let (folder, socket) = (text::path(cluster.folder()), text::path(&cluster.socket_folder()));
    let object = json!({ "state": state, "folder": folder, "socket": socket, "url": cluster.url() });
    reporter.end(exit_code, object, || {
        format!("{text}\n  folder  {folder}\n  socket  {socket}\n  url     {}\n", cluster.url())
    })?;
    Ok(exit_code)
}
