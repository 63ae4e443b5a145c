//! The stages before the sink: source and detector, made ready, and then each on a thread of its
//! own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use host_core::anomaly::Classified;
use host_core::batch::Batch;
use host_core::facts::FileFacts;
use host_core::text::{counted, path, printable};
use host_core::threads::{self, ThreadError, in_thread};
use host_detector::{Cache, Detector, Ordering, Plugin, Sandbox};
use host_sink::PluginFacts;
use host_source::{FileList, InputRules, Noticed, Parsed, Source, Tally};
use jiff::Timestamp;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::budget::{self, Budget, Reserved};
use super::shards;
use crate::config::IngestConfig;
use crate::error::Error;
use crate::plugins;
use crate::progress::Progress;
use crate::remarks;

/// Batches that may wait between two stages: enough to even out hiccups. How large they may be
/// together is for the [`Budget`].
const WAITING_BATCHES: usize = 4;

pub(crate) const STAGE_DIED: Error = Error::Internal("a stage of the pipeline ended without saying so");

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

impl GuestUse {
    /// That of two instances together.
    pub(super) fn and(self, other: GuestUse) -> GuestUse {
        GuestUse {
            memory_bytes: self.memory_bytes + other.memory_bytes,
            fuel: self.fuel.zip(other.fuel).map(|(one, other)| one + other).or(self.fuel).or(other.fuel),
            dropped_log_lines: self.dropped_log_lines + other.dropped_log_lines,
        }
    }
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
pub(crate) enum Message<T> {
    /// Rows, and the room that they have.
    Rows(T, Reserved),
    /// All files have been read to their end.
    End(Box<End>),
}

/// What the stages so far know at the end of the file.
pub(crate) struct End {
    pub files: Vec<FileFacts>,
    pub tally: Tally,
    pub noticed: Noticed,
    pub times: Times,
    pub guest: GuestUse,
}

pub(crate) type Stage<T> = Result<Message<T>, Error>;

/// Source and detector, ready to run.
pub(crate) struct Prepared {
    /// When that was asked for.
    pub started_at: Timestamp,
    pub list: FileList,
    pub source: Source,
    /// At least one; more where they can share the work.
    pub detectors: Vec<Detector>,
    pub plugin: PluginFacts,
    /// Whether its answers depend on the order of rows.
    pub minds_order: bool,
    pub plugin_file: PathBuf,
}

/// Finds the files, loads the plugin, reads the first header: what can fail cheaply comes first.
/// Compiling a plugin takes long, so it happens on a thread.
pub(crate) async fn prepare(config: &IngestConfig, progress: &Arc<Progress>) -> Result<Prepared, Error> {
    let (config, progress) = (config.clone(), progress.clone());
    in_thread(move || prepare_here(&config, &progress)).await?
}

/// In microseconds, as the ledger keeps it.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

fn prepare_here(config: &IngestConfig, progress: &Progress) -> Result<Prepared, Error> {
    let started_at = now();
    let mut list = host_source::expand(&config.files)?;
    if config.rules.strict_files {
        list = list.without_empty_files()?;
    }
    list.notes.iter().for_each(|note| remarks::note(&note.to_string()));
    let sandbox = Sandbox::new(config.limits.clone(), config.demands.clone(), Cache::of_user())?;
    let plugin_file = plugins::lookup(&config.plugin)?;
    let plugin = host_detector::load(&sandbox, &plugin_file)?;
    let mut detectors = vec![start(&plugin, config)?];
    let metadata = detectors[0].metadata.clone();
    if metadata.ordering == Ordering::File && config.jobs > 1 {
        tracing::warn!("`{}` judges a file as a whole, so it is one job", metadata.name);
    } else {
        for _ in 1..config.jobs {
            detectors.push(start(&plugin, config)?);
        }
    }
    let minds_order = metadata.ordering != Ordering::Any;
    tracing::info!(
        "started {} of `{}` {} from `{}`",
        counted(detectors.len() as u64, "instance"),
        metadata.name,
        metadata.version,
        path(&plugin_file)
    );
    let read_bytes = Arc::new(AtomicU64::new(0));
    progress.start(list.size_bytes, read_bytes.clone());
    let batch_rows = config.rules.batch_rows.min(budget::rows_a_part(detectors.len()));
    let rules = InputRules { batch_rows, ..config.rules.clone() };
    let source = Source::open(list.clone(), rules, &metadata.attributes, read_bytes)?;
    let plugin = PluginFacts {
        name: metadata.name,
        version: metadata.version,
        sha256: plugin.sha256.to_string(),
        contract_version: plugin.contract_version,
        settings: config.settings.iter().cloned().collect(),
    };
    Ok(Prepared { started_at, list, source, detectors, plugin, minds_order, plugin_file })
}

fn start(plugin: &Plugin, config: &IngestConfig) -> Result<Detector, Error> {
    let mut detector = Detector::start(plugin)?;
    detector.configure(&config.settings)?;
    Ok(detector)
}

/// The threads of the source and the detectors, from their end.
pub(crate) struct Stages {
    /// What they make.
    classified: Receiver<Stage<Classified>>,
    /// Batches that are not needed any more, for the source to fill again.
    spent: SyncSender<Batch>,
}

impl Stages {
    /// Starts the threads. Where one cannot be, those that were end as nobody speaks to them.
    pub fn start(mut source: Source, mut detectors: Vec<Detector>) -> Result<Stages, ThreadError> {
        let (batches_out, batches_in) = channel(WAITING_BATCHES);
        let (classified_out, classified) = channel(WAITING_BATCHES);
        let (spent, spent_in) = sync_channel(2 * WAITING_BATCHES);
        source.reuse(spent_in);
        let count = detectors.len();
        threads::spawn(move || read(source, count, &batches_out))?;
        match detectors.pop() {
            Some(detector) if detectors.is_empty() => {
                threads::spawn(move || classify(detector, batches_in, &classified_out))?;
            }
            Some(detector) => {
                detectors.push(detector);
                shards::start(detectors, batches_in, classified_out)?;
            }
            // Nobody will say anything, which is an error where it is waited for.
            None => {}
        }
        Ok(Stages { classified, spent })
    }

