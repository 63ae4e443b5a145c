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
use crate::csv::body::Body;
use crate::csv::cells::Fault;
use crate::csv::columns::{Columns, Requested};
use crate::csv::records::{Dialect, Record};
use crate::error::SourceError;
use crate::expected::Expectations;
use crate::input::list::FileList;
use crate::input::open::{FileDigests, Input};
use crate::layout::{Opened, header_further_down, open_rows, source_error};
use crate::noticed::{LinesLeftOut, Noticed};
use crate::parsed::Parsed;
use crate::rules::InputRules;
use crate::tally::Tally;
use crate::trailer::Read;
use crate::users::{NumberUsers, Users, by_appearance};

/// A batch ends early when the texts in it reach this many bytes.
const MAX_BATCH_TEXT_BYTES: usize = 1024 * 1024;

/// How much of a header is kept.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Files from which batches are taken one by one.
pub struct Source {
    /// Files with their positions among those that were given, from 0.
    waiting: std::vec::IntoIter<(usize, PathBuf)>,
    current: Option<OpenFile>,
    rules: InputRules,
    expected: Expectations,
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
            waiting: list.files.into_iter().enumerate().collect::<Vec<_>>().into_iter(),
            current: None,
            rules,
            expected: Expectations::default(),
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
        let waiting = std::mem::take(&mut self.waiting).filter(|(position, _)| is_wanted(position));
        self.waiting = waiting.collect::<Vec<_>>().into_iter();
        if is_wanted(&0) { Ok(()) } else { self.open_next() }
    }

    /// Fails, instead of coming to the end, if the files are not as expected.
    pub fn expect(&mut self, expected: Expectations) {
        self.expected = expected;
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
    /// If a file cannot be read, or more records are rejected than allowed; and, after all of its rows, if a file
    /// does not end as it must, or is not as expected.
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
            if file.is_at_end {
                self.finish_file()?;
                continue;
            }
            // Files that were left out do not count.
            let position = i32::try_from(self.finished.len() + 1).unwrap_or(i32::MAX);
            let kinds = file.columns.requested.iter().map(|requested| requested.map(|found| found.kind));
            spent.renew((position, file.name.clone()), self.rows, kinds, file.columns.currency.is_some());
            let mut parsed = Parsed { batch: spent, rejected: Vec::new() };
            if let Err(error) = file.fill(&mut parsed, &self.rules, &self.capacity, &mut self.noticed) {
                return Err(self.or_changed(error));
            }
            let is_last = file.is_at_end && self.waiting.as_slice().is_empty();
            let so_far = file.records_read + self.finished.iter().map(|facts| facts.rows_read).sum::<u64>();
            self.rows += parsed.batch.len() as u64;
            for rejected in &parsed.rejected {
                self.tally.add(rejected);
            }
            self.check_rejects(&parsed, so_far, is_last).map_err(|error| self.or_changed(error))?;
            if !parsed.batch.is_empty() || !parsed.rejected.is_empty() {
                return Ok(Some(parsed));
            }
            spent = parsed.batch;
        }
        self.expected.check_all(&self.finished)?;
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
            Some((given, path)) => {
                let read_bytes = self.read_bytes.clone();
                let mut file = OpenFile::open(path, &self.rules, &self.requests, read_bytes)?;
                file.given = given;
                Some(file)
            }
        };
        Ok(())
    }

    /// Compares the current file, all of which was read, with what must be true of it, and opens the next one.
    fn finish_file(&mut self) -> Result<(), SourceError> {
        if let Some(file) = self.current.take() {
            self.finished.push(file.finish(&self.rules, &self.expected, &mut self.noticed)?);
        }
        self.open_next()
    }

    /// The error, or its real cause if the file changed: one that was truncated meanwhile has a bad last row.
    fn or_changed(&self, error: SourceError) -> SourceError {
        match &self.current {
            Some(file) => file.body.input().change_behind(error),
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
    /// Its position among the files that were given, from 0.
    given: usize,
    name: Arc<str>,
    header: Option<Arc<[u8]>>,
    dialect: Dialect,
    has_separator_line: bool,
    /// The first and the last physical line that was left out before the header.
    left_out: Option<(u64, u64)>,
    body: Body<Input>,
    /// Whether all rows have been read.
    is_at_end: bool,
    columns: Columns,
    scratch: Scratch,
    records_read: u64,
    rejected: u64,
    total_cents: i128,
}

impl OpenFile {
    fn open(
        path: PathBuf,
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
            given: 0,
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
    fn fill(
        &mut self,
        parsed: &mut Parsed,
        rules: &InputRules,
        capacity: &Capacity,
        noticed: &mut Noticed,
    ) -> Result<(), SourceError> {
        let OpenFile { path, name, header, body, columns, scratch, records_read, rejected, .. } = self;
        let delimiter = self.dialect.delimiter;
        let mut text_bytes = 0;
        let stop_at_first = rules.max_rejects == crate::tally::RejectLimit::Count(0);
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
            match type_record(&record, columns, rules, capacity, scratch) {
                Ok(Typed { row, transaction_key, user_key }) => {
                    let batch = &mut parsed.batch;
                    text_bytes += take_along(batch, &record, columns, &scratch.numbers);
                    text_bytes += transaction_key.map_or(0, |key| batch.transaction_keys.push(key));
                    text_bytes += user_key.map_or(0, |key| batch.user_keys.push(key));
                    noticed.row(name, row.line, row.timestamp_micros);
                    self.total_cents += i128::from(row.amount_cents);
                    batch.push(row);
                }
                Err((places, problem)) => {
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
    fn finish(
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
                decimal_point: rules.decimal_point,
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

/// What is needed of the record that is being read, in memory that is reused.
#[derive(Default)]
struct Scratch {
    /// The numbers of its further columns.
    numbers: Vec<f64>,
    /// A timestamp of several cells.
    joined: Vec<u8>,
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

/// Parses a record into a row and the numbers of its further columns, or returns the cells that are to blame, if
/// it is not the whole record, and the problem.
fn type_record<'a>(
    record: &Record<'a>,
    columns: &Columns,
    rules: &InputRules,
    capacity: &Capacity,
    Scratch { numbers, joined }: &mut Scratch,
) -> Result<Typed<'a>, (Vec<usize>, RowProblem)> {
    if record.len() != columns.names.len() {
        let (expected, found) = (columns.names.len(), record.len());
        return Err((Vec::new(), RowProblem::FieldCount { expected, found }));
    }
    let wrong = |field: usize, kind: Kind, problem: Problem| {
        let cell = record.field(field);
        let value = cell[..cell.len().min(MAX_QUOTED_BYTES)].to_vec();
        (vec![field], RowProblem::Value { kind, value, problem })
    };
    let composed = |fault: Box<Fault>| {
        let Fault { places, kind, mut value, problem } = *fault;
        value.truncate(MAX_QUOTED_BYTES);
        (places, RowProblem::Value { kind, value, problem })
    };
    let Columns { transaction_id, user_id, .. } = *columns;
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
    if let Some(currency) = columns.currency {
        value::currency(record.field(currency))
            .map_err(|problem| wrong(currency, Kind::Currency, problem))?;
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
        amount_cents: columns.amount.cents(record, rules, capacity).map_err(composed)?,
        timestamp_micros: columns.timestamp.micros(record, rules, joined).map_err(composed)?,
        line: record.line,
    };
    Ok(Typed { row, transaction_key, user_key })
}

/// Appends the further values of a record that has been parsed; returns how many bytes they took.
fn take_along(to: &mut Batch, record: &Record<'_>, columns: &Columns, numbers: &[f64]) -> usize {
    let mut numbers = numbers.iter();
    let mut bytes = 0;
    if let (Column::Text(currencies), Some(place)) = (&mut to.currencies, columns.currency) {
        bytes += currencies.push(value::currency(record.field(place)).unwrap_or_default());
    }
    for (column, requested) in to.columns.iter_mut().zip(&columns.requested) {
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
