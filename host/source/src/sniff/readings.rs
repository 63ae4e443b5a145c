//! How cells of a column are read: by each of the ways that there are, and which of these agree.

use std::ops::Range;

use host_core::text::printable;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::finding::{Example, Flag, Reading};
use crate::cell::timestamp::{TimestampForm, TimestampRules};
use crate::cell::total::Total;
use crate::hints::{likely_formats, patterns};
use crate::rules::InputRules;

/// So many cells rule out most ways; the others are tried on all.
const FIRST_CELLS: usize = 30;
/// How many examples a reading has.
const SHOWN_EXAMPLES: usize = 2;
/// Most cells are read if not more than one of so many is not.
const MOST: usize = 10;
/// Numbers are taken for times of these years only, in microseconds since 1970: 1990 to 2059. As these are less than 70
/// years, no number is a day both as Excel counts them and since 1970.
const LIKELY_MICROS: Range<i64> = 631_152_000_000_000..2_840_140_800_000_000;
/// Other texts are taken for times of these years only: 1900 to 2199. (`24` is no year of four digits.)
const POSSIBLE_MICROS: Range<i64> = -2_208_988_800_000_000..7_258_118_400_000_000;

/// What a cell means, if anything.
type Read = Box<dyn Fn(&str) -> Option<i64>>;

/// A way to read cells: what they mean in our own unit, if anything.
pub(super) struct Way {
    pub flags: Vec<Flag>,
    read: Read,
    show: fn(i64) -> String,
}

/// The ways in which all cells can be read, but only the first of those that read the same. Ways come in the order
/// of preference.
pub(super) fn fitting(ways: Vec<Way>, cells: &[&str]) -> Vec<Reading> {
    let mut meanings: Vec<(Vec<i64>, Way)> = Vec::new();
    let all =
        |way: &Way, cells: &[&str]| cells.iter().map(|cell| (way.read)(cell)).collect::<Option<Vec<i64>>>();
    for way in ways {
        if all(&way, &cells[..cells.len().min(FIRST_CELLS)]).is_none() {
            continue;
        }
        let Some(read) = all(&way, cells) else { continue };
        if meanings.iter().all(|(other, _)| *other != read) {
            meanings.push((read, way));
        }
    }
    let shown = examples(&meanings, cells);
    let reading = |(read, way): (Vec<i64>, Way)| {
        let example =
            |at: &usize| Example { cell: printable(cells[*at]).into_owned(), meaning: (way.show)(read[*at]) };
        Reading { examples: shown.iter().map(example).collect(), flags: way.flags }
    };
    meanings.into_iter().map(reading).collect()
}

/// How nearly all cells can be read: in the way that reads the most of them, or in several that read the same cells
/// differently; and the first cell that is not read. `None` if that is not most of them.
pub(super) fn nearly_fitting(ways: Vec<Way>, cells: &[&str]) -> Option<(Vec<Reading>, usize)> {
    let is_unread = |way: &Way| cells.iter().map(|cell| (way.read)(cell).is_none()).collect::<Vec<bool>>();
    let unread: Vec<Vec<bool>> = ways.iter().map(is_unread).collect();
    let count = |unread: &&Vec<bool>| unread.iter().filter(|is_unread| **is_unread).count();
    let best = unread.iter().min_by_key(count)?;
    let first = best.iter().position(|is_unread| *is_unread)?;
    if count(&best) * MOST > cells.len() {
        return None;
    }
    let read: Vec<&str> =
        cells.iter().zip(best).filter(|(_, is_unread)| !**is_unread).map(|(cell, _)| *cell).collect();
    let ways = ways.into_iter().zip(&unread).filter(|(_, unread)| *unread == best).map(|(way, _)| way);
    Some((fitting(ways.collect(), &read), first))
}

/// Which cells show best what they mean: where ways differ, such a one; else those of different shapes.
fn examples(meanings: &[(Vec<i64>, Way)], cells: &[&str]) -> Vec<usize> {
    let Some(((first, _), others)) = meanings.split_first() else { return Vec::new() };
    let differs = |at: &usize| others.iter().all(|(other, _)| other[*at] != first[*at]);
    if !others.is_empty()
        && let Some(at) = (0..cells.len()).find(differs)
    {
        return vec![at];
    }
    let shape = |cell: &str| -> String {
        cell.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect()
    };
    let mut shapes: Vec<(String, usize)> = Vec::new();
    for (at, cell) in cells.iter().enumerate() {
        let shape = shape(cell);
        if shapes.len() < SHOWN_EXAMPLES && shapes.iter().all(|(known, _)| *known != shape) {
            shapes.push((shape, at));
        }
    }
    shapes.into_iter().map(|(_, at)| at).collect()
}

