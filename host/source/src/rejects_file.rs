//! The file of rejected rows: a CSV that can be corrected and run again. Each record's own bytes come after
//! columns that say where it was and what is wrong; the next run ignores these, since it does not ask for
//! them. Files without a header get back their bare records. The file has the encoding of the input, so that
//! the same arguments read it.
//!
//! Yesterday's file may still be in the process of being corrected, so an existing file stays until the run
//! has come to a verdict on its rows: the new one is written beside it and then takes its place. A stream (a
//! pipe, a terminal) is written to directly. Writing to a pipe may take as long as its reader likes, so it
//! happens on a separate thread.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_core::rejected::RejectedRow;
use host_core::threads;
use tokio::sync::{mpsc, oneshot};

use crate::csv::records::Dialect;
use crate::error::SourceError;
use crate::input::encoding::Encoding;
use crate::output_file::{self, NewFile, NotInPlace};
use crate::rules::InputRules;

const COLUMNS: [&str; 7] = [
    "rejected_run",
    "rejected_file",
    "rejected_line",
    "rejected_byte_offset",
    "rejected_column",
    "rejected_reason",
    "rejected_message",
];

/// The file during a run. Dropping it leaves an existing file as it was.
pub struct RejectsFile {
    path: PathBuf,
    /// To the writer thread.
    rows: mpsc::Sender<Message>,
    /// The result of the writer thread.
    finished: oneshot::Receiver<Result<(), SourceError>>,
    /// The file to be put in place; removed if that does not happen.
    new: Option<NewFile>,
}

enum Message {
    /// Rejected rows, with the run's number if there is a run.
    Rows(Option<i64>, Vec<RejectedRow>),
    /// There are no more rows.
    End,
}

/// All rejected rows, on disk but not yet in place. Dropping it leaves an existing file as it was.
#[must_use]
pub struct FinishedRejects(Option<NewFile>);

impl RejectsFile {
    /// Opens the file or stream for the rows. It must not be one of the files that are `read`.
    ///
    /// # Errors
    /// If it cannot be opened, or is one of those files.
    pub fn create(path: &Path, rules: &InputRules, read: &[PathBuf]) -> Result<RejectsFile, SourceError> {
        let fail = |source| SourceError::RejectsFile { file: path.to_owned(), source };
        if let Some(other) = output_file::input_at(path, read) {
            return Err(SourceError::RejectsOverInput { file: path.to_owned(), other: other.clone() });
        }
        let (output, new) = output_file::create(path, ".rejects-").map_err(fail)?;
        let (rows, messages) = mpsc::channel(1);
        let (done, finished) = oneshot::channel();
        let writer = Writer {
            dialect: rules.dialect(),
            encoding: rules.encoding,
            output: BufWriter::new(output),
            is_stream: new.is_none(),
            header: None,
        };
        let failed_path = path.to_owned();
        threads::spawn(move || {
            let result = writer.run(messages);
            // If the run has failed, nothing waits for the result.
            let _ =
                done.send(result.map_err(|source| SourceError::RejectsFile { file: failed_path, source }));
        })
        .map_err(|error| fail(error.into()))?;
        Ok(RejectsFile { path: path.to_owned(), rows, finished, new })
    }

    /// Adds rejected rows, with the run's number; `None` if nothing is ingested.
    ///
    /// # Errors
    /// If they cannot be written, or come from files with different headers.
    pub async fn write(&mut self, run_id: Option<i64>, rows: &[RejectedRow]) -> Result<(), SourceError> {
        if rows.is_empty() || self.rows.send(Message::Rows(run_id, rows.to_vec())).await.is_ok() {
            return Ok(());
        }
        self.outcome().await
    }

    /// Waits until all rows are on disk.
    ///
    /// # Errors
    /// If they cannot be written.
    pub async fn finish(mut self) -> Result<FinishedRejects, SourceError> {
        // If the thread has failed, its result says why.
        let _ = self.rows.send(Message::End).await;
        self.outcome().await?;
        Ok(FinishedRejects(self.new))
    }

    async fn outcome(&mut self) -> Result<(), SourceError> {
        let died = |_| SourceError::RejectsFile {
            file: self.path.clone(),
            source: io::Error::other("the thread that writes it ended without a result"),
        };
        (&mut self.finished).await.map_err(died)?
    }
}

impl FinishedRejects {
    /// Replaces the existing file, if any. If that fails, the rows stay in the file that the error names.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn put_in_place(self) -> Result<(), SourceError> {
        let Some(new) = self.0 else { return Ok(()) };
        new.put_in_place().map_err(|NotInPlace { file, kept, source }| match kept {
            Some(kept) => SourceError::RejectsNotInPlace { file, kept, source },
            None => SourceError::RejectsFile { file, source },
        })
    }
}

/// Writes rejected rows as CSV.
struct Writer {
    dialect: Dialect,
    encoding: Encoding,
    output: BufWriter<File>,
    is_stream: bool,
    /// The header of the records so far; the outer `None` before the first record.
    header: Option<Option<Arc<[u8]>>>,
}

impl Writer {
    /// Writes until the end, and makes sure that everything is on disk.
    fn run(mut self, mut messages: mpsc::Receiver<Message>) -> io::Result<()> {
        while let Some(message) = messages.blocking_recv() {
            match message {
                Message::Rows(run_id, rows) => {
                    rows.iter().try_for_each(|row| self.write_row(run_id, row))?;
                }
                Message::End => break,
            }
        }
        let file = self.output.into_inner().map_err(io::IntoInnerError::into_error)?;
        if self.is_stream { Ok(()) } else { file.sync_all() }
    }

    fn write_row(&mut self, run_id: Option<i64>, row: &RejectedRow) -> io::Result<()> {
        match &self.header {
            None => {
                self.output.write_all(&self.encoding.mark())?;
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
            return self.write_line(&row.raw);
        }
        let column = row.column.clone().unwrap_or_default();
        let fields = [
            run_id.map(|run_id| run_id.to_string()).unwrap_or_default(),
            row.file.to_string(),
            row.line.to_string(),
            row.byte_offset.to_string(),
            column,
            row.reason(),
            row.message(),
        ];
        self.write_record(&fields, &row.raw)
    }

    /// Our own fields, quoted where needed, followed by bytes as they are.
    fn write_record(&mut self, fields: &[String; 7], raw: &[u8]) -> io::Result<()> {
        let Dialect { delimiter, quote } = self.dialect;
        let mut builder = csv::WriterBuilder::new();
        let mut writer = builder.delimiter(delimiter).quote(quote).from_writer(Vec::new());
        writer.write_record(fields)?;
        let ours = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        let ours = ours.strip_suffix(b"\n").unwrap_or(&ours);
        self.write_line(&[ours, &[delimiter], raw].concat())
    }

    /// Bytes as they were read, or decoded text encoded again, and a line break.
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        match (self.encoding, str::from_utf8(line)) {
            (Encoding::Other(_), Ok(text)) => {
                self.output.write_all(&self.encoding.encode(&format!("{text}\n")))
            }
            _ => {
                self.output.write_all(line)?;
                self.output.write_all(b"\n")
            }
        }
    }
}
