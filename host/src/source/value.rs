//! One cell to one exact value. Nothing here rounds, guesses or repairs: a cell either means
//! exactly one value that the database can hold, or it is refused with a [`Problem`].

use std::fmt;

/// The largest amount of `DECIMAL(10, 2)`, in hundredths.
pub const MAX_AMOUNT_CENTS: i64 = 9_999_999_999;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Why a cell is not a value. Says what is wrong; [`Kind::expected`] says what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nothing (or only blanks) where a value must be.
    Empty,
    /// A character that cannot stand there.
    Unexpected(char),
    /// Bytes that are no UTF-8 text.
    InvalidUtf8,
    /// The cell ends where more is needed.
    Incomplete,
    /// More than two decimals, and they are not all zero.
    TooPrecise,
    /// More than six decimals of a second, and they are not all zero.
    FinerThanMicroseconds,
    /// Beyond what the column can hold.
    OutOfRange(&'static str),
    /// A day, hour, minute or second that does not exist.
    NoSuch(&'static str),
    /// A time zone or offset, which the column cannot hold.
    HasOffset,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Empty => f.write_str("the value is empty"),
            Problem::Unexpected(found) => write!(f, "unexpected character `{}`", found.escape_debug()),
            Problem::InvalidUtf8 => f.write_str("the bytes are not UTF-8 text"),
            Problem::Incomplete => f.write_str("the value ends too early"),
            Problem::TooPrecise => f.write_str("more than two decimals cannot be stored exactly"),
            Problem::FinerThanMicroseconds => {
                f.write_str("more than six decimals of a second cannot be stored exactly")
            }
            Problem::OutOfRange(range) => write!(f, "out of range: {range}"),
            Problem::NoSuch(what) => write!(f, "there is no such {what}"),
            Problem::HasOffset => f.write_str("a time zone or offset would be lost: the column has none"),
        }
    }
}

/// What a column's cells are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The file's own transaction id.
    TransactionId,
    /// A user's id.
    UserId,
    /// An amount of money.
    Amount,
    /// A date and time.
    Timestamp,
}

impl Kind {
    /// As it is called in messages.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Kind::TransactionId => "transaction id",
            Kind::UserId => "user id",
            Kind::Amount => "amount",
            Kind::Timestamp => "timestamp",
        }
    }

    /// What a valid cell looks like.
    #[must_use]
    pub fn expected(self) -> &'static str {
        match self {
            Kind::TransactionId | Kind::UserId => "ids are whole numbers such as `4182`",
            Kind::Amount => "amounts look like `12.50`",
            Kind::Timestamp => "timestamps look like `2024-02-29 23:59:59` or `2024-02-29T23:59:59.123456`",
        }
    }
}

/// A transaction id: a whole number of 64 bits.
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn transaction_id(cell: &[u8]) -> Result<i64, Problem> {
    integer(trim(cell), "transaction ids are whole numbers of 64 bits")
}

/// A user id: a whole number that fits the column's type, `INT`.
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn user_id(cell: &[u8]) -> Result<i64, Problem> {
    const RANGE: &str = "user ids lie within ±2147483647";
    let id = integer(trim(cell), RANGE)?;
    if i32::try_from(id).is_ok() { Ok(id) } else { Err(Problem::OutOfRange(RANGE)) }
}

