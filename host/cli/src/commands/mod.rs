//! One function per command: what happens between parsing the arguments and the exit code.

mod agree;
mod capture;
mod database;
mod description;
mod feedback;
mod operations;
mod plugin;
mod profiles;
mod psql;
mod run;
mod sniff;
mod start;
mod state;
mod told;
mod undo;
mod watch;

use std::ffi::OsString;
use std::sync::Arc;

use host_core::environment::Environment;
use host_core::{advice, exit, text};
use host_sink::{Listing, RowOfRun};
use host_source::{InputRules, RejectLimit, Tally};
use serde::Serialize;
use serde_json::json;

use self::start::{catch_interrupts, choose_plugin, look};
use crate::cli::{CheckArgs, Cli, Command, ListingArgs, PluginCommand, RunArgs, RunsArgs, VerifyArgs};
use crate::config::{self, IngestConfig, VerifyConfig};
use crate::error::{ConfigError, Error, Failure};
use crate::pipeline::CheckFiles;
use crate::profiles::Given;
use crate::progress::Progress;
use crate::report::{Reporter, Verdict};
use crate::{diagnostic, pipeline, remarks, report, verify};

/// Runs the command; returns the exit code.
///
/// # Errors
/// A [`Failure`], to be printed.
pub fn run_to_end(cli: Cli, given: &Given, reporter: &Reporter) -> Result<u8, Failure> {
    if let Some(profile) = given.profile.as_ref().filter(|profile| profile.has_open_password) {
        tracing::warn!(
            "others may read the password in `{0}`: chmod go= {1}",
            text::path(&profile.place.file),
            text::shell_file(&profile.place.file.to_string_lossy()),
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::Runtime)?.block_on(execute(cli, given, reporter))
}

/// The arguments of a command, with those of its profile.
///
/// # Errors
/// If the profile cannot be used.
pub fn given(typed: &[OsString], environment: &Environment) -> Result<Given, Failure> {
    let given = crate::profiles::expand(typed, environment).map_err(Failure::without_rows)?;
    if let Some(profile) = &given.profile {
        advice::remember_profile(&profile.name, &profile.place);
    }
    Ok(given)
}

/// Prints what clap has to say instead of running a command; returns the exit code.
///
/// # Errors
/// If it is about an option of a profile, or the help cannot be written.
pub fn instead(said: &clap::Error, given: &Given, reporter: &Reporter) -> Result<u8, Failure> {
    match given.blamed(said) {
        Some(error) => Err(Failure::without_rows(error)),
        None => reporter.instead(said).map_err(Failure::without_rows),
    }
}

async fn execute(cli: Cli, given: &Given, reporter: &Reporter) -> Result<u8, Failure> {
    let done = match cli.command {
        Command::Run(arguments) => return run::run(arguments, reporter).await,
        Command::Undo(arguments) => return undo::undo(arguments, reporter).await,
        Command::Watch(arguments) => return watch::watch(arguments, reporter).await,
        Command::Check(arguments) => check(arguments, reporter).await,
        Command::Feedback(arguments) => return feedback::record(arguments, reporter).await,
        Command::Sniff(arguments) => sniff::look(&arguments, cli.config.as_deref(), reporter),
        Command::Runs(arguments) => runs(&arguments, reporter).await,
        Command::Verify(arguments) => verify(arguments, reporter).await,
        Command::Rejects(arguments) => list(&arguments, reporter, report::reject, "rejected nothing").await,
        Command::Skipped(arguments) => list(&arguments, reporter, report::skip, "skipped nothing").await,
        Command::Replaced(arguments) => {
            list(&arguments, reporter, report::replaced, "replaced nothing").await
        }
        Command::Status(arguments) => operations::status(&arguments, reporter).await,
        Command::Prune(arguments) => operations::prune(&arguments, reporter).await,
        Command::State(command) => return state::state(command, reporter).await,
        Command::Migrate(arguments) => database::migrate(&arguments, reporter).await,
        Command::Db(command) => database::db(&command, reporter),
        Command::Plugin(PluginCommand::Dev(arguments)) => plugin::dev(&arguments, reporter).await,
        Command::Plugin(command) => plugin::plugin(command, reporter),
        Command::Config(command) => profiles::config(&command, given, cli.config.as_deref(), reporter),
        Command::Completions(arguments) => description::complete(&arguments, reporter),
        Command::Man(arguments) => description::man(&arguments, reporter),
    };
    done.map_err(Failure::without_rows)
}

/// Returns the exit code that a run would have.
async fn check(mut arguments: CheckArgs, reporter: &Reporter) -> Result<u8, Error> {
    choose_plugin(&mut arguments.run)?;
    let RunArgs { min_rows, ref rejects, .. } = arguments.run;
    let (rejects, anomalies) = (rejects.clone(), arguments.anomalies.clone());
    if anomalies.is_some() && anomalies == rejects {
        return Err(ConfigError::OneFileForTwo.into());
    }
    // Arguments that make no sense for a run make none for its check.
    config::options(&arguments.run)?;
    let (folder, lines) = (arguments.run.capture.take(), arguments.run.capture_lines);
    let config = IngestConfig::new(arguments.run.ingest)?;
    let limit = config.rules.max_rejects;
    // All rejects are listed, whatever the limit.
    let config = IngestConfig {
        rules: InputRules { max_rejects: RejectLimit::Count(u64::MAX), ..config.rules },
        ..config
    };
    let mut interrupts = catch_interrupts()?;
    capture::lines(&config, folder.as_deref(), lines, &mut interrupts).await?;
    let progress = Arc::new(Progress::default());
    let mut printed = Ok(());
    let list = |rejected: &[_]| {
        for row in rejected {
            if printed.is_ok() {
                printed = reporter.record(&report::rejected_object(row), || report::rejected(row));
            }
        }
    };
    let written = CheckFiles { rejects: rejects.as_deref(), anomalies: anomalies.as_deref() };
    let checked = pipeline::check(&config, written, &progress, list, &mut interrupts).await;
    progress.finish();
    if let Err(error) = &checked {
        capture::failure(&config, folder, error, &mut interrupts).await;
    }
    let checked = checked?;
    printed?;
    report::notes::of_check(&checked).iter().for_each(|note| remarks::note(note));
    report::notes::on_rejects(rejects.as_deref(), &checked.tally, &config, min_rows)
        .iter()
        .for_each(|note| remarks::note(note));
    let records = checked.files.iter().map(|file| file.rows_read).sum();
    let has_too_many = |tally: &Tally, records| tally.exceeds(limit, records, true);
    let verdict = Verdict {
        limit,
        has_too_many_rejects: has_too_many(&checked.tally, records)
            || has_too_many(&checked.history_tally, checked.history_records),
        min_rows,
        has_too_few_rows: checked.rows < min_rows,
    };
    let exit_code = if verdict.is_refused() { exit::INPUT } else { exit::COMMITTED };
    let object = report::CheckObject::new(&checked, written, &verdict);
    reporter.end(exit_code, object, || report::checked(&checked, &verdict))?;
    Ok(exit_code)
}

/// Lists rows of a run; `nothing` says what the run did if there are none.
async fn list<T: RowOfRun + Serialize>(
    arguments: &ListingArgs,
    reporter: &Reporter,
    human: impl Fn(&T) -> String,
    nothing: &str,
) -> Result<u8, Error> {
    let none = || ConfigError::NoRun(arguments.run);
    let snapshot = look(&arguments.database).await?.ok_or_else(none)?;
    let found = Listing::<T>::of_run(snapshot, arguments.run).await?.ok_or_else(none)?;
    let mut listed = 0;
    loop {
        let records = found.next().await?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            reporter.record(record, || human(record))?;
        }
        listed += records.len();
    }
    let (pruned, undone_at) = (found.pruned.clone(), found.undone_at);
    found.close().await;
    let rows_pruned = pruned.as_ref().map_or(0, |pruned| pruned.rows);
    let undone = undone_at.as_ref().map(report::json::time);
    let object =
        json!({ "run_id": arguments.run, "listed": listed, "rows_pruned": rows_pruned, "undone_at": undone });
    reporter.end(exit::COMMITTED, object, || match &pruned {
        Some(pruned) => report::pruned_of(arguments.run, pruned),
        None if undone_at.is_some() => report::undone_since(arguments.run, undone_at),
        None if listed == 0 => format!("run {} {nothing}\n", arguments.run),
        None => String::new(),
    })?;
    Ok(exit::COMMITTED)
}

