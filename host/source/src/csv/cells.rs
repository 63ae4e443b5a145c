//! Which fields of a record an amount or a timestamp is in, and what they mean together. A record whose cells
//! contradict each other is rejected.

use host_core::capacity::Capacity;
use host_core::rejected::{Kind, Problem, RowProblem};

use crate::cell::value::trim;
use crate::composed::SignColumn;
use crate::csv::records::Record;
use crate::rules::InputRules;

/// Which fields of a record an amount is in, from 0.
#[derive(Clone, Debug)]
pub(crate) enum AmountCells {
    Amount(usize),
    Signed { amount: usize, sign: usize, column: SignColumn },
    DebitOrCredit { debit: usize, credit: usize },
}

/// Which fields of a record a timestamp is in, from 0.
#[derive(Clone, Debug)]
pub(crate) enum TimestampCells {
    One(usize),
    /// Joined by blanks.
    Several(Vec<usize>),
}

/// No message shows more of a cell than this: at most [`SHOWN_CHARS`](host_core::text::SHOWN_CHARS)
/// characters of four bytes each. The record has all of it.
const MAX_QUOTED_BYTES: usize = 4 * host_core::text::SHOWN_CHARS + 8;

/// Why a record is not a row.
pub(crate) struct Untyped {
    /// The cells that are to blame, from 0; none if it is the whole record.
    pub places: Vec<usize>,
    pub problem: RowProblem,
}

impl Untyped {
    /// A cell does not mean a value.
    #[cold]
    pub fn of(record: &Record<'_>, place: usize, kind: Kind, problem: Problem) -> Box<Untyped> {
        Untyped::of_cells(vec![place], kind, record.field(place), problem)
    }

    /// Cells do not mean a value together.
    #[cold]
    fn of_cells(places: Vec<usize>, kind: Kind, value: &[u8], problem: Problem) -> Box<Untyped> {
        let value = value[..value.len().min(MAX_QUOTED_BYTES)].to_vec();
        Box::new(Untyped { places, problem: RowProblem::Value { kind, value, problem } })
    }
}

/// A record must have as many fields as there are columns.
#[inline]
pub(crate) fn demand_fields(record: &Record<'_>, expected: usize) -> Result<(), Box<Untyped>> {
    match record.len() {
        found if found == expected => Ok(()),
        found => {
            let problem = RowProblem::FieldCount { expected, found };
            Err(Box::new(Untyped { places: Vec::new(), problem }))
        }
    }
}

impl AmountCells {
    pub fn places(&self) -> impl Iterator<Item = usize> {
        let (first, second) = match *self {
            AmountCells::Amount(amount) => (amount, None),
            AmountCells::Signed { amount, sign, .. } => (amount, Some(sign)),
            AmountCells::DebitOrCredit { debit, credit } => (debit, Some(credit)),
        };
        std::iter::once(first).chain(second)
    }

    /// The amount of a record, in hundredths. Called for each row, nearly always for one cell.
    #[inline]
    pub fn cents(
        &self,
        record: &Record<'_>,
        rules: &InputRules,
        capacity: &Capacity,
    ) -> Result<i64, Box<Untyped>> {
        match self {
            AmountCells::Amount(amount) => one_amount(record, (rules, capacity), *amount),
            AmountCells::Signed { amount, sign, column } => {
                let is_negative = column
                    .is_negative(record.field(*sign))
                    .map_err(|problem| Untyped::of(record, *sign, Kind::Sign, problem))?;
                let cents = unsigned_amount(record, (rules, capacity), *amount)?;
                Ok(if is_negative { -cents } else { cents })
            }
            AmountCells::DebitOrCredit { debit, credit } => {
                debit_or_credit(record, (rules, capacity), *debit, *credit)
            }
        }
    }
}

/// How an amount is written, and how large it may be.
type Limits<'a> = (&'a InputRules, &'a Capacity);

#[inline]
fn one_amount(record: &Record<'_>, (rules, capacity): Limits<'_>, place: usize) -> Result<i64, Box<Untyped>> {
    let cents = rules.amount_cents(record.field(place)).and_then(|cents| capacity.amount_cents(cents));
    cents.map_err(|problem| Untyped::of(record, place, Kind::Amount, problem))
}

/// Where the sign is said elsewhere, a minus sign would have two meanings.
fn unsigned_amount(record: &Record<'_>, limits: Limits<'_>, place: usize) -> Result<i64, Box<Untyped>> {
    match one_amount(record, limits, place)? {
        cents @ 0.. => Ok(cents),
        _ => Err(Untyped::of(record, place, Kind::Amount, Problem::SignTwice)),
    }
}

/// One of the two must be empty or zero.
fn debit_or_credit(
    record: &Record<'_>,
    limits: Limits<'_>,
    debit: usize,
    credit: usize,
) -> Result<i64, Box<Untyped>> {
    let read = |place: usize| match trim(record.field(place)) {
        [] => Ok(None),
        _ => unsigned_amount(record, limits, place).map(Some),
    };
    let wrong = |problem| {
        let both = [trim(record.field(debit)), trim(record.field(credit))].join(&b' ');
        Err(Untyped::of_cells(vec![debit, credit], Kind::Amount, trim(&both), problem))
    };
    match (read(debit)?, read(credit)?) {
        (None, None) => wrong(Problem::Empty),
        (Some(out), None | Some(0)) => Ok(-out),
        (None | Some(0), Some(into)) => Ok(into),
        (Some(_), Some(_)) => wrong(Problem::DebitAndCredit),
    }
}

impl TimestampCells {
    pub fn places(&self) -> &[usize] {
        match self {
            TimestampCells::One(place) => std::slice::from_ref(place),
            TimestampCells::Several(places) => places,
        }
    }

    /// The timestamp of a record, in microseconds since 1970-01-01T00:00:00; `joined` is memory that is reused.
    /// Called for each row, nearly always for one cell.
    #[inline]
    pub fn micros(
        &self,
        record: &Record<'_>,
        rules: &InputRules,
        joined: &mut Vec<u8>,
    ) -> Result<i64, Box<Untyped>> {
        match self {
            TimestampCells::One(place) => {
                let micros = rules.timestamps.micros(record.field(*place));
                micros.map_err(|problem| Untyped::of(record, *place, Kind::Timestamp, problem))
            }
            TimestampCells::Several(places) => joined_micros(record, rules, places, joined),
        }
    }
}

fn joined_micros(
    record: &Record<'_>,
    rules: &InputRules,
    places: &[usize],
    joined: &mut Vec<u8>,
) -> Result<i64, Box<Untyped>> {
    joined.clear();
    for &place in places {
        let cell = trim(record.field(place));
        if cell.is_empty() {
            return Err(Untyped::of(record, place, Kind::Timestamp, Problem::Empty));
        }
        if !joined.is_empty() {
            joined.push(b' ');
        }
        joined.extend_from_slice(cell);
    }
    let micros = rules.timestamps.micros(joined);
    micros.map_err(|problem| Untyped::of_cells(places.to_vec(), Kind::Timestamp, joined, problem))
}
