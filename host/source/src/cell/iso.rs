//! ISO 8601 dates and times, and offsets from UTC, parsed by hand because every row has a timestamp.

use host_core::rejected::Problem;

use crate::cell::value::{trim, unexpected};

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const SECONDS_PER_DAY: i64 = 86_400;
/// The message for a time beyond what the column can hold.
pub(crate) const YEARS: &str = "years are 0001 to 9999";

/// `YYYY-MM-DD`, a blank or `T`, `HH:MM:SS`, and optionally `.` with decimals of a second; those after the
/// sixth must be zero. Years 0001 to 9999; no leap seconds. Returns microseconds and the rest of the cell.
pub(crate) fn parse(cell: &[u8]) -> Result<(i64, &[u8]), Problem> {
    let Some(text) = cell.first_chunk().filter(|text| has_shape(text)) else { return Err(misshapen(cell)) };
    let number = |digits: &[u8]| digits.iter().fold(0, |number, &byte| number * 10 + i64::from(byte - b'0'));
    let (year, month, day) = (number(&text[..4]), number(&text[5..7]), number(&text[8..10]));
    let (hour, minute, second) = (number(&text[11..13]), number(&text[14..16]), number(&text[17..]));
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
    let (micros, rest) = fraction_micros(&cell[SHAPE_BYTES..])?;
    Ok((seconds * MICROS_PER_SECOND + micros, rest))
}

/// What is before the decimals of a second.
const SHAPE: &[u8; SHAPE_BYTES] = b"dddd-dd-dd dd:dd:dd";
const SHAPE_BYTES: usize = 19;

fn fits(shape: u8, byte: u8) -> bool {
    match shape {
        b'd' => byte.is_ascii_digit(),
        b' ' => matches!(byte, b' ' | b'T'),
        _ => byte == shape,
    }
}

/// Whether it fits [`SHAPE`]; without a branch for each byte.
#[inline]
fn has_shape(text: &[u8; SHAPE_BYTES]) -> bool {
    SHAPE.iter().zip(text).fold(true, |all, (&shape, &byte)| all & fits(shape, byte))
}

/// The problem with a cell that does not begin as [`SHAPE`].
#[cold]
fn misshapen(cell: &[u8]) -> Problem {
    let wrong = SHAPE.iter().zip(cell).position(|(&shape, &byte)| !fits(shape, byte));
    match wrong {
        Some(i) => unexpected(&cell[i..]),
        None if cell.is_empty() => Problem::Empty,
        None => Problem::Incomplete,
    }
}

/// `YYYY-MM-DD` and nothing else. Returns the microseconds of its midnight.
pub(crate) fn parse_date(cell: &[u8]) -> Result<i64, Problem> {
    const DATE_BYTES: usize = "YYYY-MM-DD".len();
    let Some((date, rest)) = cell.split_at_checked(DATE_BYTES) else {
        return Err(parse(cell).err().unwrap_or(Problem::Incomplete));
    };
    match parse(&[date, b" 00:00:00"].concat()) {
        Ok((micros, _)) if rest.is_empty() => Ok(micros),
        Ok(_) => Err(unexpected(rest)),
        // A character may have been cut in two.
        Err(Problem::InvalidUtf8) => Err(parse(cell).err().unwrap_or(Problem::InvalidUtf8)),
        Err(problem) => Err(problem),
    }
}

/// What follows the seconds: nothing, or `.` and decimals. Returns microseconds and the rest of the cell.
fn fraction_micros(rest: &[u8]) -> Result<(i64, &[u8]), Problem> {
    let [b'.', digits @ ..] = rest else { return Ok((0, rest)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = digits.split_at(count);
    if digits.is_empty() {
        return Err(rest.first().map_or(Problem::Incomplete, |_| unexpected(rest)));
    }
    let mut micros = 0;
    let mut unit = MICROS_PER_SECOND;
    for &byte in digits {
        unit /= 10;
        if unit == 0 && byte != b'0' {
            return Err(Problem::FinerThanMicroseconds);
        }
        micros += i64::from(byte - b'0') * unit;
    }
    Ok((micros, rest))
}

/// `Z`, `UTC`, `GMT`, `+02`, `+0200` or `+02:00` as seconds east of Greenwich; a leading blank is allowed.
pub(crate) fn offset_seconds(rest: &[u8]) -> Result<i64, Problem> {
    let rest = trim(rest);
    let (east, digits) = match rest {
        _ if is_utc(rest) => return Ok(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return Err(unexpected(rest)),
    };
    let two = |digits: &[u8]| match digits {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')),
        _ => Err(unexpected(rest)),
    };
    let (hours, minutes) = match digits.len() {
        2 => (two(digits)?, 0),
        4 => (two(&digits[..2])?, two(&digits[2..])?),
        5 if digits[2] == b':' => (two(&digits[..2])?, two(&digits[3..])?),
        _ => return Err(Problem::Incomplete),
    };
    if hours > 15 || minutes > 59 {
        return Err(Problem::NoSuch("offset"));
    }
    Ok(east * (hours * 3600 + minutes * 60))
}

/// Whether this is a name of UTC.
pub(crate) fn is_utc(name: &[u8]) -> bool {
    [&b"Z"[..], b"UTC", b"GMT"].iter().any(|utc| name.eq_ignore_ascii_case(utc))
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
