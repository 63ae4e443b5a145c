//! A run, from the first look at its files to the acknowledged COMMIT.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use host_core::threads::in_thread;
use host_detector::Detector;
use host_sink::{
    AlreadyIngested, Committed, Completed, Known, KnownFile, PluginFacts, Recorded, RunFacts, Transaction,
};
use host_source::rejects_file::{FinishedRejects, RejectsFile};
use host_source::{Note, Noticed, SourceError, Tally};

use super::begin::begin;
use super::end::{INTERRUPTED_PATIENCE, commit, roll_back};
use super::history::{History, LearnedFrom, learn};
use super::interrupted::unless_interrupted;
use super::message::{End, GuestUse, Message, Times};
use super::prepare::{Prepared, prepare};
use super::rejects;
use super::stages::{Learned, Stages};
use super::state::{self, Named};
use super::teach::{Taught, teach_new};
use crate::config::RunConfig;
use crate::error::{Error, Failure};
use crate::interrupt::Interrupts;
use crate::panics::TransactionPhase;
use crate::progress::Progress;

/// How a successful run ended.
#[derive(Debug)]
pub enum Ended {
    /// It was committed.
    Committed(Box<Outcome>),
    /// There was nothing to do: with `--once`, everything was ingested before.
    AlreadyIngested {
        /// The earlier run.
        already: Box<AlreadyIngested>,
        /// What was left out before that was found out.
        notes: Vec<Note>,
    },
}

impl Ended {
    /// The run that wrote what was to be written: this one, or the earlier one.
    #[must_use]
    pub fn run_id(&self) -> i64 {
        match self {
            Ended::Committed(outcome) => outcome.committed.run.record.run_id,
            Ended::AlreadyIngested { already, .. } => already.run.record.run_id,
        }
    }
}

/// A run that was committed.
#[derive(Debug)]
pub struct Outcome {
    /// What the server acknowledged.
    pub committed: Committed,
    /// The database, for messages.
    pub server: String,
    /// Where the time went.
    pub times: Times,
    /// What the guest used.
    pub guest: GuestUse,
    /// What was rejected.
    pub tally: Tally,
    /// Files that were left out because their content was ingested before.
    pub left_out: Vec<KnownFile>,
    /// What was left out before that because it is not data, or is empty.
    pub notes: Vec<Note>,
    /// What is odd in the files.
    pub noticed: Noticed,
    /// Whether the detector's answers depend on the order of rows.
    pub minds_order: bool,
    /// How many entries of its state the detector was given; `None` if it has none, or begins it.
    pub restored_entries: Option<u64>,
    /// Whether earlier files were given to learn from, but not read, since the state continues.
    pub is_history_unread: bool,
    /// What a learning detector was given of what has become known of rows.
    pub taught: Option<Taught>,
}

/// Ingests files. Returns an [`Outcome`] only after the server has acknowledged COMMIT.
///
/// # Errors
/// A [`Failure`], which says what state the database is in.
pub async fn run(
    config: &RunConfig,
    progress: &Arc<Progress>,
    interrupts: &mut Interrupts,
) -> Result<Ended, Failure> {
    TransactionPhase::None.begins();
    let started = Instant::now();
    let prepared = unless_interrupted(interrupts, prepare(&config.ingest, progress)).await?;
    let state = state::of_run(config, &prepared.plugin, &prepared.abilities)?;
    let mut rejects = match &config.rejects_file {
        Some(path) => {
            Some(unless_interrupted(interrupts, rejects::open(path, &config.ingest, &prepared)).await?)
        }
        None => None,
    };
    let load = started.elapsed();
    let minds_order = prepared.minds_order;
    let notes = prepared.list.notes.clone();

    let (mut transaction, known) = unless_interrupted(interrupts, begin(config, &prepared)).await?;
    let left_out = match known {
        Known::Files(left_out) => left_out,
        Known::All(already) => return Ok(nothing_to_do(transaction, already, notes).await),
    };
    TransactionPhase::Begun.begins();
    let connect = started.elapsed().saturating_sub(load);
    let server = transaction.server().to_owned();
    tracing::info!("began run {} on {server}", transaction.run_id());

    let filling = fill(&mut transaction, config, prepared, state, left_out, &mut rejects, progress);
    let Filled { recorded, tally, noticed, times, guest, left_out, rejects, learned, taught } =
        match unless_interrupted(interrupts, filling).await {
            Ok(Filling::Filled(filled)) => *filled,
            Ok(Filling::AlreadyIngested(already)) => {
                return Ok(nothing_to_do(transaction, already, notes).await);
            }
            Err(error) => {
                if let Some(rejects) = rejects.take() {
                    let keeping = rejects::keep(rejects, Some(transaction.run_id()), &error);
                    // An interrupt ends this, so nobody has to wait for a slow reader of that file.
                    let _ = unless_interrupted(interrupts, keeping).await;
                }
                return Err(roll_back(transaction, error, interrupts).await);
            }
        };
    let committed = commit(transaction, recorded, interrupts).await?;
    if let Some(rejects) = rejects {
        rejects::put_in_place(rejects);
    }
    let times = Times { load, connect, commit: committed.commit_time, total: started.elapsed(), ..times };
    Ok(Ended::Committed(Box::new(Outcome {
        committed,
        server,
        times,
        guest,
        tally,
        left_out,
        notes,
        noticed,
        minds_order,
        restored_entries: learned.restored_entries,
        is_history_unread: learned.is_history_unread,
        taught,
    })))
}

