//! Which column is meant for what, by its name and by what its cells can be read as.

use std::collections::HashSet;

use host_core::text::{listed, printable};
use jiff::tz::TimeZone;

use super::finding::{About, Example, Finding, Flag, Reading};
use super::layout::{Layout, Rec};
use super::names::{Role, roles};
use super::readings::{self, Way, fitting};
use crate::cell::value;
use crate::csv::field::Field;

/// So many records after the data may be something else.
const MAX_TRAILERS: usize = 10;
/// Longer texts are no ids.
const MAX_KEY_BYTES: usize = 255;
/// How many columns a message names.
const SHOWN_COLUMNS: usize = 5;
/// Cells that a message quotes.
const SHOWN_CELLS: usize = 3;

/// The rows of a file, and the names of its columns.
pub(super) struct Table {
    /// As `--column` takes them: names or, without a header, positions from 1.
    names: Vec<String>,
    has_header: bool,
    pub rows: Vec<Rec>,
    /// Records after the data, which are no rows.
    pub trailers: Vec<Rec>,
    /// How many records have another number of fields.
    pub uneven: usize,
}

/// A column: its position from 0, and whether its name says so.
enum Choice {
    One(usize),
    Several(Vec<usize>),
    None,
}

impl Table {
    /// What is divided like this.
    pub fn of(layout: &Layout) -> Table {
        let names = match &layout.header {
            Some(header) => header.cells.clone(),
            None => (1..=layout.fields).map(|position| position.to_string()).collect(),
        };
        let mut rows = layout.rows.clone();
        let mut trailers = Vec::new();
        let table =
            Table { names, has_header: layout.header.is_some(), rows: vec![], trailers: vec![], uneven: 0 };
        // Rows have a time; what has none comes after them.
        let timed: Vec<usize> = table.with_role(Role::Timestamp);
        // A last row that was cut off is no reason to leave it out.
        let kind =
            |record: &Rec| record.cells.first().and_then(|cell| cell.chars().next()).map(char::is_numeric);
        let first = rows.first().map(kind);
        let is_row = |record: &Rec| {
            let has_digit = |at: &usize| {
                record
                    .cells
                    .get(*at)
                    .is_some_and(|cell| cell.contains(|letter: char| letter.is_ascii_digit()))
            };
            let has_time = timed.is_empty() || timed.iter().any(has_digit);
            if record.cells.len() == layout.fields { has_time } else { Some(kind(record)) == first }
        };
        while rows.len() > 1 && trailers.len() < MAX_TRAILERS && rows.last().is_some_and(|last| !is_row(last))
        {
            trailers.extend(rows.pop());
        }
        trailers.reverse();
        let all = rows.len();
        rows.retain(|record| record.cells.len() == layout.fields);
        Table { uneven: all - rows.len(), rows, trailers, ..table }
    }

    /// What the columns are for.
    pub fn findings(&self) -> Vec<Finding> {
        let timestamp = self.timestamp();
        let amount = self.amount();
        let mut findings = vec![self.transaction_id(), self.user_id(), amount];
        findings.extend(timestamp);
        findings
    }

    fn with_role(&self, role: Role) -> Vec<usize> {
        (0..self.names.len()).filter(|at| roles(&self.names[*at]).contains(&role)).collect()
    }

    fn cells(&self, column: usize) -> Vec<&str> {
        self.rows.iter().map(|row| row.cells[column].as_str()).collect()
    }

    /// Whether no cell of a column is there twice: without a header, transactions are told from users by that.
    fn is_distinct(&self, column: usize) -> bool {
        let mut seen = HashSet::new();
        self.cells(column).into_iter().all(|cell| seen.insert(cell))
    }

    /// The column for a field: the one that has the field's own name; else among those of other names, the only one
    /// whose cells fit; else, if `by_content`, the only one of all whose cells fit.
    fn choose(&self, field: Field, role: Role, by_content: bool, fits: &dyn Fn(usize) -> bool) -> Choice {
        let is_own = |at: &usize| self.has_header && self.names[*at].parse::<Field>() == Ok(field);
        if let Some(own) = (0..self.names.len()).find(is_own) {
            return Choice::One(own);
        }
        let named = self.with_role(role);
        let fitting = |among: &[usize]| among.iter().copied().filter(|at| fits(*at)).collect::<Vec<usize>>();
        let mut found = fitting(&named);
        if named.len() == 1 {
            found = named;
        } else if found.is_empty() && by_content {
            let all: Vec<usize> = (0..self.names.len()).collect();
            found = fitting(&all);
        }
        match found.as_slice() {
            [] => Choice::None,
            [one] => Choice::One(*one),
            _ => Choice::Several(found),
        }
    }

    /// The option that says which column it is, unless its own name does.
    fn column(&self, field: Field, at: usize) -> Vec<Flag> {
        if self.has_header && self.names[at].parse::<Field>() == Ok(field) {
            return Vec::new();
        }
        vec![Flag::new("column", format!("{}={}", field.name(), self.names[at]))]
    }

