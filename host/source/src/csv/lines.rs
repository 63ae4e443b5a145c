//! Physical lines before the first record and after the last one, which need not be CSV at all: they are left out,
//! in bounded memory however long they are. And the line that tells a spreadsheet the delimiter.

use std::io::Read;

use memchr::memchr2;

use super::records::{Dialect, END_MARK, Records, RecordsError};

/// What the line begins with that tells a spreadsheet the delimiter.
const SEPARATOR_KEY: &[u8] = b"sep=";
/// No such line is longer: `"sep=\t"`.
const MAX_SEPARATOR_LINE_BYTES: usize = 8;

impl<R: Read> Records<R> {
    /// Leaves out lines at the beginning; fewer if there are not so many.
    pub fn skip_lines(&mut self, count: u32) -> Result<(), RecordsError> {
        self.skip_byte_order_mark()?;
        for _ in 0..count {
            if !self.skip_line()? {
                break;
            }
        }
        Ok(())
    }

    /// Leaves out everything that has not been read yet.
    pub fn skip_rest(&mut self) -> Result<(), RecordsError> {
        while self.skip_line()? {}
        Ok(())
    }

    /// If the first line is only there to name the delimiter (`sep=;`, also with quotes around it, or `sep=\t`), it
    /// is left out, and this is the delimiter from now on.
    pub fn take_separator_line(&mut self) -> Result<Option<u8>, RecordsError> {
        self.skip_byte_order_mark()?;
        while self.unread.len() <= MAX_SEPARATOR_LINE_BYTES && !self.at_end {
            self.fill()?;
        }
        let unread = &self.buffer[self.unread.clone()];
        let line = &unread[..memchr2(b'\n', b'\r', unread).unwrap_or(unread.len())];
        let named = named_separator(line);
        if let Some(delimiter) = named {
            self.skip_line()?;
            self.set_dialect(Dialect { delimiter, ..self.dialect() });
        }
        Ok(named)
    }

    /// The physical line that was read last, from 1.
    pub fn last_line(&self) -> u64 {
        self.line - 1
    }