async fn runs(arguments: &RunsArgs, reporter: &Reporter) -> Result<u8, Error> {
    let snapshot = look(&arguments.database).await?;
    match arguments.run {
        Some(number) => {
            let snapshot = snapshot.ok_or(ConfigError::NoRun(number))?;
            let run = snapshot.run(number).await?;
            snapshot.close().await;
            let run = run.ok_or(ConfigError::NoRun(number))?;
            reporter.end(exit::COMMITTED, report::RunObject::new(&run), || report::page(&run))?;
        }
        None => {
            let wanted = config::wanted(&arguments.wanted, arguments.since);
            let (runs, not_shown) = match snapshot {
                Some(snapshot) => {
                    let found = snapshot.runs(&wanted, arguments.limit).await?;
                    snapshot.close().await;
                    found
                }
                None => (Vec::new(), 0),
            };
            for run in &runs {
                reporter.record(&report::RunObject::new(run), String::new)?;
            }
            let object = json!({ "listed": runs.len(), "not_shown": not_shown });
            reporter.end(exit::COMMITTED, object, || report::table(&runs, not_shown, &wanted))?;
        }
    }
    Ok(exit::COMMITTED)
}

async fn verify(arguments: VerifyArgs, reporter: &Reporter) -> Result<u8, Error> {
    let config = VerifyConfig::new(arguments)?;
    let mut interrupts = catch_interrupts()?;
    let progress = Arc::new(Progress::default());
    let verified = verify::verify(&config, &progress, &mut interrupts).await;
    progress.finish();
    let verified = verified?;
    let Some(differs) = verified.differs() else {
        let object = report::VerifyObject::new(&verified, None);
        reporter.end(exit::COMMITTED, object, || report::verified(&verified))?;
        return Ok(exit::COMMITTED);
    };
    let failure = Failure::without_rows(differs);
    let object = report::VerifyObject::new(&verified, Some(&failure));
    let printed = reporter.end(failure.exit_code(), object, || report::verified(&verified));
    if let Err(error) = printed {
        diagnostic::print(&Failure::without_rows(error));
    }
    // That the replay differs is more important than this.
    diagnostic::print(&failure);
    Ok(failure.exit_code())
}
