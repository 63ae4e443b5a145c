//! Access to batches row by row, and constructors for what a detector returns.

use rust_decimal::Decimal;

use crate::{Anomaly, Attribute, Batch, Metadata, Ordering, SettingDescription, SettingKind};

/// One row of a [`Batch`].
#[derive(Clone, Copy)]
pub struct Row<'a> {
    batch: &'a Batch,
    index: usize,
}

impl Batch {
    /// A batch for tests, from `(transaction id, user id, amount in hundredths, timestamp in
    /// microseconds since 1970)`.
    #[must_use]
    pub fn from_rows(rows: &[(i64, i64, i64, i64)]) -> Batch {
        Batch {
            first_row: 0,
            transaction_ids: rows.iter().map(|row| row.0).collect(),
            user_ids: rows.iter().map(|row| row.1).collect(),
            amounts: rows.iter().map(|row| row.2).collect(),
            timestamps: rows.iter().map(|row| row.3).collect(),
            attributes: Vec::new(),
        }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.amounts.len()
    }

    /// Whether there are no rows; the host never sends such a batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.amounts.is_empty()
    }

    /// The rows in file order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        (0..self.len()).map(|index| Row { batch: self, index })
    }

    /// The values of an additional CSV column that [`Metadata::attributes`] asked for; `None` for any other.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&[String]> {
        self.attributes.iter().find(|attribute| attribute.name == name).map(Attribute::values)
    }
}

impl Attribute {
    fn values(&self) -> &[String] {
        &self.values
    }
}

impl<'a> Row<'a> {
    /// The row's index in its batch, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// The row's position in the run, from 0.
    #[must_use]
    pub fn position(self) -> u64 {
        self.batch.first_row + self.index as u64
    }

    /// The file's own transaction id.
    #[must_use]
    pub fn transaction_id(self) -> i64 {
        self.batch.transaction_ids[self.index]
    }

    /// The user who made the transaction.
    #[must_use]
    pub fn user_id(self) -> i64 {
        self.batch.user_ids[self.index]
    }

    /// The amount in hundredths, exact; negative for a refund. Faster than [`amount`](Self::amount).
    #[must_use]
    pub fn amount_cents(self) -> i64 {
        self.batch.amounts[self.index]
    }

    /// The amount as an exact decimal with two places.
    #[must_use]
    pub fn amount(self) -> Decimal {
        Decimal::new(self.amount_cents(), 2)
    }

    /// Microseconds since 1970-01-01T00:00:00 in the file's own time zone.
    #[must_use]
    pub fn timestamp_micros(self) -> i64 {
        self.batch.timestamps[self.index]
    }

    /// This row's value of an additional CSV column; `None` if [`Metadata::attributes`] did not ask for it.
    #[must_use]
    pub fn attribute(self, name: &str) -> Option<&'a str> {
        Some(self.batch.attribute(name)?.get(self.index)?.as_str())
    }

    /// This row as an anomaly. `score` must be finite; `reason` is one line of plain text.
    #[must_use]
    pub fn anomaly(self, score: f64, reason: impl Into<String>) -> Anomaly {
        // A batch never has more rows than the contract's u32 index can name.
        Anomaly { row: self.index as u32, score, reason: reason.into() }
    }
}

impl Metadata {
    /// A detector without settings or attributes; add them with [`setting`](Self::setting),
    /// [`optional_setting`](Self::optional_setting) and [`attribute`](Self::attribute).
    #[must_use]
    pub fn new(name: &str, version: &str, description: &str, ordering: Ordering) -> Metadata {
        Metadata {
            name: name.into(),
            version: version.into(),
            description: description.into(),
            settings: Vec::new(),
            attributes: Vec::new(),
            ordering,
        }
    }

    /// Adds a setting that has a default.
    #[must_use]
    pub fn setting(mut self, name: &str, kind: SettingKind, default: &str, doc: &str) -> Metadata {
        self.settings.push(SettingDescription {
            name: name.into(),
            kind,
            default: Some(default.into()),
            doc: doc.into(),
        });
        self
    }

    /// Adds a setting that is off unless it is set.
    #[must_use]
    pub fn optional_setting(mut self, name: &str, kind: SettingKind, doc: &str) -> Metadata {
        self.settings.push(SettingDescription { name: name.into(), kind, default: None, doc: doc.into() });
        self
    }

    /// Asks for an additional CSV column.
    #[must_use]
    pub fn attribute(mut self, name: &str) -> Metadata {
        self.attributes.push(name.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gives_its_values_exactly_and_by_position() {
        let mut batch =
            Batch::from_rows(&[(10, 7, 1, -1), (11, 8, -9_999_999_999, 1_000_000), (12, 9, 5, 0)]);
        batch.first_row = 4096;
        batch.attributes =
            vec![Attribute { name: "city".into(), values: vec!["a".into(), "b".into(), "".into()] }];
        let row = batch.rows().nth(1).unwrap();
        assert_eq!((row.index(), row.position()), (1, 4097));
        assert_eq!((row.transaction_id(), row.user_id()), (11, 8));
        assert_eq!(row.amount().to_string(), "-99999999.99");
        assert_eq!(row.timestamp_micros(), 1_000_000);
        assert_eq!((row.attribute("city"), row.attribute("town")), (Some("b"), None));
        assert_eq!(row.anomaly(0.5, "x"), Anomaly { row: 1, score: 0.5, reason: "x".into() });
        assert_eq!(batch.rows().len(), 3);
    }
}
