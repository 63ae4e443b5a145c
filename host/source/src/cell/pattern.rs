//! Timestamps by a strptime pattern, as jiff parses them. A zone or offset in a cell is never lost, and a
//! pattern that could not tell times apart is rejected before any file is read.

use host_core::rejected::Problem;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, date};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::cell::iso::{MICROS_PER_SECOND, YEARS, is_utc};

/// What a cell says, in microseconds since 1970-01-01T00:00:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// Local time, in a place that the cell does not name.
    Local(i64),
    /// UTC, because the cell has a zone or an offset.
    Zoned(i64),
    /// UTC, because the cell counts seconds since 1970.
    SinceEpoch(i64),
}

/// Reads a cell.
pub(crate) fn read(cell: &[u8], pattern: &str) -> Result<Time, Problem> {
    if cell.is_empty() {
        return Err(Problem::Empty);
    }
    let parsed = BrokenDownTime::parse(pattern, cell).map_err(|_| Problem::OtherForm)?;
    if parsed.subsec_nanosecond().is_some_and(|nanos| nanos % 1_000 != 0) {
        return Err(Problem::FinerThanMicroseconds);
    }
    if let Some(seconds) = parsed.timestamp() {
        return match parsed.subsec_nanosecond() {
            // It is ambiguous in which direction the decimals count.
            Some(1..) if seconds < Timestamp::UNIX_EPOCH => Err(Problem::OtherForm),
            nanos => Ok(Time::SinceEpoch(seconds.as_microsecond() + i64::from(nanos.unwrap_or(0) / 1_000))),
        };
    }
    if parsed.second() == Some(59) && is_leap_second(cell, pattern) {
        return Err(Problem::NoSuch("second"));
    }
    let time = parsed.to_datetime().map_err(|_| Problem::OtherForm)?;
    let micros = TimeZone::UTC.to_timestamp(time).map_err(|_| Problem::OutOfRange(YEARS))?.as_microsecond();
    let offset = match (parsed.iana_time_zone(), parsed.offset()) {
        (Some(zone), offset) => offset_in(zone, time, offset)?,
        (None, Some(offset)) => offset,
        (None, None) if ends_in_utc(pattern) => Offset::UTC,
        (None, None) => return Ok(Time::Local(micros)),
    };
    Ok(Time::Zoned(micros - i64::from(offset.seconds()) * MICROS_PER_SECOND))
}

/// The offset of a zone from UTC at this local time. A time that does not exist, or exists twice, because
/// clocks are set forward or back, is an error, unless an offset says which of the two it is.
fn offset_in(zone: &str, time: DateTime, given: Option<Offset>) -> Result<Offset, Problem> {
    let zone = TimeZone::get(zone).map_err(|_| Problem::UnknownZone)?;
    match (zone.to_ambiguous_timestamp(time).offset(), given) {
        (AmbiguousOffset::Unambiguous { offset }, None) => Ok(offset),
        (AmbiguousOffset::Unambiguous { offset }, Some(given)) if offset == given => Ok(offset),
        (AmbiguousOffset::Fold { before, after }, Some(given)) if given == before || given == after => {
            Ok(given)
        }
        (AmbiguousOffset::Fold { .. }, None) => Err(Problem::Ambiguous),
        (_, None) => Err(Problem::NoSuch("time in that zone")),
        (_, Some(_)) => Err(Problem::NoSuch("offset in that zone")),
    }
}

/// Whether the pattern, and so every cell, ends in a literal name of UTC.
fn ends_in_utc(pattern: &str) -> bool {
    // After the last directive, whose letter may itself be a `Z`.
    let literal = pattern.rsplit_once('%').map_or(pattern, |(_, last)| {
        let letter = last.find(|character: char| character.is_ascii_alphabetic());
        letter.map_or("", |letter| &last[letter + 1..])
    });
    is_utc(literal.trim().as_bytes())
}

/// jiff reads `:60` as `:59`, which would be another time. This is such a cell if replacing some `60` in it
/// changes the second that is read.
fn is_leap_second(cell: &[u8], pattern: &str) -> bool {
    memchr::memmem::find_iter(cell, "60").any(|at| {
        let mut other = cell.to_vec();
        other[at..at + 2].copy_from_slice(b"58");
        BrokenDownTime::parse(pattern, &other).is_ok_and(|parsed| parsed.second() == Some(58))
    })
}

