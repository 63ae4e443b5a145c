//! What the stages say to each other, and what is known when they have finished.

use std::time::Duration;

use host_core::anomaly::Classified;
use host_core::facts::FileFacts;
use host_core::state::State;
use host_detector::Detector;
use host_source::{Noticed, Tally};
use tokio::sync::oneshot;

use super::budget::Reserved;
use crate::error::Error;

/// The error if a channel closes before its last message.
pub(super) const STAGE_DIED: Error = Error::Internal("a stage of the pipeline ended without saying so");

/// What the sink receives, in the order of the files.
pub(crate) enum Message {
    /// Rows, and the budget reserved for them.
    Rows(Classified, Reserved),
    /// A question, if it was asked for; soon after, nothing comes before it is answered.
    Users(Question),
    /// A part of what the detector has learned, if it was asked for; after all rows.
    State(State),
    /// All files have been read to their end.
    End(End),
}

/// Which numbers do the users with these ids have?
pub(crate) struct Question {
    /// All different, in the order in which they appear.
    pub keys: Vec<String>,
    pub(super) answer: oneshot::Sender<Vec<i64>>,
}

impl Question {
    /// Answers it, in the order of the keys.
    pub fn answer(self, numbers: Vec<i64>) {
        // If the source is gone, it has said why.
        let _ = self.answer.send(numbers);
    }
}

/// What the stages before the sink know at the end of the last file.
pub(crate) struct End {
    pub files: Vec<FileFacts>,
    pub tally: Tally,
    pub noticed: Noticed,
    pub times: Times,
    pub guest: GuestUse,
    /// The detectors, if they are kept for more rows.
    pub detectors: Vec<Detector>,
}

/// Where the time of a run went. The stages overlap, so their times do not add up to the total.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Loading and starting the plugin.
    pub load: Duration,
    /// Connecting, checking the tables, waiting for the lock.
    pub connect: Duration,
    /// Handing over what the detector has learned before, earlier files and feedback.
    pub restore: Duration,
    /// Reading and parsing.
    pub read: Duration,
    /// Time in the plugin.
    pub classify: Duration,
    /// Encoding, sending and waiting for the server.
    pub write: Duration,
    /// The COMMIT itself.
    pub commit: Duration,
    /// From start to end.
    pub total: Duration,
}

/// What the guest used of its limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuestUse {
    /// Its memories and tables at their largest.
    pub memory_bytes: usize,
    /// Fuel, if it is limited.
    pub fuel: Option<u64>,
    /// Lines of its log that were dropped because there were too many.
    pub dropped_log_lines: u64,
}

impl GuestUse {
    /// The use of one instance.
    pub(super) fn of(detector: &Detector) -> GuestUse {
        GuestUse {
            memory_bytes: detector.peak_memory_bytes(),
            fuel: detector.used_fuel(),
            dropped_log_lines: detector.dropped_log_lines(),
        }
    }

    /// The use of two instances together.
    pub(super) fn and(self, other: GuestUse) -> GuestUse {
        GuestUse {
            memory_bytes: self.memory_bytes + other.memory_bytes,
            fuel: self.fuel.zip(other.fuel).map(|(one, other)| one + other).or(self.fuel).or(other.fuel),
            dropped_log_lines: self.dropped_log_lines + other.dropped_log_lines,
        }
    }
}
