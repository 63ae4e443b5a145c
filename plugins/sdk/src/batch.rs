//! Access to batches, by column and row by row.

use std::rc::Rc;

use rust_decimal::Decimal;

use crate::bindings::ingest::detector::types;
use crate::reason;
use crate::{Anomaly, ColumnRequest};

/// Rows in file order, column by column; at least one. With [`Ordering::PerUser`](crate::Ordering::PerUser) an
/// instance sees only the rows of its own users.
#[derive(Clone, Debug)]
pub struct Batch {
    raw: types::Batch,
    /// The names of its further columns.
    names: Rc<[String]>,
    /// Where each entry of a dictionary ends, for each further column; empty for those that are not text.
    ends: Vec<Vec<usize>>,
}

/// The texts of a further column, as a dictionary: each different text once, and for each row which one it has.
/// Codes mean nothing beyond their batch.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    codes: &'a [u32],
    dictionary: &'a str,
    ends: &'a [usize],
}

/// One row of a [`Batch`].
#[derive(Clone, Copy)]
pub struct Row<'a> {
    batch: &'a Batch,
    index: usize,
}

impl Batch {
    /// A batch for tests, from `(user id, amount in hundredths, timestamp in microseconds since 1970)`.
    #[must_use]
    pub fn from_rows(rows: &[(i64, i64, i64)]) -> Batch {
        let raw = types::Batch {
            user_ids: rows.iter().map(|row| row.0).collect(),
            amounts: rows.iter().map(|row| row.1).collect(),
            timestamps: rows.iter().map(|row| row.2).collect(),
            columns: Vec::new(),
        };
        Batch::new(raw, Rc::default())
    }

    /// The contract's batch, with the names of its columns.
    #[doc(hidden)]
    #[must_use]
    pub fn new(raw: types::Batch, names: Rc<[String]>) -> Batch {
        let ends = raw.columns.iter().map(|column| match column {
            types::Column::Text(texts) => ends_of(&texts.dictionary),
            types::Column::Absent | types::Column::Number(_) => Vec::new(),
        });
        Batch { ends: ends.collect(), raw, names }
    }

    /// The contract's batch.
    #[doc(hidden)]
    #[must_use]
    pub fn raw(&self) -> &types::Batch {
        &self.raw
    }

    /// The names of its further columns.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn names(&self) -> Rc<[String]> {
        self.names.clone()
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.amounts.len()
    }

    /// Whether there are no rows; the host never sends such a batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.amounts.is_empty()
    }

    /// The rows in file order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        (0..self.len()).map(|index| Row { batch: self, index })
    }

    /// Who made each transaction.
    #[must_use]
    pub fn user_ids(&self) -> &[i64] {
        &self.raw.user_ids
    }

    /// Amounts in hundredths, exact; negative for refunds.
    #[must_use]
    pub fn amounts_cents(&self) -> &[i64] {
        &self.raw.amounts
    }

    /// Microseconds since 1970-01-01T00:00:00 in the file's own time zone.
    #[must_use]
    pub fn timestamps_micros(&self) -> &[i64] {
        &self.raw.timestamps
    }

    /// A further column of texts; `None` if the file does not have it, or if
    /// [`Detector::columns`](crate::Detector::columns) did not ask for it as text.
    #[must_use]
    pub fn texts(&self, name: &str) -> Option<Texts<'_>> {
        let at = self.position(name)?;
        match &self.raw.columns[at] {
            types::Column::Text(types::TextColumn { codes, dictionary }) => {
                Some(Texts { codes, dictionary, ends: &self.ends[at] })
            }
            types::Column::Absent | types::Column::Number(_) => None,
        }
    }

    /// A further column of numbers, NaN where a cell is empty; `None` if the file does not have it, or if
    /// [`Detector::columns`](crate::Detector::columns) did not ask for it as numbers.
    #[must_use]
    pub fn numbers(&self, name: &str) -> Option<&[f64]> {
        match &self.raw.columns[self.position(name)?] {
            types::Column::Number(numbers) => Some(numbers),
            types::Column::Absent | types::Column::Text(_) => None,
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}

/// Where each entry of a dictionary ends. A batch has rows, so an empty dictionary is one empty text.
fn ends_of(dictionary: &str) -> Vec<usize> {
    let separators = dictionary.match_indices('\0').map(|(at, _)| at);
    separators.chain([dictionary.len()]).collect()
}

impl<'a> Texts<'a> {
    /// For each row, which of the [`values`](Self::values) it has.
    #[must_use]
    pub fn codes(self) -> &'a [u32] {
        self.codes
    }

    /// The batch's different texts, in order of first appearance: looking each of them up once is much cheaper
    /// than looking up every row's.
    pub fn values(self) -> impl ExactSizeIterator<Item = &'a str> {
        (0..self.ends.len()).map(move |code| self.value(code))
    }

    /// The text of a row.
    #[must_use]
    pub fn get(self, row: usize) -> &'a str {
        self.value(self.codes[row] as usize)
    }

    fn value(self, code: usize) -> &'a str {
        let start = if code == 0 { 0 } else { self.ends[code - 1] + 1 };
        &self.dictionary[start..self.ends[code]]
    }
}

