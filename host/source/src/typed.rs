//! One record: its fields, each typed as what its column holds.

use host_core::batch::Row;
use host_core::capacity::Capacity;
use host_core::column::{Column, ColumnKind};
use host_core::facts::IdKind;
use host_core::rejected::{Kind, Problem, RowProblem};

use crate::cell::{key, value};
use crate::csv::cells::Fault;
use crate::csv::columns::{Columns, Requested};
use crate::csv::records::Record;
use crate::rules::InputRules;

/// What is needed of the record that is being read, in memory that is reused.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The numbers of its further columns.
    pub numbers: Vec<f64>,
    /// A timestamp of several cells.
    pub joined: Vec<u8>,
}

/// No message shows more of a cell than this: at most [`SHOWN_CHARS`](host_core::text::SHOWN_CHARS)
/// characters of four bytes each. The record has all of it.
pub(crate) const MAX_QUOTED_BYTES: usize = 4 * host_core::text::SHOWN_CHARS + 8;

/// A record that is a row.
pub(crate) struct Typed<'a> {
    pub row: Row,
    /// Its transaction id, if it is a text.
    pub transaction_key: Option<&'a str>,
    /// Its user's id, if that is a text; then the user's number is not known yet.
    pub user_key: Option<&'a str>,
    /// Its currency, if these are asked for.
    pub currency: Option<&'a str>,
}

/// The user of all rows of files that name none.
const ONLY_USER: i64 = 0;
/// The user of a row until its number is known.
const UNKNOWN_USER: i64 = 0;

/// Parses a record into a row and the numbers of its further columns, or returns the cells that are to blame, if
/// it is not the whole record, and the problem.
pub(crate) fn type_record<'a>(
    record: &Record<'a>,
    columns: &Columns,
    rules: &InputRules,
    capacity: &Capacity,
    Scratch { numbers, joined }: &mut Scratch,
) -> Result<Typed<'a>, (Vec<usize>, RowProblem)> {
    if record.len() != columns.names.len() {
        let (expected, found) = (columns.names.len(), record.len());
        return Err((Vec::new(), RowProblem::FieldCount { expected, found }));
    }
    let wrong = |field: usize, kind: Kind, problem: Problem| {
        let cell = record.field(field);
        let value = cell[..cell.len().min(MAX_QUOTED_BYTES)].to_vec();
        (vec![field], RowProblem::Value { kind, value, problem })
    };
    let composed = |fault: Box<Fault>| {
        let Fault { places, kind, mut value, problem } = *fault;
        value.truncate(MAX_QUOTED_BYTES);
        (places, RowProblem::Value { kind, value, problem })
    };
    let Columns { transaction_id, user_id, .. } = *columns;
    numbers.clear();
    for &Requested { place, kind } in columns.requested.iter().flatten() {
        let cell = record.field(place);
        match kind {
            ColumnKind::Text => {
                value::text(cell).map_err(|problem| wrong(place, Kind::Text, problem))?;
            }
            ColumnKind::Number => numbers.push(
                value::number(cell, rules.decimal_point)
                    .map_err(|problem| wrong(place, Kind::Number, problem))?,
            ),
        }
    }
    let currency =
        |place| value::currency(record.field(place)).map_err(|problem| wrong(place, Kind::Currency, problem));
    let currency = columns.currency.map(currency).transpose()?;
    let (mut transaction_key, mut user_key, mut number) = (None, None, None);
    match transaction_id {
        None => {}
        Some(field) if rules.transaction_ids == IdKind::Text => {
            let key = key::key(record.field(field));
            transaction_key = Some(key.map_err(|problem| wrong(field, Kind::TransactionKey, problem))?);
        }
        Some(field) => {
            let id = value::transaction_id(record.field(field)).and_then(|id| capacity.transaction_id(id));
            number = Some(id.map_err(|problem| wrong(field, Kind::TransactionId, problem))?);
        }
    }
    let row = Row {
        transaction_id: number,
        user_id: match user_id {
            None => ONLY_USER,
            Some(field) if rules.user_ids == IdKind::Text => {
                let key = key::key(record.field(field));
                user_key = Some(key.map_err(|problem| wrong(field, Kind::UserKey, problem))?);
                UNKNOWN_USER
            }
            Some(field) => value::user_id(record.field(field))
                .and_then(|id| capacity.user_id(id))
                .map_err(|problem| wrong(field, Kind::UserId, problem))?,
        },
        amount_cents: columns.amount.cents(record, rules, capacity).map_err(composed)?,
        timestamp_micros: columns.timestamp.micros(record, rules, joined).map_err(composed)?,
        line: record.line,
    };
    Ok(Typed { row, transaction_key, user_key, currency })
}

/// Appends the further values of a record that has been parsed; returns how many bytes they took.
pub(crate) fn take_along(
    to: &mut [Column],
    record: &Record<'_>,
    columns: &Columns,
    numbers: &[f64],
) -> usize {
    let mut numbers = numbers.iter();
    let mut bytes = 0;
    for (column, requested) in to.iter_mut().zip(&columns.requested) {
        match (column, requested) {
            // It has been checked that it is text.
            (Column::Text(texts), Some(requested)) => {
                bytes += texts.push(&String::from_utf8_lossy(record.field(requested.place)));
            }
            (Column::Number(values), Some(_)) => {
                values.extend(numbers.next());
                bytes += size_of::<f64>();
            }
            _ => {}
        }
    }
    bytes
}
