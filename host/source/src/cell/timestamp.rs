//! From a cell to an exact date and time: [`iso`] 8601 by hand, because every row has one; other formats by a
//! [`pattern`], or as [`excel`]'s day numbers. The column has no time zone, so an offset is an error unless the rules name the zone to whose
//! local time it is converted. A time without an offset is stored as it is.

use std::fmt;
use std::str::FromStr;

use host_core::rejected::Problem;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cell::excel::{self, DaySystem};
use crate::cell::iso::{self, MICROS_PER_SECOND, YEARS};
use crate::cell::pattern::{self, Time};
use crate::cell::value::{integer, trim};

/// 0001-01-01T00:00:00 and 9999-12-31T23:59:59.999999
const MICROS_RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// How timestamps are written in a file.
#[derive(Clone, Debug)]
pub struct TimestampRules {
    /// Their format.
    pub form: TimestampForm,
    /// The zone to whose local time values with an offset (and counts of seconds) are converted.
    pub zone: Option<TimeZone>,
    /// The decimal point of day numbers, usually `.`
    pub decimal_point: u8,
}

impl Default for TimestampRules {
    fn default() -> TimestampRules {
        TimestampRules { form: TimestampForm::default(), zone: None, decimal_point: b'.' }
    }
}

/// The format of timestamps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TimestampForm {
    /// `2024-02-29 23:59:59.123456`, also with `T`.
    #[default]
    Iso,
    /// `2024-02-29`, which means its midnight.
    IsoDate,
    /// By a strptime pattern.
    Pattern(String),
    /// A count of this many microseconds each since 1970-01-01T00:00:00Z.
    Epoch {
        /// 1,000,000 for seconds.
        unit_micros: i64,
    },
    /// Excel's day numbers, which are local times.
    Excel(DaySystem),
}

/// The formats that have a name.
const NAMED_FORMS: [(&str, TimestampForm); 9] = [
    ("iso", TimestampForm::Iso),
    ("iso-date", TimestampForm::IsoDate),
    ("epoch-days", TimestampForm::Epoch { unit_micros: 86_400_000_000 }),
    ("epoch-hours", TimestampForm::Epoch { unit_micros: 3_600_000_000 }),
    ("epoch-seconds", TimestampForm::Epoch { unit_micros: 1_000_000 }),
    ("epoch-millis", TimestampForm::Epoch { unit_micros: 1_000 }),
    ("epoch-micros", TimestampForm::Epoch { unit_micros: 1 }),
    ("excel", TimestampForm::Excel(DaySystem::From1900)),
    ("excel-1904", TimestampForm::Excel(DaySystem::From1904)),
];

impl FromStr for TimestampForm {
    type Err = String;

    fn from_str(text: &str) -> Result<TimestampForm, Self::Err> {
        match NAMED_FORMS.into_iter().find(|(name, _)| *name == text) {
            Some((_, form)) => Ok(form),
            None if text.contains('%') => {
                pattern::check(text).map(|()| TimestampForm::Pattern(text.to_owned()))
            }
            None => {
                Err("give a pattern with `%`, or epoch-days, -hours, -seconds, -millis or -micros, excel or \
                          excel-1904"
                    .into())
            }
        }
    }
}

impl fmt::Display for TimestampForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NAMED_FORMS.iter().find(|(_, form)| form == self)) {
            (_, Some((name, _))) => f.write_str(name),
            (TimestampForm::Pattern(pattern), None) => f.write_str(pattern),
            (TimestampForm::Epoch { unit_micros }, None) => write!(f, "epoch in {unit_micros} µs"),
            // These have names.
            (TimestampForm::Iso | TimestampForm::IsoDate | TimestampForm::Excel(_), None) => Ok(()),
        }
    }
}

impl TimestampForm {
    /// The form of dates without a time that belongs to this one, if there is one.
    #[must_use]
    pub fn of_dates(self) -> Option<TimestampForm> {
        match self {
            TimestampForm::Iso | TimestampForm::IsoDate => Some(TimestampForm::IsoDate),
            TimestampForm::Pattern(pattern) if pattern::is_date(&pattern) => {
                Some(TimestampForm::Pattern(pattern))
            }
            _ => None,
        }
    }
}