/// Rejects a pattern that is invalid, or that could not tell times apart, by formatting times with it and
/// parsing them again.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    const DAY: Date = date(2024, 11, 23);
    let hours = [2, 13];
    let mut written = Vec::new();
    for hour in hours {
        let time = DAY.at(hour, 0, 0, 0);
        let zoned = time.to_zoned_datetime(TimeZone::UTC).map_err(|error| error.to_string())?;
        let text = BrokenDownTime::from(&zoned).to_string(pattern).map_err(|error| error.to_string())?;
        BrokenDownTime::parse(pattern, &text).map_err(|error| error.to_string())?;
        written.push((time, text));
    }
    let has_hours = written[0].1 != written[1].1;
    for (time, text) in written {
        let time = if has_hours { time } else { DAY.at(0, 0, 0, 0) };
        let expected = TimeZone::UTC.to_timestamp(time).map_err(|error| error.to_string())?.as_microsecond();
        match read(text.as_bytes(), pattern) {
            Ok(Time::Local(micros) | Time::Zoned(micros) | Time::SinceEpoch(micros))
                if micros == expected => {}
            Ok(_) if has_hours => {
                return Err("it cannot tell the hours of a day apart: `%I` (1 to 12) needs `%p`".into());
            }
            _ => return Err("it needs a year, a month and a day, and hours where it has minutes".into()),
        }
    }
    Ok(())
}

