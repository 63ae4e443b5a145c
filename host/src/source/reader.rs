//! The source itself: records in, batches of typed rows out.

use std::path::PathBuf;

use csv::ByteRecord;

use super::columns::Columns;
use super::error::ValueProblem;
use super::open::{Decoded, Input};
use super::value::{self, Kind, Problem};
use super::{SourceError, open};
use crate::batch::{Batch, Row};
use crate::digest::Sha256Digest;

/// A batch ends early where the texts in it come to this many bytes.
const MAX_BATCH_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// A file whose header has been read, from which batches are taken one by one.
pub struct Source {
    file: PathBuf,
    records: csv::Reader<Decoded>,
    /// Reused for every record.
    record: ByteRecord,
    columns: Columns,
    attributes: Vec<String>,
    batch_rows: usize,
    rows_read: u64,
}

/// What is known of a file after its last byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// The name as it was given.
    pub name: String,
    /// Its size on disk.
    pub bytes: u64,
    /// The digest of its bytes on disk.
    pub sha256: Sha256Digest,
    /// Records after the header.
    pub rows_read: u64,
}

impl Source {
    /// Reads the header of an open file. `attributes` names the further columns to carry along,
    /// `batch_rows` bounds a batch.
    ///
    /// # Errors
    /// Where there is no header, or one without the columns.
    pub fn new(input: Input, attributes: &[String], batch_rows: usize) -> Result<Source, SourceError> {
        let Input { file, bytes, .. } = input;
        let mut records = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(open::READ_BUFFER_BYTES)
            .from_reader(bytes);
        let mut record = ByteRecord::new();
        if !read_record(&file, &mut records, &mut record)? {
            return Err(SourceError::Empty { file });
        }
        let columns = Columns::find(&file, &record, attributes)?;
        Ok(Source {
            file,
            records,
            record,
            columns,
            attributes: attributes.to_vec(),
            batch_rows,
            rows_read: 0,
        })
    }

    /// The next batch; none after the last row. A batch is never empty.
    ///
    /// # Errors
    /// At the first record that is no row.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, SourceError> {
        let mut batch = Batch::with_capacity(self.rows_read, self.batch_rows, &self.attributes);
        let mut text_bytes = 0;
        while batch.len() < self.batch_rows && text_bytes < MAX_BATCH_TEXT_BYTES {
            if !read_record(&self.file, &mut self.records, &mut self.record)? {
                break;
            }
            let row = self.row()?;
            for (attribute, &field) in batch.attributes.iter_mut().zip(&self.columns.attributes) {
                let text = self.attribute(field, row.line)?;
                text_bytes += text.len();
                attribute.values.push(text.to_owned());
            }
            batch.push(row);
            self.rows_read += 1;
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// Reads what is left of the file and says what it was.
    ///
    /// # Errors
    /// Where it cannot be read to its end.
    pub fn finish(self) -> Result<FileFacts, SourceError> {
        let (sha256, bytes) = self
            .records
            .into_inner()
            .finish()
            .map_err(|source| SourceError::Read { file: self.file.clone(), source })?;
        let name = self.file.display().to_string();
        Ok(FileFacts { name, bytes, sha256, rows_read: self.rows_read })
    }

    /// The current record as a row.
    fn row(&self) -> Result<Row, SourceError> {
        let line = self.record.position().map_or(0, csv::Position::line);
        if self.record.len() != self.columns.names.len() {
            return Err(SourceError::FieldCount {
                file: self.file.clone(),
                line,
                expected: self.columns.names.len(),
                found: self.record.len(),
            });
        }
        let Columns { transaction_id, user_id, amount, timestamp, .. } = self.columns;
        Ok(Row {
            transaction_id: self.value(transaction_id, line, Kind::TransactionId, value::transaction_id)?,
            user_id: self.value(user_id, line, Kind::UserId, value::user_id)?,
            amount_cents: self.value(amount, line, Kind::Amount, value::amount_cents)?,
            timestamp_micros: self.value(timestamp, line, Kind::Timestamp, value::timestamp_micros)?,
            line,
        })
    }

    fn value(
        &self,
        field: usize,
        line: u64,
        kind: Kind,
        parse: impl Fn(&[u8]) -> Result<i64, Problem>,
    ) -> Result<i64, SourceError> {
        parse(&self.record[field]).map_err(|problem| SourceError::Value {
            file: self.file.clone(),
            line,
            column: self.columns.names[field].clone(),
            value: self.record[field].to_vec(),
            kind,
            source: ValueProblem(problem),
        })
    }

    fn attribute(&self, field: usize, line: u64) -> Result<&str, SourceError> {
        str::from_utf8(&self.record[field]).map_err(|_| SourceError::Attribute {
            file: self.file.clone(),
            line,
            column: self.columns.names[field].clone(),
            value: self.record[field].to_vec(),
            source: ValueProblem(Problem::InvalidUtf8),
        })
    }
}

/// Reads the next record; false at the end of the file.
fn read_record(
    file: &std::path::Path,
    records: &mut csv::Reader<Decoded>,
    record: &mut ByteRecord,
) -> Result<bool, SourceError> {
    records.read_byte_record(record).map_err(|error| SourceError::Read {
        file: file.to_owned(),
        // Byte records of flexible length leave I/O as the only thing that can go wrong.
        source: match error.into_kind() {
            csv::ErrorKind::Io(source) => source,
            other => std::io::Error::other(format!("{other:?}")),
        },
    })
}
