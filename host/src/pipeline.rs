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

use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::batch::Batch;
use crate::config::RunConfig;
use crate::detector::{self, Cache, Detector, Sandbox};
use crate::error::{DatabaseState, Error, Failure};
use crate::progress::Progress;
use crate::sink::{self, Classified, Committed, PluginFacts, RunFacts, SinkError, Transaction};
use crate::source::{self, FileFacts, Source};

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
    /// The file has been read to its end.
    End(End),
}

/// What the stages so far know at the end of the file.
struct End {
    file: FileFacts,
    times: Times,
    guest: GuestUse,
}

type Stage<T> = Result<Message<T>, Error>;

/// Ingests one file. Ends with an [`Outcome`] only after the server acknowledged COMMIT.
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

    // What can fail cheaply comes first.
    let input = source::open(&config.file)?;
    progress.start(input.size_bytes, input.read_bytes.clone());
    let sandbox = Sandbox::new(config.limits.clone(), config.demands.clone(), Cache::of_user())?;
    let plugin = detector::load(&sandbox, &detector::lookup(&config.plugin)?)?;
    let mut detector = Detector::start(&plugin)?;
    detector.configure(&config.settings)?;
    let source = Source::new(input, &detector.metadata.attributes, config.batch_rows)?;
    let plugin = PluginFacts {
        name: detector.metadata.name.clone(),
        version: detector.metadata.version.clone(),
        sha256: plugin.sha256.to_string(),
        contract_version: plugin.contract_version,
        settings: config.settings.clone(),
    };
    let load = started.elapsed();

    let mut transaction = tokio::select! {
        transaction = begin(config) => transaction?,
        () = &mut interrupted => return Err(Error::Interrupted.into()),
    };
    let connect = started.elapsed() - load;
    let server = transaction.server().to_owned();

    let (batches_out, batches_in) = channel(WAITING_BATCHES);
    let (classified_out, classified_in) = channel(WAITING_BATCHES);
    thread::spawn(move || read(source, &batches_out));
    thread::spawn(move || classify(detector, batches_in, &classified_out));
    let written = tokio::select! {
        written = write(&mut transaction, classified_in, progress) => written,
        () = &mut interrupted => Err(Error::Interrupted),
    };
    let End { file, times, guest } = match written {
        Ok(end) => end,
        Err(error) => return Err(roll_back(transaction, error).await),
    };
    let facts = RunFacts { file, plugin, started_at };
    let recorded = match transaction.complete(&facts, 0).await {
        Ok(recorded) => recorded,
        Err(error) => return Err(roll_back(transaction, error.into()).await),
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
    Ok(Outcome { committed, facts, server, times, guest })
}

/// Connects, sees to the tables, and begins.
async fn begin(config: &RunConfig) -> Result<Transaction, SinkError> {
    let mut connection = sink::connect(&config.target).await?;
    for migration in sink::migrate(&mut connection).await? {
        tracing::info!("applied migration {}, {}", migration.version, migration.name);
    }
    let id_type = sink::check_schema(&connection).await?;
    Transaction::begin(connection, id_type).await
}

/// The source's thread.
fn read(mut source: Source, out: &Sender<Stage<Batch>>) {
    let mut times = Times::default();
    loop {
        let started = Instant::now();
        let batch = source.next_batch();
        times.read += started.elapsed();
        let message = match batch {
            Ok(Some(batch)) => Ok(Message::Rows(batch)),
            Ok(None) => break,
            Err(error) => Err(error.into()),
        };
        let failed = message.is_err();
        // Nobody listens any more: a later stage failed, and tells of it itself.
        if out.blocking_send(message).is_err() || failed {
            return;
        }
    }
    let end = source.finish().map(|file| Message::End(End { file, times, guest: GuestUse::default() }));
    let end = end.map_err(Error::from);
    let _ = out.blocking_send(end);
}

/// The detector's thread.
fn classify(mut detector: Detector, mut batches: Receiver<Stage<Batch>>, out: &Sender<Stage<Classified>>) {
    let mut busy = Duration::ZERO;
    while let Some(message) = batches.blocking_recv() {
        let started = Instant::now();
        let message = match message {
            Ok(Message::Rows(batch)) => detector
                .classify(&batch)
                .map(|anomalies| Message::Rows(Classified { batch, anomalies }))
                .map_err(Error::from),
            Ok(Message::End(end)) => detector
                .finish()
                .map(|()| {
                    let times = Times { classify: busy, ..end.times };
                    Message::End(End { times, guest: guest_use(&detector), ..end })
                })
                .map_err(Error::from),
            Err(error) => Err(error),
        };
        busy += started.elapsed();
        let done = !matches!(message, Ok(Message::Rows(_)));
        if out.blocking_send(message).is_err() || done {
            break;
        }
    }
}

fn guest_use(detector: &Detector) -> GuestUse {
    GuestUse {
        memory_bytes: detector.peak_memory_bytes(),
        fuel: detector.used_fuel(),
        dropped_log_lines: detector.dropped_log_lines(),
    }
}

/// Writes what comes until the end of the file.
async fn write(
    transaction: &mut Transaction,
    mut classified: Receiver<Stage<Classified>>,
    progress: &Progress,
) -> Result<End, Error> {
    let mut busy = Duration::ZERO;
    while let Some(message) = classified.recv().await {
        match message? {
            Message::Rows(rows) => {
                let started = Instant::now();
                transaction.write(&rows).await?;
                busy += started.elapsed();
                progress.rows(rows.batch.len() as u64);
            }
            Message::End(end) => return Ok(End { times: Times { write: busy, ..end.times }, ..end }),
        }
    }
    Err(Error::Internal("a stage of the pipeline ended without saying so"))
}

/// Rolls back; what is said of the database is what the server confirmed.
async fn roll_back(transaction: Transaction, error: Error) -> Failure {
    let confirmed = tokio::time::timeout(ROLLBACK_PATIENCE, transaction.roll_back()).await;
    let database = match confirmed {
        Ok(Ok(())) => DatabaseState::RolledBack,
        Ok(Err(_)) | Err(_) => DatabaseState::NeverCommitted,
    };
    Failure { error, database }
}
