//! From bytes to records as in RFC 4180: fields between delimiters, records between line breaks (LF, CRLF or
//! CR, also mixed), and quotes around fields that contain either.
//!
//! The reader is our own because no CSV library offers all three things that matter here: the physical line
//! of every record whatever the line breaks, the record's original bytes, and a bound on what an unclosed
//! quote may swallow. A record without quotes, which is nearly every one, is found and split in one pass, and
//! never copied.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr3};

/// The mark (^Z) that ends a text file on DOS and CP/M, once or repeated until a block is full.
pub(super) const END_MARK: u8 = 0x1a;
/// How much is read at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// Records of a CSV file, one after the other.
pub struct Records<R> {
    input: R,
    dialect: Dialect,
    special: Special,
    max_record_bytes: usize,
    pub(super) buffer: Vec<u8>,
    /// The part of the buffer that holds bytes not yet consumed.
    pub(super) unread: Range<usize>,
    pub(super) at_end: bool,
    /// Whether the input ends in [`END_MARK`], which is not part of any record.
    pub(super) has_end_mark: bool,
    /// Whether what has been read so far ends in a line break, apart from [`END_MARK`].
    ends_in_line_break: bool,
    /// Physical line at which the unread bytes start, from 1.
    pub(super) line: u64,
    /// Position of the unread bytes in the input.
    pub(super) offset: u64,
    fields: Fields,
    last: Last,
    again: bool,
}

/// The characters that separate and enclose fields.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields.
    pub quote: u8,
}

#[cfg(test)]
impl Dialect {
    /// With the usual quotes.
    pub const fn usual(delimiter: u8) -> Dialect {
        Dialect { delimiter, quote: b'"' }
    }
}

/// Which bytes may end a field or begin a quoted one.
struct Special([bool; 256]);

impl Special {
    fn of(dialect: Dialect) -> Special {
        let mut special = [false; 256];
        for byte in [b'\n', b'\r', dialect.delimiter, dialect.quote] {
            special[usize::from(byte)] = true;
        }
        Special(special)
    }

    /// Where the first of them is.
    #[inline]
    fn position(&self, bytes: &[u8]) -> Option<usize> {
        bytes.iter().position(|&byte| self.0[usize::from(byte)])
    }
}

/// Fields of a record, as ranges of its bytes, or of `unquoted` if it has quotes.
#[derive(Default)]
pub(crate) struct Fields {
    ranges: Vec<Range<usize>>,
    unquoted: Vec<u8>,
}

/// Where the current record is.
#[derive(Default)]
struct Last {
    line: u64,
    offset: u64,
    raw: Range<usize>,
    has_quotes: bool,
}

/// One record; borrowed from the reader until the next one is read.
pub struct Record<'a> {
    /// The physical line on which it starts, from 1.
    pub line: u64,
    /// Its position in the decoded input, in bytes.
    pub offset: u64,
    /// Its original bytes, without the line break.
    pub raw: &'a [u8],
    fields: &'a [Range<usize>],
    text: &'a [u8],
}

impl<'a> Record<'a> {
    /// The number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// The content of a field, without quotes.
    ///
    /// # Panics
    /// If there is no such field.
    pub fn field(&self, index: usize) -> &'a [u8] {
        &self.text[self.fields[index].clone()]
    }

    /// All fields.
    pub fn fields(&self) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().map(|field| &self.text[field.clone()])
    }
}

impl Fields {
    /// The record with these bytes.
    pub fn of<'a>(&'a mut self, raw: &'a [u8], dialect: Dialect, line: u64, offset: u64) -> Record<'a> {
        let has_quotes = memchr(dialect.quote, raw).is_some();
        self.find(raw, 0, dialect, has_quotes);
        Record {
            line,
            offset,
            raw,
            fields: &self.ranges,
            text: if has_quotes { &self.unquoted } else { raw },
        }
    }

    /// Finds the fields of a record; `start` is its position in the bytes that the ranges are of.
    fn find(&mut self, raw: &[u8], start: usize, dialect: Dialect, has_quotes: bool) {
        self.ranges.clear();
        if has_quotes {
            unquote(raw, dialect, &mut self.unquoted, &mut self.ranges);
        } else {
            split(raw, start, dialect.delimiter, &mut self.ranges);
        }
    }
}

