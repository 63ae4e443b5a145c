//! Rows to try a plugin on: generated ones, which are always the same, or an author's own from a file.

mod generated;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use host_core::batch::{Batch, Row};
use host_core::column::{Column, ColumnRequest};
use host_source::{InputRules, Source};

pub use self::generated::{extremes, generated};
use crate::error::{Error, ToolsError};

/// As many as the host ever passes at a time.
pub const MAX_BATCH_ROWS: usize = 65_536;

/// The first rows of a file, at most [`MAX_BATCH_ROWS`].
///
/// # Errors
/// If the file cannot be read, has an invalid record, or has no rows.
pub fn read(file: &Path, rules: &InputRules, columns: &[ColumnRequest]) -> Result<Batch, Error> {
    let rows = read_all(file, rules, columns, Some(MAX_BATCH_ROWS))?;
    if rows.is_empty() { Err(ToolsError::NoRows(file.to_owned()).into()) } else { Ok(rows) }
}

/// The rows of a file, at most this many.
///
/// # Errors
/// If the file cannot be read or has an invalid record.
pub fn read_all(
    file: &Path,
    rules: &InputRules,
    columns: &[ColumnRequest],
    max_rows: Option<usize>,
) -> Result<Batch, Error> {
    let files = host_source::expand(&[file.to_owned()])?;
    let rules = InputRules { batch_rows: max_rows.unwrap_or(MAX_BATCH_ROWS), ..rules.clone() };
    let mut source = Source::open(files, rules, columns, Arc::new(AtomicU64::new(0)))?;
    let mut rows = Batch::new(columns);
    while let Some(part) = source.next_part(Batch::default())? {
        let left = max_rows.map_or(part.batch.len(), |max_rows| max_rows - rows.len());
        append(&mut rows, &part.batch, 0..part.batch.len().min(left));
        if Some(rows.len()) == max_rows {
            break;
        }
    }
    Ok(rows)
}

/// These rows of a batch, as a batch.
#[must_use]
pub fn select(rows: &Batch, indices: &[usize], first_row: u64) -> Batch {
    Batch { first_row, ..rows.select(indices.iter().copied()) }
}

/// An endless file: the same rows again and again, each time later.
pub struct Endless<'a> {
    rows: &'a Batch,
    /// From one time to the next.
    cycle_micros: i64,
}

impl Endless<'_> {
    /// Made of at least one row.
    #[must_use]
    pub fn new(rows: &Batch) -> Endless<'_> {
        let (first, last) = (rows.timestamps_micros.iter().min(), rows.timestamps_micros.iter().max());
        Endless { rows, cycle_micros: last.zip(first).map_or(0, |(last, first)| last - first) + 1_000_000 }
    }

    /// These rows of it.
    #[must_use]
    pub fn batch(&self, wanted: Range<usize>) -> Batch {
        let indices: Vec<usize> = wanted.clone().map(|row| row % self.rows.len()).collect();
        let mut batch = select(self.rows, &indices, wanted.start as u64);
        for (row, micros) in wanted.zip(&mut batch.timestamps_micros) {
            *micros += (row / self.rows.len()) as i64 * self.cycle_micros;
        }
        batch
    }
}

pub(super) fn append(to: &mut Batch, from: &Batch, indices: impl Iterator<Item = usize>) {
    for i in indices {
        to.push(Row {
            transaction_id: from.transaction_ids.get(i).copied(),
            user_id: from.user_ids[i],
            amount_cents: from.amounts_cents[i],
            timestamp_micros: from.timestamps_micros[i],
            line: from.lines[i],
        });
        for (to, from) in to.columns.iter_mut().zip(&from.columns) {
            match (to, from) {
                (Column::Text(to), Column::Text(from)) => drop(to.push(from.get(i))),
                (Column::Number(to), Column::Number(from)) => to.push(from[i]),
                // The file has no such column.
                (to, _) => *to = Column::Absent,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_file_goes_on_later() {
        let rows = generated(10, &[]);
        let batch = Endless::new(&rows).batch(8..21);
        assert_eq!((batch.first_row, batch.len()), (8, 13));
        assert_eq!(batch.amounts_cents[2..12], rows.amounts_cents);
        assert!(batch.timestamps_micros.is_sorted());
        let cycle_micros = batch.timestamps_micros[12] - batch.timestamps_micros[2];
        assert_eq!(cycle_micros, rows.timestamps_micros[9] - rows.timestamps_micros[0] + 1_000_000);
    }

    #[test]
    fn selected_rows_are_those() {
        let rows = generated(10, &[ColumnRequest::text("city")]);
        let selected = select(&rows, &[7, 2], 5);
        assert_eq!((selected.first_row, selected.len()), (5, 2));
        assert_eq!(selected.transaction_ids, [rows.transaction_ids[7], rows.transaction_ids[2]]);
        let (city, cities) = (selected.columns[0].as_text().unwrap(), rows.columns[0].as_text().unwrap());
        assert_eq!((city.get(0), city.get(1)), (cities.get(7), cities.get(2)));
    }
}
