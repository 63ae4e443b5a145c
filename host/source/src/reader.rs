//! The source itself: files in, batches of typed rows out, and with them the invalid records.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use host_core::batch::{Batch, Row};
use host_core::capacity::Capacity;
use host_core::column::{Column, ColumnKind, ColumnRequest};
use host_core::facts::{FileFacts, IdKind};
use host_core::rejected::{Kind, Problem, RejectedRow, RowProblem};
use host_core::text::without_nul;

use crate::cell::{key, value};
use crate::csv::columns::{Columns, Requested};
use crate::csv::records::{Record, Records, RecordsError};
use crate::error::SourceError;
use crate::input::list::FileList;
use crate::input::open::{FileDigests, Input, open};
use crate::noticed::Noticed;
use crate::parsed::Parsed;
use crate::rules::InputRules;
use crate::tally::Tally;
use crate::users::{NumberUsers, Users, by_appearance};

/// A batch ends early when the texts in it reach this many bytes.
const MAX_BATCH_TEXT_BYTES: usize = 1024 * 1024;
/// A longer record is an error.
pub(crate) const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// How much of a header is kept.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Files from which batches are taken one by one.
pub struct Source {
    waiting: std::vec::IntoIter<PathBuf>,
    current: Option<OpenFile>,
    rules: InputRules,
    /// What the tables can hold.
    capacity: Capacity,
    users: Users,
    requests: Vec<ColumnRequest>,
    read_bytes: Arc<AtomicU64>,
    rows: u64,
    finished: Vec<FileFacts>,
    tally: Tally,
    noticed: Noticed,
}

impl Source {
    /// Opens the first file and reads its header. `requests` are further columns to carry along; `read_bytes`
    /// counts the bytes that are read from all files.
    ///
    /// # Errors
    /// If the file cannot be read or has no header with the columns.
    pub fn open(
        list: FileList,
        rules: InputRules,
        requests: &[ColumnRequest],
        read_bytes: Arc<AtomicU64>,
    ) -> Result<Source, SourceError> {
        let mut source = Source {
            waiting: list.files.into_iter(),
            current: None,
            rules,
            capacity: Capacity::default(),
            users: Users::new(by_appearance()),
            requests: requests.to_vec(),
            read_bytes,
            rows: 0,
            finished: Vec::new(),
            tally: Tally::default(),
            noticed: Noticed::default(),
        };
        source.open_next()?;
        Ok(source)
    }

    /// Leaves out files, by their positions from 0, before the first of them is read.
    ///
    /// # Errors
    /// If the first of the others cannot be read.
    pub fn leave_out(&mut self, positions: &BTreeSet<usize>) -> Result<(), SourceError> {
        // The first file is already open, the others wait.
        let is_wanted = |position: &usize| !positions.contains(position);
        let waiting =
            (1..).zip(std::mem::take(&mut self.waiting)).filter(|(position, _)| is_wanted(position));
        self.waiting = waiting.map(|(_, file)| file).collect::<Vec<_>>().into_iter();
        if is_wanted(&0) { Ok(()) } else { self.open_next() }
    }

    /// Says who knows the numbers of users whose ids are texts. By default they are numbered as they appear.
    pub fn number_users_by(&mut self, number: NumberUsers) {
        self.users = Users::new(number);
    }

