//! What is in flight between the stages is bounded in bytes, however many rows a batch has, however
//! long they are, and however many detectors share the work.
//!
//! A part is admitted once it has been read, together with everything that the detector may add to it:
//! from then on nothing waits for room, so it reaches the sink whatever the others do. Only the source
//! waits, and only for parts that are already on their way to the sink. That is why nothing can
//! deadlock, and why even a part that is larger than the whole budget passes: alone.

use std::mem::size_of;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use host_core::anomaly::{Anomaly, Classified};
use host_core::batch::Batch;
use host_core::rejected::RejectedRow;
use host_detector::verify::MAX_REASON_BYTES;

/// Bytes that may be in flight.
const BUDGET_BYTES: usize = 12 * 1024 * 1024;
/// Parts that should be in flight besides those that are with a detector: one being written, one waiting
/// for the sink, and one waiting for a detector.
const OTHER_PARTS: usize = 3;
/// The most that a detector may say about a row.
const MAX_ANOMALY_BYTES: usize = size_of::<Anomaly>() + MAX_REASON_BYTES;
/// The columns of a row that every batch has.
const ROW_BYTES: usize = 5 * size_of::<i64>();

/// How many rows a part may have so that each of these detectors can have a part at the same time.
pub(super) fn rows_a_part(detectors: usize) -> usize {
    BUDGET_BYTES / (detectors + OTHER_PARTS) / (ROW_BYTES + MAX_ANOMALY_BYTES)
}

/// A budget of bytes, which are taken and given back.
#[derive(Default)]
pub(super) struct Budget {
    taken_bytes: Mutex<usize>,
    given_back: Condvar,
}

impl Budget {
    /// Waits until there is room for a batch, the records rejected with it, and everything that detectors may
    /// say about it; `copies` is how many times the rows exist in memory meanwhile.
    pub fn admit(self: &Arc<Budget>, batch: &Batch, rejected: &[RejectedRow], copies: usize) -> Reserved {
        let anomalies = batch.len() * MAX_ANOMALY_BYTES;
        self.reserve(copies * batch.size_bytes() + rejected_bytes(rejected) + anomalies)
    }

    fn reserve(self: &Arc<Budget>, bytes: usize) -> Reserved {
        let taken = self.taken_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.given_back.wait_while(taken, |taken| !has_room(*taken, bytes));
        *waited.unwrap_or_else(PoisonError::into_inner) += bytes;
        Reserved { budget: self.clone(), bytes }
    }
}

/// Whether there is room for this many more bytes. There always is if nothing is in flight.
fn has_room(taken_bytes: usize, bytes: usize) -> bool {
    taken_bytes == 0 || taken_bytes.saturating_add(bytes) <= BUDGET_BYTES
}

/// Room for a part, for as long as this value lives.
pub(crate) struct Reserved {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reserved {
    /// Splits off the room for everything that may be said about this many of the rows.
    pub(super) fn split_for_anomalies(&mut self, rows: usize) -> Reserved {
        let bytes = self.bytes.min(rows * MAX_ANOMALY_BYTES);
        self.bytes -= bytes;
        Reserved { budget: self.budget.clone(), bytes }
    }

    /// Makes the other's room part of this one.
    pub(super) fn take_over(&mut self, mut other: Reserved) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Keeps only what is needed once the detectors are done with this part.
    pub(super) fn keep_for(&mut self, part: &Classified) {
        let anomalies: usize = part.anomalies.iter().map(Anomaly::size_bytes).sum();
        self.keep(part.batch.size_bytes() + rejected_bytes(&part.rejected) + anomalies);
    }

    /// Gives back what is not needed beyond this.
    pub(super) fn keep(&mut self, bytes: usize) {
        self.give_back(self.bytes.saturating_sub(bytes));
    }

    fn give_back(&mut self, bytes: usize) {
        *self.budget.taken_bytes.lock().unwrap_or_else(PoisonError::into_inner) -= bytes;
        self.bytes -= bytes;
        self.budget.given_back.notify_all();
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

fn rejected_bytes(rejected: &[RejectedRow]) -> usize {
    rejected.iter().map(RejectedRow::size_bytes).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    fn taken(budget: &Budget) -> usize {
        *budget.taken_bytes.lock().unwrap()
    }

    #[test]
    fn a_part_that_is_larger_than_all_there_is_passes_alone() {
        assert!(has_room(0, usize::MAX) && has_room(1, BUDGET_BYTES - 1));
        assert!(!has_room(1, BUDGET_BYTES) && !has_room(3 * BUDGET_BYTES, 0));
        let budget = Arc::new(Budget::default());
        let large = budget.reserve(3 * BUDGET_BYTES);
        let other = budget.clone();
        let next = thread::spawn(move || other.reserve(1));
        drop(large);
        let next = next.join().unwrap();
        assert_eq!(taken(&budget), 1);
        drop(next);
        assert_eq!(taken(&budget), 0);
    }

    #[test]
    fn every_detector_can_have_a_part() {
        for detectors in 1..=64 {
            let rows = rows_a_part(detectors);
            assert!(rows > 150, "{detectors}");
            assert!((detectors + OTHER_PARTS) * rows * (ROW_BYTES + MAX_ANOMALY_BYTES) <= BUDGET_BYTES);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Parts pass through stages that hold several at a time; some of them shrink on the way.
        #[test]
        fn whatever_the_sizes_all_parts_come_through(
            sizes in prop::collection::vec(0_usize..2 * BUDGET_BYTES, 0..50),
            waiting in 0_usize..5,
        ) {
            let budget = Arc::new(Budget::default());
            let largest = sizes.iter().copied().max().unwrap_or_default();
            let (parts_out, parts_in) = sync_channel::<Reserved>(waiting);
            let (judged_out, judged_in) = sync_channel::<Reserved>(waiting);
            let source = budget.clone();
            let given = sizes.clone();
            thread::spawn(move || {
                given.iter().for_each(|&bytes| parts_out.send(source.reserve(bytes)).unwrap());
            });
            thread::spawn(move || {
                for mut part in parts_in {
                    let unused = part.bytes / 2;
                    part.give_back(unused);
                    judged_out.send(part).unwrap();
                }
            });
            let mut seen = Vec::new();
            for part in judged_in {
                prop_assert!(taken(&budget) <= largest.max(BUDGET_BYTES));
                seen.push(part.bytes);
            }
            prop_assert_eq!(seen, sizes.iter().map(|bytes| bytes - bytes / 2).collect::<Vec<_>>());
            prop_assert_eq!(taken(&budget), 0);
        }
    }
}
