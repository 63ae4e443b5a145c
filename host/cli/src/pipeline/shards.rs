//! `--jobs`: several instances of one detector side by side, as far as its `ordering` allows. With
//! `any`, each batch goes to the next instance; with `per-user`, each batch is parted by users, so
//! that all rows of a user go to one instance, in file order. What comes out is the same, and in
//! the same order, as with a single instance.
//!
//! ```text
//!            ┌→ worker ─┐
//! dealer ────┼→ worker ─┼→ gatherer
//!    └── which workers have a part of the batch ──┘
//! ```

use std::time::{Duration, Instant};

use host_core::anomaly::{Anomaly, Classified};
use host_core::batch::Batch;
use host_core::rejected::RejectedRow;
use host_core::threads::{self, ThreadError};
use host_detector::{Detector, Ordering};
use host_source::Parsed;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::budget::Reserved;
use super::stages::{End, GuestUse, Message, STAGE_DIED, Stage, Times, guest_use};
use crate::error::Error;

/// Parts that may wait for a worker, and results of it that may wait to be gathered.
const WAITING_PARTS: usize = 2;

/// What a worker is given.
enum Task {
    Classify(Part),
    Finish,
}

/// Rows for one instance.
struct Part {
    batch: Batch,
    /// Where they are in the whole batch; none where they are all of it.
    rows: Option<Vec<u32>>,
}

/// What a worker gives back.
enum Done {
    Classified(Part, Vec<Anomaly>),
    Finished(GuestUse, Duration),
}

/// What the gatherer has to wait for.
enum Ticket {
    Rows {
        /// Empty where it went to a worker as a whole.
        batch: Batch,
        rejected: Vec<RejectedRow>,
        workers: Vec<usize>,
        reserved: Reserved,
    },
    End(Box<End>),
    Failed(Error),
}

/// Starts the threads; at least two detectors, all of the same plugin and settings.
pub(super) fn start(
    detectors: Vec<Detector>,
    parsed: Receiver<Stage<Parsed>>,
    out: Sender<Stage<Classified>>,
) -> Result<(), ThreadError> {
    let ordering = detectors[0].metadata.ordering;
    let (tickets_out, tickets_in) = channel(2 * WAITING_PARTS * detectors.len());
    let (mut tasks, mut results) = (Vec::new(), Vec::new());
    for detector in detectors {
        let (tasks_out, tasks_in) = channel(WAITING_PARTS);
        let (results_out, results_in) = channel(WAITING_PARTS);
        tasks.push(tasks_out);
        results.push(results_in);
        threads::spawn(move || work(detector, tasks_in, &results_out))?;
    }
    threads::spawn(move || deal(ordering, parsed, &tasks, &tickets_out))?;
    threads::spawn(move || gather(tickets_in, results, &out))
}

/// The dealer's thread. Ends early where nobody listens any more: a later stage failed, and tells
/// of it itself.
fn deal(
    ordering: Ordering,
    mut parsed: Receiver<Stage<Parsed>>,
    tasks: &[Sender<Task>],
    tickets: &Sender<Ticket>,
) {
    let mut next = 0;
    while let Some(message) = parsed.blocking_recv() {
        let (ticket, parts) = match message {
            Ok(Message::Rows(parsed, reserved)) => part(ordering, parsed, reserved, tasks.len(), &mut next),
            Ok(Message::End(end)) => (Ticket::End(end), Vec::new()),
            Err(error) => (Ticket::Failed(error), Vec::new()),
        };
        let is_last = !matches!(ticket, Ticket::Rows { .. });
        if matches!(ticket, Ticket::End(_))
            && tasks.iter().any(|worker| worker.blocking_send(Task::Finish).is_err())
        {
            return;
        }
        if tickets.blocking_send(ticket).is_err() || is_last {
            return;
        }
        for (worker, part) in parts {
            if tasks[worker].blocking_send(Task::Classify(part)).is_err() {
                return;
            }
        }
    }
}

/// Parts a batch among the workers; `next` is whose turn it is.
fn part(
    ordering: Ordering,
    Parsed { batch, rejected }: Parsed,
    reserved: Reserved,
    workers: usize,
    next: &mut usize,
) -> (Ticket, Vec<(usize, Part)>) {
    if ordering == Ordering::PerUser {
        let parts: Vec<_> = by_user(&batch, workers)
            .into_iter()
            .enumerate()
            .filter(|(_, rows)| !rows.is_empty())
            .map(|(worker, rows)| {
                (worker, Part { batch: batch.select(rows.iter().map(|&row| row as usize)), rows: Some(rows) })
            })
            .collect();
        let workers = parts.iter().map(|(worker, _)| *worker).collect();
        return (Ticket::Rows { batch, rejected, workers, reserved }, parts);
    }
    if batch.is_empty() {
        return (Ticket::Rows { batch, rejected, workers: Vec::new(), reserved }, Vec::new());
    }
    let worker = *next;
    *next = (*next + 1) % workers;
    let ticket = Ticket::Rows { batch: Batch::default(), rejected, workers: vec![worker], reserved };
    (ticket, vec![(worker, Part { batch, rows: None })])
}