    /// Rejects rows that the tables cannot hold; unless this says otherwise, they are as the host creates them.
    pub fn fit(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    /// The next rows; `None` after the last file. `spent` is a batch that is no longer needed: its memory is
    /// reused.
    ///
    /// # Errors
    /// If a file cannot be read, or more records are rejected than allowed.
    pub fn next_part(&mut self, spent: Batch) -> Result<Option<Parsed>, SourceError> {
        if self.rules.user_ids != IdKind::Text {
            return self.parse_part(spent);
        }
        let mut spent = Some(spent);
        loop {
            if let Some(part) = self.users.next() {
                return Ok(Some(part));
            }
            if let Some(end) = self.users.end.take() {
                return end.map(|()| None);
            }
            // What was read before the end, or before an error, comes first.
            let end = match self.parse_part(spent.take().unwrap_or_default()) {
                Ok(Some(part)) => {
                    self.users.add(part)?;
                    continue;
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            self.users.number_all()?;
            self.users.end = Some(end);
        }
    }

    fn parse_part(&mut self, mut spent: Batch) -> Result<Option<Parsed>, SourceError> {
        while let Some(file) = &mut self.current {
            // Files that were left out do not count.
            let position = i32::try_from(self.finished.len() + 1).unwrap_or(i32::MAX);
            let kinds = file.columns.requested.iter().map(|requested| requested.map(|found| found.kind));
            spent.renew((position, file.name.clone()), self.rows, kinds);
            let mut parsed = Parsed { batch: spent, rejected: Vec::new() };
            let at_end = match file.fill(&mut parsed, &self.rules, &self.capacity, &mut self.noticed) {
                Ok(at_end) => at_end,
                Err(error) => return Err(self.or_changed(error)),
            };
            let so_far = file.records_read + self.finished.iter().map(|facts| facts.rows_read).sum::<u64>();
            self.rows += parsed.batch.len() as u64;
            for rejected in &parsed.rejected {
                self.tally.add(rejected);
            }
            self.check_rejects(&parsed, so_far, at_end && self.waiting.as_slice().is_empty())
                .map_err(|error| self.or_changed(error))?;
            if at_end && let Some(file) = self.current.take() {
                self.finished.push(file.finish(&mut self.noticed)?);
                self.open_next()?;
            }
            if !parsed.batch.is_empty() || !parsed.rejected.is_empty() {
                return Ok(Some(parsed));
            }
            spent = parsed.batch;
        }
        Ok(None)
    }

    /// The facts about the files, what was rejected of them, and what is odd about them.
    #[must_use]
    pub fn finish(self) -> (Vec<FileFacts>, Tally, Noticed) {
        (self.finished, self.tally, self.noticed)
    }

    fn open_next(&mut self) -> Result<(), SourceError> {
        self.current = match self.waiting.next() {
            None => None,
            Some(file) => Some(OpenFile::open(file, &self.rules, &self.requests, self.read_bytes.clone())?),
        };
        Ok(())
    }

    /// The error, or its real cause if the file changed: one that was truncated meanwhile has a bad last row.
    fn or_changed(&self, error: SourceError) -> SourceError {
        match &self.current {
            Some(file) => file.records.input().change_behind(error),
            None => error,
        }
    }

    fn check_rejects(&self, parsed: &Parsed, records: u64, at_end: bool) -> Result<(), SourceError> {
        let limit = self.rules.max_rejects;
        if !self.tally.exceeds(limit, records, at_end) {
            return Ok(());
        }
        match parsed.rejected.first() {
            // If no row may be rejected, the first one is reported in full.
            Some(first) if limit == crate::tally::RejectLimit::Count(0) => {
                Err(SourceError::row(first.clone()))
            }
            _ => Err(SourceError::TooManyRejects {
                limit,
                records,
                tally: Box::new(self.tally.clone()),
                last: parsed.rejected.clone(),
            }),
        }
    }
}

/// A file whose header has been read.
struct OpenFile {
    path: PathBuf,
    name: Arc<str>,
    header: Option<Arc<[u8]>>,
    records: Records<Input>,
    columns: Columns,
    /// The numbers of the record that is being read.
    numbers: Vec<f64>,
    records_read: u64,
    rejected: u64,
}

impl OpenFile {
    fn open(
        path: PathBuf,
        rules: &InputRules,
        requests: &[ColumnRequest],
        read_bytes: Arc<AtomicU64>,
    ) -> Result<OpenFile, SourceError> {
        let name: Arc<str> = path.display().to_string().into();
        let input = open(&path, rules.encoding, read_bytes)?;
        let mut records = Records::new(input, rules.dialect(), MAX_RECORD_BYTES);
        let fail = |error| source_error(&path, &name, error);
        let Some(first) = records.next().map_err(fail)? else {
            return Err(SourceError::Empty { file: name.to_string() });
        };
        let (header, columns) = if rules.has_header {
            let names = first.fields().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
            let columns = Columns::by_name(&name, names, (&rules.columns, &rules.absent()), requests)?;
            (Some(first.raw.into()), columns)
        } else {
            let columns =
                Columns::by_position(&name, first.len(), (&rules.columns, &rules.absent()), requests)?;
            // The first record is a row like any other.
            records.again();
            (None, columns)
        };
        Ok(OpenFile {
            path,
            name,
            header,
            records,
            columns,
            numbers: Vec::new(),
            records_read: 0,
            rejected: 0,
        })
    }

    /// Adds records until the batch is full; true at the end of the file.
    fn fill(
        &mut self,
        parsed: &mut Parsed,
        rules: &InputRules,
        capacity: &Capacity,
        noticed: &mut Noticed,
    ) -> Result<bool, SourceError> {
        let OpenFile { path, name, header, records, columns, numbers, records_read, rejected } = self;
        let mut text_bytes = 0;
        let stop_at_first = rules.max_rejects == crate::tally::RejectLimit::Count(0);
        let is_full = |parsed: &Parsed| parsed.batch.len() + parsed.rejected.len() >= rules.batch_rows;
        while !is_full(parsed) && text_bytes < MAX_BATCH_TEXT_BYTES {
            let record = match records.next() {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(true),
                Err(error) => return Err(source_error(path, name, error)),
            };
            *records_read += 1;
            match type_record(&record, columns, rules, capacity, numbers) {
                Ok(Typed { row, transaction_key, user_key }) => {
                    let batch = &mut parsed.batch;
                    text_bytes += take_along(&mut batch.columns, &record, columns, numbers);
                    text_bytes += transaction_key.map_or(0, |key| batch.transaction_keys.push(key));
                    text_bytes += user_key.map_or(0, |key| batch.user_keys.push(key));
                    noticed.row(name, row.line, row.timestamp_micros);
                    batch.push(row);
                }
                Err((column, problem)) => {
                    *rejected += 1;
                    text_bytes += record.raw.len() + REJECTED_ROW_BYTES;
                    parsed.rejected.push(RejectedRow {
                        file: name.clone(),
                        file_position: parsed.batch.file_position,
                        header: header.clone(),
                        line: record.line,
                        byte_offset: record.offset,
                        column: column.map(|column| columns.names[column].clone()),
                        problem,
                        raw: record.raw.to_vec(),
                    });
                    if stop_at_first {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(false)
    }

    fn finish(self, noticed: &mut Noticed) -> Result<FileFacts, SourceError> {
        if self.header.is_some() {
            self.columns.ignored().for_each(|column| noticed.ignored(column));
        }
        if self.records.has_end_mark() {
            noticed.ended_by_mark.push(self.name.to_string());
        }
        let FileDigests { sha256, bytes, content_sha256 } = self.records.into_inner().finish(&self.path)?;
        let header = self.header.map(|header| without_nul(&String::from_utf8_lossy(&header)).into_owned());
        Ok(FileFacts {
            name: self.name.to_string(),
            bytes,
            sha256,
            content_sha256,
            header: header.map(|mut header| {
                header.truncate(header.floor_char_boundary(MAX_HEADER_BYTES));
                header
            }),
            rows_read: self.records_read,
            rows_rejected: self.rejected,
        })
    }
}

/// No message shows more of a cell than this: at most [`SHOWN_CHARS`](host_core::text::SHOWN_CHARS)
/// characters of four bytes each. The record has all of it.
const MAX_QUOTED_BYTES: usize = 4 * host_core::text::SHOWN_CHARS + 8;

/// Roughly what a rejected row takes besides its bytes.
const REJECTED_ROW_BYTES: usize = 200;

/// A record that is a row.
struct Typed<'a> {
    row: Row,
    /// Its transaction id, if it is a text.
    transaction_key: Option<&'a str>,
    /// Its user's id, if that is a text; then the user's number is not known yet.
    user_key: Option<&'a str>,
}

/// The user of all rows of files that name none.
const ONLY_USER: i64 = 0;
/// The user of a row until its number is known.
const UNKNOWN_USER: i64 = 0;

/// Parses a record into a row and the `numbers` of its further columns, or returns the offending column, if it
/// is a single one, and the problem.
fn type_record<'a>(
    record: &Record<'a>,
    columns: &Columns,
    rules: &InputRules,
    capacity: &Capacity,
    numbers: &mut Vec<f64>,
) -> Result<Typed<'a>, (Option<usize>, RowProblem)> {
    if record.len() != columns.names.len() {
        let (expected, found) = (columns.names.len(), record.len());
        return Err((None, RowProblem::FieldCount { expected, found }));
    }
    let wrong = |field: usize, kind: Kind, problem: Problem| {
        let cell = record.field(field);
        let value = cell[..cell.len().min(MAX_QUOTED_BYTES)].to_vec();
        (Some(field), RowProblem::Value { kind, value, problem })
    };
    let Columns { transaction_id, user_id, amount, timestamp, .. } = *columns;
    numbers.clear();
    for &Requested { place, kind } in columns.requested.iter().flatten() {
        let cell = record.field(place);
        match kind {
            ColumnKind::Text => {
                value::text(cell).map_err(|problem| wrong(place, Kind::Text, problem))?;
            }
            ColumnKind::Number => numbers.push(
                value::number(cell, rules.decimal_point)
                    .map_err(|problem| wrong(place, Kind::Number, problem))?,
            ),
        }
    }
    let (mut transaction_key, mut user_key, mut number) = (None, None, None);
    match transaction_id {
        None => {}
        Some(field) if rules.transaction_ids == IdKind::Text => {
            let key = key::key(record.field(field));
            transaction_key = Some(key.map_err(|problem| wrong(field, Kind::TransactionKey, problem))?);
        }
        Some(field) => {
            let id = value::transaction_id(record.field(field)).and_then(|id| capacity.transaction_id(id));
            number = Some(id.map_err(|problem| wrong(field, Kind::TransactionId, problem))?);
        }
    }
    let row = Row {
        transaction_id: number,
        user_id: match user_id {
            None => ONLY_USER,
            Some(field) if rules.user_ids == IdKind::Text => {
                let key = key::key(record.field(field));
                user_key = Some(key.map_err(|problem| wrong(field, Kind::UserKey, problem))?);
                UNKNOWN_USER
            }
            Some(field) => value::user_id(record.field(field))
                .and_then(|id| capacity.user_id(id))
                .map_err(|problem| wrong(field, Kind::UserId, problem))?,
        },
        amount_cents: value::amount_cents(record.field(amount), rules.decimal_point)
            .and_then(|cents| capacity.amount_cents(cents))
            .map_err(|problem| wrong(amount, Kind::Amount, problem))?,
        timestamp_micros: rules
            .timestamps
            .micros(record.field(timestamp))
            .map_err(|problem| wrong(timestamp, Kind::Timestamp, problem))?,
        line: record.line,
    };
    Ok(Typed { row, transaction_key, user_key })
}

/// Appends the further values of a record that has been parsed; returns how many bytes they took.
fn take_along(to: &mut [Column], record: &Record<'_>, columns: &Columns, numbers: &[f64]) -> usize {
    let mut numbers = numbers.iter();
    let mut bytes = 0;
    for (column, requested) in to.iter_mut().zip(&columns.requested) {
        match (column, requested) {
            // It has been checked that it is text.
            (Column::Text(texts), Some(requested)) => {
                bytes += texts.push(&String::from_utf8_lossy(record.field(requested.place)));
            }
            (Column::Number(values), Some(_)) => {
                values.extend(numbers.next());
                bytes += size_of::<f64>();
            }
            _ => {}
        }
    }
    bytes
}

pub(crate) fn source_error(path: &std::path::Path, name: &str, error: RecordsError) -> SourceError {
    let file = name.to_owned();
    match error {
        RecordsError::Io(source) => SourceError::Read { file: path.to_owned(), source },
        RecordsError::UnclosedQuote { line } => SourceError::UnclosedQuote { file, line },
        RecordsError::TooLong { line, quote_line } => {
            SourceError::RecordTooLong { file, line, max_bytes: MAX_RECORD_BYTES, quote_line }
        }
    }
}
