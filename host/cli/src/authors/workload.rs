//! Rows to try a plugin on: generated ones, which are always the same, or an author's own from a file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use host_core::batch::{Attribute, Batch, Row};
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
pub fn generated(rows: usize, attributes: &[String]) -> Batch {
    let mut random = Random(1);
    let mut batch = Batch::new(attributes);
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
        for attribute in &mut batch.attributes {
            // Few different values, like categories; they are also numbers, for detectors that want numbers.
            attribute.values.push(random.below(20).to_string());
        }
    }
    batch
}

/// Rows at the limits of what the contract allows, with strange texts.
#[must_use]
pub fn extremes(attributes: &[String]) -> Batch {
    const AMOUNTS_CENTS: [i64; 5] = [-9_999_999_999, -1, 0, 1, 9_999_999_999];
    const USERS: [i64; 3] = [-2_147_483_647, 0, 2_147_483_647];
    // 0001-01-01T00:00:00, 1970, and 9999-12-31T23:59:59.999999.
    const TIMES_MICROS: [i64; 3] = [-62_135_596_800_000_000, 0, 253_402_300_799_999_999];
    const IDS: [i64; 3] = [i64::MIN, 0, i64::MAX];
    let texts = ["", " ", "0", "-1e999", "NaN", "a\nb\0c\u{1b}[2J", "\u{202e}🦀\u{301}", &"x".repeat(10_000)];
    let mut batch = Batch::new(attributes);
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
                for attribute in &mut batch.attributes {
                    attribute.values.push(texts[i % texts.len()].to_owned());
                }
            }
        }
    }
    batch
}

/// The first rows of a file, at most [`MAX_BATCH_ROWS`].
///
/// # Errors
/// If the file cannot be read, has an invalid record, or has no rows.
pub fn read(file: &Path, attributes: &[String]) -> Result<Batch, Error> {
    let rows = read_all(file, attributes, Some(MAX_BATCH_ROWS))?;
    if rows.is_empty() { Err(ToolsError::NoRows(file.to_owned()).into()) } else { Ok(rows) }
}

/// The rows of a file, at most this many.
///
/// # Errors
/// If the file cannot be read or has an invalid record.
pub fn read_all(file: &Path, attributes: &[String], max_rows: Option<usize>) -> Result<Batch, Error> {
    let files = host_source::expand(&[file.to_owned()])?;
    let rules = InputRules { batch_rows: max_rows.unwrap_or(MAX_BATCH_ROWS), ..InputRules::default() };
    let mut source = Source::open(files, rules, attributes, Arc::new(AtomicU64::new(0)))?;
    let mut rows = Batch::new(attributes);
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

fn append(to: &mut Batch, from: &Batch, indices: impl Iterator<Item = usize>) {
    for i in indices {
        to.push(Row {
            transaction_id: from.transaction_ids[i],
            user_id: from.user_ids[i],
            amount_cents: from.amounts_cents[i],
            timestamp_micros: from.timestamps_micros[i],
            line: from.lines[i],
        });
        for (to, Attribute { values, .. }) in to.attributes.iter_mut().zip(&from.attributes) {
            to.values.push(values[i].clone());
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
        let rows = generated(20_000, &["city".into()]);
        assert_eq!(rows, generated(20_000, &["city".into()]));
        assert_eq!((rows.len(), rows.attributes[0].values.len()), (20_000, 20_000));
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
        let rows = generated(10, &["city".into()]);
        let selected = select(&rows, &[7, 2], 5);
        assert_eq!((selected.first_row, selected.len()), (5, 2));
        assert_eq!(selected.transaction_ids, [rows.transaction_ids[7], rows.transaction_ids[2]]);
        assert_eq!(selected.attributes[0].values[1], rows.attributes[0].values[2]);
    }
}
