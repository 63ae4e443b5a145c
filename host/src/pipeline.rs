//! The order of the stages. Read this first.
//!
//! ```text
//! source thread      detector thread          this task
//! CSV → batches  →   WASM → anomalies    →    COPY into one transaction → ledger row → COMMIT
//! ```
//!
//! The stages run side by side, joined by small bounded channels: memory does not grow with the
//! file, and the slowest stage, the server, is not kept waiting. The last message of a stage says
//! that it has come to its end; a channel that merely closes means that the stage died, which is
//! never taken for the end of the file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::config::{IngestConfig, RunConfig};
use crate::detector::{self, Cache, Detector, Sandbox};
use crate::error::{DatabaseState, Error, Failure};
use crate::progress::Progress;
use crate::sink::{self, Classified, Committed, PluginFacts, RunFacts, SinkError, Target, Transaction};
use crate::source::rejects_file::RejectsFile;
use crate::source::{self, FileFacts, Parsed, RejectedRow, Source, Tally};

/// Batches that may wait between two stages: enough to even out hiccups.
const WAITING_BATCHES: usize = 4;
/// How long the server may take to confirm a rollback before we stop waiting for it.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(5);

/// A run that was committed.
#[derive(Debug)]
pub struct Outcome {
    /// What the server acknowledged.
    pub committed: Committed,
    /// File and plugin.
    pub facts: RunFacts,
    /// The database, for messages.
    pub server: String,
    /// Where the time went.
    pub times: Times,
    /// What the guest used.
    pub guest: GuestUse,
    /// What was rejected.
    pub tally: Tally,
}

/// What a run would do, found out without a database.
#[derive(Debug)]
pub struct Checked {
    /// The files.
    pub files: Vec<FileFacts>,
    /// The plugin.
    pub plugin: PluginFacts,
    /// Rows that a run would write.
    pub rows: u64,
    /// Those of them that are anomalous.
    pub anomalies: u64,
    /// What was rejected.
    pub tally: Tally,
}

/// What the guest used of its limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuestUse {
    /// Its memories and tables at their largest.
    pub memory_bytes: usize,
    /// Fuel, where it has a limit.
    pub fuel: Option<u64>,
    /// Lines of its log that were dropped because there were too many.
    pub dropped_log_lines: u64,
}

/// Where the time of a run went. The stages overlap, so theirs do not add up to the total.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Loading and starting the plugin.
    pub load: Duration,
    /// Connecting, checking the tables, waiting for the lock.
    pub connect: Duration,
    /// Reading and parsing.
    pub read: Duration,
    /// In the plugin.
    pub classify: Duration,
    /// Encoding, sending and waiting for the server.
    pub write: Duration,
    /// The COMMIT itself.
    pub commit: Duration,
    /// From start to end.
    pub total: Duration,
}

/// A stage's messages to the next.
enum Message<T> {
    Rows(T),
    /// All files have been read to their end.
    End(Box<End>),
}

/// What the stages so far know at the end of the file.
struct End {
    files: Vec<FileFacts>,
    tally: Tally,
    times: Times,
    guest: GuestUse,
}

type Stage<T> = Result<Message<T>, Error>;

