//! One record: its fields, each typed as what its column holds.

use host_core::batch::Row;
use host_core::capacity::Capacity;
use host_core::column::Column;
use host_core::facts::IdKind;
use host_core::rejected::{Kind, Problem};

use crate::cell::{key, value};
use crate::csv::cells::{Untyped, demand_fields};
use crate::csv::columns::{Columns, Requested};
use crate::csv::records::Record;
use crate::rules::InputRules;

/// What is needed of the record that is being read, in memory that is reused.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Where the dictionaries have the texts of its further columns; `None` for those that are new.
    pub codes: Vec<Option<u32>>,
    /// The numbers of its further columns.
    pub numbers: Vec<f64>,
    /// A timestamp of several cells.
    pub joined: Vec<u8>,
}

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

/// Parses a record into a row and what its further columns have, of which `further` are the rows so far.
#[inline]
pub(crate) fn type_record<'a>(
    record: &Record<'a>,
    columns: &Columns,
    rules: &InputRules,
    capacity: &Capacity,
    further: &[Column],
    Scratch { codes, numbers, joined }: &mut Scratch,
) -> Result<Typed<'a>, Box<Untyped>> {
    demand_fields(record, columns.names.len())?;
    let wrong = |field: usize, kind: Kind, problem: Problem| Untyped::of(record, field, kind, problem);
    let Columns { transaction_id, user_id, .. } = *columns;
    codes.clear();
    numbers.clear();
    for (column, requested) in further.iter().zip(&columns.requested) {
        let &Some(Requested { place, .. }) = requested else { continue };
        let cell = record.field(place);
        match column {
            Column::Text(texts) => {
                let code = texts.texts().find(cell);
                // What is there has been examined when it was new.
                if code.is_none() {
                    value::text(cell).map_err(|problem| wrong(place, Kind::Text, problem))?;
                }
                codes.push(code);
            }
            Column::Number(_) => numbers.push(
                value::number(cell, rules.decimal_point)
                    .map_err(|problem| wrong(place, Kind::Number, problem))?,
            ),
            Column::Absent => {}
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
        amount_cents: columns.amount.cents(record, rules, capacity)?,
        timestamp_micros: columns.timestamp.micros(record, rules, joined)?,
        line: record.line,
    };
    Ok(Typed { row, transaction_key, user_key, currency })
}

/// Appends the further values of a record that has been parsed; returns how many bytes they took.
#[inline]
pub(crate) fn take_along(
    to: &mut [Column],
    record: &Record<'_>,
    columns: &Columns,
    Scratch { codes, numbers, .. }: &Scratch,
) -> usize {
    let (mut codes, mut numbers) = (codes.iter(), numbers.iter());
    let mut bytes = 0;
    for (column, requested) in to.iter_mut().zip(&columns.requested) {
        match (column, requested) {
            (Column::Text(texts), Some(requested)) => {
                bytes += match codes.next() {
                    Some(&Some(code)) => texts.push_code(code),
                    // It has been examined: it is UTF-8.
                    _ => texts.push(str::from_utf8(record.field(requested.place)).unwrap_or_default()),
                }
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