/// The rows of each worker's users.
fn by_user(batch: &Batch, workers: usize) -> Vec<Vec<u32>> {
    let mut rows = vec![Vec::new(); workers];
    for (i, &user_id) in (0..).zip(&batch.user_ids) {
        // Fibonacci hashing: neighbouring ids go to different workers, and strides do no harm.
        let hash = (user_id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        rows[(hash % workers as u64) as usize].push(i);
    }
    rows
}

/// A worker's thread.
fn work(mut detector: Detector, mut tasks: Receiver<Task>, results: &Sender<Result<Done, Error>>) {
    let mut busy = Duration::ZERO;
    while let Some(task) = tasks.blocking_recv() {
        let started = Instant::now();
        let done = match task {
            Task::Classify(part) => {
                detector.classify(&part.batch).map(|anomalies| Done::Classified(part, anomalies))
            }
            Task::Finish => detector.finish().map(|()| Done::Finished(guest_use(&detector), busy)),
        };
        busy += started.elapsed();
        let failed = done.is_err();
        if results.blocking_send(done.map_err(Error::from)).is_err() || failed {
            return;
        }
    }
}

/// The gatherer's thread.
fn gather(
    mut tickets: Receiver<Ticket>,
    mut results: Vec<Receiver<Result<Done, Error>>>,
    out: &Sender<Stage<Classified>>,
) {
    while let Some(ticket) = tickets.blocking_recv() {
        let message = match ticket {
            Ticket::Rows { batch, rejected, workers, mut reserved } => {
                merge(batch, rejected, &workers, &mut results).map(|part| {
                    reserved.keep_for(&part);
                    Message::Rows(part, reserved)
                })
            }
            Ticket::End(end) => last_words(*end, &mut results).map(|end| Message::End(Box::new(end))),
            Ticket::Failed(error) => Err(error),
        };
        let is_last = !matches!(message, Ok(Message::Rows(..)));
        if out.blocking_send(message).is_err() || is_last {
            return;
        }
    }
}

/// Waits for the parts of a batch, and puts them together.
fn merge(
    mut whole: Batch,
    rejected: Vec<RejectedRow>,
    workers: &[usize],
    results: &mut [Receiver<Result<Done, Error>>],
) -> Result<Classified, Error> {
    let mut all = Vec::new();
    for &worker in workers {
        let Done::Classified(part, anomalies) = results[worker].blocking_recv().ok_or(STAGE_DIED)?? else {
            return Err(STAGE_DIED);
        };
        match part.rows {
            None => (whole, all) = (part.batch, anomalies),
            // The verified rows of a part are rows of it.
            Some(rows) => all.extend(
                anomalies.into_iter().map(|anomaly| Anomaly { row: rows[anomaly.row as usize], ..anomaly }),
            ),
        }
    }
    all.sort_by_key(|anomaly| anomaly.row);
    Ok(Classified { batch: whole, rejected, anomalies: all })
}

/// Waits until all have finished, and adds up what they used.
fn last_words(end: End, results: &mut [Receiver<Result<Done, Error>>]) -> Result<End, Error> {
    let (mut guest, mut classify) = (GuestUse::default(), Duration::ZERO);
    for worker in results {
        let Done::Finished(used, busy) = worker.blocking_recv().ok_or(STAGE_DIED)?? else {
            return Err(STAGE_DIED);
        };
        guest = guest.and(used);
        classify += busy;
    }
    Ok(End { guest, times: Times { classify, ..end.times }, ..end })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every row goes to one worker, and all rows of a user to the same.
        #[test]
        fn users_are_not_torn_apart(user_ids: Vec<i32>, workers in 1_usize..9) {
            let user_ids: Vec<i64> = user_ids.into_iter().map(i64::from).collect();
            let batch = Batch { user_ids: user_ids.clone(), ..Batch::default() };
            let parts = by_user(&batch, workers);
            let mut all: Vec<u32> = parts.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..user_ids.len() as u32).collect::<Vec<_>>());
            for user in &user_ids {
                let has_user = |rows: &&Vec<u32>| rows.iter().any(|&row| user_ids[row as usize] == *user);
                prop_assert_eq!(parts.iter().filter(has_user).count(), 1);
            }
            prop_assert!(parts.iter().all(|rows| rows.is_sorted()));
        }
    }
}
