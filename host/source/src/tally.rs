//! How many records a run may reject, and a tally of those that it did.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use host_core::rejected::RejectedRow;

use crate::hints;

/// How many rejected rows a run may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RejectLimit {
    /// This many.
    Count(u64),
    /// This percentage of all records, from 0 to 100.
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
    /// How many for each reason.
    pub by_reason: BTreeMap<String, u64>,
    /// The first few, in words.
    pub first: Vec<String>,
    /// What may have been meant by one of these.
    pub hint: Option<String>,
}

impl Tally {
    /// Counts another rejected row.
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
