//! The columnar batch: the unit in which rows pass from the source through the detector to the
//! sink. Bounded in rows and in bytes, so that memory does not grow with the file.

use std::sync::Arc;

/// Consecutive rows of the input, column by column; all columns have the same length.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The file that all its rows come from.
    pub file: Arc<str>,
    /// The file's position in the run, from 1; names may occur twice.
    pub file_position: i32,
    /// Position in the run of the first row, from 0.
    pub first_row: u64,
    /// The file's own transaction ids.
    pub transaction_ids: Vec<i64>,
    /// Users' ids; each fits an `i32`.
    pub user_ids: Vec<i64>,
    /// Amounts in hundredths.
    pub amounts_cents: Vec<i64>,
    /// Microseconds since 1970-01-01T00:00:00.
    pub timestamps_micros: Vec<i64>,
    /// The physical line on which each row starts, from 1.
    pub lines: Vec<u64>,
    /// The additional columns that the detector asked for, in its order.
    pub attributes: Vec<Attribute>,
}

/// Where a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPlace {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// The physical line on which the row starts, from 1.
    pub line: u64,
}

/// One additional CSV column, as text.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The column's name as the detector asked for it.
    pub name: String,
    /// One value per row.
    pub values: Vec<String>,
}

/// One parsed row, before it is put into a batch.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// See [`Batch::transaction_ids`].
    pub transaction_id: i64,
    /// See [`Batch::user_ids`].
    pub user_id: i64,
    /// See [`Batch::amounts_cents`].
    pub amount_cents: i64,
    /// See [`Batch::timestamps_micros`].
    pub timestamp_micros: i64,
    /// See [`Batch::lines`].
    pub line: u64,
}

impl Batch {
    /// An empty batch with these attributes.
    #[must_use]
    pub fn new(attributes: &[String]) -> Batch {
        let empty = |name: &String| Attribute { name: name.clone(), values: Vec::new() };
        Batch { attributes: attributes.iter().map(empty).collect(), ..Batch::default() }
    }

    /// An empty batch of a file, with these attributes. `spent` is one that is no longer needed: its memory
    /// is reused.
    #[must_use]
    pub fn renew(
        spent: Batch,
        (file_position, file): (i32, Arc<str>),
        first_row: u64,
        attributes: &[String],
    ) -> Batch {
        let mut batch = Batch { file, file_position, first_row, ..spent };
        batch.transaction_ids.clear();
        batch.user_ids.clear();
        batch.amounts_cents.clear();
        batch.timestamps_micros.clear();
        batch.lines.clear();
        let has_same = batch.attributes.iter().map(|attribute| &attribute.name).eq(attributes);
        if has_same {
            batch.attributes.iter_mut().for_each(|attribute| attribute.values.clear());
        } else {
            batch.attributes = Batch::new(attributes).attributes;
        }
        batch
    }

    /// Appends a row; its attributes are appended to [`attributes`](Self::attributes) by the caller.
    #[inline]
    pub fn push(&mut self, row: Row) {
        self.transaction_ids.push(row.transaction_id);
        self.user_ids.push(row.user_id);
        self.amounts_cents.push(row.amount_cents);
        self.timestamps_micros.push(row.timestamp_micros);
        self.lines.push(row.line);
    }

    /// Only these rows, by their positions in this batch.
    #[must_use]
    pub fn select(&self, rows: impl Iterator<Item = usize> + Clone) -> Batch {
        let pick = |column: &[i64]| rows.clone().map(|row| column[row]).collect();
        Batch {
            file: self.file.clone(),
            file_position: self.file_position,
            first_row: self.first_row,
            transaction_ids: pick(&self.transaction_ids),
            user_ids: pick(&self.user_ids),
            amounts_cents: pick(&self.amounts_cents),
            timestamps_micros: pick(&self.timestamps_micros),
            lines: rows.clone().map(|row| self.lines[row]).collect(),
            attributes: self
                .attributes
                .iter()
                .map(|Attribute { name, values }| Attribute {
                    name: name.clone(),
                    values: rows.clone().map(|row| values[row].clone()).collect(),
                })
                .collect(),
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The size of its rows in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let text = |attribute: &Attribute| {
            attribute.values.iter().map(|value| size_of::<String>() + value.len()).sum::<usize>()
        };
        self.len() * size_of::<Row>() + self.attributes.iter().map(text).sum::<usize>()
    }

    /// Where row `i` is.
    #[must_use]
    pub fn place(&self, i: usize) -> RowPlace {
        RowPlace { file: self.file.clone(), line: self.lines[i] }
    }

    /// The physical lines of the first and the last row.
    #[must_use]
    pub fn line_span(&self) -> (u64, u64) {
        let first = self.lines.first().copied().unwrap_or_default();
        (first, self.lines.last().copied().unwrap_or(first))
    }
}
