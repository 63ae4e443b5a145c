//! How a text is divided: what separates fields, which record is the header, and what comes before it.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

use host_core::text::{listed, printable, printable_bytes};

use super::finding::{About, Finding, Flag};
use super::head::Head;
use super::names::roles;
use crate::cell::timestamp::TimestampRules;
use crate::cell::value;
use crate::csv::records::{Dialect, Records};
use crate::error::SourceError;
use crate::hints::delimiters;
use crate::layout::{MAX_RECORD_BYTES, source_error};

/// The line that tells Excel the delimiter begins so.
const EXCEL_HINT: &str = "sep=";
/// A header is looked for among so many records.
const MAX_PREAMBLE: usize = 100;
/// How many names a message shows.
const SHOWN_NAMES: usize = 12;

/// A record.
#[derive(Clone, Debug)]
pub(super) struct Rec {
    /// The physical line on which it begins.
    pub line: u64,
    pub cells: Vec<String>,
}

/// How a text is divided.
pub(super) struct Layout {
    delimiter: u8,
    /// Whether the first line tells Excel the delimiter.
    has_excel_hint: bool,
    /// How many fields a record has.
    pub fields: usize,
    pub header: Option<Rec>,
    /// All records after the header.
    pub rows: Vec<Rec>,
    /// The line of the first of all records.
    first_line: u64,
}

impl Layout {
    /// Takes the delimiter that divides most records into equally many fields, of which the most have names that
    /// mean something.
    pub fn of(head: &Head, path: &Path) -> Result<Layout, SourceError> {
        let mut tried = Vec::new();
        let mut failed = None;
        for (delimiter, _) in delimiters() {
            let delimiter = delimiter as u8;
            match records(&head.text, delimiter, path) {
                Ok(records) => tried.extend(Layout::with(delimiter, records)),
                Err(error) => failed = Some(error),
            }
        }
        let best = tried.into_iter().rev().max_by_key(|(likely, _)| *likely).map(|(_, layout)| layout);
        best.ok_or_else(|| failed.unwrap_or(SourceError::NoColumns { file: path.display().to_string() }))
    }

    /// The layout with this delimiter, and how likely it is.
    fn with(delimiter: u8, mut records: Vec<Rec>) -> Option<((bool, usize, usize), Layout)> {
        let first = records.first()?;
        let hint = first.cells.join(&char::from(delimiter).to_string());
        let hint = hint
            .get(..EXCEL_HINT.len())
            .filter(|start| start.eq_ignore_ascii_case(EXCEL_HINT))
            .map(|_| hint.as_bytes().get(EXCEL_HINT.len()).copied());
        let has_excel_hint = hint.is_some();
        if has_excel_hint {
            records.remove(0);
        }
        let first_line = records.first()?.line;
        let (fields, count) = most_often(&records)?;
        let is_even = |record: &&Rec| record.cells.len() == fields;
        let candidates = records.iter().take(MAX_PREAMBLE).enumerate().filter(|(_, record)| is_even(record));
        let named = |record: &Rec| record.cells.iter().filter(|cell| !roles(cell).is_empty()).count();
        // The first of those with the most names that mean something.
        let (at, known) = candidates.map(|(at, record)| (at, named(record))).fold(
            None,
            |best: Option<(usize, usize)>, (at, known)| match best {
                Some((_, most)) if known <= most => best,
                _ => Some((at, known)),
            },
        )?;
        let has_header = known > 0 || !looks_like_a_row(&records[at]);
        let rows = records.split_off(if has_header { at + 1 } else { at });
        let header = if has_header { records.pop() } else { None };
        let layout = Layout { delimiter, has_excel_hint, fields, header, rows, first_line };
        Some(((hint == Some(Some(delimiter)), known, count * (fields - 1)), layout))
    }

    /// How many physical lines come before the header, if any.
    pub fn lines_before(&self) -> Option<u64> {
        let first = self.header.as_ref().or(self.rows.first())?.line;
        (first > self.first_line).then(|| first - 1)
    }

    /// What separates fields.
    pub fn delimiter_finding(&self) -> Finding {
        let known = delimiters().find(|(delimiter, _)| *delimiter == char::from(self.delimiter));
        let argument = known.map_or(",", |(_, argument)| argument);
        let names = match &self.header {
            Some(header) => header.cells.clone(),
            None => self.rows.first().map(|row| row.cells.clone()).unwrap_or_default(),
        };
        let shown = printable_bytes(&[self.delimiter]);
        let mut what = format!("`{shown}` separates {} fields: {}", self.fields, listed(&names, SHOWN_NAMES));
        if self.has_excel_hint {
            what += &format!("; the line `{}{shown}` says so, too", printable(EXCEL_HINT));
        }
        let flags = if self.delimiter == b',' { Vec::new() } else { vec![Flag::new("delimiter", argument)] };
        Finding::proposed(About::Delimiter, what, flags, Vec::new())
    }
}

fn records(text: &[u8], delimiter: u8, path: &Path) -> Result<Vec<Rec>, SourceError> {
    let mut records = Records::new(Cursor::new(text), Dialect { delimiter, quote: b'"' }, MAX_RECORD_BYTES);
    let mut found = Vec::new();
    let fail = |error| source_error(path, &path.display().to_string(), error);
    while let Some(record) = records.next().map_err(fail)? {
        let cells = record.fields().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
        found.push(Rec { line: record.line, cells });
    }
    Ok(found)
}

/// The number of fields that most records have, if it is more than one, and how many records that are.
fn most_often(records: &[Rec]) -> Option<(usize, usize)> {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    for record in records.iter().filter(|record| record.cells.len() > 1) {
        *counts.entry(record.cells.len()).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(fields, count)| (*count, *fields))
}

/// Whether there are numbers and times in it, as in no header.
fn looks_like_a_row(record: &Rec) -> bool {
    let iso = TimestampRules::default();
    let is_value = |cell: &String| {
        let cell = cell.as_bytes();
        value::transaction_id(cell).is_ok()
            || value::amount_cents(cell, b'.').is_ok()
            || value::amount_cents(cell, b',').is_ok()
            || iso.micros(cell).is_ok()
    };
    record.cells.iter().filter(|cell| is_value(cell)).count() >= 2
}
