//! Opening files: what they are, and how to get at their CSV text. Compressed files are recognised by their
//! first bytes, never by their names.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use host_core::digest::{Measured, Sha256Digest};

use crate::error::SourceError;
use crate::input::encoding::Encoding;
use crate::input::format::{Format, HEAD_BYTES};
use crate::input::gzip::Gzip;
use crate::input::identity::{Opened, is_stdin};
use crate::input::read_ahead::ReadAhead;

/// Reading waits for at least this many of a file's first bytes, unless it is shorter.
const LEAST_HEAD_BYTES: usize = 16;
const READ_BUFFER_BYTES: usize = 256 * 1024;
/// A file's CSV text, and the digests of its bytes.
pub(crate) struct Input {
    text: Box<dyn Read + Send>,
    bytes: Bytes,
}

/// A file's bytes on disk and after decompression, measured while they are read.
struct Bytes {
    raw: Shared,
    /// A regular file, to see at the end whether it has changed.
    opened: Option<(File, PathBuf, Opened)>,
    /// `None` if there is nothing to decompress.
    decompressed: Option<Shared>,
    format: Format,
}

/// What is known about a file that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDigests {
    /// The digest of its bytes on disk.
    pub sha256: Sha256Digest,
    /// Its size on disk.
    pub bytes: u64,
    /// The digest of its bytes after decompression.
    pub content_sha256: Sha256Digest,
}

/// Opens a file and looks at its first bytes. `read_bytes` counts the bytes that are read from it.
pub(crate) fn open(
    file: &Path,
    encoding: Encoding,
    read_bytes: Arc<AtomicU64>,
) -> Result<Input, SourceError> {
    let bytes = open_bytes(file, read_bytes)?;
    let (format, text) = match &bytes.decompressed {
        Some(decompressed) => {
            let fail = |source| SourceError::Read { file: file.to_owned(), source };
            let mut ahead = ReadAhead::new(decompressed.clone()).map_err(fail)?;
            let head = peek(&mut ahead).map_err(fail)?;
            (Format::of(&head).inside(), encoding.decode(Cursor::new(head).chain(ahead)))
        }
        None => (bytes.format, encoding.decode(bytes.raw.clone())),
    };
    if let Some(found) = format.foreign(encoding) {
        return Err(SourceError::NotCsv { file: file.to_owned(), found });
    }
    Ok(Input { text, bytes })
}

/// Reads a file to its end, only for its digests.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn digests(file: &Path) -> Result<FileDigests, SourceError> {
    let bytes = open_bytes(file, Arc::default())?;
    let mut content = bytes.decompressed.clone().unwrap_or_else(|| bytes.raw.clone());
    let fail = |source| SourceError::Read { file: file.to_owned(), source };
    io::copy(&mut io::BufReader::with_capacity(READ_BUFFER_BYTES, &mut content), &mut io::sink())
        .map_err(fail)?;
    bytes.finish(file)
}

fn open_bytes(file: &Path, read_bytes: Arc<AtomicU64>) -> Result<Bytes, SourceError> {
    let fail = |source| SourceError::Open { file: file.to_owned(), source };
    let (mut handle, mut opened): (Box<dyn Read + Send>, _) = if is_stdin(file) {
        let opened = File::from(io::stdin().as_fd().try_clone_to_owned().map_err(fail)?);
        (Box::new(io::stdin()), opened)
    } else {
        let opened = File::open(file).map_err(fail)?;
        (Box::new(opened.try_clone().map_err(fail)?), opened)
    };
    let opened = Opened::new(&mut opened).map(|facts| (opened, file.to_owned(), facts));
    let head = peek(&mut handle).map_err(|source| SourceError::Read { file: file.to_owned(), source })?;
    let format = Format::of(&head);
    let raw = Shared::new(Box::new(Cursor::new(head).chain(handle)), read_bytes);
    let buffered = || io::BufReader::with_capacity(READ_BUFFER_BYTES, raw.clone());
    let decompressed: Option<Box<dyn Read + Send>> = match format {
        Format::Gzip => Some(Box::new(Gzip::new(buffered()))),
        Format::Zstd => Some(Box::new(zstd::Decoder::with_buffer(buffered()).map_err(fail)?)),
        Format::Text | Format::Foreign(_) => None,
    };
    let decompressed = decompressed.map(|decompressed| Shared::new(decompressed, Arc::default()));
    Ok(Bytes { raw, opened, decompressed, format })
}

/// The first bytes, at most [`HEAD_BYTES`]; fewer if a pipe does not deliver more at once.
fn peek(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD_BYTES];
    let mut count = 0;
    while count < LEAST_HEAD_BYTES {
        match input.read(&mut head[count..]) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(count);
    Ok(head)
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.text.read(buffer)
    }
}

impl Input {
    /// The cause behind an error while reading: that the file changed meanwhile, if it did.
    pub(crate) fn change_behind(&self, error: SourceError) -> SourceError {
        let change = self.bytes.opened.as_ref().and_then(|(handle, file, opened)| {
            let change = opened.change_so_far(&handle.metadata().ok()?, file)?;
            Some(SourceError::Changed { file: file.clone(), change })
        });
        change.unwrap_or(error)
    }

    /// The digests and the size of the file, once its text has been read to the end.
    ///
    /// # Errors
    /// If what follows the last decoded byte cannot be read, or the file changed meanwhile.
    pub(crate) fn finish(self, file: &Path) -> Result<FileDigests, SourceError> {
        drop(self.text);
        self.bytes.finish(file)
    }
}

impl Bytes {
    fn finish(mut self, file: &Path) -> Result<FileDigests, SourceError> {
        let fail = |source| SourceError::Read { file: file.to_owned(), source };
        io::copy(&mut self.raw, &mut io::sink()).map_err(fail)?;
        let (sha256, bytes) = self.raw.digest();
        if let Some((handle, path, opened)) = &self.opened {
            let now = handle.metadata().map_err(fail)?;
            if let Some(change) = opened.change(&now, path, bytes) {
                return Err(SourceError::Changed { file: path.clone(), change });
            }
        }
        let content_sha256 = self.decompressed.map_or(sha256, |decompressed| decompressed.digest().0);
        Ok(FileDigests { sha256, bytes, content_sha256 })
    }
}

/// Bytes that are measured in one place, however many decoders they pass through. Only one thread ever reads
/// them, so the lock is never contended.
#[derive(Clone)]
struct Shared(Arc<Mutex<Measured<Box<dyn Read + Send>>>>);

impl Shared {
    fn new(input: Box<dyn Read + Send>, read_bytes: Arc<AtomicU64>) -> Shared {
        Shared(Arc::new(Mutex::new(Measured::new(input, read_bytes))))
    }

    /// The digest of everything read so far, and its length in bytes.
    fn digest(&self) -> (Sha256Digest, u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).digest()
    }
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(buffer)
    }
}
