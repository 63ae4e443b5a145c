//! The loop of a watch: look, ingest what is complete, move it away, wait.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use host_core::text::{counted, grouped, path, seconds};
use host_core::threads::in_thread;
use host_sink::InUse;
use tokio::time::timeout;

use super::config::WatchConfig;
use super::folder::{Folder, Place};
use super::hook;
use super::http;
use super::inbox::{Arrived, Complete, Inbox, Look, State};
use super::metrics::{Metrics, Trouble};
use super::notices::Notices;
use crate::error::{Error, Failure, WatchError};
use crate::interrupt::Interrupts;
use crate::pipeline::Ended;
use crate::progress::Progress;
use crate::report::{OneRun, Reporter, Totals, json, outcome};
use crate::{diagnostic, pipeline, remarks, report};

/// The first pause after something has failed that has to be waited for; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// An idle database is asked once in so many looks at the folder whether it is there,
const LOOKS_PER_QUESTION: u32 = 3;
/// and may take so long for its answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Watches until it is asked to end; what is being done then is done.
///
/// # Errors
/// If the folder cannot be watched, a file cannot be moved away, or the second request to end cuts off a run.
pub async fn watch(
    config: WatchConfig,
    reporter: &Reporter,
    interrupts: &mut Interrupts,
) -> Result<Totals, Failure> {
    tokio::select! {
        tried = pipeline::try_plugin(&config.run) => tried.map_err(Failure::without_rows)?,
        _ = interrupts.asked() => return Ok(Totals::default()),
    }
    let folder = Folder::open(&config.folder).map_err(Failure::without_rows)?;
    let metrics = Arc::new(Metrics::default());
    if let Some(address) = config.metrics {
        let address = http::serve(address, metrics.clone()).await.map_err(Failure::without_rows)?;
        remarks::note(&format!("metrics are at http://{address}/metrics"));
    }
    let notices = Notices::start(&config.folder, config.with_notices);
    remarks::note(&beginning(&config));
    let mut watcher = Watcher {
        inbox: Some(Inbox::new(&config.folder, config.complete)),
        folder,
        metrics,
        reporter,
        totals: Totals::default(),
        pause: Pause::default(),
        server: None,
        heard: Instant::now(),
        config,
    };
    while !interrupts.is_asked() {
        let longest = watcher.round(interrupts).await?;
        watcher.ask_database(interrupts).await;
        tokio::select! {
            () = notices.wait(longest) => {}
            _ = interrupts.asked() => {}
        }
    }
    Ok(watcher.totals)
}

fn beginning(config: &WatchConfig) -> String {
    let folder = path(&config.folder);
    match config.complete {
        Complete::Settled(settle) => {
            format!("watching `{folder}`; a file is taken when it has not changed for {}", seconds(settle))
        }
        Complete::Marked => format!("watching `{folder}`; a file NAME is taken when there is NAME.done"),
    }
}

struct Watcher<'a> {
    config: WatchConfig,
    folder: Folder,
    /// Lent to a thread while that looks, and lost if that hangs.
    inbox: Option<Inbox>,
    metrics: Arc<Metrics>,
    reporter: &'a Reporter,
    totals: Totals,
    pause: Pause,
    /// Keeps the embedded server running between runs.
    server: Option<InUse>,
    /// When the database was last heard of, or asked in vain.
    heard: Instant,
}

/// What became of a file.
enum Fate {
    /// It is not in the folder any more.
    Gone,
    /// It stays for the moment; others can be taken.
    Aside,
    /// It stays, and so do all others.
    Stays,
}