/// An amount in hundredths. Grammar: `[+-] digit+ [. digit+]`; decimals after the second must be
/// zero; the number must fit `DECIMAL(10, 2)`.
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn amount_cents(cell: &[u8]) -> Result<i64, Problem> {
    let (negative, digits) = sign(trim(cell))?;
    let mut cents: i64 = 0;
    // The position after the point; none before it.
    let mut decimals: Option<u32> = None;
    for (i, &byte) in digits.iter().enumerate() {
        match (byte, decimals) {
            (b'0'..=b'9', Some(2..)) if byte != b'0' => return Err(Problem::TooPrecise),
            (b'0', Some(2..)) => {}
            (b'0'..=b'9', _) => {
                cents = cents * 10 + i64::from(byte - b'0');
                decimals = decimals.map(|count| count + 1);
                if cents > MAX_AMOUNT_CENTS {
                    return Err(AMOUNT_RANGE);
                }
            }
            (b'.', None) if i > 0 => decimals = Some(0),
            _ => return Err(unexpected(&digits[i..])),
        }
    }
    match decimals {
        None => cents *= 100,
        Some(0) => return Err(Problem::Incomplete),
        Some(1) => cents *= 10,
        Some(_) => {}
    }
    if cents > MAX_AMOUNT_CENTS {
        return Err(AMOUNT_RANGE);
    }
    Ok(if negative { -cents } else { cents })
}

const AMOUNT_RANGE: Problem = Problem::OutOfRange("amounts lie within ±99999999.99");

