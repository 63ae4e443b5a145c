//! What has become known of rows: CSV files with the id of a transaction in each record, a label, and perhaps since
//! when that is known. Read as a run's files are; which rows are meant is for the database to say.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use host_core::rejected::{Kind, Problem, RejectedRow, RowProblem};

use crate::cell::{key, label, value};
use crate::csv::body::Body;
use crate::csv::cells::{Untyped, demand_fields};
use crate::csv::columns::position;
use crate::csv::field::{ColumnMap, IS_FRAUD, KNOWN_AT, SOURCE_ID, TRANSACTION_ID};
use crate::csv::records::Record;
use crate::error::SourceError;
use crate::input::list::FileList;
use crate::input::open::Input;
use crate::layout::{Opened, open_rows, source_error};
use crate::rules::InputRules;

/// A part ends after so many records, or when these have so many bytes.
const MAX_RECORDS: usize = 65_536;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Files from which labels are taken part by part.
pub struct LabelSource {
    waiting: std::vec::IntoIter<PathBuf>,
    current: Option<LabelFile>,
    rules: InputRules,
    read_bytes: Arc<AtomicU64>,
    /// The position of the current file, from 1.
    position: i32,
    /// Records so far.
    pub records: u64,
}

/// Consecutive records of a file.
#[derive(Debug, Default)]
pub struct Labels {
    /// The file's name as it was given.
    pub file: Arc<str>,
    file_position: i32,
    header: Option<Arc<[u8]>>,
    delimiter: u8,
    /// The name of the column with the ids.
    id_column: String,
    /// Those that could be read.
    pub labels: Vec<Label>,
    /// The others.
    pub rejected: Vec<RejectedRow>,
    /// Whether there are no more records in any file.
    pub is_last: bool,
}

/// What has become known of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Which row it is.
    pub id: LabelId,
    /// What it has turned out to be.
    pub is_fraud: bool,
    /// Since when that is known, in microseconds since 1970; `None` if the file does not say.
    pub known_at_micros: Option<i64>,
    /// The physical line on which the record starts, from 1.
    pub line: u64,
    offset: u64,
    raw: Vec<u8>,
}

/// By which id a row is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelId {
    /// The database's own.
    Transaction(i64),
    /// The one that it had in its file: as text and, if it can be one, as a number.
    Source {
        /// As a number.
        number: Option<i64>,
        /// As text.
        key: String,
    },
}

impl LabelSource {
    /// Opens the first file. `read_bytes` counts the bytes that are read from all files.
    ///
    /// # Errors
    /// If it cannot be read, or has no header with the columns.
    pub fn open(
        list: FileList,
        rules: InputRules,
        read_bytes: Arc<AtomicU64>,
    ) -> Result<LabelSource, SourceError> {
        let waiting = list.files.into_iter();
        let mut source = LabelSource { waiting, current: None, rules, read_bytes, position: 0, records: 0 };
        source.open_next()?;
        Ok(source)
    }

