//! One function a command: what is done between parsing the arguments and the exit code.

mod database;
mod plugin;

use std::sync::Arc;

use crate::cli::{
    CheckArgs, Cli, Command, DatabaseArgs, DbCommand, RejectsArgs, RunArgs, RunsArgs, VerifyArgs,
};
use crate::config::{self, ConfigError, IngestConfig, RunConfig, VerifyConfig};
use crate::error::{DatabaseState, Error, Failure};
use crate::interrupt::Interrupts;
use crate::pipeline::{Ended, VerifyError};
use crate::progress::Progress;
use crate::sink::{self, Connection};
use crate::source::{InputRules, RejectLimit};
use crate::{diagnostic, exit, output, pipeline, report};

/// Does what was asked for; returns the exit code.
///
/// # Errors
/// A [`Failure`], to be printed.
pub fn run_to_end(cli: Cli) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::Runtime)?.block_on(execute(cli))
}

/// Prints what clap has to say instead of a command line: help, the version, or what is wrong.
///
/// # Errors
/// Where help cannot be written.
pub fn instead(said: &clap::Error) -> Result<u8, Failure> {
    let text = said.render().to_string();
    if said.use_stderr() {
        output::message(&text);
        return Ok(exit::USAGE);
    }
    output::result(&text).map_err(|error| no_rows(Error::Output(error)))?;
    Ok(exit::COMMITTED)
}

/// Of a command that writes no rows.
fn no_rows(error: Error) -> Failure {
    Failure { error, database: DatabaseState::NotConcerned }
}

async fn execute(cli: Cli) -> Result<u8, Failure> {
    match cli.command {
        Command::Run(arguments) => run(arguments).await?,
        Command::Check(arguments) => return check(arguments).await.map_err(no_rows),
        Command::Runs(arguments) => runs(&arguments).await.map_err(no_rows)?,
        Command::Verify(arguments) => verify(arguments).await.map_err(no_rows)?,
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
    let mut interrupts = catch_interrupts()?;
    let progress = Arc::new(Progress::default());
    let ended = pipeline::run(&config, &progress, &mut interrupts).await;
    progress.finish();
    match ended? {
        Ended::Committed(outcome) => {
            report::known_files(&outcome).iter().for_each(|note| diagnostic::note(note));
            let printed = report::print_as(&report::summary(&outcome, config.format), config.format);
            note_lost_summary(printed, outcome.committed.run_id);
        }
        Ended::AlreadyIngested(ingested) => {
            let text = report::already_ingested(&ingested, config.format);
            note_lost_summary(report::print_as(&text, config.format), ingested.run.record.run_id);
        }
    }
    Ok(())
}

/// The run is committed, so it has succeeded, whatever becomes of its summary.
fn note_lost_summary(printed: Result<(), Error>, run_id: i64) {
    if let Err(error) = printed {
        let why = diagnostic::causes(&error).join(": ");
        diagnostic::note(&format!(
            "run {run_id} is committed, but its summary could not be written to standard output ({why}); see: host runs {run_id}"
        ));
    }
}

fn catch_interrupts() -> Result<Interrupts, Error> {
    Interrupts::catch().map_err(|_| Error::Internal("the system does not let us catch signals"))
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
    let mut interrupts = catch_interrupts()?;
    let progress = Arc::new(Progress::default());
    let mut printed = Ok(());
    let list = |rejected: &[_]| {
        for row in rejected {
            if printed.is_ok() {
                printed = report::print(&report::rejected(row));
            }
        }
    };
    let checked = pipeline::check(&config, &progress, list, &mut interrupts).await;
    progress.finish();
    let checked = checked?;
    printed?;
    let records = checked.files.iter().map(|file| file.rows_read).sum();
    let is_refused = checked.tally.exceeds(limit, records, true);
    report::print(&report::checked(&checked, limit, is_refused))?;
    Ok(if is_refused { exit::INPUT } else { exit::COMMITTED })
}

async fn rejects(arguments: &RejectsArgs) -> Result<(), Error> {
    let connection = connect(&arguments.database).await?;
    let found = sink::rejects(&connection, arguments.run).await?;
    connection.close().await;
    let found = found.ok_or(ConfigError::NoRun(arguments.run))?;
    report::print_as(&report::rejects(&found, arguments.format), arguments.format)
}

/// To a database whose tables are those that this host knows.
async fn connect(database: &DatabaseArgs) -> Result<Connection, Error> {
    let mut connection = sink::connect(&config::target(database)?).await?;
    sink::migrate(&mut connection).await?;
    Ok(connection)
}

async fn runs(arguments: &RunsArgs) -> Result<(), Error> {
    let connection = connect(&arguments.database).await?;
    let format = arguments.format;
    let text = match arguments.run {
        Some(number) => {
            let run = sink::run(&connection, number).await?.ok_or(ConfigError::NoRun(number))?;
            report::run(&run, format)
        }
        None => report::runs(&sink::runs(&connection, arguments.limit).await?, format),
    };
    connection.close().await;
    report::print_as(&text, format)
}

async fn verify(arguments: VerifyArgs) -> Result<(), Error> {
    let config = VerifyConfig::new(arguments)?;
    let mut interrupts = catch_interrupts()?;
    let progress = Arc::new(Progress::default());
    let verified = pipeline::verify(&config, &progress, &mut interrupts).await;
    progress.finish();
    let verified = verified?;
    let printed = report::print(&report::verified(&verified));
    match verified.count {
        0 => printed,
        // That it differs is the more important news.
        count => Err(VerifyError::Differs { run_id: config.run_id, count }.into()),
    }
}
