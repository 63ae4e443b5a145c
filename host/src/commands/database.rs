//! Commands on the database itself: the tables and the embedded server.

use std::ffi::OsString;
use std::process;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{DbCommand, MigrateArgs};
use crate::config;
use crate::environment::Environment;
use crate::error::Error;
use crate::exit;
use crate::sink::embedded::{Cluster, State, Stopped};
use crate::sink::{self, EmbeddedError, SinkError};
use crate::{report, text};

/// Creates or updates the tables.
pub async fn migrate(arguments: &MigrateArgs) -> Result<(), Error> {
    let mut connection = sink::connect(&config::target(&arguments.database)?).await?;
    if !arguments.status {
        let newly_applied = sink::migrate(&mut connection).await?;
        sink::check_schema(&connection).await?;
        report::print(&format!("{} migrations applied\n", newly_applied.len()))?;
    }
    for applied in sink::status(&connection).await? {
        let at = applied.at.map_or("not applied".into(), |at| format!("applied {at}"));
        report::print(&format!("{:04} {:<12} {at}\n", applied.migration.version, applied.migration.name))?;
    }
    connection.close().await;
    Ok(())
}

/// Starts, stops and describes the embedded server.
pub fn db(command: &DbCommand) -> Result<(), Error> {
    let cluster = Cluster::of_user(&Environment::of_process())?;
    match command {
        DbCommand::Start => {
            cluster.start_and_keep()?;
            report::print(&format!("{}\n", cluster.url()))?;
        }
        DbCommand::Stop => report::print(match cluster.stop()? {
            Stopped::Now => "stopped\n",
            Stopped::WhenUnused => "a run uses it; it stops when that has ended\n",
            Stopped::WasNotRunning => "it was not running\n",
        })?,
        DbCommand::Status => {
            let state = match cluster.state() {
                State::Absent => "not created yet",
                State::Stopped => "stopped",
                State::RunningOnDemand => "running, until nobody uses it",
                State::KeptRunning => "running, until `host db stop`",
            };
            report::print(&format!(
                "{state}\n  folder  {}\n  socket  {}\n  url     {}\n",
                text::path(cluster.folder()),
                text::path(&cluster.socket_folder()),
                cluster.url(),
            ))?;
        }
        DbCommand::Url => report::print(&format!("{}\n", cluster.url()))?,
        DbCommand::Programs => report::print(&format!("{}\n", text::path(&Cluster::programs_folder()?)))?,
        DbCommand::Guard => cluster.guard()?,
        // Ends with psql's exit code rather than ours.
        DbCommand::Psql { .. } => {}
    }
    Ok(())
}

/// Runs psql on the embedded server; returns its exit code.
pub fn psql(arguments: &[OsString]) -> Result<u8, Error> {
    let cluster = Cluster::of_user(&Environment::of_process())?;
    let _in_use = cluster.ensure_running()?;
    let beside_server = Cluster::programs_folder()?.join("psql");
    let program = if beside_server.is_file() { beside_server } else { "psql".into() };
    let failed = |source| SinkError::Embedded {
        doing: "open psql on",
        source: EmbeddedError::File { doing: "run", path: program.clone(), source },
    };
    // ^C is for psql, which cancels a query with it; caught here, it does not end us.
    let _caught = signal(SignalKind::interrupt()).map_err(failed)?;
    let status =
        process::Command::new(&program).arg(cluster.url()).args(arguments).status().map_err(failed)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::INTERNAL))
}
