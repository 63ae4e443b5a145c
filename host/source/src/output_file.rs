//! A file of results: an existing one stays until the new one, which is written beside it, is complete and
//! takes its place. A stream (a pipe, a terminal) is written to directly.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::input::identity::{FileIdentity, is_stream};

/// A file that is to take the place of the existing one. Dropping it leaves that as it was.
#[must_use]
pub struct NewFile {
    written: TempPath,
    destination: PathBuf,
}

/// A complete file could not be given its name.
#[derive(Debug)]
pub struct NotInPlace {
    /// Where it should be.
    pub file: PathBuf,
    /// Where it is; `None` if it could not even be kept.
    pub kept: Option<PathBuf>,
    /// Why.
    pub source: io::Error,
}

/// The one of these inputs that a path leads to, if any.
#[must_use]
pub fn input_at<'a>(path: &Path, read: &'a [PathBuf]) -> Option<&'a PathBuf> {
    let identity = std::fs::metadata(path).ok().as_ref().and_then(FileIdentity::of)?;
    read.iter().find(|input| FileIdentity::of_input(input) == Some(identity))
}

/// Opens a stream, or a new file beside `path` whose name begins with `prefix`.
///
/// # Errors
/// If it cannot be opened.
pub fn create(path: &Path, prefix: &str) -> io::Result<(File, Option<NewFile>)> {
    if is_stream(path) {
        return Ok((open_stream(path)?, None));
    }
    let (file, new) = create_beside(path, prefix)?;
    Ok((file, Some(new)))
}

impl NewFile {
    /// Replaces the existing file, if any.
    ///
    /// # Errors
    /// If it cannot be renamed; it is kept then.
    pub fn put_in_place(self) -> Result<(), NotInPlace> {
        let NewFile { written, destination } = self;
        let error = match written.persist(&destination) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        Err(NotInPlace { file: destination, kept: error.path.keep().ok(), source: error.error })
    }
}

/// Opens a stream without truncating it, and without waiting for a reader of a FIFO.
fn open_stream(path: &Path) -> io::Result<File> {
    let non_blocking = nix::fcntl::OFlag::O_NONBLOCK;
    let file =
        OpenOptions::new().append(true).custom_flags(non_blocking.bits()).open(path).map_err(|error| {
            if error.raw_os_error() == Some(nix::errno::Errno::ENXIO as i32) {
                io::Error::other("nothing is reading from it")
            } else {
                error
            }
        })?;
    // From now on, wait for a slow reader.
    let flags =
        nix::fcntl::OFlag::from_bits_truncate(nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_GETFL)?);
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFL(flags - non_blocking))?;
    Ok(file)
}

/// A new file in the same folder as `path`, with the owner and permissions of the existing file, if any.
/// Returns also where it is to go, with all links resolved.
fn create_beside(path: &Path, prefix: &str) -> io::Result<(File, NewFile)> {
    let existing = std::fs::metadata(path).ok();
    let destination = if existing.is_some() { path.canonicalize()? } else { path.to_owned() };
    let folder = match destination.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mode = existing.as_ref().map_or(0o666, |existing| existing.mode() & 0o777);
    let mut builder = tempfile::Builder::new();
    let permissions = std::fs::Permissions::from_mode(mode);
    let file = builder.prefix(prefix).permissions(permissions.clone()).tempfile_in(folder)?;
    if let Some(existing) = existing {
        if existing.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        // The umask is only for new files. If the user may not give files away, the new file stays theirs.
        file.as_file().set_permissions(permissions)?;
        let _ = std::os::unix::fs::fchown(file.as_file(), Some(existing.uid()), Some(existing.gid()));
    }
    let (file, written) = file.into_parts();
    Ok((file, NewFile { written, destination }))
}
