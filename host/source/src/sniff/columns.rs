//! Which column is meant for what, by its name and by what its cells can be read as.

use std::collections::HashSet;

use host_core::text::{listed, printable};

use super::finding::{About, Example, Finding, Flag, Reading};
use super::layout::{Layout, Rec};
use super::names::{Role, roles};
use super::readings::{self, Way};
use crate::cell::amount::AmountFormat;
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
    pub names: Vec<String>,
    pub has_header: bool,
    pub rows: Vec<Rec>,
    /// Records after the data, which are no rows.
    pub trailers: Vec<Rec>,
    /// How many records have another number of fields.
    pub uneven: usize,
}

/// A column: its position from 0, and whether its name says so.
pub(super) enum Choice {
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

    /// Takes the rows of another file with the same columns.
    pub fn extend(&mut self, other: Table) {
        self.rows.extend(other.rows);
        self.uneven += other.uneven;
        if self.trailers.is_empty() {
            self.trailers = other.trailers;
        }
    }

    /// How the first record after the data begins, if no row begins so: how many follow may be another number tomorrow.
    pub fn end_text(&self) -> Option<&str> {
        let text = self.trailers.first()?.cells.first().map(String::as_str)?;
        let begins_row =
            self.rows.iter().any(|row| row.cells.first().is_some_and(|cell| cell.starts_with(text)));
        (text.contains(char::is_alphabetic) && !begins_row).then_some(text)
    }

    /// What the columns are for.
    pub fn findings(&self) -> Vec<Finding> {
        let amount = self.amount();
        let timestamp = self.timestamp(decimal_point(&amount));
        let mut findings = vec![self.transaction_id(), self.user_id(), amount];
        findings.extend(self.sign(&findings[2]));
        findings.extend(self.currency());
        findings.extend(timestamp);
        findings
    }

    pub fn with_role(&self, role: Role) -> Vec<usize> {
        (0..self.names.len()).filter(|at| roles(&self.names[*at]).contains(&role)).collect()
    }

    pub fn cells(&self, column: usize) -> Vec<&str> {
        self.rows.iter().map(|row| row.cells[column].as_str()).collect()
    }

    /// Whether no cell of a column is there twice: without a header, transactions are told from users by that.
    fn is_distinct(&self, column: usize) -> bool {
        let mut seen = HashSet::new();
        self.cells(column).into_iter().all(|cell| seen.insert(cell))
    }

    /// The column for a field: the one that has the field's own name; else among those of other names, the only one
    /// whose cells fit, or all of them if none does; else, if `by_content`, the only one of all whose cells fit.
    pub fn choose(&self, field: Field, role: Role, by_content: bool, fits: &dyn Fn(usize) -> bool) -> Choice {
        let is_own = |at: &usize| self.has_header && self.names[*at].parse::<Field>() == Ok(field);
        if let Some(own) = (0..self.names.len()).find(is_own) {
            return Choice::One(own);
        }
        let named = self.with_role(role);
        let fitting = |among: &[usize]| among.iter().copied().filter(|at| fits(*at)).collect::<Vec<usize>>();
        let mut found = fitting(&named);
        if found.is_empty() && !named.is_empty() || named.len() == 1 {
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
    pub fn column(&self, field: Field, at: usize) -> Vec<Flag> {
        if self.has_header && self.names[at].parse::<Field>() == Ok(field) {
            return Vec::new();
        }
        vec![Flag::new("column", format!("{}={}", field.name(), self.names[at]))]
    }

    pub fn name(&self, at: usize) -> String {
        format!("column `{}`", printable(&self.names[at]))
    }

    /// Several columns could be meant, each of which can be read in these ways.
    pub fn several(
        &self,
        about: About,
        field: Field,
        columns: &[usize],
        read: &dyn Fn(usize) -> Vec<Reading>,
    ) -> Finding {
        let as_it_is = |at: usize| {
            let cells = self.cells(at).into_iter().take(SHOWN_CELLS);
            let example = |cell: &str| Example { cell: printable(cell).into_owned(), meaning: String::new() };
            Reading { flags: Vec::new(), examples: cells.map(example).collect() }
        };
        let readings = columns.iter().flat_map(|&at| {
            let readings = Some(read(at)).filter(|readings| !readings.is_empty());
            readings.unwrap_or_else(|| vec![as_it_is(at)]).into_iter().map(move |mut reading| {
                reading.flags.splice(0..0, self.column(field, at));
                reading
            })
        });
        let names: Vec<String> = columns.iter().map(|at| self.names[*at].clone()).collect();
        let what = format!("it may be each of the columns {}", listed(&names, SHOWN_COLUMNS));
        Finding { about, what, readings: readings.collect() }
    }

    fn transaction_id(&self) -> Finding {
        let is_id =
            |at: usize| self.cells(at).iter().all(|cell| value::transaction_id(cell.as_bytes()).is_ok());
        let fits = |at: usize| is_id(at) && (self.has_header || self.is_distinct(at));
        let (about, field) = (About::TransactionId, Field::TransactionId);
        match self.choose(field, Role::TransactionId, !self.has_header, &fits) {
            Choice::One(at) => self.id(about, field, at, is_id(at)),
            Choice::Several(columns) => {
                self.several(about, field, &columns, &|at| self.kinds_of_id(field, at, is_id(at)))
            }
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
            Choice::Several(columns) => {
                self.several(about, field, &columns, &|at| self.kinds_of_id(field, at, is_id(at)))
            }
            Choice::None => {
                let what = "no column looks like a user; all rows are of one".to_owned();
                Finding::proposed(about, what, vec![Flag::new("user-ids", "none")], Vec::new())
            }
        }
    }

    /// How the ids of one of several columns are read.
    fn kinds_of_id(&self, field: Field, at: usize, is_number: bool) -> Vec<Reading> {
        let mut readings = self.id(About::TransactionId, field, at, is_number).readings;
        for reading in &mut readings {
            // Which column it is, is said by the others as well.
            reading.flags.retain(|flag| flag.name != "column");
        }
        readings
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

    /// A column, and the ways in which its cells are read.
    pub fn read_as(
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
                Some((nearly, unread)) => {
                    readings = nearly;
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

/// The decimal point of a file whose amounts are read so; of several readings, that of numbers as they usually are.
fn decimal_point(amount: &Finding) -> u8 {
    let [reading] = amount.readings.as_slice() else { return b'.' };
    let has_comma = |flag: &Flag| match &flag.value {
        Some(example) if flag.name == "amount-format" => {
            example.parse().is_ok_and(|format: AmountFormat| format.decimal_point() == b',')
        }
        _ => flag.name == "decimal-comma",
    };
    if reading.flags.iter().any(has_comma) { b',' } else { b'.' }
}