impl TimestampRules {
    /// A date and time in microseconds since 1970-01-01T00:00:00.
    ///
    /// # Errors
    /// The [`Problem`] with the cell.
    pub fn micros(&self, cell: &[u8]) -> Result<i64, Problem> {
        let cell = trim(cell);
        match &self.form {
            TimestampForm::Iso => match iso::parse(cell)? {
                (micros, []) => Ok(micros),
                (micros, rest) => self.with_offset(micros, rest),
            },
            TimestampForm::IsoDate => iso::parse_date(cell),
            TimestampForm::Excel(system) => excel::micros(cell, *system, self.decimal_point),
            TimestampForm::Pattern(pattern) => match pattern::read(cell, pattern)? {
                Time::Local(micros) => in_range(micros),
                Time::SinceEpoch(micros) => self.local(micros),
                Time::Zoned(micros) if self.zone.is_some() => self.local(micros),
                Time::Zoned(_) => Err(Problem::HasOffset),
            },
            TimestampForm::Epoch { unit_micros } => {
                let count = integer(cell, YEARS)?;
                let micros = count.checked_mul(*unit_micros).ok_or(Problem::OutOfRange(YEARS))?;
                self.local(micros)
            }
        }
    }

    /// A local time followed by something that must be an offset.
    fn with_offset(&self, micros: i64, rest: &[u8]) -> Result<i64, Problem> {
        match (iso::offset_seconds(rest), &self.zone) {
            (Ok(seconds), Some(_)) => self.local(micros - seconds * MICROS_PER_SECOND),
            (Ok(_), None) => Err(Problem::HasOffset),
            // A zone's name would be lost as well; and a name such as `CST` is ambiguous.
            (Err(_), zone) if rest.trim_ascii_start().first().is_some_and(u8::is_ascii_alphabetic) => {
                Err(if zone.is_some() { Problem::UnknownZone } else { Problem::HasOffset })
            }
            (Err(problem), _) => Err(problem),
        }
    }

    /// Converts microseconds of UTC to the zone's local time.
    fn local(&self, micros: i64) -> Result<i64, Problem> {
        let local = match &self.zone {
            None => micros,
            Some(zone) => {
                let time = Timestamp::from_microsecond(micros).map_err(|_| Problem::OutOfRange(YEARS))?;
                micros + i64::from(zone.to_offset(time).seconds()) * MICROS_PER_SECOND
            }
        };
        in_range(local)
    }
}