impl Watcher<'_> {
    /// Looks, and takes what is complete. Returns after how much time to look again, if nothing happens before.
    async fn round(&mut self, interrupts: &mut Interrupts) -> Result<Duration, Failure> {
        if self.metrics.has(Trouble::Folder) && !self.pause.is_over() {
            return Ok(self.pause.remaining());
        }
        let Some(mut look) = self.look(interrupts).await else { return Ok(self.pause.remaining()) };
        if !self.pause.is_over() {
            return Ok(self.pause.remaining().min(self.config.look_every));
        }
        let started = Instant::now();
        let mut has_taken = false;
        for arrived in std::mem::take(&mut look.complete) {
            // Others may have arrived that come first.
            if interrupts.is_asked() || started.elapsed() >= self.config.look_every {
                return Ok(Duration::ZERO);
            }
            match self.take(&arrived, interrupts).await? {
                Fate::Gone => has_taken = true,
                Fate::Aside => look.next = Some(look.next.map_or(FIRST_PAUSE, |next| next.min(FIRST_PAUSE))),
                Fate::Stays => return Ok(self.pause.remaining().min(self.config.look_every)),
            }
        }
        let next = if has_taken { Duration::ZERO } else { look.next.unwrap_or(Duration::MAX) };
        Ok(next.min(self.config.look_every))
    }

    /// Looks into the folder; `None` if that is not possible, which is waited for. A network file system may take very
    /// long, so that is done on a thread.
    async fn look(&mut self, interrupts: &mut Interrupts) -> Option<Look> {
        let inbox = self.inbox.take();
        let mut inbox = inbox.unwrap_or_else(|| Inbox::new(&self.config.folder, self.config.complete));
        self.metrics.looks(Instant::now());
        let looking = in_thread(move || {
            let look = inbox.look(Instant::now());
            (inbox, look)
        });
        let look = tokio::select! {
            looked = looking => looked.map(|(inbox, look)| {
                self.inbox = Some(inbox);
                look
            }),
            _ = interrupts.asked() => return None,
        };
        match look.unwrap_or_else(|error| Err(error.into())) {
            Ok(look) => {
                self.metrics.looked(look.waiting, look.oldest);
                if self.metrics.is_right(Trouble::Folder) {
                    self.pause = Pause::default();
                }
                Some(look)
            }
            Err(source) => {
                let folder = path(&self.config.folder);
                let reason = format!("`{folder}` cannot be listed: {source}");
                let pause = self.pause.longer();
                tracing::warn!("{reason}; trying again in {}", seconds(pause));
                self.metrics.is_wrong(Trouble::Folder, reason, Instant::now());
                None
            }
        }
    }

    /// Ingests a file, and deals with what comes of it.
    async fn take(&mut self, arrived: &Arrived, interrupts: &mut Interrupts) -> Result<Fate, Failure> {
        if State::now(&arrived.path).ok() != Some(arrived.state) {
            return Ok(Fate::Aside);
        }
        self.keep_server(interrupts).await;
        if interrupts.is_asked() {
            return Ok(Fate::Aside);
        }
        let started = Instant::now();
        self.config.run.ingest.files = vec![arrived.path.clone()];
        let progress = Arc::new(Progress::default());
        let ended = pipeline::run(&self.config.run, &progress, interrupts).await;
        progress.finish();
        match ended {
            Err(Failure { error: error @ Error::Interrupted(_), .. }) => {
                let name = path(&arrived.path);
                remarks::note(&format!("the run over `{name}` was cut off, and nothing of it was written"));
                Err(Failure::without_rows(error))
            }
            Err(failure) if !failure.is_due_to_files() => Ok(self.postpone(&arrived.path, &failure)),
            ended => {
                self.pause = Pause::default();
                self.metrics.is_right(Trouble::Runs);
                self.hears_of_database();
                self.metrics.ran(&ended, started.elapsed());
                self.totals.add(&ended);
                self.conclude(arrived, ended).await?;
                Ok(Fate::Gone)
            }
        }
    }

    /// While no files arrive, nobody would notice that the database is gone. Only for those who ask how the watch is
    /// doing, and not while a run is being tried again, which tells as much.
    async fn ask_database(&mut self, interrupts: &mut Interrupts) {
        let every = self.config.look_every * LOOKS_PER_QUESTION;
        let is_tried = !self.pause.is_over() || self.metrics.has(Trouble::Runs);
        if self.config.metrics.is_none() || is_tried || self.heard.elapsed() < every {
            return;
        }
        let target = &self.config.run.target;
        let reason = tokio::select! {
            answer = timeout(ANSWERS_WITHIN, host_sink::reach(target)) => match answer {
                Ok(Ok(())) => return self.hears_of_database(),
                Ok(Err(error)) => {
                    let error = Error::from(error);
                    [vec![error.to_string()], diagnostic::causes(&error)].concat().join(": ")
                }
                Err(_) => format!("the database has not answered for {}", seconds(ANSWERS_WITHIN)),
            },
            _ = interrupts.asked() => return,
        };
        if !self.metrics.has(Trouble::Database) {
            tracing::warn!("{reason}; nothing has to be written at the moment");
        }
        self.metrics.is_wrong(Trouble::Database, reason, Instant::now());
        self.heard = Instant::now();
    }

    fn hears_of_database(&mut self) {
        self.heard = Instant::now();
        if self.metrics.is_right(Trouble::Database) {
            tracing::warn!("the database answers again");
        }
    }

    /// The embedded server would otherwise be started and stopped for each run. If it cannot be started, the run says
    /// so.
    async fn keep_server(&mut self, interrupts: &mut Interrupts) {
        if self.server.is_none() {
            let target = self.config.run.target.clone();
            tokio::select! {
                started = in_thread(move || target.keep_running().ok().flatten()) => {
                    self.server = started.ok().flatten();
                }
                _ = interrupts.asked() => {}
            }
        }
    }

    /// The file stays: the failure is not due to what is in it.
    fn postpone(&mut self, file: &Path, failure: &Failure) -> Fate {
        self.metrics.postponed();
        let causes = diagnostic::causes(&failure.error).into_iter().map(|cause| format!(": {cause}"));
        let reason = format!("{}{}", failure.error, causes.collect::<String>());
        let pause = self.pause.longer();
        let name = path(file);
        tracing::warn!("`{name}` stays, and is tried again in {}: {reason}", seconds(pause));
        if matches!(failure.error, Error::Source(_)) {
            // That file cannot be read at the moment; others may.
            self.pause.end();
            if let Some(inbox) = &mut self.inbox {
                inbox.set_aside(file, Instant::now() + pause);
            }
            return Fate::Aside;
        }
        if let Some(help) = diagnostic::help(&failure.error) {
            tracing::info!("help: {help}");
        }
        self.metrics.is_wrong(Trouble::Runs, reason, Instant::now());
        Fate::Stays
    }

    /// The run is committed or refused: tells everybody, and moves the file away. Until it is moved, it would only be
    /// recognised again, or refused again.
    async fn conclude(&mut self, arrived: &Arrived, ended: Result<Ended, Failure>) -> Result<(), Failure> {
        match &ended {
            Ok(Ended::Committed(outcome)) => {
                report::notes::of_run(outcome).iter().for_each(|note| remarks::note(note));
            }
            Ok(Ended::AlreadyIngested { .. }) => {}
            Err(failure) => diagnostic::print_of(failure, &arrived.path),
        }
        let mut one = OneRun::new(&arrived.path, &ended, &self.config.run);
        let line = json::line(&one);
        self.hook(line.clone()).await;
        let moved = self.put(arrived, &ended, &line);
        one.moved_to =
            moved.as_ref().ok().and_then(Option::as_ref).map(|to| to.to_string_lossy().into_owned());
        let human = || sentence(&arrived.path, &ended, one.moved_to.as_deref());
        if let Err(error) = self.reporter.record(&one, human) {
            let causes = diagnostic::causes(&error).join(": ");
            tracing::warn!("{error} ({causes}): {}", human().trim_end());
        }
        moved.map(drop).map_err(Failure::without_rows)
    }

    async fn hook(&self, line: String) {
        let Some((program, longest)) = self.config.hook.clone() else { return };
        let name = path(&program);
        let done = in_thread(move || hook::run(&program, line, longest)).await;
        let done = done.map_err(|error| error.to_string()).flatten();
        if let Err(reason) = done {
            self.metrics.hook_failed();
            tracing::warn!("the hook `{name}` failed: {reason}");
        }
    }

    /// Moves the file to where it belongs; beside one that was refused, or was not complete after all, is the reason.
    fn put(
        &self,
        arrived: &Arrived,
        ended: &Result<Ended, Failure>,
        line: &str,
    ) -> Result<Option<PathBuf>, WatchError> {
        let file = &arrived.path;
        let state = State::now(file);
        if state.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            tracing::warn!("`{}` was removed by somebody else", path(file));
            return Ok(None);
        }
        let failed = |failure: &Failure, run_id, line: &str| {
            let text = diagnostic::render_of(failure, file);
            self.folder.put(file, Place::Failed, run_id, &[(".error.txt", &text), (".error.json", line)])
        };
        let moved = match ended {
            Ok(ended) if state.is_ok_and(|now| now == arrived.state) => {
                self.folder.put(file, Place::Done, Some(ended.run_id()), &[])
            }
            Ok(ended) => {
                let (run_id, bytes) = (ended.run_id(), arrived.state.bytes);
                let grown = Failure::without_rows(WatchError::Grown { file: file.clone(), run_id, bytes });
                diagnostic::print(&grown);
                failed(&grown, Some(run_id), &json::line(&json::error(&grown)))
            }
            Err(failure) => failed(failure, None, line),
        };
        moved.map(Some)
    }
}

