//! What is stored about a run besides its transactions, in file order and a few rows at a time. The
//! replay comes in the same order, so a missing row does not make the others differ.

use std::collections::VecDeque;

use host_sink::{Cursor, RowOfRun, SinkError, Snapshot, StoredReject, StoredSkip};

/// The file's position in the run and the line, both from 1.
pub(super) type Place = (i32, i64);

/// A row that knows where it came from.
pub(super) trait Placed {
    fn place(&self) -> Place;
    /// The file's name.
    fn file(&self) -> &str;
}

impl Placed for StoredReject {
    fn place(&self) -> Place {
        (self.position, self.line)
    }

    fn file(&self) -> &str {
        &self.file
    }
}

impl Placed for StoredSkip {
    fn place(&self) -> Place {
        (self.position, self.line)
    }

    fn file(&self) -> &str {
        &self.file
    }
}

/// Rows of one table, starting with the first.
pub(super) struct Stream<T> {
    cursor: Cursor<T>,
    fetched: VecDeque<T>,
    /// How many have not been fetched yet.
    pub rows: u64,
}

impl<T: RowOfRun + Placed> Stream<T> {
    /// Opens the rows of this run.
    pub async fn open(snapshot: &Snapshot, run_id: i64) -> Result<Stream<T>, SinkError> {
        let rows = snapshot.count::<T>(run_id).await?;
        let cursor = snapshot.open(run_id).await?;
        Ok(Stream { cursor, fetched: VecDeque::new(), rows })
    }

    /// The next row, if its place is wanted.
    pub async fn next_if(
        &mut self,
        snapshot: &Snapshot,
        is_wanted: impl Fn(Place) -> bool,
    ) -> Result<Option<T>, SinkError> {
        if self.fetched.is_empty() && self.rows > 0 {
            self.fetched = snapshot.next(&self.cursor).await?.into();
            self.rows = self.rows.saturating_sub(self.fetched.len() as u64);
        }
        Ok(self.fetched.pop_front_if(|row| is_wanted(row.place())))
    }
}
