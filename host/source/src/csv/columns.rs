//! Which field of a record is which column: by the header's names, in any order and case, ignoring blanks
//! around a name, or by position if there is no header. Columns that were not asked for are ignored.

use host_core::column::{ColumnKind, ColumnRequest, is_same};

use crate::csv::field::{ColumnMap, Field};
use crate::error::SourceError;

/// Where each column's field is in a record, from 0.
#[derive(Debug)]
pub(crate) struct Columns {
    /// All names as they are in the file; without a header, `column 1` and so on.
    pub names: Vec<String>,
    /// `None` if the file has no such column, as the user says.
    pub transaction_id: Option<usize>,
    /// The same.
    pub user_id: Option<usize>,
    pub amount: usize,
    pub timestamp: usize,
    /// The columns that the detector asked for, in its order; `None` if the file has no such column.
    pub requested: Vec<Option<Requested>>,
}

/// A column that the detector asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requested {
    /// Where its field is in a record, from 0.
    pub place: usize,
    pub kind: ColumnKind,
}

impl Columns {
    /// Names of the columns that were not asked for.
    pub fn ignored(&self) -> impl Iterator<Item = &str> {
        let asked = [self.transaction_id, self.user_id, Some(self.amount), Some(self.timestamp)];
        let is_requested =
            |place: usize| self.requested.iter().flatten().any(|requested| requested.place == place);
        let is_asked = move |place: &usize| asked.contains(&Some(*place)) || is_requested(*place);
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
        (map, absent): (&ColumnMap, &[Field]),
        requests: &[ColumnRequest],
    ) -> Result<Columns, SourceError> {
        let of = |field: Field| match map.get(field.name()) {
            Some(in_file) => position(file, &names, &[in_file], field.name()),
            None => position(file, &names, field.names(), field.name()),
        };
        let unless_absent = |field| if absent.contains(&field) { Ok(None) } else { of(field).map(Some) };
        Ok(Columns {
            transaction_id: unless_absent(Field::TransactionId)?,
            user_id: unless_absent(Field::UserId)?,
            amount: of(Field::Amount)?,
            timestamp: of(Field::Timestamp)?,
            requested: requests
                .iter()
                .map(|request| requested_by_name(file, &names, map, request))
                .collect::<Result<_, _>>()?,
            names,
        })
    }

    /// Takes the columns at the given positions, in records of `fields` fields.
    pub fn by_position(
        file: &str,
        fields: usize,
        (map, absent): (&ColumnMap, &[Field]),
        requests: &[ColumnRequest],
    ) -> Result<Columns, SourceError> {
        let names: Vec<String> = (1..=fields).map(|position| format!("column {position}")).collect();
        let of_name = |name: &str| match map.position(name) {
            Some(position) if position < fields => Ok(position),
            other => {
                let column = other.map_or(name.into(), |at| format!("column {}", at + 1));
                Err(SourceError::MissingPosition { file: file.into(), column, fields, name: name.into() })
            }
        };
        let of = |field: Field| of_name(field.name());
        let unless_absent = |field| if absent.contains(&field) { Ok(None) } else { of(field).map(Some) };
        let requested = |request: &ColumnRequest| {
            let is_absent = !request.required && map.get(&request.name).is_none();
            let requested = |place| Some(Requested { place, kind: request.kind });
            if is_absent { Ok(None) } else { of_name(&request.name).map(requested) }
        };
        Ok(Columns {
            transaction_id: unless_absent(Field::TransactionId)?,
            user_id: unless_absent(Field::UserId)?,
            amount: of(Field::Amount)?,
            timestamp: of(Field::Timestamp)?,
            requested: requests.iter().map(requested).collect::<Result<_, _>>()?,
            names,
        })
    }
}

/// A column that the detector asked for, by its own name or by the one that the user says it has in the file.
fn requested_by_name(
    file: &str,
    names: &[String],
    map: &ColumnMap,
    request: &ColumnRequest,
) -> Result<Option<Requested>, SourceError> {
    let mapped = map.get(&request.name);
    match position(file, names, &[mapped.unwrap_or(&request.name)], &request.name) {
        Ok(place) => Ok(Some(Requested { place, kind: request.kind })),
        Err(SourceError::MissingColumn { .. }) if mapped.is_none() && !request.required => Ok(None),
        Err(error) => Err(error),
    }
}

/// The position, from 0, of the column with one of the `wanted` names; `name` is the
/// one by which `--column` gives it another.
fn position(file: &str, names: &[String], wanted: &[&str], name: &str) -> Result<usize, SourceError> {
    let mut places = names
        .iter()
        .enumerate()
        .filter(|(_, found)| wanted.iter().any(|wanted| is_same(found, wanted)))
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
            name: name.to_owned(),
        }),
    }
}
