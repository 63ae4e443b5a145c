//! Where the rows of the current COPY came from: the server identifies a row that it refuses by its
//! position in the COPY, but people need its file and line. Most rows are on consecutive lines, so a
//! whole stretch of them takes no more memory than one row.

use std::sync::Arc;

use host_core::batch::{Batch, RowPlace};

/// The places of a COPY's tuples.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The files so far, by their positions in the run; names may occur twice.
    files: Vec<(i32, Arc<str>)>,
    /// Ordered by their first tuples.
    stretches: Vec<Stretch>,
    tuples: usize,
    /// The line that the next row is on if it belongs to the last stretch.
    next_line: u64,
}

/// Rows of one file on consecutive lines.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first_tuple: usize,
    first_line: u64,
    /// In [`Places::files`].
    file: usize,
}

impl Places {
    /// Starts over for a new COPY.
    pub fn clear(&mut self) {
        self.files.clear();
        self.stretches.clear();
        self.tuples = 0;
    }

    /// Adds row `i` of a batch as the next tuple; returns its position in the COPY, from 0.
    pub fn push(&mut self, batch: &Batch, i: usize) -> usize {
        let (tuple, line) = (self.tuples, batch.lines[i]);
        let is_same_file = self.files.last().is_some_and(|(position, _)| *position == batch.file_position);
        if !is_same_file {
            self.files.push((batch.file_position, batch.file.clone()));
        }
        if !is_same_file || line != self.next_line {
            self.stretches.push(Stretch { first_tuple: tuple, first_line: line, file: self.files.len() - 1 });
        }
        self.next_line = line + 1;
        self.tuples += 1;
        tuple
    }

    /// The place of a tuple, from 0; `None` if there is no such tuple.
    pub fn of_tuple(&self, tuple: usize) -> Option<RowPlace> {
        if tuple >= self.tuples {
            return None;
        }
        let next = self.stretches.partition_point(|stretch| stretch.first_tuple <= tuple);
        let stretch = self.stretches.get(next.checked_sub(1)?)?;
        let (_, file) = self.files.get(stretch.file)?;
        let line = stretch.first_line + (tuple - stretch.first_tuple) as u64;
        Some(RowPlace { file: file.clone(), line })
    }

    /// Its size in memory.
    pub fn size_bytes(&self) -> usize {
        size_of_val(&*self.files) + size_of_val(&*self.stretches)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Files, given as the distances from each row to the next, in lines.
    fn files() -> impl Strategy<Value = Vec<Vec<u64>>> {
        prop::collection::vec(prop::collection::vec(prop_oneof![4 => Just(1), 1 => 2_u64..5], 0..40), 0..5)
    }

    proptest! {
        /// Whatever lies between the rows, and however they are cut into batches.
        #[test]
        fn every_tuple_is_where_its_row_was(files in files(), batch_rows in 1_usize..9) {
            let (mut places, mut expected) = (Places::default(), Vec::new());
            for (position, steps) in (1..).zip(&files) {
                // Names may be the same; files are distinguished by their positions.
                let file: Arc<str> = format!("{}.csv", position / 2).into();
                let lines: Vec<u64> = steps.iter().scan(1, |line, step| {
                    *line += step;
                    Some(*line)
                }).collect();
                for lines in lines.chunks(batch_rows) {
                    let (file, lines) = (file.clone(), lines.to_vec());
                    let batch = Batch { file, file_position: position, lines, ..Batch::default() };
                    for i in 0..batch.len() {
                        prop_assert_eq!(places.push(&batch, i), expected.len());
                        expected.push(batch.place(i));
                    }
                }
            }
            for (tuple, place) in expected.iter().enumerate() {
                let found = places.of_tuple(tuple);
                prop_assert_eq!(found.as_ref(), Some(place));
            }
            prop_assert_eq!(places.of_tuple(expected.len()), None);
        }
    }

    #[test]
    fn consecutive_lines_take_no_memory() {
        let batch = Batch { lines: (2..100_002).collect(), ..Batch::default() };
        let mut places = Places::default();
        assert!((0..batch.len()).all(|i| places.push(&batch, i) == i));
        assert!(places.size_bytes() < 100);
        assert_eq!(places.of_tuple(99_999).map(|place| place.line), Some(100_001));
        places.clear();
        assert_eq!(places.of_tuple(0), None);
    }
}