/// Everything was ingested before; nothing was written that would have to be undone.
async fn nothing_to_do(transaction: Transaction, already: Box<AlreadyIngested>, notes: Vec<Note>) -> Ended {
    let _ = transaction.roll_back(false, INTERRUPTED_PATIENCE).await;
    Ended::AlreadyIngested { already, notes }
}

/// What is known once all rows and the ledger row are in the transaction.
struct Filled {
    recorded: Recorded,
    tally: Tally,
    noticed: Noticed,
    times: Times,
    guest: GuestUse,
    left_out: Vec<KnownFile>,
    rejects: Option<FinishedRejects>,
    learned: Before,
    taught: Option<Taught>,
}

/// What became of the rows.
enum Filling {
    Filled(Box<Filled>),
    /// With `--once`: another run has written them meanwhile.
    AlreadyIngested(Box<AlreadyIngested>),
}

/// What the detector knows before the first row.
struct Before {
    restored_entries: Option<u64>,
    history: LearnedFrom,
    is_history_unread: bool,
}

/// Lets the detectors go on from the run's state, or, if there is none, learn from earlier files: what continues knows
/// them already.
async fn begin_with(
    transaction: &mut Transaction,
    state: Option<Named>,
    history: Option<History>,
    plugin: &PluginFacts,
    detectors: Vec<Detector>,
) -> Result<(Vec<Detector>, Before), Error> {
    let (detectors, restored_entries) = match state {
        Some(state) => state::continue_it(transaction, state, plugin, detectors).await?,
        None => (detectors, None),
    };
    let is_history_unread = history.is_some() && restored_entries.is_some();
    let (detectors, history) = match history.filter(|_| !is_history_unread) {
        Some(history) => {
            let capacity = transaction.capacity();
            let number = async |keys: &[String]| Ok(transaction.number_users(keys).await?);
            learn(history, detectors, capacity, |_| (), number).await?
        }
        None => (detectors, LearnedFrom::default()),
    };
    Ok((detectors, Before { restored_entries, history, is_history_unread }))
}

/// Writes all rows to the transaction, except for those of files that are left out.
async fn fill(
    transaction: &mut Transaction,
    config: &RunConfig,
    prepared: Prepared,
    state: Option<Named>,
    left_out: BTreeMap<usize, KnownFile>,
    rejects: &mut Option<RejectsFile>,
    progress: &Progress,
) -> Result<Filling, Error> {
    let Prepared { started_at, mut source, history, detectors, plugin, abilities, .. } = prepared;
    let started = Instant::now();
    let (detectors, learned) = begin_with(transaction, state, history, &plugin, detectors).await?;
    let (detectors, lessons) = teach_new(transaction, &abilities, detectors).await?;
    let restore = started.elapsed();
    if !left_out.is_empty() {
        let positions = left_out.keys().copied().collect();
        let remaining = in_thread(move || source.leave_out(&positions).map(|()| source));
        source = remaining.await??;
    }
    source.fit(transaction.capacity());
    let becomes = if transaction.has_state() { Learned::Sink } else { Learned::Dropped };
    let stages = Stages::start(source, detectors, becomes)?;
    let End { files, tally, noticed, times, guest, .. } =
        write(transaction, stages, rejects.as_mut(), progress).await?;
    learned.history.demand_others(&files)?;
    let rows = files.iter().map(|file| file.rows_read - file.rows_rejected).sum();
    if rows < config.min_rows {
        return Err(SourceError::TooFewRows { rows, min_rows: config.min_rows }.into());
    }
    let (reading, source) = (config.ingest.rules.reading(), config.source.clone());
    let facts = RunFacts {
        files,
        plugin,
        reading,
        source,
        started_at,
        history: learned.history.files.clone(),
        feedback: lessons.as_ref().map(|lessons| lessons.span),
        kept_columns: lessons.as_ref().and_then(|lessons| lessons.kept_columns.clone()),
    };
    // On disk before COMMIT, so that a full disk is noticed in time.
    let rejects = match rejects.take() {
        Some(rejects) => Some(rejects.finish().await?),
        None => None,
    };
    Ok(match transaction.complete(&facts).await? {
        Completed::AlreadyIngested(already) => Filling::AlreadyIngested(already),
        Completed::Recorded(recorded) => {
            let left_out = left_out.into_values().collect();
            Filling::Filled(Box::new(Filled {
                recorded: *recorded,
                tally,
                noticed,
                times: Times { restore, ..times },
                guest,
                left_out,
                rejects,
                learned,
                taught: lessons.map(|lessons| lessons.taught),
            }))
        }
    })
}

/// Writes everything that the stages deliver, until the end of the last file.
async fn write(
    transaction: &mut Transaction,
    mut stages: Stages,
    mut rejects: Option<&mut RejectsFile>,
    progress: &Progress,
) -> Result<End, Error> {
    let mut busy = Duration::ZERO;
    loop {
        match stages.next().await? {
            Message::Rows(part, reserved) => {
                if let Some(rejects) = &mut rejects {
                    rejects.write(Some(transaction.run_id()), &part.rejected).await?;
                }
                let rows = part.batch.len() as u64;
                let started = Instant::now();
                if let Some(spent) = transaction.write(part).await? {
                    stages.give_back(spent);
                }
                drop(reserved);
                busy += started.elapsed();
                progress.rows(rows);
            }
            Message::Users(question) => {
                let started = Instant::now();
                let numbers = transaction.number_users(&question.keys).await?;
                question.answer(numbers);
                busy += started.elapsed();
            }
            Message::State(part) => {
                let started = Instant::now();
                transaction.write_state(&part).await?;
                busy += started.elapsed();
            }
            Message::End(end) => {
                return Ok(End { times: Times { write: busy, ..end.times }, ..end });
            }
        }
    }
}
