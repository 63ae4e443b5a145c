//! The order of the stages. Read this first.
//!
//! ```text
//! source thread      detector thread          this task
//! CSV → batches  →   WASM → anomalies    →    COPY into one transaction → ledger row → COMMIT
//! ```
//!
//! The stages run side by side, joined by channels that hold a bounded number of bytes: memory does
//! not grow with the file, and the slowest stage, the server, is not kept waiting. The last message of a stage says
//! that it has come to its end; a channel that merely closes means that the stage died, which is
//! never taken for the end of the file.

mod budget;
mod check;
mod shards;
mod stages;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use host_core::digest::Sha256Digest;
use host_core::threads::in_thread;
use host_sink::{
    self, AlreadyIngested, Candidate, Committed, Completed, IdPolicy, Known, KnownFile, Recorded, RunFacts,
    SinkError, Target, Terms, Transaction,
};
use host_source::rejects_file::{FinishedRejects, RejectsFile};
use host_source::{FileList, Note, Noticed, SourceError, Tally};

pub use self::check::{Checked, check};
pub(crate) use self::stages::{End, Message, Prepared, Stages, prepare};
pub use self::stages::{GuestUse, Times};
use crate::config::{IngestConfig, RunConfig};
use crate::error::{DatabaseState, Error, Failure};
use crate::interrupt::Interrupts;
use crate::panics::TransactionPhase;
use crate::progress::Progress;

/// How long the server may take to confirm a rollback before we stop waiting for it.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(5);
/// The same where somebody is waiting for us to end.
const INTERRUPTED_PATIENCE: Duration = Duration::from_millis(700);
/// No row is shorter: `0,0,0,0` and a line break.
const MIN_ROW_BYTES: u64 = 8;

/// What is said of ids of a file that cannot be keys.
pub(crate) const ID_DEMAND: &str = "the column `transaction_id` cannot hold it";

/// How a run ended well.
#[derive(Debug)]
pub enum Ended {
    /// It was committed.
    Committed(Box<Outcome>),
    /// There was nothing to do: with `--once`, all was ingested before.
    AlreadyIngested {
        /// From where it is known.
        already: Box<AlreadyIngested>,
        /// What was left out before that was asked.
        notes: Vec<Note>,
    },
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
    /// What was left out before that: it is no data, or there is nothing in it.
    pub notes: Vec<Note>,
    /// What is odd in the files.
    pub noticed: Noticed,
    /// Whether the detector's answers depend on the order of rows.
    pub minds_order: bool,
}

/// Ingests files. Ends with an [`Outcome`] only after the server acknowledged COMMIT.
///
/// # Errors
/// A [`Failure`], which says what is in the database.
pub async fn run(
    config: &RunConfig,
    progress: &Arc<Progress>,
    interrupts: &mut Interrupts,
) -> Result<Ended, Failure> {
    let started = Instant::now();
    let prepared = unless_interrupted(interrupts, prepare(&config.ingest, progress)).await?;
    let list = prepared.list.clone();
    let mut rejects = match &config.rejects_file {
        Some(path) => {
            Some(unless_interrupted(interrupts, open_rejects(path, &config.ingest, &prepared)).await?)
        }
        None => None,
    };
    let load = started.elapsed();
    let minds_order = prepared.minds_order;
    let notes = list.notes.clone();
    // Before anything is locked: files may be large.
    let contents = match config.terms.once {
        Some(_) => unless_interrupted(interrupts, contents(&list)).await?,
        None => Vec::new(),
    };

    let target = config.target.clone().labelled(&label(&list));
    let beginning = begin(&target, config.terms, list.size_bytes);
    let mut transaction = unless_interrupted(interrupts, beginning).await?;
    TransactionPhase::Begun.begins();
    let connect = started.elapsed().saturating_sub(load);
    let server = transaction.server().to_owned();
    tracing::info!("began run {} on {server}", transaction.run_id());

    let filling = fill(&mut transaction, config, prepared, list, contents, &mut rejects, progress);
    let Filled { recorded, tally, noticed, times, guest, left_out, rejects } =
        match unless_interrupted(interrupts, filling).await {
            Ok(Ok(filled)) => *filled,
            Ok(Err(already_ingested)) => {
                // Nothing was written that would have to be undone.
                let _ = transaction.roll_back(false, INTERRUPTED_PATIENCE).await;
                return Ok(Ended::AlreadyIngested { already: already_ingested, notes });
            }
            Err(error) => {
                if let Some(rejects) = rejects.take() {
                    let keeping = keep_rejects(rejects, transaction.run_id(), &error);
                    // Whoever does not want to wait for a slow reader of it need not.
                    let _ = unless_interrupted(interrupts, keeping).await;
                }
                return Err(roll_back(transaction, error, interrupts).await);
            }
        };
    let committed = commit(transaction, recorded, interrupts).await?;
    if let Some(rejects) = rejects {
        put_in_place(rejects);
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
    })))
}

