//! How cells of a column are read: by each of the ways that there are, and which of these agree.

use host_core::text::printable;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::finding::{Example, Flag, Reading};
use crate::cell::timestamp::{TimestampForm, TimestampRules};
use crate::cell::value;
use crate::hints::patterns;

/// So many cells rule out most ways; the others are tried on all.
const FIRST_CELLS: usize = 30;
/// How many examples a reading has.
const SHOWN_EXAMPLES: usize = 2;
/// Most cells are read if not more than one of so many is not.
const MOST: usize = 10;
/// Numbers are taken for times of these years only, in microseconds since 1970: 1990 to 2100.
const LIKELY_MICROS: std::ops::Range<i64> = 631_152_000_000_000..4_102_444_800_000_000;
/// Other texts are taken for times of these years only: 1900 to 2199. (`24` is no year of four digits.)
const POSSIBLE_MICROS: std::ops::Range<i64> = -2_208_988_800_000_000..7_258_118_400_000_000;

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

/// How nearly all cells can be read: in the way that reads the most of them, and with the first that it does not read;
/// `None` if that is not most of them.
pub(super) fn nearly_fitting(ways: Vec<Way>, cells: &[&str]) -> Option<(Reading, usize)> {
    let unread = |way: &Way| cells.iter().filter(|cell| (way.read)(cell).is_none()).count();
    let (count, way) = ways.into_iter().map(|way| (unread(&way), way)).min_by_key(|(count, _)| *count)?;
    let first = cells.iter().position(|cell| (way.read)(cell).is_none())?;
    if count * MOST > cells.len() {
        return None;
    }
    let read: Vec<&str> = cells.iter().copied().filter(|cell| (way.read)(cell).is_some()).collect();
    fitting(vec![way], &read).pop().map(|reading| (reading, first))
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

/// The ways in which amounts are written.
pub(super) fn of_amounts() -> Vec<Way> {
    let way = |flags, point: u8| Way {
        flags,
        read: Box::new(move |cell| value::amount_cents(cell.as_bytes(), point).ok()),
        show: |cents| {
            let sign = if cents < 0 { "-" } else { "" };
            format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
        },
    };
    vec![way(Vec::new(), b'.'), way(vec![Flag::switch("decimal-comma")], b',')]
}

/// The ways in which times are written; in a zone, if offsets and counts since 1970 are to be converted to it.
pub(super) fn of_times(zone: Option<&TimeZone>) -> Vec<Way> {
    const NAMED: [&str; 4] = ["iso", "epoch-seconds", "epoch-millis", "epoch-micros"];
    const FURTHER: [&str; 7] =
        ["%s%.f", "%Y%m%d%H%M%S", "%Y%m%d", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%Y-%m-%d %H:%M:%S %Q"];
    let zone = zone.cloned();
    let names = NAMED.into_iter().chain(FURTHER).chain(patterns());
    let way = |name: &'static str| {
        let form: TimestampForm = name.parse().ok()?;
        let is_count = name.starts_with("epoch") || name.starts_with("%s");
        let years = if is_count { LIKELY_MICROS } else { POSSIBLE_MICROS };
        let flags =
            if form == TimestampForm::Iso { vec![] } else { vec![Flag::new("timestamp-format", name)] };
        let mut rules = TimestampRules { form, ..TimestampRules::default() };
        rules.zone.clone_from(&zone);
        let read = move |cell: &str| {
            let micros = rules.micros(cell.as_bytes()).ok()?;
            years.contains(&micros).then_some(micros)
        };
        Some(Way { flags, read: Box::new(read), show: time })
    };
    names.filter_map(way).collect()
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
        let cases: [(&[&str], &[&str]); 6] = [
            (&["12.50", "-3"], &["[] 12.50 → 12.50, -3 → -3.00"]),
            (&["12,50", "3"], &["[decimal-comma] 12,50 → 12.50, 3 → 3.00"]),
            (&["12", "13"], &["[] 12 → 12.00"]),
            (&["12.50", "3,50"], &[]),
            (&["€5"], &[]),
            (&[], &["[] "]),
        ];
        for (cells, expected) in cases {
            assert_eq!(shown(fitting(of_amounts(), cells)), expected, "{cells:?}");
        }
    }

    #[test]
    fn times_mean_one_thing_or_several() {
        let both =
            ["[%d/%m/%Y] 01/02/2024 → 2024-02-01 00:00:00", "[%m/%d/%Y] 01/02/2024 → 2024-01-02 00:00:00"];
        let cases: [(&[&str], &[&str]); 8] = [
            (&["2024-01-01 13:21:30"], &["[] 2024-01-01 13:21:30 → 2024-01-01 13:21:30"]),
            (&["03/03/2024", "01/02/2024"], &both),
            (&["01/02/2024", "31/01/2024"], &["[%d/%m/%Y] 01/02/2024 → 2024-02-01 00:00:00"]),
            // Whichever is meant, it is the same.
            (&["03/03/2024"], &["[%d/%m/%Y] 03/03/2024 → 2024-03-03 00:00:00"]),
            (&["1704115270"], &["[epoch-seconds] 1704115270 → 2024-01-01 13:21:10"]),
            (&["20240101"], &["[%Y%m%d] 20240101 → 2024-01-01 00:00:00"]),
            (&["2024-01-01T13:21:30Z"], &[]),
            (&["12", "13"], &[]),
        ];
        for (cells, expected) in cases {
            assert_eq!(shown(fitting(of_times(None), cells)), expected, "{cells:?}");
        }
        let utc = fitting(of_times(Some(&TimeZone::UTC)), &["2024-01-01T13:21:30+02:00"]);
        assert_eq!(shown(utc), ["[] 2024-01-01T13:21:30+02:00 → 2024-01-01 11:21:30"]);
    }
}
