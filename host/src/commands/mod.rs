//! One function a command: what is done between parsing the arguments and the exit code.

mod database;
mod plugin;

use crate::cli::{CheckArgs, Cli, Command, DbCommand, RejectsArgs, RunArgs};
use crate::config::{self, ConfigError, IngestConfig, RunConfig};
use crate::error::{DatabaseState, Error, Failure, exit};
use crate::progress::Progress;
use crate::sink;
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
        Command::Migrate(arguments) => database::migrate(&arguments).await.map_err(no_rows)?,
        Command::Db(DbCommand::Psql { arguments }) => return database::psql(&arguments).map_err(no_rows),
        Command::Db(command) => database::db(&command).map_err(no_rows)?,
        Command::Plugin(command) => return plugin::plugin(command).map_err(no_rows),
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
