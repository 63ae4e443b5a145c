//! Which field of a record is which column: by the header's names, in any order and case, ignoring blanks
//! around a name, or by position if there is no header. Columns that were not asked for are ignored.

use crate::csv::field::{ColumnMap, Field};
use crate::error::SourceError;

/// Where each column's field is in a record, from 0.
#[derive(Debug)]
pub(crate) struct Columns {
    /// All names as they are in the file; without a header, `column 1` and so on.
    pub names: Vec<String>,
    pub transaction_id: usize,
    pub user_id: usize,
    pub amount: usize,
    pub timestamp: usize,
    /// The columns that the detector asked for, in its order.
    pub attributes: Vec<usize>,
}

impl Columns {
    /// Names of the columns that were not asked for.
    pub fn ignored(&self) -> impl Iterator<Item = &str> {
        let asked = [self.transaction_id, self.user_id, self.amount, self.timestamp];
        let is_asked = move |place: &usize| asked.contains(place) || self.attributes.contains(place);
        self.names
            .iter()
            .enumerate()
            .filter(move |(place, _)| !is_asked(place))
            .map(|(_, name)| name.as_str())
    }

    /// Finds the columns by the header's names.
    pub fn by_name(
        file: &str,
        names: Vec<String>,
        map: &ColumnMap,
        attributes: &[String],
    ) -> Result<Columns, SourceError> {
        let of = |field: Field| match map.get(field) {
            Some(name) => position(file, &names, &[name], Some(field)),
            None => position(file, &names, field.names(), Some(field)),
        };
        Ok(Columns {
            transaction_id: of(Field::TransactionId)?,
            user_id: of(Field::UserId)?,
            amount: of(Field::Amount)?,
            timestamp: of(Field::Timestamp)?,
            attributes: attributes
                .iter()
                .map(|name| position(file, &names, &[name], None))
                .collect::<Result<_, _>>()?,
            names,
        })
    }

    /// Takes the columns at the given positions, in records of `fields` fields.
    pub fn by_position(
        file: &str,
        fields: usize,
        map: &ColumnMap,
        attributes: &[String],
    ) -> Result<Columns, SourceError> {
        let names: Vec<String> = (1..=fields).map(|position| format!("column {position}")).collect();
        let missing = |column: String, field| SourceError::MissingPosition {
            file: file.to_owned(),
            column,
            fields,
            field,
        };
        let of = |field: Field| match map.position(field) {
            Some(position) if position < fields => Ok(position),
            other => {
                let column = other.map_or(field.name().into(), |at| format!("column {}", at + 1));
                Err(missing(column, Some(field)))
            }
        };
        if let Some(attribute) = attributes.first() {
            return Err(missing(attribute.clone(), None));
        }
        Ok(Columns {
            transaction_id: of(Field::TransactionId)?,
            user_id: of(Field::UserId)?,
            amount: of(Field::Amount)?,
            timestamp: of(Field::Timestamp)?,
            attributes: Vec::new(),
            names,
        })
    }
}

/// The position, from 0, of the column with one of the `wanted` names; `field` says what it is for, and is
/// `None` if the detector asked for it.
fn position(
    file: &str,
    names: &[String],
    wanted: &[&str],
    field: Option<Field>,
) -> Result<usize, SourceError> {
    let mut places = names
        .iter()
        .enumerate()
        .filter(|(_, name)| wanted.iter().any(|wanted| name.to_lowercase() == wanted.trim().to_lowercase()))
        .map(|(place, _)| place);
    let column = || wanted[0].to_owned();
    match (places.next(), places.next()) {
        (Some(place), None) => Ok(place),
        (Some(first), Some(second)) => Err(SourceError::DuplicateColumn {
            file: file.to_owned(),
            column: column(),
            first: first + 1,
            second: second + 1,
        }),
        (None, _) => Err(SourceError::MissingColumn {
            file: file.to_owned(),
            column: column(),
            found: names.to_vec(),
            field,
        }),
    }
}