/// What is known when all rows and the ledger row are in the transaction.
struct Filled {
    recorded: Recorded,
    tally: Tally,
    noticed: Noticed,
    times: Times,
    guest: GuestUse,
    left_out: Vec<KnownFile>,
    rejects: Option<FinishedRejects>,
}

/// Opens the file of rejected rows, which must not be one that this run reads.
async fn open_rejects(path: &Path, config: &IngestConfig, prepared: &Prepared) -> Result<RejectsFile, Error> {
    let (path, rules) = (path.to_owned(), config.rules.clone());
    let mut read = prepared.list.files.clone();
    read.push(prepared.plugin_file.clone());
    Ok(in_thread(move || RejectsFile::create(&path, &rules, &read)).await??)
}

/// Where a run is refused because of its rows, these are put in place, too.
async fn keep_rejects(mut rejects: RejectsFile, run_id: i64, error: &Error) -> Result<(), Error> {
    let Error::Source(error) = error else { return Ok(()) };
    let Some(last) = error.refused_rows() else { return Ok(()) };
    let written = match rejects.write(Some(run_id), last).await {
        Ok(()) => rejects.finish().await,
        Err(error) => Err(error),
    };
    match written {
        Ok(finished) => put_in_place(finished),
        Err(error) => warn_of(&error),
    }
    Ok(())
}

/// The run has come to its verdict; what became of this file does not change it.
fn put_in_place(rejects: FinishedRejects) {
    if let Err(error) = rejects.put_in_place() {
        warn_of(&error);
    }
}

fn warn_of(error: &SourceError) {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    tracing::warn!("{error}{}", cause.unwrap_or_default());
}

/// Brings all rows into the transaction; or says that earlier runs have brought them.
async fn fill(
    transaction: &mut Transaction,
    config: &RunConfig,
    prepared: Prepared,
    mut list: FileList,
    contents: Vec<Option<Sha256Digest>>,
    rejects: &mut Option<RejectsFile>,
    progress: &Progress,
) -> Result<Result<Box<Filled>, Box<AlreadyIngested>>, Error> {
    let Prepared { started_at, mut source, detectors, plugin, .. } = prepared;
    let reading = config.ingest.rules.reading();
    let files = list.files.iter().map(|file| file.display().to_string()).zip(contents).collect();
    let candidate = Candidate { files, plugin: &plugin, reading: &reading };
    let left_out = match transaction.known(&candidate).await? {
        Known::All(already_ingested) => return Ok(Err(already_ingested)),
        Known::Files(known) => known,
    };
    if !left_out.is_empty() {
        let positions = left_out.keys().copied().collect();
        list.leave_out(&positions);
        let remaining = in_thread(move || source.leave_out(&positions).map(|()| source));
        source = remaining.await??;
    }
    check_ids_suffice(transaction, config, &list).await?;
    if let IdPolicy::Keep(_) = config.terms.ids {
        source.demand_ids(transaction.id_range.clone(), ID_DEMAND);
    }
    let stages = Stages::start(source, detectors)?;
    let End { files, tally, noticed, times, guest } =
        write(transaction, stages, rejects.as_mut(), progress).await?;
    let rows = files.iter().map(|file| file.rows_read - file.rows_rejected).sum();
    if rows < config.min_rows {
        return Err(SourceError::TooFewRows { rows, min_rows: config.min_rows }.into());
    }
    let facts = RunFacts { files, plugin, reading, started_at };
    // On disk before COMMIT, so that a full disk is found out in time.
    let rejects = match rejects.take() {
        Some(rejects) => Some(rejects.finish().await?),
        None => None,
    };
    Ok(match transaction.complete(&facts).await? {
        Completed::AlreadyIngested(already_ingested) => Err(already_ingested),
        Completed::Recorded(recorded) => {
            let left_out = left_out.into_values().collect();
            Ok(Box::new(Filled { recorded: *recorded, tally, noticed, times, guest, left_out, rejects }))
        }
    })
}

/// Connects, sees to the tables, and begins.
async fn begin(target: &Target, terms: Terms, size_bytes: Option<u64>) -> Result<Transaction, Error> {
    let connection = host_sink::connect(target).await?;
    host_sink::ensure_schema(&connection, terms.lock_timeout).await?;
    Ok(Transaction::begin(connection, terms, size_bytes).await?)
}

