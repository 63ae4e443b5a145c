//! The digest of a run's skipped rows. Whether one of them differed can only be known during the run:
//! the row with its id may legitimately change later. So `host verify` compares what is stored with what
//! the run wrote, not with the row that has the id now.

use host_core::batch::Batch;
use host_core::digest::{Sha256Builder, Sha256Digest};

/// Covers rows in file order, with everything that is stored about them except the file's name, which is
/// in `ingest_files`.
#[derive(Default)]
pub struct SkipDigest(Sha256Builder);

impl SkipDigest {
    /// Adds row `i` of a batch.
    pub(crate) fn add_row(&mut self, batch: &Batch, i: usize, differs: bool) {
        self.add([
            Some(i64::from(batch.file_position)),
            Some(batch.lines[i] as i64),
            Some(batch.transaction_ids[i]),
            Some(i64::from(differs)),
            Some(batch.user_ids[i]),
            Some(batch.amounts_cents[i]),
            Some(batch.timestamps_micros[i]),
        ]);
    }

    /// Adds everything that is stored about a row, in the order of its columns.
    pub(crate) fn add(&mut self, values: [Option<i64>; 7]) {
        for value in values {
            self.0.add(&[u8::from(value.is_some())]);
            self.0.add(&value.unwrap_or_default().to_be_bytes());
        }
    }

    /// The digest of all rows so far.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        self.0.digest()
    }
}
