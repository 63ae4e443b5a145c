//! Which columns a value is in that may be spread over several of them: amounts (debit and credit, or with a sign in a
//! column of its own) and timestamps (date and time). [`cells`](crate::csv::cells) reads them.

use std::fmt;
use std::str::FromStr;

use host_core::rejected::Problem;

use crate::cell::value::trim;

/// Which columns an amount is in, by name or, without a header, by position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AmountColumns {
    /// In `amount`, with its sign.
    #[default]
    Amount,
    /// In `amount`; another column says its sign.
    Signed(SignColumn),
    /// In one of two columns.
    DebitOrCredit {
        /// Those that are negative.
        debit: String,
        /// Those that are positive.
        credit: String,
    },
}

/// A column that says whether amounts are negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignColumn {
    /// Its name.
    pub column: String,
    /// Its value where amounts are negative, in any case.
    pub negative: String,
    /// Its value where they are positive; every other one if there is none.
    pub positive: Option<String>,
}

impl FromStr for SignColumn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<SignColumn, Self::Err> {
        let Some((column, values)) = text.split_once('=') else {
            return Err("give a column and its value where amounts are negative, such as `type=DR`");
        };
        let mut parts = values.split(',').map(str::trim);
        let (negative, positive) = (parts.next().unwrap_or_default(), parts.next());
        if column.trim().is_empty() || [Some(negative), positive].contains(&Some("")) {
            return Err("neither the column nor a value may be empty");
        }
        if parts.next().is_some() || positive.is_some_and(|positive| positive.eq_ignore_ascii_case(negative))
        {
            return Err("give one value, or two different ones: negative,positive");
        }
        Ok(SignColumn {
            column: column.trim().to_owned(),
            negative: negative.to_owned(),
            positive: positive.map(str::to_owned),
        })
    }
}

/// As it is parsed.
impl fmt::Display for SignColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SignColumn { column, negative, positive } = self;
        write!(f, "{column}={negative}")?;
        positive.as_ref().map_or(Ok(()), |positive| write!(f, ",{positive}"))
    }
}

impl SignColumn {
    pub(crate) fn is_negative(&self, cell: &[u8]) -> Result<bool, Problem> {
        let cell = trim(cell);
        match &self.positive {
            _ if cell.is_empty() => Err(Problem::Empty),
            _ if cell.eq_ignore_ascii_case(self.negative.as_bytes()) => Ok(true),
            Some(positive) if !cell.eq_ignore_ascii_case(positive.as_bytes()) => Err(Problem::UnknownSign),
            _ => Ok(false),
        }
    }
}

/// The columns that make up a timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampColumns(Vec<String>);

impl TimestampColumns {
    /// How many there may be.
    const MAX: usize = 8;

    /// Their names or positions, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The columns with other names.
    #[must_use]
    pub fn renamed(&self, rename: impl FnMut(&String) -> String) -> TimestampColumns {
        TimestampColumns(self.0.iter().map(rename).collect())
    }
}

impl FromStr for TimestampColumns {
    type Err = String;

    fn from_str(text: &str) -> Result<TimestampColumns, Self::Err> {
        let columns: Vec<String> = text.split(',').map(|column| column.trim().to_owned()).collect();
        if columns.len() < 2 || columns.iter().any(String::is_empty) {
            return Err("give the columns' names, such as `Date,Time`; a single column is named with \
                        `--column timestamp=NAME`"
                .into());
        }
        if columns.len() > TimestampColumns::MAX {
            return Err(format!("give at most {} columns", TimestampColumns::MAX));
        }
        Ok(TimestampColumns(columns))
    }
}

/// As it is parsed.
impl fmt::Display for TimestampColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_given() {
        for text in ["type=DR", "type=DR,CR", "Soll/Haben=S,H"] {
            assert_eq!(text.parse::<SignColumn>().unwrap().to_string(), text);
        }
        assert_eq!(" a = b , c ".parse::<SignColumn>().unwrap().to_string(), "a=b,c");
        for wrong in ["", "type", "type=", "=DR", "type=DR,", "type=,CR", "type=DR,dr", "type=a,b,c"] {
            assert!(wrong.parse::<SignColumn>().is_err(), "{wrong}");
        }
        assert_eq!("Date, Time".parse::<TimestampColumns>().unwrap().to_string(), "Date,Time");
        for wrong in ["", "Date", "Date,", ",Time", "1,2,3,4,5,6,7,8,9"] {
            assert!(wrong.parse::<TimestampColumns>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sign_is_one_of_the_values_or_nothing() {
        let is_negative =
            |sign: &str, cell: &str| sign.parse::<SignColumn>().unwrap().is_negative(cell.as_bytes());
        assert_eq!(is_negative("t=DR", " DR "), Ok(true));
        assert_eq!(is_negative("t=DR", "dr"), Ok(true));
        assert_eq!(is_negative("t=DR", "anything"), Ok(false));
        assert_eq!(is_negative("t=DR", " "), Err(Problem::Empty));
        assert_eq!(is_negative("t=DR,CR", "DR"), Ok(true));
        assert_eq!(is_negative("t=DR,CR", "CR"), Ok(false));
        assert_eq!(is_negative("t=DR,CR", "Cr"), Ok(false));
        assert_eq!(is_negative("t=DR,CR", "D"), Err(Problem::UnknownSign));
        assert_eq!(is_negative("t=DR,CR", ""), Err(Problem::Empty));
    }
}
