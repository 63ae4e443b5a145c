//! One function a command: what is done between parsing the arguments and the exit code.

use std::process;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{CheckArgs, Cli, Command, DbCommand, MigrateArgs, RejectsArgs, RunArgs};
use crate::config::{self, ConfigError, IngestConfig, RunConfig, environment};
use crate::error::{DatabaseState, Error, Failure, exit};
use crate::progress::Progress;
use crate::sink::embedded::{Cluster, State, Stopped};
use crate::sink::{self, EmbeddedError, SinkError};
use crate::source::{InputRules, RejectLimit};
use crate::{diagnostic, pipeline, report};

/// Does what was asked for; returns the exit code.
///
/// # Errors
/// A [`Failure`], to be printed.
pub async fn execute(cli: Cli) -> Result<u8, Failure> {
    let no_rows = |error: Error| Failure { error, database: DatabaseState::NotConcerned };
    match cli.command {
        Command::Run(arguments) => run(arguments).await?,
        Command::Check(arguments) => return check(arguments).await.map_err(no_rows),
        Command::Rejects(arguments) => rejects(&arguments).await.map_err(no_rows)?,
        Command::Migrate(arguments) => migrate(&arguments).await.map_err(no_rows)?,
        Command::Db(DbCommand::Psql { arguments }) => return psql(&arguments).map_err(no_rows),
        Command::Db(command) => db(&command).map_err(no_rows)?,
    }
    Ok(exit::COMMITTED)
}

async fn run(arguments: RunArgs) -> Result<(), Failure> {
    let config = RunConfig::new(arguments)?;
    let progress = Progress::default();
    let outcome = pipeline::run(&config, &progress, interrupted()).await;
    progress.finish();
    let outcome = outcome?;
    if let Some(earlier) = outcome.committed.earlier_run {
        diagnostic::note(&format!("a file with the same content was ingested before, by run {earlier}"));
    }
    report::print(&report::summary(&outcome, config.format));
    Ok(())
}

/// Returns the exit code that a run would have.
async fn check(arguments: CheckArgs) -> Result<u8, Error> {
    let config = IngestConfig::new(arguments.ingest)?;
    let limit = config.rules.max_rejects;
    // All of them are listed, whatever the limit.
    let config = IngestConfig {
        rules: InputRules { max_rejects: RejectLimit::Count(u64::MAX), ..config.rules },
        ..config
    };
    let progress = Progress::default();
    let list = |rejected: &[_]| rejected.iter().for_each(|row| report::print(&report::rejected(row)));
    let checked = pipeline::check(&config, &progress, list, interrupted()).await;
    progress.finish();
    let checked = checked?;
    let records = checked.files.iter().map(|file| file.rows_read).sum();
    let is_refused = checked.tally.exceeds(limit, records, true);
    report::print(&report::checked(&checked, limit, is_refused));
    Ok(if is_refused { exit::INPUT } else { exit::COMMITTED })
}

async fn rejects(arguments: &RejectsArgs) -> Result<(), Error> {
    let mut connection = sink::connect(&config::target(&arguments.database)?).await?;
    sink::migrate(&mut connection).await?;
    let found = sink::rejects(&connection, arguments.run).await?;
    connection.close().await;
    let found = found.ok_or(ConfigError::NoRun(arguments.run))?;
    report::print(&report::rejects(&found, arguments.format));
    Ok(())
}

/// Ends at ^C. Where signals cannot be caught, ^C kills the process, and the server rolls back.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn migrate(arguments: &MigrateArgs) -> Result<(), Error> {
    let mut connection = sink::connect(&config::target(&arguments.database)?).await?;
    if !arguments.status {
        let newly_applied = sink::migrate(&mut connection).await?;
        sink::check_schema(&connection).await?;
        report::print(&format!("{} migrations applied\n", newly_applied.len()));
    }
    for applied in sink::status(&connection).await? {
        let at = applied.at.map_or("not applied".into(), |at| format!("applied {at}"));
        report::print(&format!("{:04} {:<12} {at}\n", applied.migration.version, applied.migration.name));
    }
    connection.close().await;
    Ok(())
}

fn db(command: &DbCommand) -> Result<(), Error> {
    let cluster = Cluster::of_user(&environment);
    match command {
        DbCommand::Start => {
            cluster.start_and_keep()?;
            report::print(&format!("{}\n", cluster.url()));
        }
        DbCommand::Stop => report::print(match cluster.stop()? {
            Stopped::Now => "stopped\n",
            Stopped::WhenUnused => "a run uses it; it stops when that has ended\n",
            Stopped::WasNotRunning => "it was not running\n",
        }),
        DbCommand::Status => {
            let state = match cluster.state() {
                State::Absent => "not created yet",
                State::Stopped => "stopped",
                State::RunningOnDemand => "running, until nobody uses it",
                State::KeptRunning => "running, until `host db stop`",
            };
            report::print(&format!(
                "{state}\n  folder  {}\n  socket  {}\n  url     {}\n",
                cluster.folder().display(),
                cluster.socket_folder().display(),
                cluster.url(),
            ));
        }
        DbCommand::Url => report::print(&format!("{}\n", cluster.url())),
        DbCommand::Programs => report::print(&format!("{}\n", Cluster::programs_folder()?.display())),
        DbCommand::Guard => cluster.guard()?,
        // Ends with psql's exit code rather than ours.
        DbCommand::Psql { .. } => {}
    }
    Ok(())
}

/// Runs psql on the embedded server; returns its exit code.
fn psql(arguments: &[std::ffi::OsString]) -> Result<u8, Error> {
    let cluster = Cluster::of_user(&environment);
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
