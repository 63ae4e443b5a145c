//! The file of rejected rows: a CSV that can be mended and run again. In front of each record's
//! own bytes stand the columns that say where it was and what is wrong; as columns that nobody
//! asks for, they do not disturb the next run. Files without a header get back their bare records.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{RejectedRow, SourceError};

const COLUMNS: [&str; 7] = [
    "rejected_run",
    "rejected_file",
    "rejected_line",
    "rejected_byte_offset",
    "rejected_column",
    "rejected_reason",
    "rejected_message",
];

/// The file, while it is written.
pub struct RejectsFile {
    path: PathBuf,
    delimiter: u8,
    output: BufWriter<File>,
    /// Of the records so far.
    header: Option<Option<Arc<[u8]>>>,
}

impl RejectsFile {
    /// Creates it, or empties it. It must not be one of the `inputs`.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn create(path: &Path, delimiter: u8, inputs: &[PathBuf]) -> Result<RejectsFile, SourceError> {
        let fail = |source| SourceError::RejectsFile { file: path.to_owned(), source };
        let is_input = |input: &PathBuf| match (input.canonicalize(), path.canonicalize()) {
            (Ok(input), Ok(path)) => input == path,
            _ => false,
        };
        if inputs.iter().any(is_input) {
            return Err(fail(io::Error::other("it is one of the files to be read")));
        }
        let output = File::create(path).map_err(fail)?;
        Ok(RejectsFile { path: path.to_owned(), delimiter, output: BufWriter::new(output), header: None })
    }

    /// Adds rows that the run of this number rejected.
    ///
    /// # Errors
    /// Where it cannot be written, or the rows are of files with different headers.
    pub fn write(&mut self, run_id: i64, rows: &[RejectedRow]) -> Result<(), SourceError> {
        rows.iter().try_for_each(|row| self.write_row(run_id, row)).map_err(|source| self.fail(source))
    }

    /// Sees to it that all is on disk.
    ///
    /// # Errors
    /// Where it is not.
    pub fn finish(mut self) -> Result<(), SourceError> {
        self.output
            .flush()
            .and_then(|()| self.output.get_ref().sync_all())
            .map_err(|source| self.fail(source))
    }

    fn write_row(&mut self, run_id: i64, row: &RejectedRow) -> io::Result<()> {
        match &self.header {
            None => {
                if let Some(header) = &row.header {
                    self.write_record(&COLUMNS.map(str::to_owned), header)?;
                }
                self.header = Some(row.header.clone());
            }
            Some(header) if *header != row.header => {
                return Err(io::Error::other("the files have different headers; run them one by one"));
            }
            Some(_) => {}
        }
        if row.header.is_none() {
            self.output.write_all(&row.raw)?;
            return self.output.write_all(b"\n");
        }
        let column = row.column.clone().unwrap_or_default();
        let fields = [
            run_id.to_string(),
            row.file.to_string(),
            row.line.to_string(),
            row.byte_offset.to_string(),
            column,
            row.reason(),
            row.message(),
        ];
        self.write_record(&fields, &row.raw)
    }

    /// Fields of ours, quoted where needed, and then bytes as they are.
    fn write_record(&mut self, fields: &[String; 7], raw: &[u8]) -> io::Result<()> {
        let delimiter = self.delimiter;
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(fields)?;
        let ours = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        self.output.write_all(ours.trim_ascii_end())?;
        self.output.write_all(&[delimiter])?;
        self.output.write_all(raw)?;
        self.output.write_all(b"\n")
    }

    fn fail(&self, source: io::Error) -> SourceError {
        SourceError::RejectsFile { file: self.path.clone(), source }
    }
}