/// A date and time in microseconds since 1970-01-01T00:00:00. Grammar:
/// `YYYY-MM-DD`, a blank or `T`, `HH:MM:SS`, and optionally `.` with decimals of a second; those
/// after the sixth must be zero. Years 0001 to 9999; no leap seconds.
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn timestamp_micros(cell: &[u8]) -> Result<i64, Problem> {
    const SHAPE: &[u8; 19] = b"dddd-dd-dd dd:dd:dd";
    let cell = trim(cell);
    for (i, &shape) in SHAPE.iter().enumerate() {
        let fits = match (shape, cell.get(i)) {
            (_, None) if i == 0 => return Err(Problem::Empty),
            (_, None) => return Err(Problem::Incomplete),
            (b'd', Some(byte)) => byte.is_ascii_digit(),
            (b' ', Some(byte)) => matches!(byte, b' ' | b'T'),
            (_, Some(&byte)) => byte == shape,
        };
        if !fits {
            return Err(unexpected(&cell[i..]));
        }
    }
    let number = |from: usize, to: usize| {
        cell[from..to].iter().fold(0, |number, &byte| number * 10 + i64::from(byte - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    if year == 0 {
        return Err(Problem::NoSuch("year"));
    }
    if !(1..=12).contains(&month) {
        return Err(Problem::NoSuch("month"));
    }
    if day == 0 || day > days_of_month(year, month) {
        return Err(Problem::NoSuch("day"));
    }
    if hour > 23 {
        return Err(Problem::NoSuch("hour"));
    }
    if minute > 59 {
        return Err(Problem::NoSuch("minute"));
    }
    if second > 59 {
        return Err(Problem::NoSuch("second"));
    }
    let seconds = days_from_epoch(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    Ok(seconds * MICROS_PER_SECOND + fraction_micros(&cell[SHAPE.len()..])?)
}

/// What follows the seconds: nothing, or `.` and decimals.
fn fraction_micros(rest: &[u8]) -> Result<i64, Problem> {
    let digits = match rest {
        [] => return Ok(0),
        [b'.', digits @ ..] => digits,
        [b'Z' | b'z' | b'+' | b'-' | b' ', ..] => return Err(Problem::HasOffset),
        _ => return Err(unexpected(rest)),
    };
    if digits.is_empty() {
        return Err(Problem::Incomplete);
    }
    let mut micros = 0;
    let mut unit = MICROS_PER_SECOND;
    for (i, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {}
            b'Z' | b'z' | b'+' | b'-' | b' ' if i > 0 => return Err(Problem::HasOffset),
            _ => return Err(unexpected(&digits[i..])),
        }
        unit /= 10;
        if unit == 0 && byte != b'0' {
            return Err(Problem::FinerThanMicroseconds);
        }
        micros += i64::from(byte - b'0') * unit;
    }
    Ok(micros)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. The formula counts years from
/// March, so that the leap day is a year's last (H. Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`).
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn integer(cell: &[u8], range: &'static str) -> Result<i64, Problem> {
    let (negative, digits) = sign(cell)?;
    let mut value: i64 = 0;
    for (i, &byte) in digits.iter().enumerate() {
        if !byte.is_ascii_digit() {
            return Err(unexpected(&digits[i..]));
        }
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i64::from(byte - b'0')))
            .ok_or(Problem::OutOfRange(range))?;
    }
    Ok(if negative { -value } else { value })
}

/// Splits off a sign; what remains is not empty.
fn sign(cell: &[u8]) -> Result<(bool, &[u8]), Problem> {
    let (negative, digits) = match cell {
        [] => return Err(Problem::Empty),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() { Err(Problem::Incomplete) } else { Ok((negative, digits)) }
}

/// Blanks around a number or a timestamp carry nothing.
fn trim(cell: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(start) = cell.iter().position(|byte| !blank(byte)) else { return &[] };
    // There is a byte that is no blank, so there is a last one.
    let end = cell.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &cell[start..end]
}

/// The problem with the character that `rest` starts with.
fn unexpected(rest: &[u8]) -> Problem {
    let head = &rest[..rest.len().min(4)];
    let valid = match str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.chars().next().map_or(Problem::InvalidUtf8, Problem::Unexpected)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts() {
        let cases: &[(&str, Result<i64, Problem>)] = &[
            ("0.10", Ok(10)),
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("12", Ok(1_200)),
            ("12.5", Ok(1_250)),
            ("-12.5", Ok(-1_250)),
            ("+12.50", Ok(1_250)),
            ("007.00", Ok(700)),
            (" 12.50\t", Ok(1_250)),
            ("12.500000000000000000000", Ok(1_250)),
            ("99999999.99", Ok(9_999_999_999)),
            ("-99999999.99", Ok(-9_999_999_999)),
            ("100000000", Err(AMOUNT_RANGE)),
            ("100000000.00", Err(AMOUNT_RANGE)),
            ("99999999999999999999999999", Err(AMOUNT_RANGE)),
            ("12.505", Err(Problem::TooPrecise)),
            ("99999999.991", Err(Problem::TooPrecise)),
            ("", Err(Problem::Empty)),
            ("  ", Err(Problem::Empty)),
            ("-", Err(Problem::Incomplete)),
            ("12.", Err(Problem::Incomplete)),
            (".5", Err(Problem::Unexpected('.'))),
            ("-.5", Err(Problem::Unexpected('.'))),
            ("1.2.3", Err(Problem::Unexpected('.'))),
            ("12,50", Err(Problem::Unexpected(','))),
            ("1e3", Err(Problem::Unexpected('e'))),
            ("NaN", Err(Problem::Unexpected('N'))),
            ("inf", Err(Problem::Unexpected('i'))),
            ("$5", Err(Problem::Unexpected('$'))),
            ("5 €", Err(Problem::Unexpected(' '))),
            ("€5", Err(Problem::Unexpected('€'))),
            ("--5", Err(Problem::Unexpected('-'))),
            ("1\0", Err(Problem::Unexpected('\0'))),
        ];
        for (cell, expected) in cases {
            assert_eq!(amount_cents(cell.as_bytes()), *expected, "{cell:?}");
        }
        assert_eq!(amount_cents(b"5\xff"), Err(Problem::InvalidUtf8));
    }

    #[test]
    fn ids() {
        assert_eq!(transaction_id(b"9223372036854775807"), Ok(i64::MAX));
        assert!(matches!(transaction_id(b"9223372036854775808"), Err(Problem::OutOfRange(_))));
        assert_eq!(user_id(b" 2147483647 "), Ok(2_147_483_647));
        assert!(matches!(user_id(b"2147483648"), Err(Problem::OutOfRange(_))));
        assert_eq!(user_id(b"-5"), Ok(-5));
        assert_eq!(user_id(b"1.0"), Err(Problem::Unexpected('.')));
        assert_eq!(user_id(b"1 2"), Err(Problem::Unexpected(' ')));
        assert_eq!(user_id(b""), Err(Problem::Empty));
    }

    #[test]
    fn timestamps() {
        let cases: &[(&str, Result<i64, Problem>)] = &[
            ("1970-01-01 00:00:00", Ok(0)),
            ("1970-01-01T00:00:01", Ok(1_000_000)),
            ("1969-12-31 23:59:59.999999", Ok(-1)),
            ("2000-02-29 12:00:00", Ok(951_825_600_000_000)),
            ("0001-01-01 00:00:00", Ok(-62_135_596_800_000_000)),
            ("9999-12-31 23:59:59.999999", Ok(253_402_300_799_999_999)),
            ("1970-01-01 00:00:00.5", Ok(500_000)),
            ("1970-01-01 00:00:00.000001000", Ok(1)),
            ("1970-01-01 00:00:00.0000011", Err(Problem::FinerThanMicroseconds)),
            ("2023-02-29 00:00:00", Err(Problem::NoSuch("day"))),
            ("1900-02-29 00:00:00", Err(Problem::NoSuch("day"))),
            ("2023-02-30 00:00:00", Err(Problem::NoSuch("day"))),
            ("2023-04-31 00:00:00", Err(Problem::NoSuch("day"))),
            ("2023-13-01 00:00:00", Err(Problem::NoSuch("month"))),
            ("2023-00-01 00:00:00", Err(Problem::NoSuch("month"))),
            ("2023-01-00 00:00:00", Err(Problem::NoSuch("day"))),
            ("0000-01-01 00:00:00", Err(Problem::NoSuch("year"))),
            ("2023-01-01 24:00:00", Err(Problem::NoSuch("hour"))),
            ("2023-01-01 00:60:00", Err(Problem::NoSuch("minute"))),
            ("2023-01-01 00:00:60", Err(Problem::NoSuch("second"))),
            ("2023-01-01 00:00:00Z", Err(Problem::HasOffset)),
            ("2023-01-01 00:00:00+02", Err(Problem::HasOffset)),
            ("2023-01-01 00:00:00.5-02:00", Err(Problem::HasOffset)),
            ("2023-01-01 00:00:00 UTC", Err(Problem::HasOffset)),
            ("2023-01-01 00:00:00.", Err(Problem::Incomplete)),
            ("2023-01-01", Err(Problem::Incomplete)),
            ("2023-01-01 00:00", Err(Problem::Incomplete)),
            ("", Err(Problem::Empty)),
            ("01/02/2023 00:00:00", Err(Problem::Unexpected('/'))),
            ("2023-1-1 00:00:00", Err(Problem::Unexpected('-'))),
            ("1672531200", Err(Problem::Unexpected('5'))),
            ("now", Err(Problem::Unexpected('n'))),
            ("-infinity", Err(Problem::Unexpected('-'))),
        ];
        for (cell, expected) in cases {
            assert_eq!(timestamp_micros(cell.as_bytes()), *expected, "{cell:?}");
        }
    }

    proptest! {
        /// Against `rust_decimal`, which knows nothing of our parser.
        #[test]
        fn every_amount_is_what_a_decimal_library_reads(cents in -MAX_AMOUNT_CENTS..=MAX_AMOUNT_CENTS) {
            let text = rust_decimal::Decimal::new(cents, 2).to_string();
            prop_assert_eq!(amount_cents(text.as_bytes()), Ok(cents));
        }

        /// Against jiff's calendar.
        #[test]
        fn every_timestamp_is_what_a_time_library_reads(
            micros in -62_135_596_800_000_000_i64..=253_402_207_200_999_999,
        ) {
            let time = jiff::Timestamp::from_microsecond(micros).unwrap();
            let text = time.to_zoned(jiff::tz::TimeZone::UTC).datetime().to_string();
            prop_assert_eq!(timestamp_micros(text.as_bytes()), Ok(micros), "{}", text);
        }

        #[test]
        fn no_bytes_make_a_parser_panic(cell: Vec<u8>) {
            let _ = (transaction_id(&cell), user_id(&cell), amount_cents(&cell), timestamp_micros(&cell));
        }
    }
}