/// Why there is no next record.
#[derive(Debug)]
pub enum RecordsError {
    Io(io::Error),
    /// A quote is never closed.
    UnclosedQuote {
        /// The physical line on which it opens.
        line: u64,
    },
    /// A record is longer than allowed.
    TooLong {
        /// The physical line on which it starts.
        line: u64,
        /// The physical line of a quote that is not closed within the allowed length.
        quote_line: Option<u64>,
    },
    /// Records that must be held back until the end is known are longer than allowed, all together.
    HeldBack {
        /// The physical line on which the first of them starts.
        line: u64,
        /// How many they are.
        records: usize,
    },
}

/// A record found in the buffer, as lengths from its start.
struct Found {
    /// Without the line break.
    content: usize,
    /// With it.
    total: usize,
    has_quotes: bool,
}

/// The result of looking at the buffer.
enum Look {
    Found(Found),
    /// The record continues beyond the buffer.
    Incomplete {
        /// How much of it is in the buffer for certain.
        content: usize,
        /// The position of a quote that is still open.
        open_quote: Option<usize>,
    },
}

impl<R: Read> Records<R> {
    /// Reads from `input`, skipping a byte order mark.
    pub fn new(input: R, dialect: Dialect, max_record_bytes: usize) -> Records<R> {
        Records {
            input,
            dialect,
            special: Special::of(dialect),
            max_record_bytes,
            buffer: Vec::new(),
            unread: 0..0,
            at_end: false,
            has_end_mark: false,
            ends_in_line_break: true,
            line: 1,
            offset: 0,
            fields: Fields::default(),
            last: Last::default(),
            again: false,
        }
    }

    /// The input that the records are read from.
    pub fn input(&self) -> &R {
        &self.input
    }

    /// The input, once all records have been read.
    pub fn into_inner(self) -> R {
        self.input
    }

    /// Whether an end mark (^Z) was found at the end, and ignored.
    pub fn has_end_mark(&self) -> bool {
        self.has_end_mark
    }

    /// Whether the last line ends in a line break, once all records have been read.
    pub fn ends_in_line_break(&self) -> bool {
        self.ends_in_line_break
    }

    /// The bytes between and around fields.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// From the next record on, these are between and around fields.
    pub(super) fn set_dialect(&mut self, dialect: Dialect) {
        (self.dialect, self.special) = (dialect, Special::of(dialect));
    }

    /// Makes the next call of [`next`](Self::next) return the last record again.
    pub fn again(&mut self) {
        self.again = true;
    }

