//! The records of a file that are rows: those up to a line that begins with a certain text, except for the last
//! so many. These are held back until the end of the file shows that they are the last ones.

use std::collections::VecDeque;
use std::io::Read;

use super::records::{Fields, Record, Records, RecordsError};

/// Records that are held back have no more bytes than this, all together.
const MAX_HELD_BYTES: usize = 8 * 1024 * 1024;

/// The records of a file that are rows, one after the other.
pub(crate) struct Body<R> {
    records: Records<R>,
    /// The beginning of the line that ends the rows.
    stop_at: Option<Box<[u8]>>,
    /// The physical line that began so.
    stop_line: Option<u64>,
    /// How many records at the end are not rows.
    hold_back: usize,
    held: VecDeque<HeldRecord>,
    held_bytes: usize,
    /// The record that was held back until just now, and its fields.
    released: HeldRecord,
    fields: Fields,
}

/// A record, copied.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct HeldRecord {
    /// The physical line on which it starts, from 1.
    pub line: u64,
    pub raw: Vec<u8>,
    offset: u64,
}

/// What came after the rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AfterBody {
    /// The first and the last physical line that was left out.
    pub lines: Option<(u64, u64)>,
    /// The records that were held back: as many as were asked for, unless the file has fewer.
    pub held: Vec<HeldRecord>,
    /// Whether a line was found that ends the rows.
    pub has_stopped: bool,
}

impl<R: Read> Body<R> {
    /// Everything that has not been read yet, up to a line that begins with `stop_at` (also after a quote), except
    /// for the last `hold_back` records before it.
    pub fn new(records: Records<R>, stop_at: Option<&str>, hold_back: usize) -> Body<R> {
        Body {
            records,
            stop_at: stop_at.map(|text| text.as_bytes().into()),
            stop_line: None,
            hold_back,
            held: VecDeque::new(),
            held_bytes: 0,
            released: HeldRecord::default(),
            fields: Fields::default(),
        }
    }

    /// The input that the records are read from.
    pub fn input(&self) -> &R {
        self.records.input()
    }

    /// The next row; `None` at the end.
    #[inline]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, RecordsError> {
        let stop_at = self.stop_at.as_deref();
        if self.hold_back == 0 {
            return next_before(stop_at, &mut self.records, &mut self.stop_line);
        }
        while self.held.len() <= self.hold_back {
            let Some(record) = next_before(stop_at, &mut self.records, &mut self.stop_line)? else {
                return Ok(None);
            };
            // The memory of the record that was released last is used again.
            let mut raw = std::mem::take(&mut self.released.raw);
            raw.clear();
            raw.extend_from_slice(record.raw);
            self.held_bytes += raw.len();
            self.held.push_back(HeldRecord { line: record.line, raw, offset: record.offset });
            if self.held_bytes > MAX_HELD_BYTES && self.held.len() > 1 {
                let line = self.held.front().map_or(0, |first| first.line);
                return Err(RecordsError::HeldBack { line, records: self.held.len() });
            }
        }
        let Some(released) = self.held.pop_front() else { return Ok(None) };
        self.held_bytes -= released.raw.len();
        self.released = released;
        let HeldRecord { line, raw, offset } = &self.released;
        Ok(Some(self.fields.of(raw, self.records.dialect(), *line, *offset)))
    }

    /// Reads the file to its end, once there are no more rows.
    pub fn end(mut self) -> Result<(Records<R>, AfterBody), RecordsError> {
        if self.stop_line.is_some() {
            self.records.skip_rest()?;
        }
        let first = self.held.front().map(|first| first.line).or(self.stop_line);
        let lines = first.map(|first| (first, self.records.last_line()));
        let after = AfterBody { lines, held: self.held.into(), has_stopped: self.stop_line.is_some() };
        Ok((self.records, after))
    }
}