/// Ingests files. Ends with an [`Outcome`] only after the server acknowledged COMMIT.
///
/// # Errors
/// A [`Failure`], which says what is in the database. `interrupted` ending is one of them.
pub async fn run(
    config: &RunConfig,
    progress: &Progress,
    interrupted: impl Future<Output = ()>,
) -> Result<Outcome, Failure> {
    let started_at = Timestamp::now();
    let started = Instant::now();
    tokio::pin!(interrupted);

    let Prepared { inputs, source, detector, plugin } = prepare(&config.ingest, progress)?;
    let rejects_file = match &config.rejects_file {
        Some(path) => Some(RejectsFile::create(path, config.ingest.rules.delimiter, &inputs)?),
        None => None,
    };
    let load = started.elapsed();

    let mut transaction = tokio::select! {
        transaction = begin(&config.target) => transaction?,
        () = &mut interrupted => return Err(Error::Interrupted.into()),
    };
    let connect = started.elapsed() - load;
    let server = transaction.server().to_owned();

    let written = tokio::select! {
        written = async {
            let End { files, tally, times, guest } =
                write(&mut transaction, start_stages(source, detector), rejects_file, progress).await?;
            let facts = RunFacts { files, plugin, started_at };
            let recorded = transaction.complete(&facts).await?;
            Ok((recorded, facts, tally, times, guest))
        } => written,
        () = &mut interrupted => Err(Error::Interrupted),
    };
    let (recorded, facts, tally, times, guest) = match written {
        Ok(written) => written,
        Err(error) => return Err(roll_back(transaction, error).await),
    };
    // From here on it is the server's word that counts; ^C comes too late.
    let committed = transaction.commit(recorded).await.map_err(|error| Failure {
        database: match error {
            SinkError::OutcomeUnknown { .. } => DatabaseState::Unknown,
            _ => DatabaseState::RolledBack,
        },
        error: error.into(),
    })?;
    let times = Times { load, connect, commit: committed.commit_time, total: started.elapsed(), ..times };
    Ok(Outcome { committed, facts, server, times, guest, tally })
}

/// Does everything that a run does but the writing. `rejected` is called with every record that
/// is no row.
///
/// # Errors
/// Those of [`run`] that are not the database's.
pub async fn check(
    config: &IngestConfig,
    progress: &Progress,
    mut rejected: impl FnMut(&[RejectedRow]),
    interrupted: impl Future<Output = ()>,
) -> Result<Checked, Error> {
    tokio::pin!(interrupted);
    let Prepared { source, detector, plugin, .. } = prepare(config, progress)?;
    let mut classified = start_stages(source, detector);
    let (mut rows, mut anomalies) = (0, 0);
    loop {
        let message = tokio::select! {
            message = classified.recv() => message,
            () = &mut interrupted => return Err(Error::Interrupted),
        };
        match message.ok_or(STAGE_DIED)?? {
            Message::Rows(part) => {
                rejected(&part.rejected);
                rows += part.batch.len() as u64;
                anomalies += part.anomalies.len() as u64;
                progress.rows(part.batch.len() as u64);
            }
            Message::End(end) => {
                let End { files, tally, .. } = *end;
                return Ok(Checked { files, plugin, rows, anomalies, tally });
            }
        }
    }
}

/// Source and detector, ready to run.
struct Prepared {
    inputs: Vec<PathBuf>,
    source: Source,
    detector: Detector,
    plugin: PluginFacts,
}

/// Finds the files, loads the plugin, reads the first header: what can fail cheaply comes first.
fn prepare(config: &IngestConfig, progress: &Progress) -> Result<Prepared, Error> {
    let files = source::expand(&config.files)?;
    let sandbox = Sandbox::new(config.limits.clone(), config.demands.clone(), Cache::of_user())?;
    let plugin = detector::load(&sandbox, &detector::lookup(&config.plugin)?)?;
    let mut detector = Detector::start(&plugin)?;
    detector.configure(&config.settings)?;
    let read_bytes = Arc::new(AtomicU64::new(0));
    progress.start(files.size_bytes, read_bytes.clone());
    let inputs = files.files.clone();
    let source = Source::open(files, config.rules.clone(), &detector.metadata.attributes, read_bytes)?;
    let plugin = PluginFacts {
        name: detector.metadata.name.clone(),
        version: detector.metadata.version.clone(),
        sha256: plugin.sha256.to_string(),
        contract_version: plugin.contract_version,
        settings: config.settings.clone(),
    };
    Ok(Prepared { inputs, source, detector, plugin })
}

/// Starts the threads of the source and the detector; what they make comes out here.
fn start_stages(source: Source, detector: Detector) -> Receiver<Stage<Classified>> {
    let (batches_out, batches_in) = channel(WAITING_BATCHES);
    let (classified_out, classified_in) = channel(WAITING_BATCHES);
    thread::spawn(move || read(source, &batches_out));
    thread::spawn(move || classify(detector, batches_in, &classified_out));
    classified_in
}

