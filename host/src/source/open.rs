//! Opening a file: what is it, and how are its CSV bytes got at? Compressed files are recognised
//! by their first bytes, never by their names.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::SourceError;
use crate::digest::{Measured, Sha256Digest};

/// Bytes that tell formats apart.
const HEAD_BYTES: usize = 4;
/// How much is read from the operating system at a time.
pub(super) const READ_BUFFER_BYTES: usize = 256 * 1024;

/// A file that is open and ready to be parsed.
pub struct Input {
    pub(super) file: PathBuf,
    pub(super) bytes: Decoded,
    /// The file's size in bytes, if it has one (a pipe has none).
    pub size_bytes: Option<u64>,
    /// How many of them have been read so far.
    pub read_bytes: Arc<AtomicU64>,
}

/// The raw bytes, from the start (the bytes looked at to tell the format come first again).
type Raw = Measured<io::Chain<Cursor<Vec<u8>>, File>>;

/// CSV bytes, whatever the file holds.
pub(super) enum Decoded {
    Plain(Raw),
    Gzip(Box<flate2::read::MultiGzDecoder<Raw>>),
    Zstd(Box<zstd::Decoder<'static, io::BufReader<Raw>>>),
}

/// Opens `file` and looks at its first bytes.
///
/// # Errors
/// Where there is no such file, it is no regular file, or it holds something that is certainly
/// no CSV.
pub fn open(file: &Path) -> Result<Input, SourceError> {
    let fail = |source| SourceError::Open { file: file.to_owned(), source };
    let mut handle = File::open(file).map_err(fail)?;
    let metadata = handle.metadata().map_err(fail)?;
    if metadata.is_dir() {
        return Err(SourceError::NotAFile { file: file.to_owned(), what: "a folder" });
    }
    let size_bytes = metadata.is_file().then_some(metadata.len());

    let mut head = Vec::with_capacity(HEAD_BYTES);
    (&mut handle)
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(|source| SourceError::Read { file: file.to_owned(), source })?;
    let format = Format::of(&head);
    let read_bytes = Arc::new(AtomicU64::new(0));
    let raw = Measured::new(Cursor::new(head).chain(handle), read_bytes.clone());
    let bytes = match format {
        Format::Text => Decoded::Plain(raw),
        Format::Gzip => Decoded::Gzip(Box::new(flate2::read::MultiGzDecoder::new(raw))),
        Format::Zstd => {
            let raw = io::BufReader::with_capacity(READ_BUFFER_BYTES, raw);
            Decoded::Zstd(Box::new(zstd::Decoder::with_buffer(raw).map_err(fail)?))
        }
        Format::Other(found) => {
            return Err(SourceError::NotCsv { file: file.to_owned(), found });
        }
    };
    Ok(Input { file: file.to_owned(), bytes, size_bytes, read_bytes })
}

enum Format {
    Text,
    Gzip,
    Zstd,
    Other(&'static str),
}

impl Format {
    fn of(head: &[u8]) -> Format {
        match head {
            [0x1f, 0x8b, ..] => Format::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Format::Zstd,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Format::Other("UTF-16 text"),
            [b'P', b'K', 3, 4] => Format::Other("zip archive or spreadsheet"),
            [b'P', b'A', b'R', b'1'] => Format::Other("Parquet file"),
            [0, b'a', b's', b'm'] => Format::Other("WebAssembly module"),
            _ => Format::Text,
        }
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoded::Plain(raw) => raw.read(buffer),
            Decoded::Gzip(decoder) => decoder.read(buffer),
            Decoded::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl Decoded {
    /// The digest and the size of the file's own bytes, compressed or not.
    ///
    /// # Errors
    /// Where what follows the last decoded byte cannot be read.
    pub(super) fn finish(self) -> io::Result<(Sha256Digest, u64)> {
        let mut raw = match self {
            Decoded::Plain(raw) => raw,
            Decoded::Gzip(decoder) => decoder.into_inner(),
            Decoded::Zstd(decoder) => {
                let mut buffered = decoder.finish();
                io::copy(&mut buffered, &mut io::sink())?;
                buffered.into_inner()
            }
        };
        io::copy(&mut raw, &mut io::sink())?;
        Ok(raw.finish())
    }
}
