//! Rows to try a plugin on: generated ones, which are always the same, or an author's own from a file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use host_core::batch::{Batch, Row};
use host_core::column::{Column, ColumnRequest};
use host_source::{InputRules, Source};

use crate::error::{Error, ToolsError};

/// As many as the host ever passes at a time.
pub const MAX_BATCH_ROWS: usize = 65_536;
/// 2024-01-01T00:00:00
const START_MICROS: i64 = 1_704_067_200_000_000;
/// The number of users in generated rows.
const USERS: u64 = 500;

/// Rows that look like transactions: each user spends around an amount of their own, time passes, and
/// one row in a hundred is out of the ordinary (very large, a refund, round, or twice in a second).
#[must_use]
pub fn generated(rows: usize, columns: &[ColumnRequest]) -> Batch {
    let mut random = Random(1);
    let mut batch = Batch::new(columns);
    let mut timestamp_micros = START_MICROS;
    for i in 0..rows as u64 {
        let user = random.below(USERS);
        let usual_cents = 500 + (user * 7_919) % 20_000;
        let ordinary = (usual_cents / 2 + random.below(usual_cents)) as i64;
        let (amount_cents, passed_micros) = match random.below(400) {
            0 => (ordinary * 100, random.below(60_000_000)),
            1 => (-ordinary, random.below(60_000_000)),
            2 => (ordinary / 10_000 * 10_000 + 10_000, random.below(60_000_000)),
            3 => (ordinary, 0),
            _ => (ordinary, 1 + random.below(60_000_000)),
        };
        timestamp_micros += passed_micros as i64;
        batch.push(Row {
            transaction_id: i as i64 + 1,
            user_id: user as i64 + 1_000,
            amount_cents,
            timestamp_micros,
            line: i + 2,
        });
        for column in &mut batch.columns {
            // Few different values, like categories.
            let value = random.below(20);
            push(column, &format!("value {value}"), value as f64 / 4.0);
        }
    }
    batch
}

/// Rows at the limits of what the contract allows, with strange texts.
#[must_use]
pub fn extremes(columns: &[ColumnRequest]) -> Batch {
    const AMOUNTS_CENTS: [i64; 5] = [-9_999_999_999, -1, 0, 1, 9_999_999_999];
    const USERS: [i64; 3] = [-2_147_483_647, 0, 2_147_483_647];
    // 0001-01-01T00:00:00, 1970, and 9999-12-31T23:59:59.999999.
    const TIMES_MICROS: [i64; 3] = [-62_135_596_800_000_000, 0, 253_402_300_799_999_999];
    const IDS: [i64; 3] = [i64::MIN, 0, i64::MAX];
    const NUMBERS: [f64; 7] = [0.0, -0.0, f64::NAN, f64::MAX, f64::MIN, f64::MIN_POSITIVE, -1.5];
    let texts = ["", " ", "0", "-1e999", "NaN", "a\nb\tc\u{1b}[2J", "\u{202e}🦀\u{301}", &"x".repeat(10_000)];
    let mut batch = Batch::new(columns);
    for amount_cents in AMOUNTS_CENTS {
        for user_id in USERS {
            for timestamp_micros in TIMES_MICROS {
                let i = batch.len();
                let transaction_id = IDS[i % IDS.len()];
                batch.push(Row {
                    transaction_id,
                    user_id,
                    amount_cents,
                    timestamp_micros,
                    line: i as u64 + 2,
                });
                for column in &mut batch.columns {
                    push(column, texts[i % texts.len()], NUMBERS[i % NUMBERS.len()]);
                }
            }
        }
    }
    batch
}

/// Appends a row's value to a column: the text or the number, whichever it has.
fn push(column: &mut Column, text: &str, number: f64) {
    match column {
        Column::Absent => {}
        Column::Text(texts) => drop(texts.push(text)),
        Column::Number(numbers) => numbers.push(number),
    }
}

