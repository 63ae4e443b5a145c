//! The detectors, each on a thread of its own. With `--jobs` there are several instances of one plugin
//! side by side, as far as its `ordering` allows: with `any`, each batch goes to the next instance; with
//! `per-user`, each batch is split by user, so that all rows of a user go to one instance, in file order.
//! The results are the same, and in the same order, as with a single instance; so is what they have learned.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use host_core::anomaly::Anomaly;
use host_core::batch::Batch;
use host_core::state::State;
use host_core::threads::{self, ThreadError};
use host_detector::{Detector, DetectorError, Ordering};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::budget::Reserved;
use super::message::{GuestUse, STAGE_DIED};
use crate::error::Error;

/// Parts that may wait for a worker, and answers from it that may wait to be gathered.
const WAITING_PARTS: usize = 2;

/// What a worker is given.
enum Task {
    Classify(Box<Part>),
    Finish,
}

/// Rows for one worker.
pub(super) struct Part {
    batch: Batch,
    /// Their positions in the whole batch; `None` if they are all of it.
    rows: Option<Vec<u32>>,
    /// Room for everything that may be said about them.
    reserved: Reserved,
}

/// What a worker gives back.
enum Answer {
    Classified(Box<Part>, Vec<Anomaly>),
    Finished(GuestUse, Duration),
    /// It goes on.
    GivenBack(Box<Detector>),
}

/// What becomes of a detector after the last row.
#[derive(Clone)]
pub(super) enum Ending {
    Finish,
    /// The same, but first it passes on what it has learned.
    PassOn(Lessons),
    /// It is not told that there are no more rows: others will come.
    GiveBack,
}

/// What is known once all workers have ended.
#[derive(Default)]
pub(super) struct Last {
    pub guest: GuestUse,
    pub classify: Duration,
    /// Those that are given back.
    pub detectors: Vec<Detector>,
}

/// The source's end.
pub(super) struct Workers {
    tasks: Vec<Sender<Task>>,
    ordering: Ordering,
    /// Whose turn it is.
    next: usize,
}

/// The sink's end: what each worker answers, in the order of its tasks.
pub(super) struct Answers(Vec<Receiver<Result<Answer, Error>>>);

/// The error that nobody is listening any more.
pub(super) struct Gone;

/// Where a worker passes on what its detector has learned.
#[derive(Clone)]
pub(super) struct Lessons {
    to: Sender<State>,
    /// Whoever has it may have a part in memory.
    turn: Arc<Mutex<()>>,
}

impl Lessons {
    pub fn new(to: Sender<State>) -> Lessons {
        Lessons { to, turn: Arc::default() }
    }

    /// Passes on everything; less only if nobody is listening any more.
    fn pass_on(self, detector: &mut Detector) -> Result<(), DetectorError> {
        loop {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let part = detector.snapshot()?;
            if part.is_empty() || self.to.blocking_send(part).is_err() {
                return Ok(());
            }
        }
    }
}

/// Starts the threads.
pub(super) fn start(detectors: Vec<Detector>, ending: Ending) -> Result<(Workers, Answers), ThreadError> {
    let ordering = detectors.first().map_or(Ordering::File, |detector| detector.metadata.ordering);
    let (mut tasks, mut answers) = (Vec::new(), Vec::new());
    for detector in detectors {
        let (tasks_out, tasks_in) = channel(WAITING_PARTS);
        let (answers_out, answers_in) = channel(WAITING_PARTS);
        tasks.push(tasks_out);
        answers.push(answers_in);
        let ending = ending.clone();
        threads::spawn(move || work(detector, tasks_in, ending, &answers_out))?;
    }
    Ok((Workers { tasks, ordering, next: 0 }, Answers(answers)))
}

impl Workers {
    /// How many times a batch exists in memory while it is classified.
    pub fn copies(&self) -> usize {
        if self.parts_by_user() { 2 } else { 1 }
    }

    fn parts_by_user(&self) -> bool {
        self.ordering == Ordering::PerUser && self.tasks.len() > 1
    }