    /// The next records; `None` after the last file.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn next_part(&mut self) -> Result<Option<Labels>, SourceError> {
        while let Some(file) = &mut self.current {
            let mut part = file.read(&self.rules)?;
            part.file_position = self.position;
            self.records += (part.labels.len() + part.rejected.len()) as u64;
            if file.is_at_end {
                if let Some(file) = self.current.take() {
                    file.finish()?;
                }
                self.open_next()?;
            }
            part.is_last = self.current.is_none();
            if part.is_last || !part.labels.is_empty() || !part.rejected.is_empty() {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    fn open_next(&mut self) -> Result<(), SourceError> {
        let Some(path) = self.waiting.next() else { return Ok(()) };
        self.current = Some(LabelFile::open(path, &self.rules, self.read_bytes.clone())?);
        self.position += 1;
        Ok(())
    }
}

impl Labels {
    /// A label as a rejected record, since no row is the one that is meant.
    #[must_use]
    pub fn reject(&self, label: &Label, problem: Problem) -> RejectedRow {
        let (kind, value) = match &label.id {
            LabelId::Transaction(id) => (Kind::TransactionId, id.to_string()),
            LabelId::Source { key, .. } => (Kind::TransactionKey, key.clone()),
        };
        let problem = RowProblem::Value { kind, value: value.into_bytes(), problem };
        self.rejected(&label.raw, (label.line, label.offset), Some(self.id_column.clone()), problem)
    }

    fn rejected(
        &self,
        raw: &[u8],
        (line, byte_offset): (u64, u64),
        column: Option<String>,
        problem: RowProblem,
    ) -> RejectedRow {
        RejectedRow {
            file: self.file.clone(),
            file_position: self.file_position,
            header: self.header.clone(),
            delimiter: self.delimiter,
            line,
            byte_offset,
            column,
            problem,
            raw: raw.to_vec(),
        }
    }
}

/// A file whose header has been read.
struct LabelFile {
    path: PathBuf,
    name: Arc<str>,
    header: Option<Arc<[u8]>>,
    delimiter: u8,
    body: Body<Input>,
    columns: LabelColumns,
    is_at_end: bool,
}

/// Where in a record the values are, from 0.
struct LabelColumns {
    names: Vec<String>,
    /// The column of ids, and whether these are the database's own.
    id: (usize, bool),
    is_fraud: usize,
    known_at: Option<usize>,
}

impl LabelFile {
    fn open(path: PathBuf, rules: &InputRules, read_bytes: Arc<AtomicU64>) -> Result<LabelFile, SourceError> {
        let name: Arc<str> = path.display().to_string().into();
        let Opened { body, header, first, dialect, .. } = open_rows(&path, &name, rules, read_bytes)
            .map_err(|error| match error {
                SourceError::Empty { file } => SourceError::NoLabels { file },
                other => other,
            })?;
        let columns = LabelColumns::find(&name, first, &rules.columns)?;
        let delimiter = dialect.delimiter;
        Ok(LabelFile { path, name, header, delimiter, body, columns, is_at_end: false })
    }

    fn read(&mut self, rules: &InputRules) -> Result<Labels, SourceError> {
        let LabelFile { path, name, header, delimiter, body, columns, is_at_end } = self;
        let id_column = columns.names[columns.id.0].clone();
        let (header, delimiter) = (header.clone(), *delimiter);
        let mut part = Labels { file: name.clone(), header, delimiter, id_column, ..Labels::default() };
        let mut bytes = 0;
        while part.labels.len() + part.rejected.len() < MAX_RECORDS && bytes < MAX_BYTES {
            let record = match body.next() {
                Ok(Some(record)) => record,
                Ok(None) => {
                    *is_at_end = true;
                    break;
                }
                Err(error) => {
                    let error = source_error(path, name, error);
                    return Err(body.input().change_behind(error));
                }
            };
            bytes += record.raw.len();
            match columns.read(&record, rules) {
                Ok(label) => part.labels.push(label),
                Err(untyped) => {
                    let Untyped { places, problem } = *untyped;
                    let column = places.first().map(|&field| columns.names[field].clone());
                    let rejected = part.rejected(record.raw, (record.line, record.offset), column, problem);
                    part.rejected.push(rejected);
                }
            }
        }
        Ok(part)
    }

    /// Reads what comes after the rows; a file that has changed meanwhile is an error.
    fn finish(self) -> Result<(), SourceError> {
        let (records, _) = self.body.end().map_err(|error| source_error(&self.path, &self.name, error))?;
        records.into_inner().finish(&self.path).map(drop)
    }
}

impl LabelColumns {
    /// By the names in the header. If a file has both the database's ids and its own, the database's are meant, unless
    /// `map` says where its own are.
    fn find(file: &str, names: Vec<String>, map: &ColumnMap) -> Result<LabelColumns, SourceError> {
        let optional = |name: &str| match (map.get(name), position(file, &names, &[name], name)) {
            (Some(in_file), _) => position(file, &names, &[in_file], name).map(Some),
            (None, Err(SourceError::MissingColumn { .. })) => Ok(None),
            (None, found) => found.map(Some),
        };
        let of_sources = || optional(SOURCE_ID);
        let id = match optional(TRANSACTION_ID)? {
            Some(place) if map.get(SOURCE_ID).is_none() || map.get(TRANSACTION_ID).is_some() => (place, true),
            _ => match of_sources()? {
                Some(place) => (place, false),
                // What is most often missing is another name of the files' ids.
                None => (position(file, &names, &[TRANSACTION_ID], SOURCE_ID)?, true),
            },
        };
        let is_fraud = match IS_FRAUD.into_iter().find_map(|name| Some((name, map.get(name)?))) {
            Some((name, in_file)) => position(file, &names, &[in_file], name)?,
            None => position(file, &names, &IS_FRAUD, IS_FRAUD[0])?,
        };
        let known_at = optional(KNOWN_AT)?;
        Ok(LabelColumns { id, is_fraud, known_at, names })
    }

    /// A record as a label.
    fn read(&self, record: &Record<'_>, rules: &InputRules) -> Result<Label, Box<Untyped>> {
        demand_fields(record, self.names.len())?;
        let wrong =
            |field: usize, kind: Kind| move |problem: Problem| Untyped::of(record, field, kind, problem);
        let (field, is_own) = self.id;
        let cell = record.field(field);
        let id = if is_own {
            LabelId::Transaction(value::transaction_id(cell).map_err(wrong(field, Kind::TransactionId))?)
        } else {
            let key = key::key(cell).map_err(wrong(field, Kind::TransactionKey))?.to_owned();
            LabelId::Source { number: value::transaction_id(cell).ok(), key }
        };
        let is_fraud =
            label::is_fraud(record.field(self.is_fraud)).map_err(wrong(self.is_fraud, Kind::Label))?;
        let known_at =
            |field| rules.timestamps.micros(record.field(field)).map_err(wrong(field, Kind::Timestamp));
        Ok(Label {
            id,
            is_fraud,
            known_at_micros: self.known_at.map(known_at).transpose()?,
            line: record.line,
            offset: record.offset,
            raw: record.raw.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::InputRules;

    use super::*;

    /// The parts that come of a file with this content.
    fn read(content: &str, columns: &[(&str, &str)]) -> Result<Vec<Labels>, SourceError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known.csv");
        std::fs::write(&file, content).unwrap();
        let mut rules = InputRules::default();
        columns.iter().for_each(|(name, in_file)| assert!(rules.columns.add(name, in_file)));
        let mut source = LabelSource::open(crate::expand(&[file])?, rules, Arc::default())?;
        let mut parts = Vec::new();
        while let Some(part) = source.next_part()? {
            parts.push(part);
        }
        Ok(parts)
    }

    fn ids(content: &str, columns: &[(&str, &str)]) -> Vec<LabelId> {
        let parts = read(content, columns).unwrap();
        parts.into_iter().flat_map(|part| part.labels).map(|label| label.id).collect()
    }

    #[test]
    fn ids_are_the_databases_unless_the_files_are_named() {
        let source = |key: &str| LabelId::Source { number: key.parse().ok(), key: key.to_owned() };
        let own = [LabelId::Transaction(7)];
        assert_eq!(ids("transaction_id,label\n7,1\n", &[]), own);
        assert_eq!(ids("source_id,label\n7,1\nC-7,0\n", &[]), [source("7"), source("C-7")]);
        assert_eq!(ids("source_id,Transaction_ID,is_fraud\n1,7,1\n", &[]), own);
        assert_eq!(ids("transaction_id,label\n7,1\n", &[("source_id", "transaction_id")]), [source("7")]);
        assert_eq!(ids("Ref,label\n7,1\n", &[("transaction_id", "ref")]), own);
        for (content, columns, missing) in [
            ("ref,label\n", &[][..], "transaction_id"),
            ("transaction_id,fraud\n", &[], "is_fraud"),
            ("transaction_id,label\n", &[("known_at", "Since")], "Since"),
        ] {
            match read(content, columns) {
                Err(SourceError::MissingColumn { column, .. }) => assert_eq!(column, missing),
                other => panic!("{content}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_exactly_a_label_is_rejected_with_its_place() {
        let parts = read(
            "transaction_id,is_fraud,known_at\n1,1,2024-02-29 23:59:59.5\nx,1,2024-01-01 00:00:00\n2,maybe,2024-01-01 00:00:00\n3,0,\n4,0\n",
            &[],
        )
        .unwrap();
        let [part] = parts.as_slice() else { panic!("{parts:?}") };
        assert!(part.is_last);
        assert_eq!(part.labels[0].known_at_micros, Some(1_709_251_199_500_000));
        let rejected: Vec<_> = part.rejected.iter().map(|row| (row.line, row.reason())).collect();
        assert_eq!(
            rejected,
            [
                (3, "transaction_id_unexpected_character".to_owned()),
                (4, "label_unknown".to_owned()),
                (5, "timestamp_empty".to_owned()),
                (6, "field_count".to_owned())
            ]
        );
        let missing = part.reject(&part.labels[0], Problem::NoSuchRow);
        assert_eq!((missing.line, missing.reason().as_str()), (2, "transaction_id_not_found"));
        assert_eq!(missing.raw, b"1,1,2024-02-29 23:59:59.5");
        assert_eq!(missing.column.as_deref(), Some("transaction_id"));
    }

    #[test]
    fn parts_are_bounded() {
        let rows: String = (0..MAX_RECORDS + 10).map(|id| format!("{id},0\n")).collect();
        let parts = read(&format!("transaction_id,label\n{rows}"), &[]).unwrap();
        let sizes: Vec<_> = parts.iter().map(|part| (part.labels.len(), part.is_last)).collect();
        assert_eq!(sizes, [(MAX_RECORDS, false), (10, true)]);
        let long = format!("{},0,{}\n", 1, "x".repeat(MAX_BYTES / 8));
        let parts = read(&format!("transaction_id,label,note\n{}", long.repeat(20)), &[]).unwrap();
        assert_eq!(parts.iter().map(|part| part.labels.len()).collect::<Vec<_>>(), [8, 8, 4]);
    }
}
