//! For a detector's own tests: rows from CSV text, a whole run, and assertions that show what was found
//! instead. Not part of a plugin.
//!
//! ```
//! use detector_sdk::testing::run;
//! # use detector_sdk::{Anomaly, Batch, Detector, Error, Metadata, Ordering, SettingKind, Settings};
//! # struct Large(i64);
//! # impl Detector for Large {
//! #     fn describe() -> Metadata {
//! #         Metadata::new("large", "1.0.0", "", Ordering::Any).setting("limit", SettingKind::Decimal, "500", "")
//! #     }
//! #     fn configure(settings: &Settings) -> Result<Self, Error> {
//! #         Ok(Large(settings.cents("limit")?.unwrap_or_default()))
//! #     }
//! #     fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
//! #         let large = batch.rows().filter(|row| row.amount_cents() > self.0);
//! #         Ok(large.map(|row| row.anomaly(row.amount_cents() as f64 / 100.0, "large")).collect())
//! #     }
//! # }
//! let rows = "
//!     user_id, amount, timestamp
//!     7,       12.50,  2024-01-01 09:00:00
//!     7,       250.01, 2024-01-01 09:05:00
//! ";
//! let found = run::<Large>(&[("limit", "250")], rows).unwrap();
//! found.assert_rows(&[1]);
//! found.assert_score(1, 250.01);
//! found.assert_reason(1, "large");
//!
//! let refused = run::<Large>(&[("limit", "much")], rows).unwrap_err();
//! assert_eq!(refused.setting(), Some("limit"));
//! ```

mod state;

use std::ops::Deref;

use csv::StringRecord;
use jiff::civil::DateTime;
use rust_decimal::Decimal;

use crate::bindings::ingest::detector::types::{Column, TextColumn};
use crate::runtime::RawBatch;
use crate::{Anomaly, Batch, ColumnKind, ColumnRequest, Detector, Error, Settings};

pub use self::state::{run_stateful, snapshot};

/// How far a score may be from the expected one, relative to that.
const TOLERANCE: f64 = 1e-9;

/// A batch from CSV text with a header, with these further columns. Missing columns of the contract are filled
/// in: the user is 1, amounts are 0, timestamps start in 1970 and are one second apart. Blanks around values are
/// ignored.
///
/// # Panics
/// If the text is not such CSV, saying where, or has no column that is required.
#[must_use]
pub fn batch(csv: &str, columns: &[ColumnRequest]) -> Batch {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(csv.trim().as_bytes());
    let names: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(error) => panic!("the header: {error}"),
    };
    let records: Vec<StringRecord> = match reader.records().collect() {
        Ok(records) => records,
        Err(error) => panic!("{error}"),
    };
    let table = Table { names, records };
    let raw = RawBatch {
        user_ids: table.values("user_id", |text| text.parse().ok(), |_| 1),
        amounts: table.values("amount", cents, |_| 0),
        timestamps: table.values("timestamp", micros, |row| row * 1_000_000),
        columns: columns.iter().map(|request| table.further(request)).collect(),
    };
    Batch::new(raw, columns.iter().map(|request| request.name.clone()).collect())
}

/// A CSV text, read.
struct Table {
    names: Vec<String>,
    records: Vec<StringRecord>,
}

impl Table {
    /// One value per row, or the default for its number if there is no such column.
    fn values<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>, default: impl Fn(i64) -> T) -> Vec<T> {
        let at = self.names.iter().position(|other| other == name);
        let value = |(row, record): (i64, &StringRecord)| match at.and_then(|at| record.get(at)) {
            None => default(row),
            Some(text) => match parse(text) {
                Some(value) => value,
                None => panic!("row {row}, column `{name}`: `{text}`"),
            },
        };
        (0..).zip(&self.records).map(value).collect()
    }

    fn further(&self, request: &ColumnRequest) -> Column {
        let ColumnRequest { name, kind, required } = request;
        if !self.names.contains(name) {
            assert!(!required, "the detector needs the column `{name}`; the text has {:?}", self.names);
            return Column::Absent;
        }
        match kind {
            ColumnKind::Number => {
                let number = |text: &str| if text.is_empty() { Some(f64::NAN) } else { text.parse().ok() };
                Column::Number(self.values(name, number, |_| f64::NAN))
            }
            ColumnKind::Text => {
                let texts = self.values(name, |text| Some(text.to_owned()), |_| String::new());
                let mut entries: Vec<&str> = Vec::new();
                let mut code = |text| {
                    entries.iter().position(|entry| *entry == text).unwrap_or_else(|| {
                        entries.push(text);
                        entries.len() - 1
                    })
                };
                let codes = texts.iter().map(|text| code(text) as u32).collect();
                Column::Text(TextColumn { codes, dictionary: entries.join("\0") })
            }
        }
    }
}