    /// Deals out a batch to the workers. Returns what the sink gets of it itself: nothing, if a single worker
    /// has all of it and gives it back. A detector is never called with a batch without rows.
    pub fn deal(&mut self, batch: Batch, reserved: &mut Reserved) -> (Batch, Vec<(usize, Part)>) {
        if batch.is_empty() {
            return (batch, Vec::new());
        }
        if !self.parts_by_user() {
            let worker = self.next;
            self.next = (self.next + 1) % self.tasks.len().max(1);
            let reserved = reserved.split_for_anomalies(batch.len());
            return (Batch::default(), vec![(worker, Part { batch, rows: None, reserved })]);
        }
        let parts = by_user(&batch, self.tasks.len()).into_iter().enumerate();
        let parts = parts.filter(|(_, rows)| !rows.is_empty()).map(|(worker, rows)| {
            let reserved = reserved.split_for_anomalies(rows.len());
            let part = batch.select(rows.iter().map(|&row| row as usize));
            (worker, Part { batch: part, rows: Some(rows), reserved })
        });
        let parts = parts.collect();
        (batch, parts)
    }

    /// Hands out what was dealt.
    pub fn send(&self, parts: Vec<(usize, Part)>) -> Result<(), Gone> {
        parts.into_iter().try_for_each(|(worker, part)| self.give(worker, Task::Classify(Box::new(part))))
    }

    /// Tells the workers that there are no more rows.
    pub fn finish(&self) -> Result<(), Gone> {
        (0..self.tasks.len()).try_for_each(|worker| self.give(worker, Task::Finish))
    }

    fn give(&self, worker: usize, task: Task) -> Result<(), Gone> {
        let tasks = self.tasks.get(worker).ok_or(Gone)?;
        tasks.blocking_send(task).map_err(|_| Gone)
    }
}

/// Has detectors take something before the first row, on a thread, while what comes after it is read. Returns them,
/// whether they took it, and what was read.
pub(super) async fn take_while<T>(
    mut detectors: Vec<Detector>,
    take: impl FnOnce(&mut [Detector]) -> Result<(), DetectorError> + Send + 'static,
    reading: impl Future<Output = T>,
) -> Result<(Vec<Detector>, Result<(), DetectorError>, T), ThreadError> {
    let taking = threads::in_thread(move || {
        let taken = take(&mut detectors);
        (detectors, taken)
    });
    let (back, read) = tokio::join!(taking, reading);
    let (detectors, taken) = back?;
    Ok((detectors, taken, read))
}

/// The rows of each worker's users.
pub(super) fn by_user(batch: &Batch, workers: usize) -> Vec<Vec<u32>> {
    let mut rows = vec![Vec::new(); workers];
    for (i, &user_id) in (0..).zip(&batch.user_ids) {
        rows[worker_of(user_id, workers)].push(i);
    }
    rows
}

/// What each worker is given of a state: what belongs to the users whose rows it will be given. What belongs to nobody
/// is for a single one.
pub(super) fn parts_of_state(state: State, workers: usize) -> Vec<State> {
    if workers == 1 {
        return vec![state];
    }
    let mut parts = vec![State::default(); workers];
    for entry in state.entries() {
        parts[entry.user_id.map_or(0, |user_id| worker_of(user_id, workers))].push(entry);
    }
    parts
}