/// The ways in which amounts like these are written: as numbers, or as an example says that has their currency.
pub(super) fn of_amounts(cells: &[&str]) -> Vec<Way> {
    let way = |flags, rules: InputRules| Way {
        flags,
        read: Box::new(move |cell| rules.amount_cents(cell.as_bytes()).ok()),
        show: |cents| Total(cents.into()).to_string(),
    };
    let plain = InputRules::default();
    let comma = InputRules { decimal_point: b',', ..InputRules::default() };
    let formats = cells.iter().find(|cell| !cell.is_empty()).map_or(Vec::new(), |cell| likely_formats(cell));
    let formats = formats.into_iter().map(|format| {
        let flags = vec![Flag::new("amount-format", format.to_string())];
        let decimal_point = format.decimal_point();
        way(flags, InputRules { decimal_point, amount_format: Some(format), ..InputRules::default() })
    });
    let numbers = [way(Vec::new(), plain), way(vec![Flag::switch("decimal-comma")], comma)];
    numbers.into_iter().chain(formats).collect()
}

/// The ways in which times are written that show by themselves that they are times; in a zone, if offsets and counts
/// since 1970 are to be converted to it.
pub(super) fn of_times(zone: Option<&TimeZone>) -> Vec<Way> {
    const NAMED: [&str; 5] = ["iso", "iso-date", "epoch-seconds", "epoch-millis", "epoch-micros"];
    const FURTHER: [&str; 7] =
        ["%s%.f", "%Y%m%d%H%M%S", "%Y%m%d", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%Y-%m-%d %H:%M:%S %Q"];
    let is_count = |name: &str| name.starts_with("epoch") || name.starts_with("%s");
    let names = NAMED.into_iter().chain(FURTHER).chain(patterns());
    let years = |name: &str| if is_count(name) { LIKELY_MICROS } else { POSSIBLE_MICROS };
    names.filter_map(|name| way_of_times(name, zone, b'.', years(name))).collect()
}

/// The ways in which small numbers may be times, in a column that must be one; `point` is the decimal point of
/// Excel's day numbers.
pub(super) fn of_small_numbers(point: u8) -> Vec<Way> {
    let names = ["excel", "excel-1904", "epoch-days", "epoch-hours"];
    names.into_iter().filter_map(|name| way_of_times(name, None, point, LIKELY_MICROS)).collect()
}

/// The ways in which numbers may be counts from a beginning that the file does not tell, which may as well be 1970.
pub(super) fn of_counts() -> Vec<Way> {
    let names = ["epoch-seconds", "epoch-hours", "epoch-days"];
    names.into_iter().filter_map(|name| way_of_times(name, None, b'.', POSSIBLE_MICROS)).collect()
}

/// A day and what follows in other columns, joined: times of day, also with a zone.
pub(super) fn of_joined(zone: Option<&TimeZone>) -> Vec<Way> {
    const TIMES: [&str; 5] = ["%H:%M:%S", "%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p"];
    const DAYS: [&str; 8] =
        ["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%Y/%m/%d"];
    const ZONES: [&str; 2] = ["", " %Q"];
    let patterns = DAYS.iter().flat_map(|day| {
        TIMES.iter().flat_map(move |time| ZONES.iter().map(move |zone| format!("{day} {time}{zone}")))
    });
    let further = patterns.filter_map(|pattern| way_of_times(&pattern, zone, b'.', POSSIBLE_MICROS));
    of_times(zone).into_iter().chain(further).collect()
}

fn way_of_times(name: &str, zone: Option<&TimeZone>, decimal_point: u8, years: Range<i64>) -> Option<Way> {
    let form: TimestampForm = name.parse().ok()?;
    let flags = match form {
        TimestampForm::Iso => Vec::new(),
        TimestampForm::IsoDate => vec![Flag::switch("date-only")],
        _ => vec![Flag::new("timestamp-format", name)],
    };
    let rules = TimestampRules { form, zone: zone.cloned(), decimal_point };
    let read = move |cell: &str| {
        let micros = rules.micros(cell.as_bytes()).ok()?;
        years.contains(&micros).then_some(micros)
    };
    Some(Way { flags, read: Box::new(read), show: time })
}

/// Microseconds since 1970 as a time.
fn time(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros).map(|time| TimeZone::UTC.to_datetime(time));
    time.map_or_else(|_| micros.to_string(), |time| time.strftime("%Y-%m-%d %H:%M:%S%.f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each reading as its options and examples.
    fn shown(readings: Vec<Reading>) -> Vec<String> {
        let flag = |flag: &Flag| flag.value.clone().unwrap_or_else(|| flag.name.to_owned());
        let example = |example: &Example| format!("{} → {}", example.cell, example.meaning);
        let reading = |reading: &Reading| {
            let flags: Vec<String> = reading.flags.iter().map(flag).collect();
            let examples: Vec<String> = reading.examples.iter().map(example).collect();
            format!("[{}] {}", flags.join(" "), examples.join(", "))
        };
        readings.iter().map(reading).collect()
    }

    #[test]
    fn amounts_mean_one_thing_or_several() {
        let cases: [(&[&str], &[&str]); 12] = [
            (&["12.50", "-3"], &["[] 12.50 → 12.50, -3 → -3.00"]),
            (&["12,50", "3"], &["[decimal-comma] 12,50 → 12.50, 3 → 3.00"]),
            (&["12", "13"], &["[] 12 → 12.00"]),
            (&["12.50", "3,50"], &[]),
            (&["€5"], &["[€1,234.56] €5 → 5.00"]),
            (&["1,234.56", "-3"], &["[1,234.56] 1,234.56 → 1234.56, -3 → -3.00"]),
            (&["12,50 €", "1.234,50 €"], &["[1.234,56 €] 12,50 € → 12.50, 1.234,50 € → 1234.50"]),
            (&["(12.50)", "3"], &["[(1,234.56)] (12.50) → -12.50, 3 → 3.00"]),
            (&["12.50-", "1234.50"], &["[1,234.56-] 12.50- → -12.50, 1234.50 → 1234.50"]),
            (&["980", "1.250"], &["[1.234,56] 1.250 → 1250.00", "[1,234.560] 1.250 → 1.25"]),
            (&["980", "1,250"], &["[1,234.56] 1,250 → 1250.00", "[1.234,560] 1,250 → 1.25"]),
            (&[], &["[] "]),
        ];
        for (cells, expected) in cases {
            assert_eq!(shown(fitting(of_amounts(cells), cells)), expected, "{cells:?}");
        }
    }

    #[test]
    fn times_mean_one_thing_or_several() {
        let both =
            ["[%d/%m/%Y] 01/02/2024 → 2024-02-01 00:00:00", "[%m/%d/%Y] 01/02/2024 → 2024-01-02 00:00:00"];
        let cases: [(&[&str], &[&str]); 9] = [
            (&["2024-01-01 13:21:30"], &["[] 2024-01-01 13:21:30 → 2024-01-01 13:21:30"]),
            (&["03/03/2024", "01/02/2024"], &both),
            (&["01/02/2024", "31/01/2024"], &["[%d/%m/%Y] 01/02/2024 → 2024-02-01 00:00:00"]),
            // Whichever is meant, it is the same.
            (&["03/03/2024"], &["[%d/%m/%Y] 03/03/2024 → 2024-03-03 00:00:00"]),
            (&["1704115270"], &["[epoch-seconds] 1704115270 → 2024-01-01 13:21:10"]),
            (&["20240101"], &["[%Y%m%d] 20240101 → 2024-01-01 00:00:00"]),
            (&["2024-01-01T13:21:30Z"], &[]),
            (&["2024-01-01"], &["[date-only] 2024-01-01 → 2024-01-01 00:00:00"]),
            (&["12", "13"], &[]),
        ];
        for (cells, expected) in cases {
            assert_eq!(shown(fitting(of_times(None), cells)), expected, "{cells:?}");
        }
        let small: [(&[&str], &[&str]); 4] = [
            (
                &["45292.5563657407"],
                &[
                    "[excel] 45292.5563657407 → 2024-01-01 13:21:10",
                    "[excel-1904] 45292.5563657407 → 2028-01-02 13:21:10",
                ],
            ),
            (&["19723"], &["[epoch-days] 19723 → 2024-01-01 00:00:00"]),
            (&["473352"], &["[epoch-hours] 473352 → 2024-01-01 00:00:00"]),
            (&["12", "743"], &[]),
        ];
        for (cells, expected) in small {
            assert_eq!(shown(fitting(of_small_numbers(b'.'), cells)), expected, "{cells:?}");
        }
        let counts = [
            "[epoch-seconds] 743 → 1970-01-01 00:12:23",
            "[epoch-hours] 743 → 1970-01-31 23:00:00",
            "[epoch-days] 743 → 1972-01-14 00:00:00",
        ];
        assert_eq!(shown(fitting(of_counts(), &["0", "743"])), counts);
        let joined = ["[%m/%d/%Y %H:%M:%S %Q] 01/31/2024 10:00:00 CET → 2024-01-31 09:00:00"];
        let utc = Some(&TimeZone::UTC);
        assert_eq!(shown(fitting(of_joined(utc), &["01/31/2024 10:00:00 CET"])), joined);
        let utc = fitting(of_times(Some(&TimeZone::UTC)), &["2024-01-01T13:21:30+02:00"]);
        assert_eq!(shown(utc), ["[] 2024-01-01T13:21:30+02:00 → 2024-01-01 11:21:30"]);
    }
}
