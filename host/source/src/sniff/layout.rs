//! How a text is divided: what separates fields, which record is the header, and what comes before it.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

use host_core::text::{listed, printable_bytes};

use super::finding::{About, Finding, Flag};
use super::head::Head;
use super::names::roles;
use crate::cell::timestamp::TimestampRules;
use crate::cell::value;
use crate::csv::records::{Dialect, Records};
use crate::error::SourceError;
use crate::hints::delimiters;
use crate::layout::{MAX_RECORD_BYTES, source_error};

/// What some put around fields instead of quotes.
const APOSTROPHE: u8 = b'\'';
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
    dialect: Dialect,
    /// Whether the first line names the delimiter.
    has_separator_line: bool,
    /// Records before the header.
    preamble: Vec<Rec>,
    /// How many fields a record has.
    pub fields: usize,
    pub header: Option<Rec>,
    /// All records after the header.
    pub rows: Vec<Rec>,
    /// The line of the first of all records.
    first_line: u64,
}

impl Layout {
    /// Takes the delimiter that the first line names, or else the one that divides most records into equally many
    /// fields, of which the most have names that mean something; and apostrophes for quotes, if there is a field in them
    /// for every row.
    pub fn of(head: &Head, path: &Path) -> Result<Layout, SourceError> {
        let layout = Layout::with_quote(b'"', head, path)?;
        match is_quoted_by(APOSTROPHE, &head.text, layout.dialect.delimiter, layout.rows.len()) {
            true => Layout::with_quote(APOSTROPHE, head, path),
            false => Ok(layout),
        }
    }

    fn with_quote(quote: u8, head: &Head, path: &Path) -> Result<Layout, SourceError> {
        let mut tried = Vec::new();
        let mut failed = None;
        for (delimiter, _) in delimiters() {
            match records(&head.text, Dialect { delimiter: delimiter as u8, quote }, path) {
                Ok((dialect, is_named, records)) => {
                    tried.extend(Layout::with(dialect, is_named, records));
                    if is_named {
                        break;
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
        let best = tried.into_iter().rev().max_by_key(|(likely, _)| *likely).map(|(_, layout)| layout);
        best.ok_or_else(|| failed.unwrap_or(SourceError::NoColumns { file: path.display().to_string() }))
    }

    /// The layout with this delimiter, and how likely it is.
    fn with(
        dialect: Dialect,
        has_separator_line: bool,
        mut records: Vec<Rec>,
    ) -> Option<((usize, usize), Layout)> {
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
        let preamble = records;
        let layout = Layout { dialect, has_separator_line, preamble, fields, header, rows, first_line };
        Some(((known, count * (fields - 1)), layout))
    }

    /// How many physical lines come before the header, if any.
    pub fn lines_before(&self) -> Option<u64> {
        let first = self.header.as_ref().or(self.rows.first())?.line;
        (first > self.first_line).then(|| first - 1)
    }

    /// A text that is in a cell of the header, and in none before it: the number of lines before it may be another one
    /// tomorrow.
    pub fn header_text(&self) -> Option<&str> {
        let is_new = |text: &&str| {
            let is_in = |record: &Rec| record.cells.iter().any(|cell| cell.contains(*text));
            !text.is_empty() && !self.preamble.iter().any(is_in)
        };
        let cells = || self.header.iter().flat_map(|header| &header.cells).map(String::as_str);
        cells().filter(is_new).find(|name| !roles(name).is_empty()).or_else(|| cells().find(is_new))
    }

    /// The names of the columns, what separates and surrounds fields: files with the same may be read alike.
    pub fn shape(&self) -> (Dialect, Option<&[String]>, usize) {
        (self.dialect, self.header.as_ref().map(|header| &*header.cells), self.fields)
    }

    /// What separates fields.
    pub fn delimiter_finding(&self) -> Finding {
        let delimiter = self.dialect.delimiter;
        let known = delimiters().find(|(known, _)| *known == char::from(delimiter));
        let argument = known.map_or(char::from(delimiter).to_string(), |(_, argument)| argument.to_owned());
        let names = match &self.header {
            Some(header) => header.cells.clone(),
            None => self.rows.first().map(|row| row.cells.clone()).unwrap_or_default(),
        };
        let shown = printable_bytes(&[delimiter]);
        let mut what = format!("`{shown}` separates {} fields: {}", self.fields, listed(&names, SHOWN_NAMES));
        if self.has_separator_line {
            what += &format!("; the line `sep={shown}` says so itself");
        }
        let is_usual = delimiter == b',' || self.has_separator_line;
        let flags = if is_usual { Vec::new() } else { vec![Flag::new("delimiter", argument)] };
        Finding::proposed(About::Delimiter, what, flags, Vec::new())
    }

    /// What is around fields, if it is not the usual.
    pub fn quote_finding(&self) -> Option<Finding> {
        let quote = char::from(self.dialect.quote).to_string();
        let what = format!("fields are in `{quote}`");
        (self.dialect.quote == APOSTROPHE)
            .then(|| Finding::proposed(About::Quote, what, vec![Flag::new("quote", quote)], Vec::new()))
    }
}

/// Whether as many fields begin with this character as end with it, at least one for each row, and none is in the usual
/// quotes.
fn is_quoted_by(quote: u8, text: &[u8], delimiter: u8, rows: usize) -> bool {
    let is_edge = |at: Option<&u8>| at.is_none_or(|byte| [b'\n', b'\r', delimiter].contains(byte));
    let (mut begin, mut end, mut usual) = (0, 0, 0);
    for (i, &byte) in text.iter().enumerate() {
        let begins = is_edge(i.checked_sub(1).and_then(|before| text.get(before)));
        let ends = is_edge(text.get(i + 1));
        if byte == quote && begins != ends {
            (begin, end) = (begin + usize::from(begins), end + usize::from(ends));
        }
        usual += usize::from(byte == b'"' && begins);
    }
    begin == end && begin >= rows.max(1) && usual == 0
}

/// All records; those with another delimiter, if the first line names one.
fn records(text: &[u8], dialect: Dialect, path: &Path) -> Result<(Dialect, bool, Vec<Rec>), SourceError> {
    let mut records = Records::new(Cursor::new(text), dialect, MAX_RECORD_BYTES);
    let mut found = Vec::new();
    let fail = |error| source_error(path, &path.display().to_string(), error);
    let is_named = records.take_separator_line().map_err(fail)?.is_some();
    while let Some(record) = records.next().map_err(fail)? {
        let cells = record.fields().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
        found.push(Rec { line: record.line, cells });
    }
    Ok((records.dialect(), is_named, found))
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