fn cents(text: &str) -> Option<i64> {
    let cents = text.parse::<Decimal>().ok()?.checked_mul(Decimal::ONE_HUNDRED)?;
    if cents.fract().is_zero() { i64::try_from(cents).ok() } else { None }
}

fn micros(text: &str) -> Option<i64> {
    let seconds = text.parse::<DateTime>().ok()?.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    i64::try_from(seconds.as_micros()).ok()
}

/// A whole run over the rows of a CSV text (see [`batch`]): configure, classify, finish. It is done twice,
/// with all rows in one batch and with one batch per row.
///
/// # Errors
/// What the detector returns, also for wrong settings.
///
/// # Panics
/// If the text is not such CSV, or the answer depends on how rows are split into batches.
pub fn run<D: Detector>(settings: &[(&str, &str)], csv: &str) -> Result<Found, Error> {
    let settings = Settings::new(&D::describe(), settings)?;
    let rows = batch(csv, &D::configure(&settings)?.columns());
    let whole = run_batches::<D>(&settings, std::slice::from_ref(&rows))?;
    let one_by_one: Vec<Batch> = (0..rows.len()).map(|row| row_alone(&rows, row)).collect();
    let cut = run_batches::<D>(&settings, &one_by_one)?;
    assert_eq!(whole, cut, "one batch of all rows (left) and one batch per row (right) must give the same");
    Ok(Found(whole))
}

/// Anomalies by their position in the run.
fn run_batches<D: Detector>(settings: &Settings, batches: &[Batch]) -> Result<Vec<Anomaly>, Error> {
    let mut detector = D::configure(settings)?;
    let mut anomalies = Vec::new();
    let mut first_row = 0;
    for batch in batches {
        let found = detector.classify(batch)?;
        anomalies.extend(found.into_iter().map(|one| Anomaly { row: one.row + first_row, ..one }));
        first_row += batch.len() as u32;
    }
    detector.finish()?;
    Ok(anomalies)
}

fn row_alone(rows: &Batch, row: usize) -> Batch {
    let raw = rows.raw();
    let column = |column: &Column| match column {
        Column::Absent => Column::Absent,
        Column::Number(numbers) => Column::Number(vec![numbers[row]]),
        Column::Text(TextColumn { codes, dictionary }) => {
            let text = dictionary.split('\0').nth(codes[row] as usize).unwrap_or_default();
            Column::Text(TextColumn { codes: vec![0], dictionary: text.to_owned() })
        }
    };
    let alone = RawBatch {
        user_ids: vec![raw.user_ids[row]],
        amounts: vec![raw.amounts[row]],
        timestamps: vec![raw.timestamps[row]],
        columns: raw.columns.iter().map(column).collect(),
    };
    Batch::new(alone, rows.names())
}

/// What a run found. Rows count from 0 over the whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Found(Vec<Anomaly>);

impl Found {
    /// Asserts that exactly these rows are anomalous.
    ///
    /// # Panics
    /// If others are.
    #[track_caller]
    pub fn assert_rows(&self, rows: &[u32]) {
        let found: Vec<u32> = self.0.iter().map(|anomaly| anomaly.row).collect();
        assert_eq!(found, rows, "the anomalous rows; all that was found: {:#?}", self.0);
    }

    /// Asserts that this row is anomalous, with this score (to nine digits).
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn assert_score(&self, row: u32, score: f64) {
        let found = self.at(row).score;
        let distance = (found - score).abs();
        assert!(distance <= TOLERANCE * score.abs().max(1.0), "row {row} has the score {found}, not {score}");
    }