    /// The next record; `None` at the end. Empty lines are skipped.
    #[inline]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, RecordsError> {
        if !std::mem::take(&mut self.again) && !self.advance()? {
            return Ok(None);
        }
        let Last { line, offset, raw, has_quotes } = &self.last;
        Ok(Some(Record {
            line: *line,
            offset: *offset,
            raw: &self.buffer[raw.clone()],
            fields: &self.fields.ranges,
            text: if *has_quotes { &self.fields.unquoted } else { &self.buffer },
        }))
    }

    /// Finds the next record and its fields; false at the end.
    fn advance(&mut self) -> Result<bool, RecordsError> {
        loop {
            self.skip_byte_order_mark()?;
            let plain = self.find_plain();
            let is_split = plain.is_some();
            let Some(found) = (match plain {
                Some(found) => Some(found),
                None => self.find()?,
            }) else {
                return Ok(false);
            };
            let raw = self.unread.start..self.unread.start + found.content;
            let (line, offset) = (self.line, self.offset);
            self.unread.start += found.total;
            self.offset += found.total as u64;
            self.line += 1;
            if found.has_quotes {
                self.line += line_breaks(&self.buffer[raw.clone()]);
            }
            if raw.is_empty() {
                continue;
            }
            if !is_split {
                self.fields.find(&self.buffer[raw.clone()], raw.start, self.dialect, found.has_quotes);
            }
            self.last = Last { line, offset, raw, has_quotes: found.has_quotes };
            return Ok(true);
        }
    }

    /// Finds the end and the fields of the record at the start of the unread bytes, if all of it is there and no
    /// field is quoted.
    #[inline]
    fn find_plain(&mut self) -> Option<Found> {
        let bytes = &self.buffer[self.unread.clone()];
        let (start, ranges) = (self.unread.start, &mut self.fields.ranges);
        ranges.clear();
        let (mut field, mut position) = (0, 0);
        loop {
            let hit = position + self.special.position(&bytes[position..])?;
            let line_break = match bytes[hit] {
                byte if byte == self.dialect.delimiter => {
                    ranges.push(start + field..start + hit);
                    (field, position) = (hit + 1, hit + 1);
                    continue;
                }
                b'\n' => 1,
                b'\r' => 1 + usize::from(*bytes.get(hit + 1)? == b'\n'),
                // A quote inside an unquoted field is a character like any other.
                _ if hit > field => {
                    position = hit + 1;
                    continue;
                }
                _ => return None,
            };
            ranges.push(start + field..start + hit);
            let found = Found { content: hit, total: hit + line_break, has_quotes: false };
            return Some(found).filter(|found| found.content <= self.max_record_bytes);
        }
    }

    /// Finds the end of the record at the start of the unread bytes, reading more where needed.
    fn find(&mut self) -> Result<Option<Found>, RecordsError> {
        loop {
            let unread = &self.buffer[self.unread.clone()];
            if unread.is_empty() && self.at_end {
                return Ok(None);
            }
            let (content, open_quote) = match look(unread, self.dialect, self.at_end) {
                Look::Found(found) if found.content <= self.max_record_bytes => return Ok(Some(found)),
                Look::Found(found) => (found.content, None),
                Look::Incomplete { content, open_quote } => (content, open_quote),
            };
            if content > self.max_record_bytes {
                return Err(self.too_long());
            }
            match open_quote {
                Some(quote) if self.at_end => {
                    return Err(RecordsError::UnclosedQuote { line: self.line_at(quote) });
                }
                _ => self.fill()?,
            }
        }
    }

    /// The error, based on the allowed length and one byte more, so that it does not depend on how much of
    /// the record has been read so far.
    fn too_long(&self) -> RecordsError {
        let unread = &self.buffer[self.unread.clone()];
        let quote_line = match look(&unread[..=self.max_record_bytes], self.dialect, false) {
            Look::Incomplete { open_quote, .. } => open_quote.map(|quote| self.line_at(quote)),
            Look::Found(_) => None,
        };
        RecordsError::TooLong { line: self.line, quote_line }
    }

    /// The physical line of a position in the unread bytes.
    fn line_at(&self, position: usize) -> u64 {
        self.line + line_breaks(&self.buffer[self.unread.clone()][..position])
    }

    /// Reads another chunk after the unread bytes, which move to the front.
    pub(super) fn fill(&mut self) -> Result<(), RecordsError> {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let wanted = self.unread.end + CHUNK_BYTES;
        if self.buffer.is_empty() {
            // Pages that are never written to cost nothing.
            self.buffer = vec![0; wanted];
        } else if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.unread.end..]) {
                Ok(0) => self.end(),
                Ok(count) => self.take_in(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(RecordsError::Io(error)),
            }
            return Ok(());
        }
    }

    /// This many bytes have been read.
    fn take_in(&mut self, count: usize) {
        let new = self.unread.end..self.unread.end + count;
        self.unread.end = new.end;
        if let Some(last) = self.buffer[new].iter().rfind(|byte| **byte != END_MARK) {
            self.ends_in_line_break = matches!(last, b'\n' | b'\r');
        }
    }

    /// Nothing follows the unread bytes. An end mark is still among them, since no record ends before it.
    fn end(&mut self) {
        self.at_end = true;
        while self.buffer[self.unread.clone()].last() == Some(&END_MARK) {
            self.unread.end -= 1;
            self.has_end_mark = true;
        }
    }

    #[inline]
    pub(super) fn skip_byte_order_mark(&mut self) -> Result<(), RecordsError> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if self.offset > 0 {
            return Ok(());
        }
        while self.unread.len() < MARK.len() && !self.at_end {
            self.fill()?;
        }
        if self.buffer[self.unread.clone()].starts_with(MARK) {
            self.unread.start += MARK.len();
            self.offset += MARK.len() as u64;
        }
        Ok(())
    }
}

