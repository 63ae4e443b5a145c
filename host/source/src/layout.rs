//! Where in a file its rows are: which lines come before the header, and what comes after the rows. Banks put the
//! account above the header and totals below the rows.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use host_core::text::{printable_bytes, printable_up_to};
use memchr::memmem;

use crate::csv::body::Body;
use crate::csv::records::{Dialect, Records, RecordsError};
use crate::error::SourceError;
use crate::input::open::{Input, open};
use crate::rules::InputRules;

/// A longer record is an error.
pub(crate) const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// A header is looked for in this many lines and bytes.
const MAX_SEARCHED_LINES: u64 = 1_000;
const MAX_SEARCHED_BYTES: u64 = 1024 * 1024;
/// How many of the lines without a header a message shows, and how much of each, in characters.
const SHOWN_LINES: usize = 6;
const SHOWN_CHARS: usize = 60;

/// A file whose rows come next.
pub(crate) struct Opened {
    pub body: Body<Input>,
    /// The header as it is in the file, if it has one.
    pub header: Option<Arc<[u8]>>,
    /// The names in the header, or, without one, the fields of the first row.
    pub first: Vec<String>,
    pub dialect: Dialect,
    /// Whether it was the file's first line that named the delimiter.
    pub has_separator_line: bool,
    /// The first and the last of the physical lines that were left out at the beginning.
    pub left_out: Option<(u64, u64)>,
}

/// Opens a file, and reads it up to the first row.
pub(crate) fn open_rows(
    path: &Path,
    name: &str,
    rules: &InputRules,
    read_bytes: Arc<AtomicU64>,
) -> Result<Opened, SourceError> {
    let lines = &rules.lines;
    let fail = |error| source_error(path, name, error);
    let input = open(path, rules.encoding, read_bytes)?;
    let mut records = Records::new(input, rules.dialect(), MAX_RECORD_BYTES);
    // Lines that are left out are not looked at.
    let separator = match lines.skip_lines {
        0 => records.take_separator_line().map_err(fail)?,
        count => records.skip_lines(count).map(|()| None).map_err(fail)?,
    };
    if let Some((named, given)) = separator.zip(rules.delimiter).filter(|(named, given)| named != given) {
        let (named, given) = (named.into(), given.into());
        return Err(SourceError::OtherDelimiter { file: name.to_owned(), named, given });
    }
    if let Some(text) = &lines.header_contains {
        find_header(path, name, &mut records, text)?;
    }
    let Some(record) = records.next().map_err(fail)? else {
        let file = name.to_owned();
        return Err(match lines.skip_lines {
            0 => SourceError::Empty { file },
            skip_lines => SourceError::TooFewLines { file, lines: records.last_line(), skip_lines },
        });
    };
    let first = record.fields().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect();
    let header = rules.has_header.then(|| record.raw.into());
    let begins_at =
        if lines.header_contains.is_some() { record.line } else { u64::from(lines.skip_lines) + 1 };
    let first_line = if separator.is_some() { 2 } else { 1 };
    let left_out = (begins_at > first_line).then(|| (first_line, begins_at - 1));
    if !rules.has_header {
        // The first record is a row like any other.
        records.again();
    }
    Ok(Opened {
        header,
        first,
        dialect: records.dialect(),
        has_separator_line: separator.is_some(),
        left_out,
        body: Body::new(records, lines.stop_at.as_deref(), lines.held_back()),
    })
}

/// Reads up to the first record with this text in a cell, which is then the next one.
fn find_header(path: &Path, name: &str, records: &mut Records<Input>, text: &str) -> Result<(), SourceError> {
    let finder = memmem::Finder::new(text);
    let (first_line, mut searched_bytes) = (records.last_line() + 1, 0);
    let mut shown = Vec::new();
    let mut last_line = first_line;
    while let Some(record) = records.next().map_err(|error| source_error(path, name, error))? {
        searched_bytes += record.raw.len() as u64;
        if record.line - first_line >= MAX_SEARCHED_LINES || searched_bytes > MAX_SEARCHED_BYTES {
            break;
        }
        if record.fields().any(|cell| finder.find(cell).is_some()) {
            records.again();
            return Ok(());
        }
        if shown.len() < SHOWN_LINES {
            let text = printable_up_to(&printable_bytes(record.raw), SHOWN_CHARS).into_owned();
            shown.push((format!("line {}", record.line), text));
        }
        last_line = record.line;
    }
    if shown.is_empty() {
        // There is nothing at all, which is another error.
        return Ok(());
    }
    let (file, text) = (name.to_owned(), text.to_owned());
    Err(SourceError::HeaderNotFound { file, text, lines: (first_line, last_line), shown })
}

/// How many records a header that is not on the first line is looked for in, to say so in a help line.
const GUESSED_RECORDS: usize = 100;

/// The physical line of a record further down that is a header, to be mentioned in a help line.
pub(crate) fn header_further_down(
    body: &mut Body<Input>,
    is_header: impl Fn(Vec<String>) -> bool,
) -> Option<NonZero<u64>> {
    for _ in 0..GUESSED_RECORDS {
        let record = body.next().ok()??;
        let names = record.fields().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect();
        if is_header(names) {
            return NonZero::new(record.line);
        }
    }
    None
}

/// What is wrong with a file's records.
pub(crate) fn source_error(path: &Path, name: &str, error: RecordsError) -> SourceError {
    let file = name.to_owned();
    match error {
        RecordsError::Io(source) => SourceError::Read { file: path.to_owned(), source },
        RecordsError::UnclosedQuote { line } => SourceError::UnclosedQuote { file, line },
        RecordsError::TooLong { line, quote_line } => {
            SourceError::RecordTooLong { file, line, max_bytes: MAX_RECORD_BYTES, quote_line }
        }
        RecordsError::HeldBack { line, records } => SourceError::HeldBack { file, line, records },
    }
}
