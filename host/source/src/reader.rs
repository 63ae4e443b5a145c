//! The source itself: files in, batches of typed rows out, and with them the invalid records.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use host_core::batch::Batch;
use host_core::capacity::Capacity;
use host_core::column::ColumnRequest;
use host_core::facts::{FileFacts, IdKind};

use crate::error::SourceError;
use crate::expected::Expectations;
use crate::input::list::FileList;
use crate::noticed::Noticed;
use crate::open_file::OpenFile;
use crate::parsed::Parsed;
use crate::rules::InputRules;
use crate::tally::Tally;
use crate::users::{NumberUsers, Users, by_appearance};

/// How to see all rejected records.
const LISTING: &str = "`host check` with the same arguments lists them all without writing anything";

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
            let limit = self.rules.max_rejects;
            let so_far = (so_far, is_last);
            SourceError::unless_too_many(&self.tally, limit, &parsed.rejected, so_far, LISTING)
                .map_err(|error| self.or_changed(error))?;
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
            Some(file) => Some(OpenFile::open(file, &self.rules, &self.requests, self.read_bytes.clone())?),
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
}
