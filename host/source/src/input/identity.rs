//! Which file something is, whatever its name: by device and inode, which links and redirections share. And
//! whether it is still the same as when it was opened.

use std::fs::{File, Metadata};
use std::io::{self, Seek as _};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::time::SystemTime;

/// The name that stands for standard input.
const STDIN: &str = "-";

/// Whether this name stands for standard input.
pub(crate) fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == STDIN
}

/// A file, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The identity of a regular file; `None` for everything else, which cannot be overwritten.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Option<FileIdentity> {
        metadata.is_file().then(|| FileIdentity { device: metadata.dev(), inode: metadata.ino() })
    }

    /// The identity of the file at a path; `-` is standard input.
    #[must_use]
    pub fn of_input(path: &Path) -> Option<FileIdentity> {
        let metadata = if is_stdin(path) { metadata_of(&io::stdin()) } else { std::fs::metadata(path) };
        FileIdentity::of(&metadata.ok()?)
    }
}

/// The metadata of an open file.
pub(crate) fn metadata_of(file: &impl AsFd) -> io::Result<Metadata> {
    File::from(file.as_fd().try_clone_to_owned()?).metadata()
}

/// Whether a path names a stream (a pipe, a terminal) or something that is already open (`/dev/stdout`),
/// rather than a file.
pub(crate) fn is_stream(path: &Path) -> bool {
    let is_open_already =
        ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"].iter().any(|open| path.starts_with(open));
    let is_special = |metadata: Metadata| {
        let kind = metadata.file_type();
        kind.is_fifo() || kind.is_char_device() || kind.is_socket() || kind.is_block_device()
    };
    is_open_already || std::fs::metadata(path).is_ok_and(is_special)
}

/// A regular file as it was when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    identity: FileIdentity,
    bytes: u64,
    /// How many of them are left to read; a redirected file may already have been read in part.
    unread_bytes: u64,
    modified: Option<SystemTime>,
}

/// How a file changed while it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its size changed, or a different number of bytes was read.
    Size {
        /// Its size when it was opened.
        before: u64,
        /// Its size at the end.
        after: u64,
    },
    /// It was written to.
    Written,
    /// Its name now belongs to another file.
    Replaced,
}

impl Opened {
    /// `None` for anything but a regular file: a pipe cannot change, it is whatever comes out of it.
    pub fn new(file: &mut File) -> Option<Opened> {
        let metadata = file.metadata().ok()?;
        let (identity, bytes) = (FileIdentity::of(&metadata)?, metadata.len());
        let unread_bytes = bytes.saturating_sub(file.stream_position().ok()?);
        Some(Opened { identity, bytes, unread_bytes, modified: metadata.modified().ok() })
    }

    /// Compares it with the open file and its path as they are now, after all of it was read.
    pub fn change(&self, now: &Metadata, path: &Path, read_bytes: u64) -> Option<Change> {
        let change = Change::Size { before: self.bytes, after: now.len() };
        self.change_so_far(now, path).or((read_bytes != self.unread_bytes).then_some(change))
    }

    /// The same while it is being read.
    pub fn change_so_far(&self, now: &Metadata, path: &Path) -> Option<Change> {
        // A file that was merely moved away is still the one that was meant.
        let named = std::fs::metadata(path).ok().as_ref().and_then(FileIdentity::of);
        if now.len() != self.bytes {
            Some(Change::Size { before: self.bytes, after: now.len() })
        } else if now.modified().ok() != self.modified {
            Some(Change::Written)
        } else if named.is_some_and(|named| named != self.identity) {
            Some(Change::Replaced)
        } else {
            None
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Change::Size { before, after } if before != after => {
                write!(f, "it had {before} bytes at the start and {after} at the end")
            }
            Change::Size { before, .. } => write!(f, "more or less than its {before} bytes were read"),
            Change::Written => f.write_str("it was written to"),
            Change::Replaced => f.write_str("its name now belongs to another file"),
        }
    }
}
