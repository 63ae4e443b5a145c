//! Which columns times are in, how they are written, and in which zone.

use host_core::text::printable;
use jiff::tz::TimeZone;

use super::columns::{Choice, Table};
use super::finding::{About, Finding, Flag, Reading};
use super::names::Role;
use super::readings::{self, fitting};
use crate::csv::field::Field;

/// Counts that are not read are named if they are at most one of so many.
const MOST: usize = 10;

impl Table {
    /// Which columns make up the time, and, if that has an offset or a zone, to which zone it is converted. `point` is
    /// the decimal point of the file.
    pub fn timestamp(&self, point: u8) -> Vec<Finding> {
        let (about, field) = (About::Timestamp, Field::Timestamp);
        let in_zone = |at: usize, zone: Option<&TimeZone>| fitting(readings::of_times(zone), &self.cells(at));
        let read = |at: usize| match in_zone(at, None) {
            readings if readings.is_empty() => in_zone(at, Some(&TimeZone::UTC)),
            readings => readings,
        };
        // Where there is no other, the column `Time` is it.
        let role = if self.with_role(Role::Timestamp).is_empty() { Role::Time } else { Role::Timestamp };
        match self.choose(field, role, true, &|at| !read(at).is_empty()) {
            Choice::One(at) => {
                if let Some(findings) = self.joined(at) {
                    return findings;
                }
                let as_times = read(at);
                if as_times.is_empty()
                    && let Some(finding) = self.numbers(at, point)
                {
                    return vec![finding];
                }
                let mut findings = vec![self.read_as(about, field, at, as_times, readings::of_times(None))];
                if in_zone(at, None).is_empty() && !in_zone(at, Some(&TimeZone::UTC)).is_empty() {
                    findings.push(zone(&|zone| in_zone(at, zone)));
                }
                findings
            }
            Choice::Several(columns) => vec![self.several(about, field, &columns, &read)],
            Choice::None => vec![Finding::open(about, "no column looks like a time".into())],
        }
    }

    /// A day, with a time of day, a zone, or both in columns of their own.
    fn joined(&self, day: usize) -> Option<Vec<Finding>> {
        let other = |role| self.with_role(role).into_iter().find(|at| *at != day);
        let has_time = self.cells(day).iter().any(|cell| cell.contains(':'));
        let time = other(Role::Time)
            .filter(|time| !has_time && self.cells(*time).iter().all(|cell| cell.contains(':')));
        let zone_column = other(Role::Zone).filter(|_| time.is_some() || has_time);
        if !self.has_header || (time.is_none() && zone_column.is_none()) {
            return None;
        }
        let with = |columns: &[usize], zone: Option<&TimeZone>| self.join(columns, zone);
        let without_zone: Vec<usize> = [Some(day), time].into_iter().flatten().collect();
        let mut what = match time {
            Some(time) => format!("{} is the day, and {} the time", self.name(day), self.name(time)),
            None => format!("{} is the time", self.name(day)),
        };
        if let Some(column) = zone_column {
            let all: Vec<usize> = without_zone.iter().copied().chain([column]).collect();
            let readings = with(&all, Some(&TimeZone::UTC));
            if !readings.is_empty() {
                what += &format!(", {} its zone", self.name(column));
                let timestamp = Finding { about: About::Timestamp, what, readings };
                return Some(vec![timestamp, zone(&|zone| with(&all, zone))]);
            }
            what += &format!("; the zone in {} is not read", self.name(column));
        }
        time?;
        Some(vec![Finding { about: About::Timestamp, what, readings: with(&without_zone, None) }])
    }

    /// The cells of these columns together, in a zone if they have one.
    fn join(&self, columns: &[usize], zone: Option<&TimeZone>) -> Vec<Reading> {
        let joined: Vec<String> = self
            .rows
            .iter()
            .map(|row| columns.iter().map(|at| row.cells[*at].as_str()).collect::<Vec<_>>().join(" "))
            .collect();
        let cells: Vec<&str> = joined.iter().map(String::as_str).collect();
        let mut readings = fitting(readings::of_joined(zone), &cells);
        let names: Vec<&str> = columns.iter().map(|at| self.names[*at].as_str()).collect();
        for reading in &mut readings {
            reading.flags.insert(0, Flag::new("timestamp-columns", names.join(",")));
        }
        readings
    }

    /// Numbers that are days or hours, or counts of something from a beginning that is not told.
    fn numbers(&self, at: usize, point: u8) -> Option<Finding> {
        let (about, field) = (About::Timestamp, Field::Timestamp);
        let cells = self.cells(at);
        let days = fitting(readings::of_small_numbers(point), &cells);
        if !days.is_empty() {
            return Some(self.read_as(about, field, at, days, Vec::new()));
        }
        let is_count = |cell: &&str| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
        let counts: Vec<&str> = cells.iter().copied().filter(is_count).collect();
        if counts.is_empty() || (cells.len() - counts.len()) * MOST > cells.len() {
            return None;
        }
        let mut readings = fitting(readings::of_counts(), &counts);
        let column = self.column(field, at);
        for reading in &mut readings {
            reading.flags.splice(0..0, column.clone());
        }
        let mut what = format!(
            "{} counts from a beginning that the file does not tell; as if that were 1970, it may be in \
             several units",
            self.name(at)
        );
        if let Some(other) = cells.iter().position(|cell| !is_count(cell)) {
            what += &format!("; line {} has `{}`", self.rows[other].line, printable(cells[other]));
        }
        Some(Finding { about, what, readings })
    }
}

/// Times have an offset, and the database's column has none.
fn zone(read: &dyn Fn(Option<&TimeZone>) -> Vec<Reading>) -> Finding {
    let own = TimeZone::system();
    let zones = [Some("UTC"), own.iana_name().filter(|name| *name != "UTC" && *name != "Etc/UTC")];
    let reading = |name: &str| {
        let zone = TimeZone::get(name).ok()?;
        let examples = read(Some(&zone)).into_iter().next()?.examples;
        Some(Reading { flags: vec![Flag::new("timezone", name)], examples })
    };
    let readings: Vec<Reading> = zones.into_iter().flatten().filter_map(reading).collect();
    let what = "times have an offset or a zone, and are stored as the local time of one zone".to_owned();
    Finding { about: About::Timezone, what, readings }
}