/// Finds the end of the record that these bytes start with.
fn look(bytes: &[u8], Dialect { delimiter, quote }: Dialect, at_end: bool) -> Look {
    let mut position = 0;
    let mut has_quotes = false;
    while let Some(hit) = memchr3(b'\n', b'\r', quote, &bytes[position..]).map(|hit| hit + position) {
        match bytes[hit] {
            b'\n' => return Look::Found(Found { content: hit, total: hit + 1, has_quotes }),
            b'\r' => match bytes.get(hit + 1) {
                Some(b'\n') => return Look::Found(Found { content: hit, total: hit + 2, has_quotes }),
                // The next byte decides whether a line feed belongs to it.
                None if !at_end => return Look::Incomplete { content: hit, open_quote: None },
                _ => return Look::Found(Found { content: hit, total: hit + 1, has_quotes }),
            },
            // A quote inside an unquoted field is a character like any other.
            _ if hit > 0 && bytes[hit - 1] != delimiter => position = hit + 1,
            _ => {
                has_quotes = true;
                match closing_quote(bytes, hit + 1, quote, at_end) {
                    Some(closing) => position = closing + 1,
                    None => return Look::Incomplete { content: bytes.len(), open_quote: Some(hit) },
                }
            }
        }
    }
    if at_end {
        Look::Found(Found { content: bytes.len(), total: bytes.len(), has_quotes })
    } else {
        Look::Incomplete { content: bytes.len(), open_quote: None }
    }
}

/// The position of the quote that closes the field whose content starts at `from`; two quotes in a row stand
/// for one in the content. `None` if it is not there (yet).
fn closing_quote(bytes: &[u8], mut from: usize, quote: u8, at_end: bool) -> Option<usize> {
    loop {
        let found = from + memchr(quote, &bytes[from..])?;
        match bytes.get(found + 1) {
            Some(next) if *next == quote => from = found + 2,
            None if !at_end => return None,
            _ => return Some(found),
        }
    }
}

/// Fields of a record without quotes; `start` is the record's position in the buffer.
fn split(raw: &[u8], start: usize, delimiter: u8, fields: &mut Vec<Range<usize>>) {
    let mut from = start;
    for delimiter in memchr_iter(delimiter, raw) {
        fields.push(from..start + delimiter);
        from = start + delimiter + 1;
    }
    fields.push(from..start + raw.len());
}

/// Fields of a record with quotes, their contents written to `text`.
fn unquote(raw: &[u8], dialect: Dialect, text: &mut Vec<u8>, fields: &mut Vec<Range<usize>>) {
    let Dialect { delimiter, quote } = dialect;
    text.clear();
    let mut position = 0;
    loop {
        let start = text.len();
        if raw.get(position) == Some(&quote) {
            // The record is complete, so there is a closing quote.
            let closing = closing_quote(raw, position + 1, quote, true).unwrap_or(raw.len());
            let content = &raw[position + 1..closing];
            let mut from = 0;
            while let Some(doubled) = memchr(quote, &content[from..]) {
                text.extend_from_slice(&content[from..=from + doubled]);
                from += doubled + 2;
            }
            text.extend_from_slice(&content[from..]);
            position = (closing + 1).min(raw.len());
        }
        // Whatever follows a closing quote (there should be nothing) belongs to the field, so that no byte
        // is lost; it makes a number or a time invalid.
        let end = memchr(delimiter, &raw[position..]).map(|delimiter| position + delimiter);
        text.extend_from_slice(&raw[position..end.unwrap_or(raw.len())]);
        fields.push(start..text.len());
        match end {
            Some(end) => position = end + 1,
            None => return,
        }
    }
}