    /// Leaves out the rest of a line, with its line break; false if there is nothing more.
    fn skip_line(&mut self) -> Result<bool, RecordsError> {
        // Marks at the end of a file are not a line.
        let mut is_line = false;
        loop {
            let unread = &self.buffer[self.unread.clone()];
            match memchr2(b'\n', b'\r', unread) {
                // The next byte decides whether a line feed belongs to it.
                Some(at) if unread[at] == b'\r' && at + 1 == unread.len() && !self.at_end => {
                    is_line = true;
                    self.consume(at);
                    self.fill()?;
                }
                Some(at) => {
                    let is_pair = unread[at] == b'\r' && unread.get(at + 1) == Some(&b'\n');
                    self.consume(at + if is_pair { 2 } else { 1 });
                    self.line += 1;
                    return Ok(true);
                }
                None => {
                    is_line |= unread.iter().any(|byte| *byte != END_MARK);
                    let length = unread.len();
                    self.consume(length);
                    if self.at_end {
                        self.line += u64::from(is_line);
                        return Ok(is_line);
                    }
                    self.fill()?;
                }
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.unread.start += bytes;
        self.offset += bytes as u64;
    }
}

fn named_separator(line: &[u8]) -> Option<u8> {
    let unquoted = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\""));
    let (key, separator) = unquoted.unwrap_or(line).split_at_checked(SEPARATOR_KEY.len())?;
    match separator {
        _ if !key.eq_ignore_ascii_case(SEPARATOR_KEY) => None,
        br"\t" => Some(b'\t'),
        [byte] if byte.is_ascii() && *byte != b'"' => Some(*byte),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::pieces::Pieces;
    use crate::csv::records::Dialect;

    const MAX: usize = 100;

    /// What is left after some lines, read in pieces: lines of the records, and the last physical line.
    fn after(text: &str, piece: usize, skipped: u32) -> (Vec<u64>, u64) {
        let mut records = Records::new(Pieces(text.as_bytes(), piece), Dialect::usual(b','), MAX);
        records.skip_lines(skipped).unwrap();
        let mut lines = Vec::new();
        while let Some(record) = records.next().unwrap() {
            let offset = usize::try_from(record.offset).unwrap();
            assert_eq!(&text.as_bytes()[offset..offset + record.raw.len()], record.raw);
            lines.push(record.line);
        }
        (lines, records.last_line())
    }

    #[test]
    fn physical_lines_are_left_out_whatever_is_in_them() {
        let long = format!("{}\nx\n", "\"".repeat(5 * MAX));
        let cases: &[(&str, u32, &[u64], u64)] = &[
            ("a\nb\nc\n", 0, &[1, 2, 3], 3),
            ("a\nb\nc\n", 2, &[3], 3),
            ("a\nb\nc", 2, &[3], 3),
            ("\u{feff}\"a\r\n\r\rb\r\nc", 3, &[4, 5], 5),
            ("a\n", 1, &[], 1),
            ("a", 1, &[], 1),
            ("a\nb", 9, &[], 2),
            ("", 9, &[], 0),
            ("\n\nc\n\n", 1, &[3], 4),
            ("a\n\u{1a}\u{1a}", 1, &[], 1),
            ("a\n\u{1a}\u{1a}", 9, &[], 1),
            ("a\u{1a}", 9, &[], 1),
            ("\u{1a}a\n\u{1a}\nb", 2, &[3], 3),
            (&long, 1, &[2], 2),
        ];
        for (text, skipped, lines, last) in cases {
            for piece in 1..=text.len().max(1) {
                let found = after(text, piece, *skipped);
                assert_eq!(found, (lines.to_vec(), *last), "{text:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn the_rest_is_left_out_and_its_lines_are_counted() {
        for (rest, last) in [("", 1), ("b", 2), ("\"b\r\n\rc\n", 4), ("b\n\u{1a}", 2), ("\n\n", 3)] {
            let text = format!("a\n{rest}");
            for piece in 1..=text.len() {
                let mut records = Records::new(Pieces(text.as_bytes(), piece), Dialect::usual(b','), MAX);
                assert!(records.next().unwrap().is_some());
                records.skip_rest().unwrap();
                assert_eq!(records.last_line(), last, "{text:?} in pieces of {piece}");
                assert!(records.next().unwrap().is_none());
                let ends_in_line_break = !matches!(rest, "b");
                assert_eq!(records.ends_in_line_break(), ends_in_line_break, "{text:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_line_that_names_the_delimiter() {
        let cases = [
            ("sep=;", Some(b';')),
            ("SEP=,", Some(b',')),
            ("\"sep=|\"", Some(b'|')),
            ("sep=\t", Some(b'\t')),
            (r"sep=\t", Some(b'\t')),
            (r#""sep=\t""#, Some(b'\t')),
            ("sep=", None),
            ("sep=;;", None),
            ("sep=\"", None),
            ("sep=é", None),
            ("sep =;", None),
            ("a;sep=;", None),
            ("sep=;,a", None),
            ("", None),
        ];
        for (line, delimiter) in cases {
            for (mark, end) in [("", "\n"), ("\u{feff}", "\r\n"), ("", "\r"), ("", "")] {
                let text = format!("{mark}{line}{end}");
                for piece in 1..=text.len().max(1) {
                    let mut records = Records::new(Pieces(text.as_bytes(), piece), Dialect::usual(b'!'), MAX);
                    let context = format!("{text:?} in pieces of {piece}");
                    assert_eq!(records.take_separator_line().unwrap(), delimiter, "{context}");
                    assert_eq!(records.dialect().delimiter, delimiter.unwrap_or(b'!'), "{context}");
                    let is_left = delimiter.is_none() && !line.is_empty();
                    assert_eq!(records.next().unwrap().is_some(), is_left, "{context}");
                }
            }
        }
    }
}
