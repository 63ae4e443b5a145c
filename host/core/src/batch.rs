//! The columnar batch: the unit in which rows pass from the source through the detector to the
//! sink. Bounded in rows and in bytes, so that memory does not grow with the file.

use std::sync::Arc;

use crate::column::{Column, ColumnKind, ColumnRequest, TextColumn};

/// Consecutive rows of the input, column by column; all columns have the same length.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Batch {
    /// The file that all its rows come from.
    pub file: Arc<str>,
    /// The file's position in the run, from 1; names may occur twice.
    pub file_position: i32,
    /// Position in the run of the first row, from 0.
    pub first_row: u64,
    /// The file's own transaction ids, if they are numbers; else empty.
    pub transaction_ids: Vec<i64>,
    /// The file's own transaction ids, if they are texts; else empty.
    pub transaction_keys: TextColumn,
    /// Users' ids; each fits the column `user_id`.
    pub user_ids: Vec<i64>,
    /// The file's own user ids, if they are texts whose numbers are not known yet; else empty.
    pub user_keys: TextColumn,
    /// Amounts in hundredths.
    pub amounts_cents: Vec<i64>,
    /// Microseconds since 1970-01-01T00:00:00.
    pub timestamps_micros: Vec<i64>,
    /// The physical line on which each row starts, from 1.
    pub lines: Vec<u64>,
    /// The further columns that the detector asked for, in its order.
    pub columns: Vec<Column>,
}

/// Where a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPlace {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// The physical line on which the row starts, from 1.
    pub line: u64,
}

/// What a file has as the id of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceId<'a> {
    /// A number.
    Number(i64),
    /// A text.
    Text(&'a str),
    /// Nothing.
    None,
}

/// One parsed row, before it is put into a batch.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// See [`Batch::transaction_ids`].
    pub transaction_id: Option<i64>,
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
    /// An empty batch with these columns, as a file has them that has all of them.
    #[must_use]
    pub fn new(columns: &[ColumnRequest]) -> Batch {
        Batch { columns: columns.iter().map(|column| Column::new(column.kind)).collect(), ..Batch::default() }
    }

    /// Empties it for rows of this file, from position `first_row` in the run; `columns` says for each further
    /// column what the file has of it. Memory is reused.
    pub fn renew(
        &mut self,
        (file_position, file): (i32, Arc<str>),
        first_row: u64,
        columns: impl ExactSizeIterator<Item = Option<ColumnKind>>,
    ) {
        (self.file, self.file_position, self.first_row) = (file, file_position, first_row);
        self.transaction_ids.clear();
        self.transaction_keys.clear();
        self.user_ids.clear();
        self.user_keys.clear();
        self.amounts_cents.clear();
        self.timestamps_micros.clear();
        self.lines.clear();
        self.columns.resize_with(columns.len(), Column::default);
        self.columns.iter_mut().zip(columns).for_each(|(column, kind)| column.renew(kind));
    }

    /// Appends a row; the caller appends its keys, and its further values to [`columns`](Self::columns).
    #[inline]
    pub fn push(&mut self, row: Row) {
        self.transaction_ids.extend(row.transaction_id);
        self.user_ids.push(row.user_id);
        self.amounts_cents.push(row.amount_cents);
        self.timestamps_micros.push(row.timestamp_micros);
        self.lines.push(row.line);
    }

    /// Only these rows, by their positions in this batch.
    #[must_use]
    pub fn select(&self, rows: impl Iterator<Item = usize> + Clone) -> Batch {
        // A column that the file does not have is empty.
        let pick = |column: &[i64]| rows.clone().filter_map(|row| column.get(row).copied()).collect();
        let pick_texts = |column: &TextColumn| match column.is_empty() {
            true => TextColumn::default(),
            false => column.select(rows.clone()),
        };
        Batch {
            file: self.file.clone(),
            file_position: self.file_position,
            first_row: self.first_row,
            transaction_ids: pick(&self.transaction_ids),
            transaction_keys: pick_texts(&self.transaction_keys),
            user_ids: pick(&self.user_ids),
            user_keys: pick_texts(&self.user_keys),
            amounts_cents: pick(&self.amounts_cents),
            timestamps_micros: pick(&self.timestamps_micros),
            lines: rows.clone().map(|row| self.lines[row]).collect(),
            columns: self.columns.iter().map(|column| column.select(rows.clone())).collect(),
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
        let keys = self.transaction_keys.size_bytes() + self.user_keys.size_bytes();
        self.len() * size_of::<Row>() + keys + self.columns.iter().map(Column::size_bytes).sum::<usize>()
    }

    /// What the file has as the id of transaction `i`.
    #[must_use]
    pub fn source_id(&self, i: usize) -> SourceId<'_> {
        match self.transaction_ids.get(i) {
            Some(&id) => SourceId::Number(id),
            None if self.transaction_keys.is_empty() => SourceId::None,
            None => SourceId::Text(self.transaction_keys.get(i)),
        }
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
