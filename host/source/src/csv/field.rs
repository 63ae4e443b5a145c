//! The columns that a file must have, and the names that these and other columns have in it.

use std::str::FromStr;

use host_core::column::{ColumnRequest, is_same};

/// The columns that files of labels may have.
pub const LABEL_COLUMNS: [&str; 5] = [TRANSACTION_ID, SOURCE_ID, IS_FRAUD[0], IS_FRAUD[1], KNOWN_AT];
pub(crate) const TRANSACTION_ID: &str = "transaction_id";
pub(crate) const SOURCE_ID: &str = "source_id";
pub(crate) const IS_FRAUD: [&str; 2] = ["is_fraud", "label"];
pub(crate) const KNOWN_AT: &str = "known_at";

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
        let has_name = |field: &Field| field.names().iter().any(|known| is_same(known, name));
        FIELDS.into_iter().find(has_name).ok_or(())
    }
}

/// Columns that have other names in the file, or, without a header, their positions from 1: the columns that
/// every file must have, and those that the detector asks for.
#[derive(Clone, Debug, Default)]
pub struct ColumnMap(Vec<(String, String)>);

impl ColumnMap {
    /// Gives a column of the file another name; false if that name is taken. Case and blanks around names do
    /// not matter.
    pub fn add(&mut self, name: &str, in_file: &str) -> bool {
        let name = match name.parse::<Field>() {
            Ok(field) => field.name(),
            Err(()) => name.trim(),
        };
        let is_free = self.get(name).is_none() && !name.is_empty();
        if is_free {
            self.0.push((name.to_owned(), in_file.trim().to_owned()));
        }
        is_free
    }

    /// Each name, and what the column is called in the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, in_file)| (name.as_str(), in_file.as_str()))
    }

    /// A name that is neither that of a field nor of a column that the detector asks for.
    #[must_use]
    pub fn unknown(&self, requests: &[ColumnRequest]) -> Option<&str> {
        let is_known = |name: &str| {
            name.parse::<Field>().is_ok() || requests.iter().any(|request| is_same(&request.name, name))
        };
        self.iter().map(|(name, _)| name).find(|name| !is_known(name))
    }

    /// What a column is called in the file, or its position; `None` if nothing was said of it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(mapped, _)| is_same(mapped, name)).map(|(_, in_file)| in_file)
    }

    /// Whether every field that is `needed` has a position, and every name is mapped to one, as is needed without a
    /// header.
    pub(crate) fn is_all_positions(&self, needed: impl Fn(Field) -> bool) -> bool {
        FIELDS.into_iter().all(|field| !needed(field) || self.position(field.name()).is_some())
            && self.iter().all(|(name, _)| self.position(name).is_some())
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        position_from_zero(self.get(name)?)
    }
}

/// A position from 1, as users give it, from 0.
pub(crate) fn position_from_zero(position: &str) -> Option<usize> {
    position.parse::<usize>().ok()?.checked_sub(1)
}
