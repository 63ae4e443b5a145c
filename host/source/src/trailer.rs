//! The trailer: a last record with the number of rows and the sum of their amounts, which the sender wrote. Without
//! it, or if it disagrees, the file is not complete.

use std::fmt;
use std::str::FromStr;

use host_core::text::{printable_bytes, printable_up_to};

use crate::cell::total::Total;
use crate::csv::body::HeldRecord;
use crate::csv::records::{Dialect, Fields, Record};
use crate::error::SourceError;

/// A longer template is refused.
const MAX_TEMPLATE_BYTES: usize = 1_000;
/// How much of a record a message shows, in characters.
const SHOWN_CHARS: usize = 80;

/// What a trailer looks like: a record of the file, with placeholders in its cells, such as
/// `TRAILER,{rows},{total}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailer(String);

const ROWS: &str = "rows";
const TOTAL: &str = "total";
const IGNORE: &str = "ignore";

/// What was read of a file, for its trailer to agree with.
#[derive(Clone, Copy)]
pub(crate) struct Read<'a> {
    pub file: &'a str,
    pub dialect: Dialect,
    /// What a sum of amounts means, in hundredths; `None` if it is none.
    pub read_total: &'a dyn Fn(&[u8]) -> Option<i128>,
    /// Records, also those that were rejected.
    pub rows: u64,
    pub rejected: u64,
    pub total_cents: i128,
}

impl FromStr for Trailer {
    type Err = String;

    fn from_str(text: &str) -> Result<Trailer, String> {
        if text.is_empty() || text.len() > MAX_TEMPLATE_BYTES || text.contains(['\n', '\r']) {
            return Err(format!("give one line of at most {MAX_TEMPLATE_BYTES} bytes"));
        }
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('{') {
            let name = after.split_once('}').map(|(name, _)| name);
            match name {
                Some(ROWS | TOTAL | IGNORE) => rest = after,
                _ => return Err("the placeholders are {rows}, {total} and {ignore}".into()),
            }
        }
        Ok(Trailer(text.to_owned()))
    }
}

impl fmt::Display for Trailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Trailer {
    /// Whether this record, the last one of a file, is the trailer, and agrees with what was read.
    ///
    /// # Errors
    /// [`SourceError::NoTrailer`] or [`SourceError::TrailerDisagrees`].
    pub(crate) fn check(&self, last: Option<&HeldRecord>, read: &Read<'_>) -> Result<(), SourceError> {
        let (mut fields, mut template) = (Fields::default(), Fields::default());
        let template = template.of(self.0.as_bytes(), read.dialect, 0, 0);
        let record = last.map(|last| fields.of(&last.raw, read.dialect, last.line, 0));
        let values = record.as_ref().and_then(|record| values(&template, record));
        let (Some(record), Some(values)) = (record, values) else {
            return Err(SourceError::NoTrailer {
                file: read.file.to_owned(),
                trailer: self.to_string(),
                delimiter: read.dialect.delimiter.into(),
                found: last.map(|last| (last.line, shown(&last.raw))),
            });
        };
        for (placeholder, value) in values {
            let (what, is_equal, found) = match placeholder {
                ROWS => ("number of rows", count(value) == Some(read.rows), read.rows.to_string()),
                TOTAL => {
                    let total = (read.read_total)(value);
                    let found = Total(read.total_cents);
                    ("total amount", total == Some(read.total_cents), found.to_string())
                }
                _ => continue,
            };
            if !is_equal {
                let (file, expected) = (read.file.to_owned(), shown(value));
                // Records that were rejected are counted.
                let rejected = if placeholder == TOTAL { read.rejected } else { 0 };
                let line = record.line;
                let (expected, found) = (expected.into(), found.into());
                return Err(SourceError::TrailerDisagrees { file, line, what, expected, found, rejected });
            }
        }
        Ok(())
    }
}

/// The placeholders of the template with their values in the record; `None` if it does not look like it.
fn values<'a>(template: &Record<'a>, record: &Record<'a>) -> Option<Vec<(&'static str, &'a [u8])>> {
    let mut values = Vec::new();
    let mut cells = record.fields();
    for wanted in template.fields() {
        let (wanted, cell) = (wanted.trim_ascii(), cells.next()?.trim_ascii());
        let placeholder = [ROWS, TOTAL, IGNORE].into_iter().find_map(|name| {
            let braced = format!("{{{name}}}");
            let at = memchr::memmem::find(wanted, braced.as_bytes())?;
            Some((name, &wanted[..at], &wanted[at + braced.len()..]))
        });
        match placeholder {
            None if wanted == cell => {}
            None => return None,
            Some((name, before, after)) => {
                let value = cell.strip_prefix(before)?.strip_suffix(after)?;
                values.push((name, value.trim_ascii()));
            }
        }
    }
    // A delimiter at the end of each line makes empty fields.
    cells.all(|cell| cell.trim_ascii().is_empty()).then_some(values)
}