/// Connects, sees to the tables, and begins.
async fn begin(target: &Target) -> Result<Transaction, SinkError> {
    let mut connection = sink::connect(target).await?;
    for migration in sink::migrate(&mut connection).await? {
        tracing::info!("applied migration {}, {}", migration.version, migration.name);
    }
    let id_type = sink::check_schema(&connection).await?;
    Transaction::begin(connection, id_type).await
}

/// The source's thread.
fn read(mut source: Source, out: &Sender<Stage<Parsed>>) {
    let mut times = Times::default();
    loop {
        let started = Instant::now();
        let parsed = source.next_part();
        times.read += started.elapsed();
        let message = match parsed {
            Ok(Some(parsed)) => Ok(Message::Rows(parsed)),
            Ok(None) => break,
            Err(error) => Err(error.into()),
        };
        let failed = message.is_err();
        // Nobody listens any more: a later stage failed, and tells of it itself.
        if out.blocking_send(message).is_err() || failed {
            return;
        }
    }
    let (files, tally) = source.finish();
    let _ = out.blocking_send(Ok(Message::End(Box::new(End {
        files,
        tally,
        times,
        guest: GuestUse::default(),
    }))));
}

/// The detector's thread.
fn classify(mut detector: Detector, mut parsed: Receiver<Stage<Parsed>>, out: &Sender<Stage<Classified>>) {
    let mut busy = Duration::ZERO;
    while let Some(message) = parsed.blocking_recv() {
        let started = Instant::now();
        let message = match message {
            Ok(Message::Rows(parsed)) => classify_part(&mut detector, parsed).map(Message::Rows),
            Ok(Message::End(end)) => detector.finish().map_err(Error::from).map(|()| {
                let times = Times { classify: busy, ..end.times };
                Message::End(Box::new(End { times, guest: guest_use(&detector), ..*end }))
            }),
            Err(error) => Err(error),
        };
        busy += started.elapsed();
        let done = !matches!(message, Ok(Message::Rows(_)));
        if out.blocking_send(message).is_err() || done {
            return;
        }
    }
}

/// A detector is never called with a batch without rows.
fn classify_part(detector: &mut Detector, Parsed { batch, rejected }: Parsed) -> Result<Classified, Error> {
    let anomalies = if batch.is_empty() { Vec::new() } else { detector.classify(&batch)? };
    Ok(Classified { batch, rejected, anomalies })
}

fn guest_use(detector: &Detector) -> GuestUse {
    GuestUse {
        memory_bytes: detector.peak_memory_bytes(),
        fuel: detector.used_fuel(),
        dropped_log_lines: detector.dropped_log_lines(),
    }
}

/// Writes what comes until the end of the last file. Where that fails, the file of rejected rows
/// keeps what came before.
async fn write(
    transaction: &mut Transaction,
    mut classified: Receiver<Stage<Classified>>,
    mut rejects_file: Option<RejectsFile>,
    progress: &Progress,
) -> Result<End, Error> {
    let mut busy = Duration::ZERO;
    while let Some(message) = classified.recv().await {
        match message? {
            Message::Rows(rows) => {
                if let Some(file) = &mut rejects_file {
                    file.write(transaction.run_id, &rows.rejected)?;
                }
                let started = Instant::now();
                transaction.write(&rows).await?;
                busy += started.elapsed();
                progress.rows(rows.batch.len() as u64);
            }
            Message::End(end) => {
                rejects_file.map_or(Ok(()), RejectsFile::finish)?;
                return Ok(End { times: Times { write: busy, ..end.times }, ..*end });
            }
        }
    }
    Err(STAGE_DIED)
}

const STAGE_DIED: Error = Error::Internal("a stage of the pipeline ended without saying so");

/// Rolls back; what is said of the database is what the server confirmed.
async fn roll_back(transaction: Transaction, error: Error) -> Failure {
    let confirmed = tokio::time::timeout(ROLLBACK_PATIENCE, transaction.roll_back()).await;
    let database = match confirmed {
        Ok(Ok(())) => DatabaseState::RolledBack,
        Ok(Err(_)) | Err(_) => DatabaseState::NeverCommitted,
    };
    Failure { error, database }
}