    /// Asserts that this row is anomalous, for this reason.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn assert_reason(&self, row: u32, reason: &str) {
        assert_eq!(self.at(row).reason, reason, "the reason of row {row}");
    }

    #[track_caller]
    fn at(&self, row: u32) -> &Anomaly {
        match self.0.iter().find(|anomaly| anomaly.row == row) {
            Some(anomaly) => anomaly,
            None => panic!("row {row} is not anomalous; all that was found: {:#?}", self.0),
        }
    }
}

impl Deref for Found {
    type Target = [Anomaly];

    fn deref(&self) -> &[Anomaly] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metadata, Ordering};

    /// Flags the rows that its column marks; `Broken` counts batches, which a detector must not do.
    struct Honest;
    struct Broken(f64);

    impl Detector for Honest {
        fn describe() -> Metadata {
            Metadata::new("honest", "1", "", Ordering::Any)
        }
        fn configure(_: &Settings) -> Result<Self, Error> {
            Ok(Honest)
        }
        fn columns(&self) -> Vec<ColumnRequest> {
            vec![ColumnRequest::text("flag"), ColumnRequest::number("third").optional()]
        }
        fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
            let flagged = batch.rows().filter(|row| row.text("flag") == Some("yes"));
            Ok(flagged.map(|row| row.anomaly(row.number("third").unwrap_or(1.0) / 3.0, "flagged")).collect())
        }
    }

    impl Detector for Broken {
        fn describe() -> Metadata {
            Metadata::new("broken", "1", "", Ordering::File)
        }
        fn configure(_: &Settings) -> Result<Self, Error> {
            Ok(Broken(0.0))
        }
        fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
            self.0 += 1.0;
            Ok(batch.rows().map(|row| row.anomaly(self.0, "")).collect())
        }
    }

    #[test]
    fn rows_come_from_text_exactly() {
        let columns =
            [ColumnRequest::text("city"), ColumnRequest::number("age"), ColumnRequest::text("x").optional()];
        let rows = batch(
            "transaction_id,user_id,amount,timestamp,city,age\n5,7,-99999999.99,2024-02-29 23:59:59.000001,\" a\nb\",\n",
            &columns,
        );
        assert_eq!((rows.user_ids()[0], rows.amounts_cents()[0]), (7, -9_999_999_999));
        assert_eq!(rows.timestamps_micros()[0], 1_709_251_199_000_001);
        assert_eq!(rows.texts("city").unwrap().get(0), "a\nb");
        assert!(rows.numbers("age").unwrap()[0].is_nan() && rows.texts("x").is_none());
        let filled = batch("flag\nyes\nno\n", &[]);
        assert_eq!(
            (filled.amounts_cents(), filled.timestamps_micros()),
            ([0, 0].as_slice(), [0, 1_000_000].as_slice())
        );
    }

    #[test]
    #[should_panic(expected = "the detector needs the column `flag`")]
    fn a_required_column_must_be_there() {
        let _ = run::<Honest>(&[], "amount\n1\n");
    }

    #[test]
    #[should_panic(expected = "row 1, column `amount`: `1.005`")]
    fn what_is_no_amount_is_told_with_its_row() {
        let _ = batch("amount\n1.5\n1.005\n", &[]);
    }

    #[test]
    fn what_was_found_is_asserted() {
        let found = run::<Honest>(&[], "flag,third\nno,0\nyes,1\nno,0\nyes,\n").unwrap();
        found.assert_rows(&[1, 3]);
        found.assert_score(1, 0.333_333_333_333);
        found.assert_reason(3, "flagged");
        assert_eq!(found.len(), 2);
    }

    #[test]
    #[should_panic(expected = "the anomalous rows")]
    fn other_rows_fail() {
        run::<Honest>(&[], "flag\nyes\n").unwrap().assert_rows(&[]);
    }

    #[test]
    #[should_panic(expected = "row 1 has the score 0.3333333333333333, not 0.3334")]
    fn another_score_fails() {
        run::<Honest>(&[], "flag\nno\nyes\n").unwrap().assert_score(1, 0.3334);
    }

    #[test]
    #[should_panic(expected = "row 0 is not anomalous")]
    fn a_reason_that_is_not_there_fails() {
        run::<Honest>(&[], "flag\nno\nyes\n").unwrap().assert_reason(0, "flagged");
    }

    #[test]
    #[should_panic(expected = "must give the same")]
    fn an_answer_that_depends_on_the_batches_fails() {
        let _ = run::<Broken>(&[], "amount\n1\n2\n");
    }
}
