//! Excel's day numbers: `45292.5563657407` is 2024-01-01 13:21:10, if days are counted from 1900.
//!
//! They are floats, and Excel writes as many of their decimals as fit, five for a day of this century in a cell
//! without a format. So a number means the nearest second, which five decimals are enough for; with eight decimals
//! or more, it means the nearest millisecond, the finest that Excel shows. The arithmetic is exact.

use host_core::rejected::Problem;

use crate::cell::iso::{MICROS_PER_SECOND, SECONDS_PER_DAY};
use crate::cell::value::{trim, unexpected};

/// The day that a workbook counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaySystem {
    /// Day 1 is 1900-01-01, and day 60 is 1900-02-29, which does not exist.
    From1900,
    /// Day 1 is 1904-01-02: workbooks of old Macs.
    From1904,
}

/// Numbers with this many decimals or more are precise to the millisecond.
const PRECISE_DECIMALS: usize = 8;
/// A float that is written in full has fewer decimals.
const MAX_DECIMALS: usize = 18;
/// Day 1 to 9999-12-31, and the message that says so.
const DAYS_FROM_1900: std::ops::RangeInclusive<i64> = 1..=2_958_465;
const DAYS: &str = "day numbers are 1 to 2958465 (9999-12-31)";
/// From days from 1904 to days from 1900.
const DAYS_BETWEEN_SYSTEMS: i64 = 1_462;
/// 1970-01-01 in days from 1900.
const UNIX_EPOCH_DAY: i64 = 25_569;
/// The leap day that 1900 did not have.
const FALSE_LEAP_DAY: i64 = 60;

/// Microseconds since 1970-01-01T00:00:00. Grammar: `digit+ [point digit+]`.
pub(crate) fn micros(cell: &[u8], system: DaySystem, point: u8) -> Result<i64, Problem> {
    let cell = trim(cell);
    let end = cell.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(cell.len());
    let decimals = match &cell[end..] {
        _ if cell.is_empty() => return Err(Problem::Empty),
        [] => &[],
        [byte, decimals @ ..] if *byte == point && end > 0 => decimals,
        rest => return Err(unexpected(rest)),
    };
    if let Some(at) = decimals.iter().position(|byte| !byte.is_ascii_digit()) {
        return Err(unexpected(&decimals[at..]));
    }
    if decimals.is_empty() && end < cell.len() {
        return Err(Problem::Incomplete);
    }
    if decimals.len() > MAX_DECIMALS {
        return Err(Problem::OtherForm);
    }
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0_i64, |number, byte| number.checked_mul(10)?.checked_add(i64::from(byte - b'0')))
    };
    let out_of_range = Problem::OutOfRange(DAYS);
    let days = number(&cell[..end]).filter(|days| DAYS_FROM_1900.contains(days)).ok_or(out_of_range)?;
    let unit_micros =
        if decimals.len() < PRECISE_DECIMALS { MICROS_PER_SECOND } else { MICROS_PER_SECOND / 1_000 };
    let units_a_day = SECONDS_PER_DAY * MICROS_PER_SECOND / unit_micros;
    // At most 18 digits fit.
    let (fraction, scale) = (number(decimals).unwrap_or_default(), 10_i128.pow(decimals.len() as u32));
    let rounded = (2 * i128::from(fraction) * i128::from(units_a_day) + scale) / (2 * scale);
    // Rounding may reach the next day.
    let units = days * units_a_day + rounded as i64;
    let days = match system {
        DaySystem::From1900 => units / units_a_day,
        DaySystem::From1904 => units / units_a_day + DAYS_BETWEEN_SYSTEMS,
    };
    if !DAYS_FROM_1900.contains(&days) {
        return Err(out_of_range);
    }
    if days == FALSE_LEAP_DAY {
        return Err(Problem::NoSuch("day"));
    }
    // Before that day, numbers are one less than they would be in a true calendar.
    let since_epoch = days - UNIX_EPOCH_DAY + i64::from(days < FALSE_LEAP_DAY);
    Ok(since_epoch * SECONDS_PER_DAY * MICROS_PER_SECOND + units % units_a_day * unit_micros)
}

#[cfg(test)]
mod tests {
    use DaySystem::{From1900, From1904};
    use jiff::Timestamp;
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::timestamp::TimestampRules;

    fn iso(text: &str) -> i64 {
        TimestampRules::default().micros(text.as_bytes()).unwrap()
    }

