//! Opening files: which ones, what are they, and how are their CSV bytes got at? Compressed files
//! are recognised by their first bytes, never by their names.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use super::identity::Opened;
use super::read_ahead::ReadAhead;
use super::{Encoding, SourceError};
use crate::digest::{Measured, Sha256Digest};

/// Bytes that tell formats apart.
const HEAD_BYTES: usize = 4;
const READ_BUFFER_BYTES: usize = 256 * 1024;
/// In place of a file's name.
const STDIN: &str = "-";
/// Files of a folder that are taken.
const ENDINGS: [&str; 3] = [".csv", ".csv.gz", ".csv.zst"];

/// The files of a run, in order.
#[derive(Clone, Debug)]
pub struct FileList {
    /// Their names.
    pub files: Vec<PathBuf>,
    /// Their size together, where all have one (a pipe has none).
    pub size_bytes: Option<u64>,
}

/// Makes files of what was given: a file is itself, a folder is the CSV files in it, a pattern
/// with `*` is what it matches, `-` is standard input. Sorted by name within each.
///
/// # Errors
/// Where there is nothing of that name.
pub fn expand(given: &[PathBuf]) -> Result<FileList, SourceError> {
    let mut files = Vec::new();
    for path in given {
        let text = path.to_string_lossy();
        if path.is_dir() {
            let found = in_folder(path)?;
            if found.is_empty() {
                return Err(SourceError::NoFiles { given: path.clone() });
            }
            files.extend(found);
        } else if text.contains(['*', '?', '[']) && !path.exists() {
            let matches = glob::glob(&text).map_err(|_| SourceError::NoFiles { given: path.clone() })?;
            let found: Vec<PathBuf> = matches.flatten().filter(|path| path.is_file()).collect();
            if found.is_empty() {
                return Err(SourceError::NoFiles { given: path.clone() });
            }
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    let mut size_bytes = Some(0);
    for file in &files {
        let size = if is_stdin(file) {
            None
        } else {
            let metadata =
                std::fs::metadata(file).map_err(|source| SourceError::Open { file: file.clone(), source })?;
            metadata.is_file().then_some(metadata.len())
        };
        size_bytes = size_bytes.zip(size).map(|(sum, size)| sum + size);
    }
    Ok(FileList { files, size_bytes })
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let fail = |source| SourceError::Open { file: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.to_string_lossy().to_lowercase();
        if path.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == STDIN
}

/// A file's CSV text, and the digests of its bytes.
pub(super) struct Input {
    text: Box<dyn Read + Send>,
    bytes: Bytes,
}

/// A file's bytes on disk, and what they are after decompression; measured while they are read.
struct Bytes {
    raw: Shared,
    /// A regular file, to see at the end whether it is what it was.
    opened: Option<(File, PathBuf, Opened)>,
    /// `None` if there is nothing to decompress.
    decompressed: Option<Shared>,
    is_utf16: bool,
}

/// What is known of a file that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDigests {
    /// Of its bytes on disk.
    pub sha256: Sha256Digest,
    /// How many they are.
    pub bytes: u64,
    /// Of its bytes after decompression.
    pub content_sha256: Sha256Digest,
}

/// Opens a file and looks at its first bytes. `read_bytes` counts what is read of it.
pub(super) fn open(
    file: &Path,
    encoding: Encoding,
    read_bytes: Arc<AtomicU64>,
) -> Result<Input, SourceError> {
    let bytes = open_bytes(file, read_bytes)?;
    if bytes.is_utf16 && encoding == Encoding::Utf8 {
        return Err(SourceError::NotCsv { file: file.to_owned(), found: "UTF-16 text" });
    }
    let text = match &bytes.decompressed {
        Some(decompressed) => encoding.decode(ReadAhead::new(decompressed.clone())),
        None => encoding.decode(bytes.raw.clone()),
    };
    Ok(Input { text, bytes })
}

/// Reads a file to its end, for its digests alone.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn digests(file: &Path) -> Result<FileDigests, SourceError> {
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
    let mut head = Vec::with_capacity(HEAD_BYTES);
    (&mut handle)
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(|source| SourceError::Read { file: file.to_owned(), source })?;
    let format = Format::of(&head);
    let raw = Shared::new(Box::new(Cursor::new(head).chain(handle)), read_bytes);
    let buffered = || io::BufReader::with_capacity(READ_BUFFER_BYTES, raw.clone());
    let decompressed: Option<Box<dyn Read + Send>> = match format {
        Format::Gzip => Some(Box::new(flate2::bufread::MultiGzDecoder::new(buffered()))),
        Format::Zstd => Some(Box::new(zstd::Decoder::with_buffer(buffered()).map_err(fail)?)),
        Format::Text | Format::Utf16 => None,
        Format::Other(found) => return Err(SourceError::NotCsv { file: file.to_owned(), found }),
    };
    let decompressed = decompressed.map(|decompressed| Shared::new(decompressed, Arc::default()));
    Ok(Bytes { raw, opened, decompressed, is_utf16: matches!(format, Format::Utf16) })
}

enum Format {
    Text,
    Utf16,
    Gzip,
    Zstd,
    Other(&'static str),
}

impl Format {
    fn of(head: &[u8]) -> Format {
        match head {
            [0x1f, 0x8b, ..] => Format::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Format::Zstd,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Format::Utf16,
            [b'P', b'K', 3, 4] => Format::Other("a zip archive or spreadsheet"),
            [b'P', b'A', b'R', b'1'] => Format::Other("a Parquet file"),
            [b'%', b'P', b'D', b'F'] => Format::Other("a PDF"),
            [0, b'a', b's', b'm'] => Format::Other("a WebAssembly module"),
            _ => Format::Text,
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.text.read(buffer)
    }
}

impl Input {
    /// The digests and the size of the file, when its text has been read to the end.
    ///
    /// # Errors
    /// Where what follows the last decoded byte cannot be read, or the file changed meanwhile.
    pub(super) fn finish(self, file: &Path) -> Result<FileDigests, SourceError> {
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

/// Bytes that are measured in one place, through however many decoders they are read. Only one
/// thread ever reads them, so the lock is free.
#[derive(Clone)]
struct Shared(Arc<Mutex<Measured<Box<dyn Read + Send>>>>);

impl Shared {
    fn new(input: Box<dyn Read + Send>, read_bytes: Arc<AtomicU64>) -> Shared {
        Shared(Arc::new(Mutex::new(Measured::new(input, read_bytes))))
    }

    /// Of all that was read so far, and its length in bytes.
    fn digest(&self) -> (Sha256Digest, u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).digest()
    }
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(buffer)
    }
}