/// What became of a file, for people.
fn sentence(file: &Path, ended: &Result<Ended, Failure>, moved_to: Option<&str>) -> String {
    let what = match ended {
        Ok(Ended::Committed(outcome)) => {
            let record = &outcome.committed.run.record;
            format!(
                "committed run {}: {}, {}, {} rejected",
                record.run_id,
                counted(record.rows_written, "row"),
                report::anomalies_of(record.anomalies),
                grouped(record.rows_rejected)
            )
        }
        Ok(ended) => format!("already ingested by run {}", ended.run_id()),
        Err(failure) => format!("{} ({})", outcome(ended), failure.error.kind()),
    };
    let moved = moved_to.map_or("not moved".into(), |to| format!("now `{}`", path(Path::new(to))));
    format!("{what}: `{}`, {moved}\n", path(file))
}

/// How long to wait after a failure that has nothing to do with a file.
#[derive(Default)]
struct Pause {
    until: Option<Instant>,
    last: Option<Duration>,
}

impl Pause {
    /// Begins a pause that is longer than the last one.
    fn longer(&mut self) -> Duration {
        let pause = self.last.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        *self = Pause { until: Some(Instant::now() + pause), last: Some(pause) };
        pause
    }

    /// Ends it; the next one is longer still.
    fn end(&mut self) {
        self.until = None;
    }

    fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    fn remaining(&self) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}
