//! What a replay found.

use std::fmt;

use host_core::text::printable;
use host_sink::{LedgerRun, Pruned};

use crate::error::VerifyError;

/// The result of comparing a replay with what is stored.
#[derive(Debug)]
pub struct Verified {
    /// What the ledger says.
    pub run: LedgerRun,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// How many there are in all.
    pub count: u64,
    /// Rows of the run that later runs have replaced: the run, and how many.
    pub replaced: Vec<(i64, u64)>,
    /// What `host prune` has removed of the run.
    pub pruned: Vec<Pruned>,
}

impl Verified {
    /// The error to report, if anything differs.
    #[must_use]
    pub fn differs(&self) -> Option<VerifyError> {
        let (run_id, count) = (self.run.record.run_id, self.count);
        (count > 0).then_some(VerifyError::Differs { run_id, count })
    }
}

/// A place where what is stored differs from what the replay gives.
#[derive(Debug)]
pub struct Difference {
    /// Where: file and line, or a table.
    pub(super) place: String,
    pub(super) what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", printable(&self.place), printable(&self.what))
    }
}
