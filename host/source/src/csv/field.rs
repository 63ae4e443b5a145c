//! The columns that every file must have, and the names that they may have in it.

use std::str::FromStr;

/// A column that every file must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The file's own transaction id.
    TransactionId,
    /// A user's id.
    UserId,
    /// An amount.
    Amount,
    /// A date and time.
    Timestamp,
}

const FIELDS: [Field; 4] = [Field::TransactionId, Field::UserId, Field::Amount, Field::Timestamp];

impl Field {
    /// Its own name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.names()[0]
    }

    /// The names that are recognised; the first is its own.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Field::TransactionId => &["transaction_id"],
            Field::UserId => &["user_id"],
            Field::Amount => &["amount"],
            Field::Timestamp => &["timestamp", "transaction_timestamp"],
        }
    }
}

impl FromStr for Field {
    type Err = ();

    fn from_str(name: &str) -> Result<Field, ()> {
        FIELDS.into_iter().find(|field| field.names().contains(&name)).ok_or(())
    }
}

/// Columns that have other names in the file, or, without a header, their positions from 1.
#[derive(Clone, Debug, Default)]
pub struct ColumnMap(pub Vec<(Field, String)>);

impl ColumnMap {
    pub(crate) fn get(&self, field: Field) -> Option<&str> {
        self.0.iter().find(|(mapped, _)| *mapped == field).map(|(_, name)| name.as_str())
    }

    /// Whether every field has a position, as is needed without a header.
    #[must_use]
    pub fn is_all_positions(&self) -> bool {
        FIELDS.into_iter().all(|field| self.position(field).is_some())
    }

    pub(crate) fn position(&self, field: Field) -> Option<usize> {
        self.get(field)?.parse::<usize>().ok()?.checked_sub(1)
    }
}
