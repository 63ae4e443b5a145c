//! The file of rejected rows: a CSV that can be corrected and run again. In front of each record's
//! own bytes stand the columns that say where it was and what is wrong; as columns that nobody
//! asks for, they do not disturb the next run. Files without a header get back their bare records. It has
//! the encoding of the input, so that the same arguments read it.
//!
//! Somebody may still be correcting yesterday's file, so what is there stays until the run has come to
//! a verdict on its rows: the new one is written beside it and then takes its place. What bytes only
//! go through (a pipe, a terminal) is written to directly. Writing may take as long as a reader of a
//! pipe likes, so it happens on a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_core::rejected::RejectedRow;
use host_core::threads;
use tempfile::TempPath;
use tokio::sync::{mpsc, oneshot};

use crate::error::SourceError;
use crate::input::encoding::Encoding;
use crate::input::identity::{FileIdentity, is_stream};
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

/// The file, while a run goes on. Dropping it leaves what was there before.
pub struct RejectsFile {
    path: PathBuf,
    /// To the thread that writes.
    rows: mpsc::Sender<Message>,
    /// What became of it.
    finished: oneshot::Receiver<Result<(), SourceError>>,
    /// What is to be put in place; removed where that does not happen.
    new: Option<NewFile>,
}

enum Message {
    /// That the run of this number rejected, if it is one.
    Rows(Option<i64>, Vec<RejectedRow>),
    /// There are no more.
    End,
}

/// All rejected rows, on disk, not yet in place. Dropping it leaves what was there before.
#[must_use]
pub struct FinishedRejects(Option<NewFile>);

/// A complete file that waits to take the place of the one before.
struct NewFile {
    written: TempPath,
    destination: PathBuf,
}

impl RejectsFile {
    /// Opens what takes the rows. It must not be any of the files that are `read`.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn create(path: &Path, rules: &InputRules, read: &[PathBuf]) -> Result<RejectsFile, SourceError> {
        let fail = |source| SourceError::RejectsFile { file: path.to_owned(), source };
        if let Some(identity) = std::fs::metadata(path).ok().as_ref().and_then(FileIdentity::of) {
            let same = read.iter().find(|input| FileIdentity::of_input(input) == Some(identity));
            if let Some(other) = same {
                return Err(SourceError::RejectsOverInput { file: path.to_owned(), other: other.clone() });
            }
        }
        let (output, new) = if is_stream(path) {
            (open_stream(path).map_err(fail)?, None)
        } else {
            let (file, new) = create_beside(path).map_err(fail)?;
            (file, Some(new))
        };
        let (rows, messages) = mpsc::channel(1);
        let (done, finished) = oneshot::channel();
        let writer = Writer {
            delimiter: rules.delimiter,
            encoding: rules.encoding,
            output: BufWriter::new(output),
            is_stream: new.is_none(),
            header: None,
        };
        let failed_path = path.to_owned();
        threads::spawn(move || {
            let result = writer.run(messages);
            // Nobody waits for it where the run has failed.
            let _ =
                done.send(result.map_err(|source| SourceError::RejectsFile { file: failed_path, source }));
        })
        .map_err(|error| fail(error.into()))?;
        Ok(RejectsFile { path: path.to_owned(), rows, finished, new })
    }

    /// Adds rows that the run of this number rejected; it has none where nothing is ingested.
    ///
    /// # Errors
    /// Where they cannot be written, or are of files with different headers.
    pub async fn write(&mut self, run_id: Option<i64>, rows: &[RejectedRow]) -> Result<(), SourceError> {
        if rows.is_empty() || self.rows.send(Message::Rows(run_id, rows.to_vec())).await.is_ok() {
            return Ok(());
        }
        self.outcome().await
    }

    /// Waits until all of it is on disk.
    ///
    /// # Errors
    /// Where it is not.
    pub async fn finish(mut self) -> Result<FinishedRejects, SourceError> {
        // Where the thread has failed, it has said why.
        let _ = self.rows.send(Message::End).await;
        self.outcome().await?;
        Ok(FinishedRejects(self.new))
    }

    async fn outcome(&mut self) -> Result<(), SourceError> {
        let died = |_| SourceError::RejectsFile {
            file: self.path.clone(),
            source: io::Error::other("the thread that writes it ended without saying so"),
        };
        (&mut self.finished).await.map_err(died)?
    }
}

impl FinishedRejects {
    /// Takes the place of what was there. Where that fails, the rows stay in the file that the error
    /// names.
    ///
    /// # Errors
    /// Where it cannot be renamed.
    pub fn put_in_place(self) -> Result<(), SourceError> {
        let Some(NewFile { written, destination }) = self.0 else { return Ok(()) };
        let error = match written.persist(&destination) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let source = error.error;
        match error.path.keep() {
            Ok(kept) => Err(SourceError::RejectsNotInPlace { file: destination, kept, source }),
            Err(_) => Err(SourceError::RejectsFile { file: destination, source }),
        }
    }
}

/// Without emptying what is there, and without waiting for somebody to read from a FIFO.
fn open_stream(path: &Path) -> io::Result<File> {
    let non_blocking = nix::fcntl::OFlag::O_NONBLOCK;
    let file =
        OpenOptions::new().append(true).custom_flags(non_blocking.bits()).open(path).map_err(|error| {
            if error.raw_os_error() == Some(nix::errno::Errno::ENXIO as i32) {
                io::Error::other("nobody reads from it")
            } else {
                error
            }
        })?;
    // From now on a slow reader is waited for.
    let flags =
        nix::fcntl::OFlag::from_bits_truncate(nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_GETFL)?);
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFL(flags - non_blocking))?;
    Ok(file)
}

/// A new file in the folder of another, with its owner and permissions where it is there. Returns the
/// place that it is to take, behind all links.
fn create_beside(path: &Path) -> io::Result<(File, NewFile)> {
    let existing = std::fs::metadata(path).ok();
    let destination = if existing.is_some() { path.canonicalize()? } else { path.to_owned() };
    let folder = match destination.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mode = existing.as_ref().map_or(0o666, |existing| existing.mode() & 0o777);
    let mut builder = tempfile::Builder::new();
    let permissions = std::fs::Permissions::from_mode(mode);
    let file = builder.prefix(".rejects-").permissions(permissions.clone()).tempfile_in(folder)?;
    if let Some(existing) = existing {
        if existing.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        // The umask is for new files. Who may not give files away becomes the owner.
        file.as_file().set_permissions(permissions)?;
        let _ = std::os::unix::fs::fchown(file.as_file(), Some(existing.uid()), Some(existing.gid()));
    }
    let (file, written) = file.into_parts();
    Ok((file, NewFile { written, destination }))
}

/// Makes CSV of rejected rows.
struct Writer {
    delimiter: u8,
    encoding: Encoding,
    output: BufWriter<File>,
    is_stream: bool,
    /// Of the records so far.
    header: Option<Option<Arc<[u8]>>>,
}

impl Writer {
    /// Writes until the end, and sees to it that all is on disk.
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

    /// Fields of ours, quoted where needed, and then bytes as they are.
    fn write_record(&mut self, fields: &[String; 7], raw: &[u8]) -> io::Result<()> {
        let delimiter = self.delimiter;
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(fields)?;
        let ours = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        let ours = ours.strip_suffix(b"\n").unwrap_or(&ours);
        self.write_line(&[ours, &[delimiter], raw].concat())
    }

    /// Bytes as they were read, or text that was decoded, and a line break.
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