    fn name(&self, at: usize) -> String {
        format!("column `{}`", printable(&self.names[at]))
    }

    /// Several columns could be meant.
    fn several(&self, about: About, field: Field, columns: &[usize]) -> Finding {
        let reading = |at: &usize| {
            let cells = self.cells(*at).into_iter().take(SHOWN_CELLS);
            let example = |cell: &str| Example { cell: printable(cell).into_owned(), meaning: String::new() };
            Reading { flags: self.column(field, *at), examples: cells.map(example).collect() }
        };
        let names: Vec<String> = columns.iter().map(|at| self.names[*at].clone()).collect();
        let what = format!("it may be each of the columns {}", listed(&names, SHOWN_COLUMNS));
        Finding { about, what, readings: columns.iter().map(reading).collect() }
    }

    fn transaction_id(&self) -> Finding {
        let is_id =
            |at: usize| self.cells(at).iter().all(|cell| value::transaction_id(cell.as_bytes()).is_ok());
        let fits = |at: usize| is_id(at) && (self.has_header || self.is_distinct(at));
        let (about, field) = (About::TransactionId, Field::TransactionId);
        match self.choose(field, Role::TransactionId, !self.has_header, &fits) {
            Choice::One(at) => self.id(about, field, at, is_id(at)),
            Choice::Several(columns) => self.several(about, field, &columns),
            Choice::None => {
                let what = "no column looks like an id of transactions; they are numbered anyway".to_owned();
                Finding::proposed(about, what, vec![Flag::new("transaction-ids", "none")], Vec::new())
            }
        }
    }

    fn user_id(&self) -> Finding {
        // Wider numbers fit only into columns that somebody has widened.
        let is_narrow =
            |cell: &str| value::user_id(cell.as_bytes()).is_ok_and(|id| i32::try_from(id).is_ok());
        let is_id = |at: usize| self.cells(at).iter().all(|cell| is_narrow(cell));
        let fits = |at: usize| is_id(at) && (self.has_header || !self.is_distinct(at));
        let (about, field) = (About::UserId, Field::UserId);
        match self.choose(field, Role::UserId, !self.has_header, &fits) {
            Choice::One(at) => self.id(about, field, at, is_id(at)),
            Choice::Several(columns) => self.several(about, field, &columns),
            Choice::None => {
                let what = "no column looks like a user; all rows are of one".to_owned();
                Finding::proposed(about, what, vec![Flag::new("user-ids", "none")], Vec::new())
            }
        }
    }

    fn id(&self, about: About, field: Field, at: usize, is_number: bool) -> Finding {
        let cells = self.cells(at);
        let shown = cells.iter().find(|cell| !cell.is_empty()).copied().unwrap_or_default();
        let examples =
            vec![Example { cell: printable(shown).into_owned(), meaning: shown.trim().to_owned() }];
        let mut flags = self.column(field, at);
        let is_text =
            |cell: &&str| (1..=MAX_KEY_BYTES).contains(&cell.len()) && !cell.contains(char::is_control);
        if is_number {
            Finding::proposed(about, self.name(at), flags, examples)
        } else if cells.iter().all(is_text) {
            let what = format!("{} holds texts or wide numbers", self.name(at));
            flags
                .push(Flag::new(if field == Field::UserId { "user-ids" } else { "transaction-ids" }, "text"));
            Finding::proposed(about, what, flags, examples)
        } else {
            Finding::open(about, format!("{} has cells that are no ids", self.name(at)))
        }
    }

    fn amount(&self) -> Finding {
        let (about, field) = (About::Amount, Field::Amount);
        let read = |at: usize| fitting(readings::of_amounts(), &self.cells(at));
        // Whole numbers may be anything.
        let fits = |at: usize| {
            let cells = self.cells(at);
            cells.iter().any(|cell| cell.contains(['.', ','])) && !read(at).is_empty()
        };
        match self.choose(field, Role::Amount, true, &fits) {
            Choice::One(at) => self.read_as(about, field, at, read(at), readings::of_amounts()),
            Choice::Several(columns) => self.several(about, field, &columns),
            Choice::None => self
                .debit_and_credit()
                .unwrap_or_else(|| Finding::open(about, "no column looks like an amount".into())),
        }
    }

