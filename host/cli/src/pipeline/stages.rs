//! The stages before the sink, each on a thread of its own, and what comes out of them.
//!
//! ```text
//! source ──┬── rejected rows, and who judges a batch ──→ sink
//!          └─→ worker (one detector each) ── anomalies ──↗
//! ```
//!
//! The source deals out the rows of a batch to the [`workers`], and tells the sink whose answers to wait
//! for. So whatever the workers do, the sink gets everything in the order of the files, and rejected records
//! never pass through a detector. All channels are bounded in messages; the [`Budget`] bounds how large
//! these may be together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use host_core::anomaly::Classified;
use host_core::batch::Batch;
use host_core::rejected::RejectedRow;
use host_core::state::State;
use host_core::text::{counted, printable};
use host_core::threads::{self, ThreadError};
use host_detector::Detector;
use host_source::{NumbersOfUsers, Parsed, Source};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use super::budget::{Budget, Reserved};
use super::message::{End, GuestUse, Message, Question, STAGE_DIED, Times};
use super::workers::{self, Answers, Ending, Last, Lessons, Workers};
use crate::error::Error;

/// Batches that may wait for the sink: enough to smooth out hiccups.
const WAITING_BATCHES: usize = 4;

/// What the sink has to wait for.
enum Ticket {
    Rows {
        /// The rows; empty if they went to a worker as a whole.
        batch: Batch,
        /// Rejected records between them.
        rejected: Vec<RejectedRow>,
        /// The workers that have rows of the batch.
        workers: Vec<usize>,
        reserved: Reserved,
    },
    /// Users whose numbers the source wants to know.
    Users(Question),
    End(End),
}

/// What becomes of what the detector has learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    /// It is forgotten.
    Dropped,
    /// Whoever takes the messages is given it: see [`Message::State`].
    Sink,
    /// The detectors keep it, and are given back with [`Message::End`]: more rows will come.
    Kept,
}

/// The sink's end of the stages.
pub(crate) struct Stages {
    tickets: Receiver<Result<Ticket, Error>>,
    answers: Answers,
    /// What the detectors have learned, in any order; closed once all have passed it on.
    lessons: Option<Receiver<State>>,
    /// What comes after that.
    end: Option<End>,
    /// Batches that are not needed any more, for the source to fill again.
    spent: Sender<Batch>,
}

impl Stages {
    /// Starts the threads; all detectors are of the same plugin, with the same settings. If a thread cannot
    /// be started, those already started end because their channels close.
    pub fn start(
        mut source: Source,
        detectors: Vec<Detector>,
        learned: Learned,
    ) -> Result<Stages, ThreadError> {
        let count = detectors.len();
        let (tickets_out, tickets) = channel(WAITING_BATCHES.max(2 * count));
        let (spent, spent_in) = channel(2 * WAITING_BATCHES);
        let questions = tickets_out.clone();
        source.number_users_by(Box::new(move |keys| ask(&questions, keys)));
        let (lessons, ending) = match learned {
            Learned::Dropped => (None, Ending::Finish),
            Learned::Kept => (None, Ending::GiveBack),
            Learned::Sink => {
                let (to, lessons) = channel(1);
                (Some(lessons), Ending::PassOn(Lessons::new(to)))
            }
        };
        let (workers, answers) = workers::start(detectors, ending)?;
        threads::spawn(move || read(source, workers, spent_in, &tickets_out))?;
        Ok(Stages { tickets, answers, lessons, end: None, spent })
    }

    /// The next message. There is none after [`Message::End`], or after an error.
    pub async fn next(&mut self) -> Result<Message, Error> {
        if let Some(end) = self.end.take() {
            return self.end(end).await;
        }
        match self.tickets.recv().await.ok_or(STAGE_DIED)?? {
            Ticket::Rows { batch, rejected, workers, mut reserved } => {
                let (batch, anomalies) = self.answers.gather(batch, &workers, &mut reserved).await?;
                let (first, last) = batch.line_span();
                tracing::debug!(
                    "judged lines {first} to {last} of `{}`: {}, {} of them anomalous, and {} rejected",
                    printable(&batch.file),
                    counted(batch.len() as u64, "row"),
                    anomalies.len(),
                    rejected.len()
                );
                let part = Classified { batch, rejected, anomalies };
                reserved.keep_for(&part);
                Ok(Message::Rows(part, reserved))
            }
            Ticket::Users(question) => Ok(Message::Users(question)),
            Ticket::End(end) => self.end(end).await,
        }
    }

    /// What comes after all rows.
    async fn end(&mut self, end: End) -> Result<Message, Error> {
        if let Some(lessons) = &mut self.lessons
            && let Some(part) = lessons.recv().await
        {
            self.end = Some(end);
            return Ok(Message::State(part));
        }
        // Whoever could not pass on everything says so here.
        let Last { guest, classify, detectors } = self.answers.last().await?;
        let times = Times { classify, ..end.times };
        Ok(Message::End(End { guest, times, detectors, ..end }))
    }

    /// Gives a batch back to the source.
    pub fn give_back(&self, batch: Batch) {
        // If there are enough of them, it is dropped.
        let _ = self.spent.try_send(batch);
    }
}

/// Asks the sink for users' numbers. It answers once it has written all rows that it was sent before; `None` if it is
/// gone.
fn ask(questions: &Sender<Result<Ticket, Error>>, keys: Vec<String>) -> Option<NumbersOfUsers> {
    let (answer, answered) = oneshot::channel();
    questions.blocking_send(Ok(Ticket::Users(Question { keys, answer }))).ok()?;
    Some(Box::new(move || answered.blocking_recv().ok()))
}

/// The source's thread. Ends early if nobody is listening any more: then a later stage has failed, and
/// reports that itself.
fn read(
    mut source: Source,
    mut workers: Workers,
    mut spent: Receiver<Batch>,
    tickets: &Sender<Result<Ticket, Error>>,
) {
    let budget = Arc::new(Budget::default());
    let mut busy = Duration::ZERO;
    loop {
        let started = Instant::now();
        let parsed = source.next_part(spent.try_recv().unwrap_or_default());
        busy += started.elapsed();
        let Parsed { batch, rejected } = match parsed {
            Ok(Some(parsed)) => parsed,
            Ok(None) => break,
            Err(error) => {
                let _ = tickets.blocking_send(Err(error.into()));
                return;
            }
        };
        let mut reserved = budget.admit(&batch, &rejected, workers.copies());
        let (batch, parts) = workers.deal(batch, &mut reserved);
        let who = parts.iter().map(|(worker, _)| *worker).collect();
        // First of all, so that the sink never waits for a batch that comes after it.
        let ticket = Ticket::Rows { batch, rejected, workers: who, reserved };
        if tickets.blocking_send(Ok(ticket)).is_err() || workers.send(parts).is_err() {
            return;
        }
    }
    let (files, tally, noticed) = source.finish();
    for file in &files {
        let (rows, rejected) = (counted(file.rows_read, "row"), file.rows_rejected);
        tracing::info!("read `{}`: {rows}, of which {rejected} rejected", printable(&file.name));
    }
    let times = Times { read: busy, ..Times::default() };
    if workers.finish().is_ok() {
        let (guest, detectors) = (GuestUse::default(), Vec::new());
        let end = End { files, tally, noticed, times, guest, detectors };
        let _ = tickets.blocking_send(Ok(Ticket::End(end)));
    }
}