fn in_range(micros: i64) -> Result<i64, Problem> {
    if MICROS_RANGE.contains(&micros) { Ok(micros) } else { Err(Problem::OutOfRange(YEARS)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timestamp_micros(cell: &[u8]) -> Result<i64, Problem> {
        TimestampRules::default().micros(cell)
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

    fn zoned(form: TimestampForm, zone: &str) -> TimestampRules {
        TimestampRules { form, zone: Some(TimeZone::get(zone).unwrap()), ..TimestampRules::default() }
    }

    fn pattern(pattern: &str) -> TimestampForm {
        TimestampForm::Pattern(pattern.into())
    }

    fn all_rules() -> Vec<TimestampRules> {
        let no_zone = |form| TimestampRules { form, ..TimestampRules::default() };
        vec![
            TimestampRules::default(),
            no_zone(TimestampForm::IsoDate),
            no_zone(TimestampForm::Excel(DaySystem::From1900)),
            zoned(TimestampForm::Iso, "Europe/Berlin"),
            no_zone(pattern("%d/%m/%Y %H:%M:%S%.f")),
            zoned(pattern("%Y-%m-%dT%H:%M:%S%z"), "America/New_York"),
            no_zone(TimestampForm::Epoch { unit_micros: 1_000_000 }),
            zoned(TimestampForm::Epoch { unit_micros: 1_000 }, "Asia/Kathmandu"),
        ]
    }

    fn iso(text: &str) -> i64 {
        timestamp_micros(text.as_bytes()).unwrap()
    }

    #[test]
    fn offsets_are_converted_to_the_zone_that_was_asked_for() {
        let rules = zoned(TimestampForm::Iso, "Europe/Berlin");
        let cases = [
            // Without an offset: already local.
            ("2024-07-01 12:00:00", Ok("2024-07-01 12:00:00")),
            ("2024-07-01T12:00:00Z", Ok("2024-07-01 14:00:00")),
            ("2024-01-01 12:00:00.5 Z", Ok("2024-01-01 13:00:00.5")),
            ("2024-01-01 12:00:00+02:00", Ok("2024-01-01 11:00:00")),
            ("2024-01-01 12:00:00-0530", Ok("2024-01-01 18:30:00")),
            ("2024-01-01 12:00:00+02", Ok("2024-01-01 11:00:00")),
            // The hour that occurs twice: both have the same local time.
            ("2024-10-27 00:30:00Z", Ok("2024-10-27 02:30:00")),
            ("2024-10-27 01:30:00Z", Ok("2024-10-27 02:30:00")),
            ("2024-01-01 12:00:00+2", Err(Problem::Incomplete)),
            ("2024-01-01 12:00:00+25:00", Err(Problem::NoSuch("offset"))),
            ("2024-01-01 12:00:00 CET", Err(Problem::UnknownZone)),
            ("2024-01-01 12:00:00 UTC", Ok("2024-01-01 13:00:00")),
            ("2024-01-01 12:00:00.25 UTC", Ok("2024-01-01 13:00:00.25")),
            ("2024-07-01T12:00:00GMT", Ok("2024-07-01 14:00:00")),
            ("2024-01-01 12:00:00 UTC+2", Err(Problem::UnknownZone)),
            // The hour that does not exist: without an offset, nothing is converted.
            ("2024-03-31 02:30:00", Ok("2024-03-31 02:30:00")),
            ("9999-12-31 23:59:59Z", Err(Problem::OutOfRange(YEARS))),
        ];
        for (cell, expected) in cases {
            assert_eq!(rules.micros(cell.as_bytes()), expected.map(iso), "{cell}");
        }
    }

    #[test]
    fn counts_since_1970() {
        let utc = |unit_micros| TimestampRules {
            form: TimestampForm::Epoch { unit_micros },
            ..TimestampRules::default()
        };
        assert_eq!(utc(1_000_000).micros(b"1709251199"), Ok(iso("2024-02-29 23:59:59")));
        assert_eq!(utc(1_000).micros(b" 1709251199123 "), Ok(iso("2024-02-29 23:59:59.123")));
        assert_eq!(utc(1_000).micros(b"-1"), Ok(-1_000));
        assert_eq!(utc(1_000_000).micros(b"1709251199.5"), Err(Problem::Unexpected('.')));
        assert_eq!(utc(1_000_000).micros(b"1709251199123"), Err(Problem::OutOfRange(YEARS)));
        assert_eq!(utc(1_000_000).micros(b"9223372036854775807"), Err(Problem::OutOfRange(YEARS)));
        let kathmandu = zoned(TimestampForm::Epoch { unit_micros: 1_000_000 }, "Asia/Kathmandu");
        assert_eq!(kathmandu.micros(b"1709251199"), Ok(iso("2024-03-01 05:44:59")));
    }

    #[test]
    fn dates_without_a_time_mean_midnight() {
        let rules = TimestampRules { form: TimestampForm::IsoDate, ..TimestampRules::default() };
        let cases = [
            ("2024-02-29", Ok("2024-02-29 00:00:00")),
            (" 0001-01-01\t", Ok("0001-01-01 00:00:00")),
            ("2023-02-29", Err(Problem::NoSuch("day"))),
            ("2024-02-2", Err(Problem::Incomplete)),
            ("", Err(Problem::Empty)),
            ("2024/02/29", Err(Problem::Unexpected('/'))),
            ("2024-02-29 00:00:00", Err(Problem::Unexpected(' '))),
            ("2024-02-29Z", Err(Problem::Unexpected('Z'))),
            ("2024-02-2\u{e9}", Err(Problem::Unexpected('\u{e9}'))),
        ];
        for (cell, expected) in cases {
            assert_eq!(rules.micros(cell.as_bytes()), expected.map(iso), "{cell}");
        }
        let form = |text: &str| text.parse::<TimestampForm>().unwrap();
        for (given, of_dates) in [
            ("iso", Some("iso-date")),
            ("iso-date", Some("iso-date")),
            ("%d/%m/%Y", Some("%d/%m/%Y")),
            ("%d/%m/%Y %H:%M", None),
            ("%I %p %d/%m/%Y", None),
            ("epoch-seconds", None),
            ("%s", None),
            ("excel", None),
        ] {
            assert_eq!(form(given).of_dates(), of_dates.map(form), "{given}");
        }
    }

    proptest! {
        /// Against jiff's calendar.
        #[test]
        fn every_timestamp_is_what_a_time_library_reads(
            micros in -62_135_596_800_000_000_i64..=253_402_207_200_999_999,
        ) {
            let time = Timestamp::from_microsecond(micros).unwrap();
            let text = time.to_zoned_datetime(TimeZone::UTC).datetime().to_string();
            prop_assert_eq!(timestamp_micros(text.as_bytes()), Ok(micros), "{}", text);
        }

        #[test]
        fn no_bytes_make_a_parser_panic(cell: Vec<u8>) {
            for rules in all_rules() {
                let _ = rules.micros(&cell);
            }
        }
    }
}