impl<'a> Row<'a> {
    /// The row's index in its batch, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// The user who made the transaction.
    #[must_use]
    pub fn user_id(self) -> i64 {
        self.batch.raw.user_ids[self.index]
    }

    /// The amount in hundredths, exact; negative for a refund. Faster than [`amount`](Self::amount).
    #[must_use]
    pub fn amount_cents(self) -> i64 {
        self.batch.raw.amounts[self.index]
    }

    /// The amount as an exact decimal with two places.
    #[must_use]
    pub fn amount(self) -> Decimal {
        Decimal::new(self.amount_cents(), 2)
    }

    /// Microseconds since 1970-01-01T00:00:00 in the file's own time zone.
    #[must_use]
    pub fn timestamp_micros(self) -> i64 {
        self.batch.raw.timestamps[self.index]
    }

    /// This row's value of a further column of texts; see [`Batch::texts`], which is faster.
    #[must_use]
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.batch.texts(name).map(|texts| texts.get(self.index))
    }

    /// This row's value of a further column of numbers; `None` also if the cell is empty. See
    /// [`Batch::numbers`], which is faster.
    #[must_use]
    pub fn number(self, name: &str) -> Option<f64> {
        self.batch.numbers(name).map(|numbers| numbers[self.index]).filter(|number| !number.is_nan())
    }

    /// This row as an anomaly. `score` must be finite. `reason` says why: it is made one line of printable text,
    /// and cut after 1,000 bytes. Text from the file reads better in it when it is
    /// [`quoted`](crate::quoted).
    #[must_use]
    pub fn anomaly(self, score: f64, reason: impl Into<String>) -> Anomaly {
        // A batch never has more rows than the contract's u32 index can name.
        Anomaly { row: self.index as u32, score, reason: reason::valid(reason.into()) }
    }
}

impl ColumnRequest {
    /// A column of texts, without which a file is refused.
    #[must_use]
    pub fn text(name: &str) -> ColumnRequest {
        ColumnRequest { name: name.into(), kind: crate::ColumnKind::Text, required: true }
    }

    /// A column of numbers, without which a file is refused.
    #[must_use]
    pub fn number(name: &str) -> ColumnRequest {
        ColumnRequest { name: name.into(), kind: crate::ColumnKind::Number, required: true }
    }

    /// The same column; a file may do without it.
    #[must_use]
    pub fn optional(self) -> ColumnRequest {
        ColumnRequest { required: false, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        let raw = types::Batch {
            user_ids: vec![7, 8, 9],
            amounts: vec![1, -9_999_999_999, 5],
            timestamps: vec![-1, 1_000_000, 0],
            columns: vec![
                types::Column::Text(types::TextColumn { codes: vec![1, 0, 1], dictionary: "\0é".into() }),
                types::Column::Number(vec![f64::NAN, 2.5, 0.0]),
                types::Column::Absent,
            ],
        };
        Batch::new(raw, ["city", "age", "shop"].map(str::to_owned).into())
    }

    #[test]
    fn a_row_gives_its_values_exactly() {
        let batch = batch();
        let row = batch.rows().nth(1).unwrap();
        assert_eq!((row.index(), row.user_id(), row.timestamp_micros()), (1, 8, 1_000_000));
        assert_eq!(row.amount().to_string(), "-99999999.99");
        assert_eq!((row.text("city"), row.text("shop"), row.text("town")), (Some(""), None, None));
        assert_eq!((row.number("age"), row.number("city")), (Some(2.5), None));
        assert_eq!(batch.rows().next().unwrap().number("age"), None);
        assert_eq!(row.anomaly(0.5, "x"), Anomaly { row: 1, score: 0.5, reason: "x".into() });
        assert_eq!(batch.rows().len(), 3);
    }

    #[test]
    fn a_dictionary_has_each_text_once() {
        let batch = batch();
        let texts = batch.texts("city").unwrap();
        assert_eq!(texts.values().collect::<Vec<_>>(), ["", "é"]);
        assert_eq!(texts.codes(), [1, 0, 1]);
        assert_eq!((texts.get(0), texts.get(1)), ("é", ""));
        assert!(batch.texts("age").is_none() && batch.numbers("city").is_none());
        assert_eq!(ends_of(""), [0]);
    }
}