/// The digests of the files' contents; none of a file that can be read only once.
async fn contents(list: &FileList) -> Result<Vec<Option<Sha256Digest>>, Error> {
    let files = list.clone();
    let digests = in_thread(move || host_source::hash_files(&files)).await??;
    Ok(digests.into_iter().map(|digests| Some(digests?.content_sha256)).collect())
}

/// Finds out, where a look at the files is enough to know, whether there are ids for all rows. What
/// cannot be known now (of a pipe, say) is seen while writing.
async fn check_ids_suffice(
    transaction: &Transaction,
    config: &RunConfig,
    list: &FileList,
) -> Result<(), Error> {
    let could_run_out = list.size_bytes.zip(transaction.ids_left());
    let Some((_, left)) = could_run_out.filter(|(bytes, left)| bytes / MIN_ROW_BYTES > *left) else {
        return Ok(());
    };
    let (files, rules) = (list.clone(), config.ingest.rules.clone());
    let rows = in_thread(move || host_source::count_rows(&files, &rules)).await??;
    match rows.filter(|rows| *rows > left) {
        None => Ok(()),
        rows => Err(SinkError::IdsExhausted { last_id: *transaction.id_range.end(), rows }.into()),
    }
}

/// Writes what comes until the end of the last file.
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
            Message::End(end) => {
                return Ok(End { times: Times { write: busy, ..end.times }, ..*end });
            }
        }
    }
}

/// From here on it is the server's word that counts; whoever does not want to wait for it is told
/// how to ask.
async fn commit(
    transaction: Transaction,
    recorded: Recorded,
    interrupts: &mut Interrupts,
) -> Result<Committed, Failure> {
    let query = transaction.deciding_query();
    TransactionPhase::Committing.begins();
    let committing = transaction.commit(recorded);
    tokio::pin!(committing);
    let mut is_impatient = false;
    let committed = loop {
        tokio::select! {
            committed = &mut committing => break committed,
            _ = interrupts.next() => {
                if is_impatient {
                    break Err(SinkError::OutcomeUnknown { query, source: None });
                }
                is_impatient = true;
                tracing::warn!("COMMIT has been sent; waiting for confirmation; interrupt again to exit without it");
            }
        }
    };
    if committed.is_ok() {
        TransactionPhase::Committed.begins();
    }
    committed.map_err(|error| Failure {
        database: match error {
            SinkError::OutcomeUnknown { .. } => DatabaseState::Unknown,
            _ => DatabaseState::RolledBack,
        },
        error: error.into(),
    })
}

/// Rolls back; what is said of the database is what the server confirmed. Another interrupt ends
/// the waiting.
async fn roll_back(transaction: Transaction, error: Error, interrupts: &mut Interrupts) -> Failure {
    let is_interrupted = matches!(error, Error::Interrupted(_));
    let patience = if is_interrupted { INTERRUPTED_PATIENCE } else { ROLLBACK_PATIENCE };
    let is_lost = matches!(&error, Error::Sink(error) if error.has_lost_connection());
    let rolled_back = tokio::select! {
        rolled_back = transaction.roll_back(is_lost, patience) => rolled_back.is_ok(),
        _ = interrupts.next() => false,
    };
    let database = if rolled_back { DatabaseState::RolledBack } else { DatabaseState::NeverCommitted };
    Failure { error, database }
}

/// Does `work`, unless we are told to end.
pub(crate) async fn unless_interrupted<T>(
    interrupts: &mut Interrupts,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        interrupt = interrupts.next() => Err(Error::Interrupted(interrupt)),
    }
}

/// What others see at the server while they wait for this run. PostgreSQL shows 63 bytes of it
/// (`NAMEDATALEN`), and refuses a connection whose parameters come to 10,000.
fn label(list: &FileList) -> String {
    const MAX_BYTES: usize = 63;
    let name = |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let first = list.files.first().map(name).unwrap_or_default();
    let others = match list.files.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let room = MAX_BYTES - "host run ".len() - others.len();
    format!("host run {}{others}", &first[..first.floor_char_boundary(room)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_fits_whatever_the_files_are_called() {
        let label = |names: &[&str]| {
            let files = names.iter().map(PathBuf::from).collect();
            label(&FileList { files, ..FileList::default() })
        };
        assert_eq!(label(&["in/a.csv"]), "host run a.csv");
        assert_eq!(label(&["in/a.csv", "b.csv", "c.csv"]), "host run a.csv and 2 more");
        assert_eq!(label(&["-"]), "host run -");
        for letters in 0..100 {
            let name = "ä".repeat(letters);
            for label in [label(&[&name]), label(&vec![name.as_str(); 10_000])] {
                assert!(label.len() <= 63, "{label}");
            }
        }
    }
}