/// LF, CRLF and CR each count once.
fn line_breaks(bytes: &[u8]) -> u64 {
    let feeds = memchr_iter(b'\n', bytes).count();
    let lone_returns = memchr_iter(b'\r', bytes).filter(|&at| bytes.get(at + 1) != Some(&b'\n')).count();
    (feeds + lone_returns) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::csv::pieces::Pieces;

    const MAX: usize = 1000;

    type Read1 = (u64, Vec<String>);

    /// Line and fields of every record, then the error, if any.
    fn read(bytes: &[u8], piece: usize) -> (Vec<Read1>, Option<String>) {
        read_up_to(MAX, bytes, piece)
    }

    fn read_up_to(max: usize, bytes: &[u8], piece: usize) -> (Vec<Read1>, Option<String>) {
        read_quoted_by(b'"', max, bytes, piece)
    }

    fn read_quoted_by(quote: u8, max: usize, bytes: &[u8], piece: usize) -> (Vec<Read1>, Option<String>) {
        let mut records = Records::new(Pieces(bytes, piece), Dialect { delimiter: b',', quote }, max);
        let mut found = Vec::new();
        loop {
            match records.next() {
                Ok(Some(record)) => {
                    let offset = record.offset as usize;
                    assert_eq!(&bytes[offset..offset + record.raw.len()], record.raw);
                    let fields = record.fields().map(|field| String::from_utf8_lossy(field).into_owned());
                    found.push((record.line, fields.collect()));
                }
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(format!("{error:?}"))),
            }
        }
    }

    #[test]
    fn records_and_their_lines() {
        type Case<'a> = (&'a str, &'a [(u64, &'a [&'a str])]);
        let cases: &[Case<'_>] = &[
            ("", &[]),
            ("\n\r\n\r", &[]),
            ("a,b\nc,d\n", &[(1, &["a", "b"]), (2, &["c", "d"])]),
            ("a,b\r\nc,d", &[(1, &["a", "b"]), (2, &["c", "d"])]),
            ("a\rb\rc", &[(1, &["a"]), (2, &["b"]), (3, &["c"])]),
            ("a\n\u{1a}", &[(1, &["a"])]),
            ("a\r\n\u{1a}\u{1a}", &[(1, &["a"])]),
            ("a\u{1a}", &[(1, &["a"])]),
            ("\u{1a}", &[]),
            ("a\n\u{1a}\n", &[(1, &["a"]), (2, &["\u{1a}"])]),
            ("\u{1a}a\u{1a}b", &[(1, &["\u{1a}a\u{1a}b"])]),
            ("a\r\n\rb\n\nc\r", &[(1, &["a"]), (3, &["b"]), (5, &["c"])]),
            ("\u{feff}a\nb", &[(1, &["a"]), (2, &["b"])]),
            ("\"a\nb\r\nc\rd\",e\nf", &[(1, &["a\nb\r\nc\rd", "e"]), (5, &["f"])]),
            ("\"a \"\"b\"\"\",\"\"\n", &[(1, &["a \"b\"", ""])]),
            ("\"\"\"\"", &[(1, &["\""])]),
            (",\n,,", &[(1, &["", ""]), (2, &["", "", ""])]),
            // Quotes in places where they have no meaning.
            ("a\"b,c\"\nd", &[(1, &["a\"b", "c\""]), (2, &["d"])]),
            ("\"a\"b,c", &[(1, &["ab", "c"])]),
            ("\"a\" ,c", &[(1, &["a ", "c"])]),
            (" \"a\",c", &[(1, &[" \"a\"", "c"])]),
        ];
        for (text, expected) in cases {
            let expected: Vec<Read1> = expected
                .iter()
                .map(|(line, fields)| (*line, fields.iter().map(|field| (*field).to_owned()).collect()))
                .collect();
            // The same with apostrophes for quotes.
            let other = |text: &str| text.replace('"', "'");
            let all_other = |fields: &Vec<String>| fields.iter().map(|field| other(field)).collect();
            let expected_other: Vec<Read1> =
                expected.iter().map(|(line, fields)| (*line, all_other(fields))).collect();
            for piece in 1..=text.len().max(1) {
                assert_eq!(
                    read(text.as_bytes(), piece),
                    (expected.clone(), None),
                    "{text:?} in pieces of {piece}"
                );
                assert_eq!(
                    read_quoted_by(b'\'', MAX, other(text).as_bytes(), piece),
                    (expected_other.clone(), None),
                    "{text:?} in pieces of {piece}"
                );
            }
        }
    }

    #[test]
    fn an_unclosed_quote_is_told_where_it_opens() {
        for text in ["a\n\nb,\"c\nd\ne", "a\r\r\nb,\"c\"\",\n", "a\n\n\"", "a\n\nb,\"x\"\"\n"] {
            for piece in [1, 2, 100] {
                let (found, error) = read(text.as_bytes(), piece);
                assert_eq!(
                    (found.len(), error.as_deref()),
                    (1, Some("UnclosedQuote { line: 3 }")),
                    "{text:?}"
                );
            }
        }
        // Until all of a huge file has been read, it is unknown whether the quote is closed in the end.
        for end in ["", "\"\n"] {
            let endless = format!("a\nb,\"{}{end}", "b\n".repeat(MAX));
            for piece in [1, 100, usize::MAX] {
                assert_eq!(
                    read(endless.as_bytes(), piece).1.as_deref(),
                    Some("TooLong { line: 2, quote_line: Some(2) }")
                );
            }
        }
    }

    /// Every short file gives the same result with every limit and in pieces of every size.
    #[test]
    fn no_limit_and_no_cut_makes_a_difference() {
        const LONGEST: u32 = 5;
        let alphabet = b"a,\"\r\n";
        for length in 0..=LONGEST {
            for number in 0..alphabet.len().pow(length) {
                let byte = |place: u32| alphabet[number / alphabet.len().pow(place) % alphabet.len()];
                let file: Vec<u8> = (0..length).map(byte).collect();
                let shown = String::from_utf8_lossy(&file);
                let (unlimited, _) = read_up_to(usize::MAX - 1, &file, usize::MAX);
                let lengths = record_lengths(&file);
                for max in 1..=file.len().max(1) {
                    let whole = read_up_to(max, &file, usize::MAX);
                    let fitting = lengths.iter().take_while(|length| **length <= max).count();
                    assert!(unlimited.starts_with(&whole.0), "{shown:?} up to {max}");
                    assert_eq!(whole.0.len(), fitting.min(unlimited.len()), "{shown:?} up to {max}");
                    let is_too_long = whole.1.as_ref().is_some_and(|error| error.starts_with("TooLong"));
                    assert_eq!(is_too_long, fitting < lengths.len(), "{shown:?} up to {max}: {whole:?}");
                    for piece in 1..file.len() {
                        assert_eq!(
                            read_up_to(max, &file, piece),
                            whole,
                            "{shown:?} up to {max} in pieces of {piece}"
                        );
                    }
                }
            }
        }
    }

    /// Lengths of the records without their line breaks, including one whose quote is never closed; byte by
    /// byte, simple rather than fast. Empty lines are not records.
    fn record_lengths(file: &[u8]) -> Vec<usize> {
        let (mut lengths, mut start, mut at, mut in_quotes) = (Vec::new(), 0, 0, false);
        while at < file.len() {
            match file[at] {
                b'"' if in_quotes && file.get(at + 1) == Some(&b'"') => at += 1,
                b'"' if in_quotes => in_quotes = false,
                b'"' => in_quotes = at == start || file[at - 1] == b',',
                b'\r' | b'\n' if !in_quotes => {
                    lengths.push(at - start);
                    at += usize::from(file[at] == b'\r' && file.get(at + 1) == Some(&b'\n'));
                    start = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        lengths.push(file.len() - start);
        lengths.retain(|length| *length > 0);
        lengths
    }

    #[test]
    fn a_record_that_is_too_long_is_not_read() {
        let longest = "x".repeat(MAX);
        let (found, error) = read(format!("{longest}\n{longest}y\nz").as_bytes(), 100);
        assert_eq!((found.len(), error.as_deref()), (1, Some("TooLong { line: 2, quote_line: None }")));
        // The line break after it does not count.
        for end in ["\n", "\r\n", "\r", ""] {
            for piece in [1, MAX, MAX + 1, MAX + 2] {
                let (found, error) = read(format!("{longest}{end}").as_bytes(), piece);
                assert_eq!((found.len(), error), (1, None), "{end:?} in pieces of {piece}");
            }
        }
    }

    proptest! {
        /// Fields that are written with quotes are read back unchanged.
        #[test]
        fn what_was_quoted_comes_back(
            records in proptest::collection::vec(proptest::collection::vec("[a\",\r\n é]{0,6}", 1..4), 1..6),
            ending in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
            piece in 1_usize..40,
        ) {
            let mut text = String::new();
            for record in &records {
                let fields: Vec<_> = record.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
                text.push_str(&fields.join(","));
                text.push_str(ending);
            }
            let (found, error) = read(text.as_bytes(), piece);
            prop_assert_eq!(error, None);
            prop_assert_eq!(found.into_iter().map(|(_, fields)| fields).collect::<Vec<_>>(), records);
        }

        /// The same as with the csv library, wherever the two have the same rules.
        #[test]
        fn fields_are_those_of_the_csv_library(text in "[ab\",\r\n]{0,60}", piece in 1_usize..70) {
            let mut library = csv::ReaderBuilder::new();
            let mut library = library.has_headers(false).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<Vec<String>> = library.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            if let (found, None) = read(text.as_bytes(), piece) {
                prop_assert_eq!(found.into_iter().map(|(_, fields)| fields).collect::<Vec<_>>(), expected, "{:?}", text);
            }
        }

        #[test]
        fn any_bytes_in_any_pieces_give_the_same(bytes: Vec<u8>, piece in 1_usize..20) {
            prop_assert_eq!(read(&bytes, piece), read(&bytes, usize::MAX));
        }
    }
}