/// The worker that has a user.
fn worker_of(user_id: i64, workers: usize) -> usize {
    // Fibonacci hashing: neighbouring ids go to different workers, and strides do no harm.
    let hash = (user_id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (hash % workers as u64) as usize
}

/// A worker's thread.
fn work(
    mut detector: Detector,
    mut tasks: Receiver<Task>,
    ending: Ending,
    answers: &Sender<Result<Answer, Error>>,
) {
    let mut busy = Duration::ZERO;
    while let Some(task) = tasks.blocking_recv() {
        let started = Instant::now();
        let answer = match task {
            Task::Classify(mut part) => detector.classify(&part.batch).map(|anomalies| {
                part.reserved.keep(anomalies.iter().map(Anomaly::size_bytes).sum());
                Answer::Classified(part, anomalies)
            }),
            Task::Finish => {
                let last = end(detector, ending, busy);
                // If nobody is listening, a later stage has failed, and says so.
                let _ = answers.blocking_send(last.map_err(Error::from));
                return;
            }
        };
        busy += started.elapsed();
        let has_failed = answer.is_err();
        if answers.blocking_send(answer.map_err(Error::from)).is_err() || has_failed {
            return;
        }
    }
}

/// What a detector is asked after its last row.
fn end(mut detector: Detector, ending: Ending, busy: Duration) -> Result<Answer, DetectorError> {
    match ending {
        Ending::GiveBack => return Ok(Answer::GivenBack(Box::new(detector))),
        Ending::PassOn(lessons) => lessons.pass_on(&mut detector)?,
        Ending::Finish => {}
    }
    detector.finish()?;
    Ok(Answer::Finished(GuestUse::of(&detector), busy))
}

impl Answers {
    /// Waits for what these workers say about a batch, and puts it together. The room reserved for their
    /// parts becomes part of the batch's.
    pub async fn gather(
        &mut self,
        mut whole: Batch,
        workers: &[usize],
        reserved: &mut Reserved,
    ) -> Result<(Batch, Vec<Anomaly>), Error> {
        let mut all = Vec::new();
        for &worker in workers {
            let Answer::Classified(part, anomalies) = self.next(worker).await? else {
                return Err(STAGE_DIED);
            };
            reserved.take_over(part.reserved);
            match part.rows {
                None => (whole, all) = (part.batch, anomalies),
                // The verified rows of a part are rows of it.
                Some(rows) => {
                    let in_whole = |anomaly: Anomaly| Anomaly { row: rows[anomaly.row as usize], ..anomaly };
                    all.extend(anomalies.into_iter().map(in_whole));
                }
            }
        }
        all.sort_by_key(|anomaly| anomaly.row);
        Ok((whole, all))
    }

    /// Waits until all have finished, and adds up what they used.
    pub async fn last(&mut self) -> Result<Last, Error> {
        let mut last = Last::default();
        for worker in 0..self.0.len() {
            match self.next(worker).await? {
                Answer::Finished(used, busy) => {
                    last.guest = last.guest.and(used);
                    last.classify += busy;
                }
                Answer::GivenBack(detector) => last.detectors.push(*detector),
                Answer::Classified(..) => return Err(STAGE_DIED),
            }
        }
        Ok(last)
    }

    async fn next(&mut self, worker: usize) -> Result<Answer, Error> {
        let answers = self.0.get_mut(worker).ok_or(STAGE_DIED)?;
        answers.recv().await.ok_or(STAGE_DIED)?
    }
}

#[cfg(test)]
mod tests {
    use host_core::state::Entry;
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

        /// What is known of a user goes to the worker that has the user's rows.
        #[test]
        fn a_state_goes_where_the_rows_go(users: std::collections::BTreeSet<i64>, workers in 1_usize..9) {
            let mut state = State::default();
            users.iter().for_each(|user_id| state.push(Entry {
                user_id: Some(*user_id),
                value: &user_id.to_be_bytes(),
            }));
            let user_ids: Vec<i64> = users.iter().copied().collect();
            let rows = by_user(&Batch { user_ids: user_ids.clone(), ..Batch::default() }, workers);
            let parts = parts_of_state(state, workers);
            prop_assert_eq!(parts.len(), workers);
            for (part, rows) in parts.iter().zip(rows) {
                let expected: Vec<i64> = rows.iter().map(|&row| user_ids[row as usize]).collect();
                prop_assert_eq!(&part.users, &expected);
                prop_assert!(part.entries().all(|entry| entry.value == entry.user_id.unwrap().to_be_bytes()));
            }
        }
    }
}