/// Whether a pattern that has been checked means dates alone: it writes all times of a day in the same way.
pub(crate) fn is_date(pattern: &str) -> bool {
    let write = |hour, minute| {
        let time = date(2024, 11, 23).at(hour, minute, minute, 0).to_zoned_datetime(TimeZone::UTC).ok()?;
        BrokenDownTime::from(&time).to_string(pattern).ok()
    };
    write(2, 3) == write(13, 14)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::timestamp::{TimestampForm, TimestampRules};

    fn rules(pattern: &str, zone: Option<&str>) -> TimestampRules {
        let zone = zone.map(|zone| TimeZone::get(zone).unwrap());
        TimestampRules { form: TimestampForm::Pattern(pattern.into()), zone, ..TimestampRules::default() }
    }

    fn iso(text: &str) -> i64 {
        TimestampRules::default().micros(text.as_bytes()).unwrap()
    }

    #[test]
    fn patterns() {
        let cases = [
            ("%d/%m/%Y %H:%M", "01/02/2024 09:30", Ok("2024-02-01 09:30:00")),
            ("%d/%m/%Y", "01/02/2024", Ok("2024-02-01 00:00:00")),
            ("%m/%d/%y %I:%M %p", "02/01/24 12:30 AM", Ok("2024-02-01 00:30:00")),
            ("%Y%m%dT%H%M%S%.f", "20240201T093000.123456", Ok("2024-02-01 09:30:00.123456")),
            ("%H:%M:%S %d.%m.%Y", "23:59:59 29.02.2024", Ok("2024-02-29 23:59:59")),
            ("%H:%M:%S %d.%m.%Y", "23:59:60 29.02.2024", Err(Problem::NoSuch("second"))),
            ("%H:%M:%S %d.%m.%Y", "23:59:59 29.02.2023", Err(Problem::OtherForm)),
            ("%H:%M:%S %d.%m.%Y", "24:00:00 28.02.2023", Err(Problem::OtherForm)),
            ("%Y%m%dT%H%M%S%.f", "20240201T093000.1234567", Err(Problem::FinerThanMicroseconds)),
            ("%d/%m/%Y", "31/02/2024", Err(Problem::OtherForm)),
            ("%d/%m/%Y", "01/02/2024 x", Err(Problem::OtherForm)),
            ("%d/%m/%Y", "", Err(Problem::Empty)),
            ("%Y-%m-%d %H:%M%z", "2024-01-01 12:00+0200", Err(Problem::HasOffset)),
        ];
        for (text, cell, expected) in cases {
            assert_eq!(rules(text, None).micros(cell.as_bytes()), expected.map(iso), "{text}: {cell}");
        }
    }

    /// With `--timezone`; without it, they are rejected.
    #[test]
    fn zones_and_offsets_are_converted_and_never_lost() {
        let cases = [
            ("%Y-%m-%d %H:%M %z", "2024-01-01 12:00 +0200", Ok("2024-01-01 11:00:00")),
            ("%Y-%m-%d %H:%M %:z", "2024-07-01 12:00 -04:00", Ok("2024-07-01 18:00:00")),
            ("%Y-%m-%d %H:%M:%S %Q", "2024-07-01 12:00:00 America/New_York", Ok("2024-07-01 18:00:00")),
            ("%Y-%m-%d %H:%M:%S %Q", "2024-07-01 12:00:00 -0400", Ok("2024-07-01 18:00:00")),
            ("%Y-%m-%d %H:%M:%S %Q", "2024-07-01 12:00:00 UTC", Ok("2024-07-01 14:00:00")),
            ("%Y-%m-%d %H:%M:%S %Q", "2024-07-01 12:00:00 Europe/Atlantis", Err(Problem::UnknownZone)),
            // UTC is literal text in the pattern.
            ("%Y-%m-%d %H:%M:%S%.f UTC", "2024-07-01 12:00:00.5 UTC", Ok("2024-07-01 14:00:00.5")),
            ("%Y-%m-%dT%H:%MZ", "2024-07-01T12:00Z", Ok("2024-07-01 14:00:00")),
            // Clocks are set forward at 2:00 and back at 3:00.
            (
                "%Y-%m-%d %H:%M %Q",
                "2024-03-31 02:30 Europe/Berlin",
                Err(Problem::NoSuch("time in that zone")),
            ),
            ("%Y-%m-%d %H:%M %Q", "2024-10-27 02:30 Europe/Berlin", Err(Problem::Ambiguous)),
            ("%Y-%m-%d %H:%M %z %Q", "2024-10-27 02:30 +0100 Europe/Berlin", Ok("2024-10-27 02:30:00")),
            (
                "%Y-%m-%d %H:%M %z %Q",
                "2024-10-27 02:30 +0300 Europe/Berlin",
                Err(Problem::NoSuch("offset in that zone")),
            ),
        ];
        for (pattern, cell, expected) in cases {
            let converted = rules(pattern, Some("Europe/Berlin")).micros(cell.as_bytes());
            assert_eq!(converted, expected.map(iso), "{pattern}: {cell}");
            if expected.is_ok() {
                let refused = rules(pattern, None).micros(cell.as_bytes());
                assert_eq!(refused, Err(Problem::HasOffset), "{pattern}: {cell}");
            }
        }
    }

    #[test]
    fn seconds_in_a_pattern_are_counts_as_any() {
        let seconds = |zone, cell: &str| rules("%s%.f", zone).micros(cell.as_bytes());
        assert_eq!(seconds(None, "1709251199"), Ok(iso("2024-02-29 23:59:59")));
        assert_eq!(seconds(None, "1709251199.25"), Ok(iso("2024-02-29 23:59:59.25")));
        assert_eq!(seconds(Some("Europe/Berlin"), "1709251199.25"), Ok(iso("2024-03-01 00:59:59.25")));
        assert_eq!(seconds(None, "-1.5"), Err(Problem::OtherForm));
    }

    #[test]
    fn a_pattern_tells_times_apart_or_is_refused() {
        let good = [
            "%d/%m/%Y",
            "%d/%m/%Y %H",
            "%m/%d/%y %I:%M %p",
            "%m/%d/%y %l:%M%P",
            "%Y-%jT%H:%M",
            "%F %T%.6f %:Q",
            "%G-W%V-%u",
            "%A, %d %B %Y %R",
            "%s",
            "100%% %F",
        ];
        let bad = [
            "%!",
            "%",
            "%Y-%m-%d %",
            "%I:%M %Y-%m-%d",
            "%l:%M %Y-%m-%d",
            "%H:%M",
            "%m/%d",
            "%Y",
            "%M %F",
            "%F %S",
            "%c",
            "%x",
            "%F %T %Z",
            "%F %.3N",
            "%F %L",
        ];
        for pattern in good {
            assert_eq!(pattern.parse::<TimestampForm>(), Ok(TimestampForm::Pattern(pattern.into())));
        }
        for pattern in bad {
            assert!(pattern.parse::<TimestampForm>().is_err(), "{pattern}");
        }
    }
}
