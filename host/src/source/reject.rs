//! Records that could not be typed: what is kept of them, and how many a run may have.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::hints;
use super::value::{Kind, Problem};
use crate::text::{printable, printable_bytes, printable_up_to};

/// A record that is no row, with all that is needed to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// The file's position in the run, from 1; names may occur twice.
    pub file_position: i32,
    /// The file's header record, as it stands there; none with `--no-header`.
    pub header: Option<Arc<[u8]>>,
    /// The physical line on which the record starts, from 1.
    pub line: u64,
    /// Its position in the decompressed and decoded file.
    pub byte_offset: u64,
    /// The column's name in the file, where one cell is to blame.
    pub column: Option<String>,
    /// What is wrong.
    pub problem: RowProblem,
    /// The record's bytes, without the line break.
    pub raw: Vec<u8>,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowProblem {
    /// Too few or too many fields.
    FieldCount {
        /// As many as the header has.
        expected: usize,
        /// As many as the record has.
        found: usize,
    },
    /// A cell that is no exact value of its kind.
    Value {
        /// What it should be.
        kind: Kind,
        /// The cell.
        value: Vec<u8>,
        /// What is wrong with it.
        problem: Problem,
    },
}

impl RejectedRow {
    /// What it takes in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let value = match &self.problem {
            RowProblem::Value { value, .. } => value.len(),
            RowProblem::FieldCount { .. } => 0,
        };
        size_of::<RejectedRow>() + self.raw.len() + value + self.column.as_ref().map_or(0, String::len)
    }

    /// A word for counting and searching, such as `amount_out_of_range`; part of the interface.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.problem {
            RowProblem::FieldCount { .. } => "field_count".into(),
            RowProblem::Value { kind, problem, .. } => {
                format!("{}_{}", kind.noun().replace(' ', "_"), problem.code())
            }
        }
    }

    /// What is wrong, for people, without saying where.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.problem {
            RowProblem::FieldCount { expected, found: 1 } => {
                format!("1 field where the header has {expected}: `{}`", self.shown())
            }
            RowProblem::FieldCount { expected, found } => {
                format!("{found} fields where the header has {expected}")
            }
            RowProblem::Value { value, problem, .. } => format!("`{}`: {problem}", printable_bytes(value)),
        }
    }
}

impl RejectedRow {
    /// The beginning of it, also where it is a single odd byte.
    fn shown(&self) -> String {
        printable_up_to(&printable_bytes(&self.raw), SHOWN_CHARS).into_owned()
    }
}

/// How much of a record that is not even fields a message shows.
const SHOWN_CHARS: usize = 40;

impl fmt::Display for RejectedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = (printable(&self.file), self.line);
        match &self.problem {
            RowProblem::FieldCount { expected, found: 1 } => write!(
                f,
                "wrong number of fields in `{file}` at line {line}: 1 where the header has {expected}: `{}`",
                self.shown(),
            ),
            RowProblem::FieldCount { expected, found } => write!(
                f,
                "wrong number of fields in `{file}` at line {line}: {found} where the header has {expected}"
            ),
            RowProblem::Value { kind, value, .. } => write!(
                f,
                "invalid {} in `{file}` at line {line}, column `{}`: `{}`",
                kind.noun(),
                printable(self.column.as_deref().unwrap_or_default()),
                printable_bytes(value),
            ),
        }
    }
}

/// How many rejected rows a run may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RejectLimit {
    /// So many.
    Count(u64),
    /// So many of a hundred records, from 0 to 100.
    Percent(f64),
}

impl Default for RejectLimit {
    fn default() -> RejectLimit {
        RejectLimit::Count(0)
    }
}

impl FromStr for RejectLimit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<RejectLimit, Self::Err> {
        const EXPECTED: &str = "give a count such as `10` or a percentage such as `0.5%`";
        match text.strip_suffix('%') {
            None => text.parse().map(RejectLimit::Count).map_err(|_| EXPECTED),
            Some(percent) => match percent.parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(RejectLimit::Percent(percent)),
                _ => Err(EXPECTED),
            },
        }
    }
}

impl fmt::Display for RejectLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RejectLimit::Count(count) => write!(f, "{count}"),
            RejectLimit::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// How many rejected rows are quoted in an error or a report.
const QUOTED: usize = 5;

/// The rejected rows of a run so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// How many of each reason.
    pub by_reason: BTreeMap<String, u64>,
    /// The first few, in words.
    pub first: Vec<String>,
    /// What may have been meant by one of these.
    pub hint: Option<String>,
}

impl Tally {
    /// Counts another.
    pub fn add(&mut self, rejected: &RejectedRow) {
        self.count += 1;
        *self.by_reason.entry(rejected.reason()).or_default() += 1;
        if self.first.len() < QUOTED {
            self.first.push(rejected.to_string());
            self.hint = self.hint.take().or_else(|| hints::on_row(rejected));
        }
    }

    /// Whether these are too many of `records`, of which all have been read if `at_end`: a
    /// percentage means nothing before that.
    #[must_use]
    pub fn exceeds(&self, limit: RejectLimit, records: u64, at_end: bool) -> bool {
        match limit {
            RejectLimit::Count(allowed) => self.count > allowed,
            RejectLimit::Percent(allowed) => at_end && self.count as f64 * 100.0 > allowed * records as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_counts_or_percentages() {
        assert_eq!("10".parse(), Ok(RejectLimit::Count(10)));
        assert_eq!("0.5%".parse(), Ok(RejectLimit::Percent(0.5)));
        assert_eq!("100%".parse(), Ok(RejectLimit::Percent(100.0)));
        for wrong in ["", "-1", "1.5", "101%", "-1%", "NaN%", "%", "ten"] {
            assert!(wrong.parse::<RejectLimit>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn more_than_the_limit_is_too_many() {
        let tally = |count| Tally { count, ..Tally::default() };
        assert!(!tally(10).exceeds(RejectLimit::Count(10), 20, false));
        assert!(tally(11).exceeds(RejectLimit::Count(10), 20, false));
        assert!(!tally(11).exceeds(RejectLimit::Percent(50.0), 20, false));
        assert!(tally(11).exceeds(RejectLimit::Percent(50.0), 20, true));
        assert!(!tally(10).exceeds(RejectLimit::Percent(50.0), 20, true));
        assert!(!tally(0).exceeds(RejectLimit::Percent(0.0), 0, true));
    }
}
