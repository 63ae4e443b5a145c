//! Which field of a record is which column: by the header's names, in any order and case, ignoring blanks
//! around a name, or by position if there is no header. Columns that were not asked for are ignored.

use host_core::column::{ColumnKind, ColumnRequest, is_same};

use crate::composed::AmountColumns;
use crate::csv::cells::{AmountCells, TimestampCells};
use crate::csv::field::{ColumnMap, Field, position_from_zero};
use crate::error::SourceError;
use crate::rules::InputRules;

/// Where each column's field is in a record, from 0.
#[derive(Debug)]
pub(crate) struct Columns {
    /// All names as they are in the file; without a header, `column 1` and so on.
    pub names: Vec<String>,
    /// `None` if the file has no such column, as the user says.
    pub transaction_id: Option<usize>,
    /// The same.
    pub user_id: Option<usize>,
    pub amount: AmountCells,
    pub timestamp: TimestampCells,
    pub currency: Option<usize>,
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
        let requested = self.requested.iter().flatten().map(|requested| requested.place);
        let asked: Vec<usize> = [self.transaction_id, self.user_id, self.currency]
            .into_iter()
            .flatten()
            .chain(self.amount.places())
            .chain(self.timestamp.places().iter().copied())
            .chain(requested)
            .collect();
        let is_asked = move |place: &usize| asked.contains(place);
        self.names
            .iter()
            .enumerate()
            .filter(move |(place, _)| !is_asked(place))
            .map(|(_, name)| name.as_str())
    }

    /// The names of these columns, joined by commas; `None` if there are none.
    pub fn joined_names(&self, places: &[usize]) -> Option<String> {
        let names: Vec<&str> = places.iter().map(|&place| self.names[place].as_str()).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    /// Finds the columns by the header's names.
    pub fn by_name(
        file: &str,
        names: Vec<String>,
        rules: &InputRules,
        requests: &[ColumnRequest],
    ) -> Result<Columns, SourceError> {
        let map = &rules.columns;
        let of = |field: Field| match map.get(field.name()) {
            Some(in_file) => position(file, &names, &[in_file], field.name()),
            None => position(file, &names, field.names(), field.name()),
        };
        let of_option = |option: &str, in_file: &str| position(file, &names, &[in_file], option);
        let absent = rules.absent();
        let unless_absent = |field| if absent.contains(&field) { Ok(None) } else { of(field).map(Some) };
        Ok(Columns {
            transaction_id: unless_absent(Field::TransactionId)?,
            user_id: unless_absent(Field::UserId)?,
            amount: amount(rules, of, of_option)?,
            timestamp: timestamp(rules, of, of_option)?,
            currency: currency(rules, of_option)?,
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
        rules: &InputRules,
        requests: &[ColumnRequest],
    ) -> Result<Columns, SourceError> {
        let names: Vec<String> = (1..=fields).map(|position| format!("column {position}")).collect();
        let map = &rules.columns;
        let at = |position: Option<usize>, name: &str| match position {
            Some(position) if position < fields => Ok(position),
            other => {
                let column = other.map_or(name.into(), |at| format!("column {}", at + 1));
                Err(SourceError::MissingPosition { file: file.into(), column, fields, name: name.into() })
            }
        };
        let of_name = |name: &str| at(map.position(name), name);
        let of = |field: Field| of_name(field.name());
        let of_option = |option: &str, position: &str| at(position_from_zero(position), option);
        let absent = rules.absent();
        let unless_absent = |field| if absent.contains(&field) { Ok(None) } else { of(field).map(Some) };
        let requested = |request: &ColumnRequest| {
            let is_absent = !request.required && map.get(&request.name).is_none();
            let requested = |place| Some(Requested { place, kind: request.kind });
            if is_absent { Ok(None) } else { of_name(&request.name).map(requested) }
        };
        Ok(Columns {
            transaction_id: unless_absent(Field::TransactionId)?,
            user_id: unless_absent(Field::UserId)?,
            amount: amount(rules, of, of_option)?,
            timestamp: timestamp(rules, of, of_option)?,
            currency: currency(rules, of_option)?,
            requested: requests.iter().map(requested).collect::<Result<_, _>>()?,
            names,
        })
    }
}

/// Where amounts are; `of` finds a column that every file must have, `of_option` one that an option names.
fn amount(
    rules: &InputRules,
    of: impl Fn(Field) -> Result<usize, SourceError>,
    of_option: impl Fn(&str, &str) -> Result<usize, SourceError>,
) -> Result<AmountCells, SourceError> {
    Ok(match &rules.amount_columns {
        AmountColumns::Amount => AmountCells::Amount(of(Field::Amount)?),
        AmountColumns::Signed(column) => AmountCells::Signed {
            amount: of(Field::Amount)?,
            sign: of_option("--sign", &column.column)?,
            column: column.clone(),
        },
        AmountColumns::DebitOrCredit { debit, credit } => AmountCells::DebitOrCredit {
            debit: of_option("--debit", debit)?,
            credit: of_option("--credit", credit)?,
        },
    })
}

/// Where timestamps are, in the same way.
fn timestamp(
    rules: &InputRules,
    of: impl Fn(Field) -> Result<usize, SourceError>,
    of_option: impl Fn(&str, &str) -> Result<usize, SourceError>,
) -> Result<TimestampCells, SourceError> {
    let Some(columns) = &rules.timestamp_columns else {
        return Ok(TimestampCells::One(of(Field::Timestamp)?));
    };
    let places = columns.iter().map(|column| of_option("--timestamp-columns", column));
    Ok(TimestampCells::Several(places.collect::<Result<_, _>>()?))
}

/// Where currencies are, if they are asked for.
fn currency(
    rules: &InputRules,
    of_option: impl Fn(&str, &str) -> Result<usize, SourceError>,
) -> Result<Option<usize>, SourceError> {
    rules.currency.as_ref().map(|column| of_option("--currency", column)).transpose()
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
/// one by which `--column` gives it another, or the option that names it.
pub(crate) fn position(
    file: &str,
    names: &[String],
    wanted: &[&str],
    name: &str,
) -> Result<usize, SourceError> {
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
            name: name.into(),
            header_line: None,
        }),
    }
}