/// The first rows of a file, at most [`MAX_BATCH_ROWS`].
///
/// # Errors
/// If the file cannot be read, has an invalid record, or has no rows.
pub fn read(file: &Path, columns: &[ColumnRequest]) -> Result<Batch, Error> {
    let rows = read_all(file, &InputRules::default(), columns, Some(MAX_BATCH_ROWS))?;
    if rows.is_empty() { Err(ToolsError::NoRows(file.to_owned()).into()) } else { Ok(rows) }
}

/// The rows of a file, at most this many.
///
/// # Errors
/// If the file cannot be read or has an invalid record.
pub fn read_all(
    file: &Path,
    rules: &InputRules,
    columns: &[ColumnRequest],
    max_rows: Option<usize>,
) -> Result<Batch, Error> {
    let files = host_source::expand(&[file.to_owned()])?;
    let rules = InputRules { batch_rows: max_rows.unwrap_or(MAX_BATCH_ROWS), ..rules.clone() };
    let mut source = Source::open(files, rules, columns, Arc::new(AtomicU64::new(0)))?;
    let mut rows = Batch::new(columns);
    while let Some(part) = source.next_part(Batch::default())? {
        let left = max_rows.map_or(part.batch.len(), |max_rows| max_rows - rows.len());
        append(&mut rows, &part.batch, 0..part.batch.len().min(left));
        if Some(rows.len()) == max_rows {
            break;
        }
    }
    Ok(rows)
}

/// These rows of a batch, as a batch.
#[must_use]
pub fn select(rows: &Batch, indices: &[usize], first_row: u64) -> Batch {
    Batch { first_row, ..rows.select(indices.iter().copied()) }
}

pub(super) fn append(to: &mut Batch, from: &Batch, indices: impl Iterator<Item = usize>) {
    for i in indices {
        to.push(Row {
            transaction_id: from.transaction_ids[i],
            user_id: from.user_ids[i],
            amount_cents: from.amounts_cents[i],
            timestamp_micros: from.timestamps_micros[i],
            line: from.lines[i],
        });
        for (to, from) in to.columns.iter_mut().zip(&from.columns) {
            match (to, from) {
                (Column::Text(to), Column::Text(from)) => drop(to.push(from.get(i))),
                (Column::Number(to), Column::Number(from)) => to.push(from[i]),
                // The file has no such column.
                (to, _) => *to = Column::Absent,
            }
        }
    }
}

/// Knuth's MMIX generator: good enough for amounts, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_rows_are_always_the_same_and_some_are_strange() {
        let columns = [ColumnRequest::text("city")];
        let rows = generated(20_000, &columns);
        assert_eq!(rows, generated(20_000, &columns));
        assert_eq!((rows.len(), rows.columns[0].as_text().unwrap().codes().len()), (20_000, 20_000));
        let count = |is: &dyn Fn(usize) -> bool| (0..rows.len()).filter(|&i| is(i)).count();
        assert!((20..200).contains(&count(&|i| rows.amounts_cents[i] < 0)));
        assert!((20..200).contains(&count(&|i| rows.amounts_cents[i] > 100_000)));
        assert!(
            (20..200)
                .contains(&count(&|i| i > 0 && rows.timestamps_micros[i] == rows.timestamps_micros[i - 1]))
        );
    }

    #[test]
    fn selected_rows_are_those() {
        let rows = generated(10, &[ColumnRequest::text("city")]);
        let selected = select(&rows, &[7, 2], 5);
        assert_eq!((selected.first_row, selected.len()), (5, 2));
        assert_eq!(selected.transaction_ids, [rows.transaction_ids[7], rows.transaction_ids[2]]);
        let (city, cities) = (selected.columns[0].as_text().unwrap(), rows.columns[0].as_text().unwrap());
        assert_eq!((city.get(0), city.get(1)), (cities.get(7), cities.get(2)));
    }
}