fn count(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if is_number { str::from_utf8(value).ok()?.parse().ok() } else { None }
}

fn shown(bytes: &[u8]) -> String {
    printable_up_to(&printable_bytes(bytes), SHOWN_CHARS).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::body::Body;
    use crate::csv::records::Records;
    use crate::rules::InputRules;

    fn check(template: &str, last: &str, delimiter: u8) -> Result<(), SourceError> {
        check_with(&InputRules::default(), template, last, delimiter)
    }

    fn check_with(rules: &InputRules, template: &str, last: &str, delimiter: u8) -> Result<(), SourceError> {
        let dialect = Dialect::usual(delimiter);
        let text = if last.is_empty() { String::new() } else { format!("{last}\n") };
        let mut body = Body::new(Records::new(text.as_bytes(), dialect, 1_000), None, 1);
        assert!(body.next().unwrap().is_none());
        let (_, after) = body.end().unwrap();
        let read_total = &|text: &[u8]| rules.total_cents(text);
        let read = Read { file: "f", dialect, read_total, rows: 12, rejected: 0, total_cents: -1_234_550 };
        template.parse::<Trailer>().unwrap().check(after.held.first(), &read)
    }

    #[test]
    fn what_agrees() {
        for (template, last) in [
            ("T,{rows},{total}", "T,12,-12345.50"),
            ("T,{rows},{total}", "T, 0012 ,\"-12345.5\",,"),
            ("{total},{ignore},{rows}", "-12345.500,anything at all,12"),
            ("rows: {rows},{ignore}", "rows: 12,"),
            ("sum={total} EUR", "sum=-12345.50 EUR"),
            ("\"a,b\",{rows}", "\"a,b\",12"),
            ("END", "END"),
        ] {
            check(template, last, b',').unwrap_or_else(|error| panic!("{template} {last}: {error}"));
        }
        check("T;{rows}", "T;12;", b';').unwrap();
        let format = Some("(1.234,56 €)".parse().unwrap());
        let rules = InputRules { decimal_point: b',', amount_format: format, ..InputRules::default() };
        for total in ["(12.345,50 €)", "(12.345,50)", "-12345,50"] {
            check_with(&rules, "T;{total}", &format!("T;{total}"), b';')
                .unwrap_or_else(|error| panic!("{total}: {error}"));
        }
        for total in ["-12345.50", "(12.345,50 $)", "12.345,50 €"] {
            assert!(check_with(&rules, "T;{total}", &format!("T;{total}"), b';').is_err(), "{total}");
        }
    }

    #[test]
    fn what_is_not_the_trailer() {
        for (template, last) in [
            ("T,{rows}", ""),
            ("T,{rows}", "T"),
            ("T,{rows}", "t,12"),
            ("T,{rows}", "T,12,x"),
            ("T;{rows}", "T,12"),
            ("rows: {rows}", "row: 12"),
        ] {
            let error = check(template, last, b',').unwrap_err();
            assert!(matches!(error, SourceError::NoTrailer { .. }), "{template} {last}: {error}");
        }
    }

    #[test]
    fn what_disagrees() {
        for (template, last, told) in [
            ("T,{rows}", "T,13", "number of rows"),
            ("T,{rows}", "T,+12", "number of rows"),
            ("T,{rows}", "T,", "number of rows"),
            ("T,{rows}", "T,12.0", "number of rows"),
            ("T,{total}", "T,12345.50", "total amount"),
            ("T,{total}", "T,-12345.51", "total amount"),
            ("T,{total}", "T,-12345.501", "total amount"),
            ("T,{total}", "T,\"-12,345.50\"", "total amount"),
        ] {
            match check(template, last, b',').unwrap_err() {
                SourceError::TrailerDisagrees { what, .. } => assert_eq!(what, told, "{last}"),
                error => panic!("{last}: {error}"),
            }
        }
    }

    #[test]
    fn templates() {
        for wrong in ["", "a\nb", "{row}", "{rows", "{", "{Rows}", &"x".repeat(1_001)] {
            assert!(wrong.parse::<Trailer>().is_err(), "{wrong}");
        }
    }
}
