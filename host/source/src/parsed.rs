//! What the reader makes of a stretch of a file.

use host_core::batch::Batch;
use host_core::rejected::RejectedRow;

/// The rows and the rejected records of a stretch of a file.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Empty if all records were rejected.
    pub batch: Batch,
    /// In file order.
    pub rejected: Vec<RejectedRow>,
}

impl Parsed {
    /// Its size in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        self.batch.size_bytes() + self.rejected.iter().map(RejectedRow::size_bytes).sum::<usize>()
    }
}
