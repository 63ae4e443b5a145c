//! `host run`: one run over all files, or with `--each` one over each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_core::exit;
use host_core::threads::in_thread;

use super::capture;
use super::start::{catch_interrupts, choose_plugin};
use super::told::note_unless_told;
use crate::cli::{EachArgs, RunCommandArgs};
use crate::config::RunConfig;
use crate::error::{Error, Failure};
use crate::interrupt::Interrupts;
use crate::pipeline::{Ended, unless_interrupted};
use crate::progress::Progress;
use crate::report::{EachObject, OneRun, Reporter, Totals};
use crate::{diagnostic, pipeline, remarks, report};

/// What `--capture` and `--capture-lines` ask for.
struct Capture {
    folder: Option<PathBuf>,
    lines: Option<(u64, u64)>,
}

pub(super) async fn run(arguments: RunCommandArgs, reporter: &Reporter) -> Result<u8, Failure> {
    let RunCommandArgs { mut run, each } = arguments;
    choose_plugin(&mut run)?;
    let capture = Capture { folder: run.capture.take(), lines: run.capture_lines };
    let config = RunConfig::new(run)?;
    let mut interrupts = catch_interrupts()?;
    if each.each {
        return run_each(config, each, &capture, &mut interrupts, reporter).await;
    }
    let ended = one_run(&config, &capture, &mut interrupts).await?;
    let printed = match &ended {
        Ended::Committed(outcome) => {
            let summary = report::Summary::new(outcome, &config);
            reporter.end(exit::COMMITTED, &summary, || summary.human())
        }
        Ended::AlreadyIngested { already, notes } => {
            let object = report::AlreadyObject::new(already, notes);
            reporter.end(exit::COMMITTED, &object, || report::already_ingested(already))
        }
    };
    note_lost_summary(printed, ended.run_id());
    Ok(exit::COMMITTED)
}

/// One run, with what is odd about it.
async fn one_run(
    config: &RunConfig,
    capture: &Capture,
    interrupts: &mut Interrupts,
) -> Result<Ended, Failure> {
    capture::lines(&config.ingest, capture.folder.as_deref(), capture.lines, interrupts).await?;
    let progress = Arc::new(Progress::default());
    let ended = pipeline::run(config, &progress, interrupts).await;
    progress.finish();
    match &ended {
        Ok(Ended::Committed(outcome)) => {
            report::notes::of_run(outcome).iter().for_each(|note| remarks::note(note));
            let rejects = config.rejects_file.as_deref();
            report::notes::on_rejects(rejects, &outcome.tally, &config.ingest, config.min_rows)
                .iter()
                .for_each(|note| remarks::note(note));
        }
        Ok(Ended::AlreadyIngested { .. }) => {}
        Err(Failure { error, .. }) => {
            capture::failure(&config.ingest, capture.folder.clone(), error, interrupts).await;
        }
    }
    ended
}

/// A run for each file. Returns the exit code of the first that failed.
async fn run_each(
    mut config: RunConfig,
    arguments: EachArgs,
    capture: &Capture,
    interrupts: &mut Interrupts,
    reporter: &Reporter,
) -> Result<u8, Failure> {
    let files = files(&config, interrupts).await?;
    let (mut totals, mut failed, mut exit_code) = (Totals::default(), Vec::new(), exit::COMMITTED);
    let mut untried = files.iter().map(PathBuf::as_path);
    for file in untried.by_ref() {
        config.ingest.files = vec![file.to_owned()];
        let ended = one_run(&config, capture, interrupts).await;
        totals.add(&ended);
        tell(file, &ended, &config, reporter);
        let Err(failure) = &ended else { continue };
        failed.push(file);
        if exit_code == exit::COMMITTED {
            exit_code = failure.exit_code();
        }
        if !arguments.keep_going || !failure.is_due_to_files() {
            exit_code = if arguments.keep_going { failure.exit_code() } else { exit_code };
            break;
        }
    }
    let object = EachObject::new(totals, files.len(), &failed, &untried.collect::<Vec<_>>());
    let printed = reporter.end(exit_code, &object, || object.human());
    if let Err(error) = printed {
        // What was committed is committed, and was noted before.
        diagnostic::print(&Failure::without_rows(error));
    }
    Ok(exit_code)
}

/// The files that are meant, as for a run over all of them.
async fn files(config: &RunConfig, interrupts: &mut Interrupts) -> Result<Vec<PathBuf>, Failure> {
    let (given, strict) = (config.ingest.files.clone(), config.ingest.rules.strict_files);
    let expanding = in_thread(move || {
        let list = host_source::expand(&given)?;
        if strict { list.without_empty_files() } else { Ok(list) }
    });
    let list = unless_interrupted(interrupts, async { Ok::<_, Error>(expanding.await??) }).await?;
    list.notes.iter().for_each(|note| remarks::note(&note.to_string()));
    Ok(list.files)
}

/// Prints how one of several runs ended.
fn tell(file: &Path, ended: &Result<Ended, Failure>, config: &RunConfig, reporter: &Reporter) {
    if let Err(failure) = ended {
        diagnostic::print_of(failure, file);
    }
    let human = || match ended {
        Ok(Ended::Committed(outcome)) => report::Summary::new(outcome, config).human(),
        Ok(Ended::AlreadyIngested { already, .. }) => report::already_ingested(already),
        Err(_) => String::new(),
    };
    let printed = reporter.record(&OneRun::new(file, ended, config), human);
    match ended {
        Ok(ended) => note_lost_summary(printed, ended.run_id()),
        // The message is on stderr, and the exit code says it.
        Err(_) => drop(printed),
    }
}

/// The run is committed, so it has succeeded, even if its summary is lost.
fn note_lost_summary(printed: Result<(), Error>, run_id: i64) {
    let (done, see) = (format!("run {run_id} is committed, but its summary"), format!("runs {run_id}"));
    note_unless_told(printed, &done, Some(&see));
}