    /// The next message.
    pub async fn next(&mut self) -> Result<Message<Classified>, Error> {
        self.classified.recv().await.ok_or(STAGE_DIED)?
    }

    /// Gives a batch back.
    pub fn give_back(&self, batch: Batch) {
        // Where there are enough of them, it is dropped.
        let _ = self.spent.try_send(batch);
    }
}

/// The source's thread.
fn read(mut source: Source, detectors: usize, out: &Sender<Stage<Parsed>>) {
    let budget = Arc::new(Budget::default());
    let mut times = Times::default();
    loop {
        let started = Instant::now();
        let parsed = source.next_part();
        times.read += started.elapsed();
        let message = match parsed {
            Ok(Some(parsed)) => {
                let reserved = budget.admit(&parsed, detectors);
                Ok(Message::Rows(parsed, reserved))
            }
            Ok(None) => break,
            Err(error) => Err(error.into()),
        };
        let failed = message.is_err();
        // Nobody listens any more: a later stage failed, and tells of it itself.
        if out.blocking_send(message).is_err() || failed {
            return;
        }
    }
    let (files, tally, noticed) = source.finish();
    for file in &files {
        let (rows, rejected) = (counted(file.rows_read, "row"), file.rows_rejected);
        tracing::info!("read `{}`: {rows}, of which {rejected} rejected", printable(&file.name));
    }
    let _ = out.blocking_send(Ok(Message::End(Box::new(End {
        files,
        tally,
        noticed,
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
            Ok(Message::Rows(parsed, mut reserved)) => classify_part(&mut detector, parsed).map(|part| {
                reserved.keep_for(&part);
                Message::Rows(part, reserved)
            }),
            Ok(Message::End(end)) => detector.finish().map_err(Error::from).map(|()| {
                let times = Times { classify: busy, ..end.times };
                Message::End(Box::new(End { times, guest: guest_use(&detector), ..*end }))
            }),
            Err(error) => Err(error),
        };
        busy += started.elapsed();
        let done = !matches!(message, Ok(Message::Rows(..)));
        if out.blocking_send(message).is_err() || done {
            return;
        }
    }
}

/// A detector is never called with a batch without rows.
fn classify_part(detector: &mut Detector, Parsed { batch, rejected }: Parsed) -> Result<Classified, Error> {
    let anomalies = if batch.is_empty() { Vec::new() } else { detector.classify(&batch)? };
    let (first, last) = batch.line_span();
    tracing::debug!(
        "judged lines {first} to {last} of `{}`: {}, {} of them anomalous, and {} rejected",
        printable(&batch.file),
        counted(batch.len() as u64, "row"),
        anomalies.len(),
        rejected.len()
    );
    Ok(Classified { batch, rejected, anomalies })
}

pub(super) fn guest_use(detector: &Detector) -> GuestUse {
    GuestUse {
        memory_bytes: detector.peak_memory_bytes(),
        fuel: detector.used_fuel(),
        dropped_log_lines: detector.dropped_log_lines(),
    }
}