/// The next record, unless its line, or an earlier one, begins with `stop_at`.
#[inline]
fn next_before<'a, R: Read>(
    stop_at: Option<&[u8]>,
    records: &'a mut Records<R>,
    stop_line: &mut Option<u64>,
) -> Result<Option<Record<'a>>, RecordsError> {
    if stop_line.is_some() {
        return Ok(None);
    }
    let Some(record) = records.next()? else { return Ok(None) };
    let begins = |text: &[u8]| {
        record.raw.starts_with(text)
            || record.raw.strip_prefix(b"\"").is_some_and(|raw| raw.starts_with(text))
    };
    if stop_at.is_some_and(begins) {
        *stop_line = Some(record.line);
        return Ok(None);
    }
    Ok(Some(record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::pieces::Pieces;
    use crate::csv::records::Dialect;

    type Row = (u64, u64, Vec<String>);

    /// Line, offset and fields of every row, and what comes after.
    fn read(text: &[u8], piece: usize, stop_at: Option<&str>, hold_back: usize) -> (Vec<Row>, AfterBody) {
        let mut body =
            Body::new(Records::new(Pieces(text, piece), Dialect::usual(b','), 1_000), stop_at, hold_back);
        let mut rows = Vec::new();
        while let Some(record) = body.next().unwrap() {
            let fields = record.fields().map(|field| String::from_utf8_lossy(field).into_owned());
            rows.push((record.line, record.offset, fields.collect()));
        }
        assert!(body.next().unwrap().is_none());
        (rows, body.end().unwrap().1)
    }

    #[test]
    fn the_end_is_left_out_and_told() {
        type Case<'a> = (&'a str, Option<&'a str>, usize, &'a [u64], Option<(u64, u64)>);
        let cases: &[Case<'_>] = &[
            ("a\nb\nc\n", None, 0, &[1, 2, 3], None),
            ("a\nb\nc\n", None, 2, &[1], Some((2, 3))),
            ("a\nb\nc", None, 3, &[], Some((1, 3))),
            ("a\nb\nc", None, 4, &[], Some((1, 3))),
            ("a\n\nb\n\n\nc\n\n", None, 1, &[1, 3], Some((6, 7))),
            ("a\n\"b\nb\"\n\"c\nc\"", None, 1, &[1, 2], Some((4, 5))),
            ("a\nb\nTotal,2\nmore\n\nx\"y\n", Some("Total"), 0, &[1, 2], Some((3, 6))),
            ("a\nb\n\"Total\",2\n\"never closed\n", Some("Total"), 0, &[1, 2], Some((3, 4))),
            ("a\nb\n,,Total\n", Some(",,T"), 0, &[1, 2], Some((3, 3))),
            ("a Total\nTOTAL\n", Some("Total"), 0, &[1, 2], None),
            ("Total\na\n", Some("Total"), 0, &[], Some((1, 2))),
            ("a\nb\nc\nTotal\nd\n", Some("Total"), 2, &[1], Some((2, 5))),
            ("", Some("Total"), 2, &[], None),
        ];
        for &(text, stop_at, hold_back, lines, left_out) in cases {
            for piece in 1..=text.len().max(1) {
                let context = format!("{text:?} {stop_at:?} {hold_back} in pieces of {piece}");
                let (rows, after) = read(text.as_bytes(), piece, stop_at, hold_back);
                assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), lines, "{context}");
                assert_eq!(after.lines, left_out, "{context}");
                let has_line = stop_at.is_some_and(|text_of_stop| {
                    text.split('\n').any(|line| line.trim_start_matches('"').starts_with(text_of_stop))
                });
                assert_eq!(after.has_stopped, has_line, "{context}");
                assert!(after.held.len() <= hold_back, "{context}");
            }
        }
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        let line = format!("{}\n", "x".repeat(999));
        let text = line.repeat(MAX_HELD_BYTES / 999 + 2);
        let fits = MAX_HELD_BYTES / 999 - 1;
        let mut body = Body::new(Records::new(text.as_bytes(), Dialect::usual(b','), 1_000), None, fits);
        while body.next().unwrap().is_some() {}
        let mut body = Body::new(Records::new(text.as_bytes(), Dialect::usual(b','), 1_000), None, fits + 1);
        assert!(matches!(body.next(), Err(RecordsError::HeldBack { line: 1, .. })));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// Whether records are held back or not, they are the same.
        #[test]
        fn holding_back_changes_nothing(text in "[ab\",\r\n]{0,60}", piece in 1_usize..70, hold_back in 0_usize..5) {
            let closed = text.matches('"').count() % 2 == 0;
            let text = if closed { text } else { text.replace('"', "") };
            let mut all = Records::new(text.as_bytes(), Dialect::usual(b','), 1_000);
            let mut expected: Vec<Row> = Vec::new();
            while let Ok(Some(record)) = all.next() {
                let fields = record.fields().map(|field| String::from_utf8_lossy(field).into_owned());
                expected.push((record.line, record.offset, fields.collect()));
            }
            if let Err(RecordsError::UnclosedQuote { .. }) = all.next() {
                return Ok(());
            }
            let (rows, after) = read(text.as_bytes(), piece, None, hold_back);
            let held = hold_back.min(expected.len());
            proptest::prop_assert_eq!(rows.as_slice(), &expected[..expected.len() - held]);
            let lines: Vec<u64> = after.held.iter().map(|held| held.line).collect();
            let last: Vec<u64> = expected[expected.len() - held..].iter().map(|row| row.0).collect();
            proptest::prop_assert_eq!(lines, last);
        }
    }
}
