//! What a detector says about rows, once it has been verified.

use crate::batch::Batch;
use crate::rejected::RejectedRow;

/// One row that the detector called anomalous, verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    /// Its index in the batch, from 0.
    pub row: u32,
    /// How anomalous, on the detector's own scale; finite.
    pub score: f64,
    /// Why: one line of printable text.
    pub reason: String,
}

impl Anomaly {
    /// Its size in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Anomaly>() + self.reason.len()
    }
}

/// A batch, what the detector said about it, and the invalid records between its rows.
#[derive(Debug)]
pub struct Classified {
    /// The rows; may be empty.
    pub batch: Batch,
    /// Records that could not be parsed into rows.
    pub rejected: Vec<RejectedRow>,
    /// The anomalies among them, verified: strictly increasing, in range, printable.
    pub anomalies: Vec<Anomaly>,
}