    #[test]
    fn day_numbers() {
        let cases: &[(DaySystem, &str, Result<&str, Problem>)] = &[
            (From1900, "1", Ok("1900-01-01 00:00:00")),
            (From1900, "59.5", Ok("1900-02-28 12:00:00")),
            (From1900, "60", Err(Problem::NoSuch("day"))),
            (From1900, "60.5", Err(Problem::NoSuch("day"))),
            // Rounded to midnight.
            (From1900, "59.999999", Err(Problem::NoSuch("day"))),
            (From1900, "60.999999", Ok("1900-03-01 00:00:00")),
            (From1900, "61", Ok("1900-03-01 00:00:00")),
            (From1900, "25569", Ok("1970-01-01 00:00:00")),
            (From1900, "45292", Ok("2024-01-01 00:00:00")),
            (From1900, " 45292.5\t", Ok("2024-01-01 12:00:00")),
            // The same second with all the decimals that Excel writes, and with those of a narrow column.
            (From1900, "45292.5563657407", Ok("2024-01-01 13:21:10")),
            (From1900, "45292.55636574074", Ok("2024-01-01 13:21:10")),
            (From1900, "45292.55637", Ok("2024-01-01 13:21:10")),
            (From1900, "45292.521527777777", Ok("2024-01-01 12:31:00")),
            (From1900, "45292.5563663194", Ok("2024-01-01 13:21:10.05")),
            (From1900, "45292.99999999999", Ok("2024-01-02 00:00:00")),
            (From1900, "2958465.99998842", Ok("9999-12-31 23:59:58.999")),
            (From1900, "2958465.9999999", Err(Problem::OutOfRange(DAYS))),
            (From1900, "2958466", Err(Problem::OutOfRange(DAYS))),
            (From1900, "99999999999999999999", Err(Problem::OutOfRange(DAYS))),
            // A time without a day.
            (From1900, "0.5", Err(Problem::OutOfRange(DAYS))),
            (From1900, "-1", Err(Problem::Unexpected('-'))),
            (From1900, "", Err(Problem::Empty)),
            (From1900, "45292.", Err(Problem::Incomplete)),
            (From1900, ".5", Err(Problem::Unexpected('.'))),
            (From1900, "45,292", Err(Problem::Unexpected(','))),
            (From1900, "4.5292E+04", Err(Problem::Unexpected('E'))),
            (From1900, "45292.1234567890123456789", Err(Problem::OtherForm)),
            (From1904, "1", Ok("1904-01-02 00:00:00")),
            (From1904, "43830", Ok("2024-01-01 00:00:00")),
            (From1904, "2957003", Ok("9999-12-31 00:00:00")),
            (From1904, "2957004", Err(Problem::OutOfRange(DAYS))),
        ];
        for (system, cell, expected) in cases {
            assert_eq!(micros(cell.as_bytes(), *system, b'.'), (*expected).map(iso), "{system:?} {cell}");
        }
        assert_eq!(micros(b"45292,5", From1900, b','), Ok(iso("2024-01-01 12:00:00")));
        assert_eq!(micros(b"45292.5", From1900, b','), Err(Problem::Unexpected('.')));
    }

    proptest! {
        /// Against jiff's calendar and the float that Excel has.
        #[test]
        fn every_second_and_millisecond_survives_excel(seconds in 0_i64..=253_402_300_000, millis in 0_i64..1_000) {
            let time = Timestamp::from_second(seconds).unwrap().to_zoned_datetime(TimeZone::UTC).datetime();
            let since = time - date(1899, 12, 30).at(0, 0, 0, 0);
            let days = since.get_days() as f64 + (seconds.rem_euclid(86_400)) as f64 / 86_400.0;
            for decimals in [5, 6, 7] {
                let cell = format!("{days:.decimals$}");
                prop_assert_eq!(micros(cell.as_bytes(), From1900, b'.'), Ok(seconds * 1_000_000), "{}", cell);
            }
            let precise = days + millis as f64 / 86_400_000.0;
            for decimals in [8, 9, 10, 11] {
                let cell = format!("{precise:.decimals$}");
                let expected = seconds * 1_000_000 + millis * 1_000;
                prop_assert_eq!(micros(cell.as_bytes(), From1900, b'.'), Ok(expected), "{}", cell);
            }
        }

        #[test]
        fn no_bytes_make_a_parser_panic(cell: Vec<u8>) {
            let _ = (micros(&cell, From1900, b'.'), micros(&cell, From1904, b','));
        }
    }
}