    /// Amounts that go out and such that come in, each in a column of their own.
    fn debit_and_credit(&self) -> Option<Finding> {
        let ([debit], [credit]) = (&*self.with_role(Role::Debit), &*self.with_role(Role::Credit)) else {
            return None;
        };
        let (out, into) = (self.cells(*debit), self.cells(*credit));
        let is_either = out.iter().zip(&into).all(|(out, into)| out.is_empty() != into.is_empty());
        let filled: Vec<&str> = out.into_iter().chain(into).filter(|cell| !cell.is_empty()).collect();
        let mut readings = fitting(readings::of_amounts(), &filled);
        if !is_either || !self.has_header {
            return None;
        }
        for reading in &mut readings {
            let columns =
                [Flag::new("debit", &*self.names[*debit]), Flag::new("credit", &*self.names[*credit])];
            reading.flags.splice(0..0, columns);
            // The sign is that of the column.
            reading.examples.clear();
        }
        let what = format!("{} goes out, and {} comes in", self.name(*debit), self.name(*credit));
        Some(Finding { about: About::Amount, what, readings })
    }

    /// A day and a time of day, each in a column of its own.
    fn day_and_time(&self, day: usize) -> Option<Finding> {
        let ([time], true) = (&*self.with_role(Role::Time), self.has_header) else { return None };
        let is_day = |cell: &&str| !cell.is_empty() && !cell.contains(':');
        let (days, times) = (self.cells(day), self.cells(*time));
        if !days.iter().all(is_day) || !times.iter().all(|cell| cell.contains(':')) {
            return None;
        }
        let joined: Vec<String> =
            days.iter().zip(&times).map(|(day, time)| format!("{day} {time}")).collect();
        let cells: Vec<&str> = joined.iter().map(String::as_str).collect();
        let mut readings = fitting(readings::of_times(None), &cells);
        for reading in &mut readings {
            let columns = format!("{},{}", self.names[day], self.names[*time]);
            reading.flags.insert(0, Flag::new("timestamp-columns", columns));
        }
        let mut what = format!("{} is the day, and {} the time", self.name(day), self.name(*time));
        if let [zone, ..] = *self.with_role(Role::Zone) {
            what += &format!("; the zone in {} is not read", self.name(zone));
        }
        Some(Finding { about: About::Timestamp, what, readings })
    }

    fn timestamp(&self) -> Vec<Finding> {
        let (about, field) = (About::Timestamp, Field::Timestamp);
        let in_zone = |at: usize, zone: Option<&TimeZone>| fitting(readings::of_times(zone), &self.cells(at));
        let read = |at: usize| match in_zone(at, None) {
            readings if readings.is_empty() => in_zone(at, Some(&TimeZone::UTC)),
            readings => readings,
        };
        match self.choose(field, Role::Timestamp, true, &|at| !read(at).is_empty()) {
            Choice::One(at) => {
                if let Some(finding) = self.day_and_time(at) {
                    return vec![finding];
                }
                let mut findings = vec![self.read_as(about, field, at, read(at), readings::of_times(None))];
                if in_zone(at, None).is_empty() && !in_zone(at, Some(&TimeZone::UTC)).is_empty() {
                    findings.push(self.zone(at, &in_zone));
                }
                findings
            }
            Choice::Several(columns) => vec![self.several(about, field, &columns)],
            Choice::None => vec![Finding::open(about, "no column looks like a time".into())],
        }
    }

    /// Times have an offset, and the database's column has none.
    fn zone(&self, at: usize, read: &dyn Fn(usize, Option<&TimeZone>) -> Vec<Reading>) -> Finding {
        let own = TimeZone::system();
        let zones = [Some("UTC"), own.iana_name().filter(|name| *name != "UTC" && *name != "Etc/UTC")];
        let reading = |name: &str| {
            let zone = TimeZone::get(name).ok()?;
            let examples = read(at, Some(&zone)).into_iter().next()?.examples;
            Some(Reading { flags: vec![Flag::new("timezone", name)], examples })
        };
        let readings: Vec<Reading> = zones.into_iter().flatten().filter_map(reading).collect();
        let what = "times have an offset or a zone, and are stored as the local time of one zone".to_owned();
        Finding { about: About::Timezone, what, readings }
    }

    /// A column, and the ways in which its cells are read.
    fn read_as(
        &self,
        about: About,
        field: Field,
        at: usize,
        mut readings: Vec<Reading>,
        ways: Vec<Way>,
    ) -> Finding {
        let cells = self.cells(at);
        let mut what = self.name(at);
        match readings.len() {
            0 => match readings::nearly_fitting(ways, &cells) {
                Some((reading, unread)) => {
                    readings.push(reading);
                    let (cell, line) = (printable(cells[unread]), self.rows[unread].line);
                    what += &format!(", but not everywhere: line {line} has `{cell}`");
                }
                None => {
                    let shown: Vec<String> =
                        cells.iter().take(SHOWN_CELLS).map(|cell| (*cell).to_owned()).collect();
                    what += &format!(" is not read as it is: {}", listed(&shown, SHOWN_CELLS));
                }
            },
            1 => {}
            _ => what += " can be read in several ways",
        }
        let column = self.column(field, at);
        for reading in &mut readings {
            reading.flags.splice(0..0, column.clone());
        }
        Finding { about, what, readings }
    }
}
