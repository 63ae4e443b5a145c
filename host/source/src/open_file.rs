//! One file: its header, then its rows, batch by batch, and at its end what must be true of all of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use host_core::capacity::Capacity;
use host_core::column::{Column, ColumnRequest};
use host_core::facts::FileFacts;
use host_core::rejected::RejectedRow;
use host_core::text::without_nul;

use crate::csv::body::Body;
use crate::csv::cells::Untyped;
use crate::csv::columns::Columns;
use crate::csv::records::Dialect;
use crate::error::SourceError;
use crate::expected::Expectations;
use crate::input::open::{FileDigests, Input};
use crate::layout::{Opened, header_further_down, open_rows, source_error};
use crate::noticed::{LinesLeftOut, Noticed};
use crate::parsed::Parsed;
use crate::rules::InputRules;
use crate::tally::RejectLimit;
use crate::trailer::Read;
use crate::typed::{Scratch, Typed, take_along, type_record};

/// A batch ends early when the texts in it reach this many bytes.
const MAX_BATCH_TEXT_BYTES: usize = 1024 * 1024;

/// How much of a header is kept.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Roughly what a rejected row takes besides its bytes.
const REJECTED_ROW_BYTES: usize = 200;

/// A file whose header has been read.
pub(crate) struct OpenFile {
    path: PathBuf,
    /// Its position among the files that were given, from 0.
    given: usize,
    pub name: Arc<str>,
    header: Option<Arc<[u8]>>,
    dialect: Dialect,
    has_separator_line: bool,
    /// The first and the last physical line that was left out before the header.
    left_out: Option<(u64, u64)>,
    pub body: Body<Input>,
    /// Whether all rows have been read.
    pub is_at_end: bool,
    pub columns: Columns,
    scratch: Scratch,
    pub records_read: u64,
    rejected: u64,
    total_cents: i128,
}

impl OpenFile {
    pub fn open(
        (given, path): (usize, PathBuf),
        rules: &InputRules,
        requests: &[ColumnRequest],
        read_bytes: Arc<AtomicU64>,
    ) -> Result<OpenFile, SourceError> {
        let name: Arc<str> = path.display().to_string().into();
        let Opened { mut body, header, first, dialect, has_separator_line, left_out } =
            open_rows(&path, &name, rules, read_bytes)?;
        let columns = if rules.has_header {
            let by_name = |names| Columns::by_name(&name, names, rules, requests);
            by_name(first).map_err(|error| match error {
                SourceError::MissingColumn { file, column, found, name, .. } => {
                    let header_line = header_further_down(&mut body, |names| by_name(names).is_ok());
                    SourceError::MissingColumn { file, column, found, name, header_line }
                }
                other => other,
            })?
        } else {
            Columns::by_position(&name, first.len(), rules, requests)?
        };
        Ok(OpenFile {
            path,
            given,
            name,
            header,
            dialect,
            has_separator_line,
            left_out,
            body,
            is_at_end: false,
            columns,
            scratch: Scratch::default(),
            records_read: 0,
            rejected: 0,
            total_cents: 0,
        })
    }

    /// Adds records until the batch is full, or the file is at its end.
    pub fn fill(
        &mut self,
        parsed: &mut Parsed,
        rules: &InputRules,
        capacity: &Capacity,
        noticed: &mut Noticed,
    ) -> Result<(), SourceError> {
        let OpenFile { path, name, header, body, columns, scratch, records_read, rejected, .. } = self;
        let delimiter = self.dialect.delimiter;
        let mut text_bytes = 0;
        let stop_at_first = rules.max_rejects == RejectLimit::Count(0);
        let is_full = |parsed: &Parsed| parsed.batch.len() + parsed.rejected.len() >= rules.batch_rows;
        while !is_full(parsed) && text_bytes < MAX_BATCH_TEXT_BYTES {
            let record = match body.next() {
                Ok(Some(record)) => record,
                Ok(None) => {
                    self.is_at_end = true;
                    return Ok(());
                }
                Err(error) => return Err(source_error(path, name, error)),
            };
            *records_read += 1;
            match type_record(&record, columns, rules, capacity, &parsed.batch.columns, scratch) {
                Ok(Typed { row, transaction_key, user_key, currency }) => {
                    let batch = &mut parsed.batch;
                    text_bytes += take_along(&mut batch.columns, &record, columns, scratch);
                    text_bytes += transaction_key.map_or(0, |key| batch.transaction_keys.push(key));
                    text_bytes += user_key.map_or(0, |key| batch.user_keys.push(key));
                    if let (Column::Text(currencies), Some(currency)) = (&mut batch.currencies, currency) {
                        text_bytes += currencies.push(currency);
                    }
                    noticed.row(name, row.line, row.timestamp_micros);
                    self.total_cents += i128::from(row.amount_cents);
                    batch.push(row);
                }
                Err(untyped) => {
                    let Untyped { places, problem } = *untyped;
                    *rejected += 1;
                    text_bytes += record.raw.len() + REJECTED_ROW_BYTES;
                    parsed.rejected.push(RejectedRow {
                        file: name.clone(),
                        file_position: parsed.batch.file_position,
                        header: header.clone(),
                        delimiter,
                        line: record.line,
                        byte_offset: record.offset,
                        column: columns.joined_names(&places),
                        problem,
                        raw: record.raw.to_vec(),
                    });
                    if stop_at_first {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads what comes after the rows, and compares it with what must be true of the file.
    pub fn finish(
        self,
        rules: &InputRules,
        expected: &Expectations,
        noticed: &mut Noticed,
    ) -> Result<FileFacts, SourceError> {
        let (path, name) = (&self.path, &self.name);
        let (records, after) = self.body.end().map_err(|error| source_error(path, name, error))?;
        if self.header.is_some() {
            self.columns.ignored().for_each(|column| noticed.ignored(column));
        }
        if records.has_end_mark() {
            noticed.ended_by_mark.push(name.to_string());
        }
        if self.has_separator_line {
            noticed.separator_lines.push((name.to_string(), self.dialect.delimiter));
        }
        for (first_line, last_line) in self.left_out.into_iter().chain(after.lines) {
            noticed.lines_left_out.push(LinesLeftOut { file: name.to_string(), first_line, last_line });
        }
        if rules.lines.stop_at.is_some() && !after.has_stopped {
            noticed.never_stopped.push(name.to_string());
        }
        let ends_in_line_break = records.ends_in_line_break();
        let FileDigests { sha256, bytes, content_sha256 } = records.into_inner().finish(path)?;
        if let Some(trailer) = &rules.lines.trailer {
            let skip_last = rules.lines.skip_last as usize;
            let last = after.held.len().checked_sub(skip_last + 1).and_then(|at| after.held.get(at));
            let read = Read {
                file: name,
                dialect: self.dialect,
                read_total: &|text| rules.total_cents(text),
                rows: self.records_read,
                rejected: self.rejected,
                total_cents: self.total_cents,
            };
            trailer.check(last, &read)?;
        }
        let header = self.header.map(|header| without_nul(&String::from_utf8_lossy(&header)).into_owned());
        let facts = FileFacts {
            name: name.to_string(),
            bytes,
            sha256,
            content_sha256,
            header: header.map(|mut header| {
                header.truncate(header.floor_char_boundary(MAX_HEADER_BYTES));
                header
            }),
            rows_read: self.records_read,
            rows_rejected: self.rejected,
            total_cents: self.total_cents,
        };
        expected.check_file(self.given, &facts, ends_in_line_break)?;
        Ok(facts)
    }
}
