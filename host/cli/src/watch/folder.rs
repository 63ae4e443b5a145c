//! The folder that is watched, held by a lock, and the folders within it to which files are moved.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::fcntl::OFlag;

use super::inbox::mark_of;
use crate::error::WatchError;

/// The lock's file. It stays when the watch ends; the lock does not.
const LOCK: &str = ".host-watch.lock";
/// How much of that file is shown.
const MAX_SHOWN_BYTES: u64 = 200;
/// How many files of the same name are told apart by numbers.
const MAX_NUMBER: u32 = 1_000_000;

/// A folder that this process alone watches.
pub struct Folder {
    done: PathBuf,
    failed: PathBuf,
    _lock: File,
}

/// Where a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It was ingested.
    Done,
    /// It was refused.
    Failed,
}

impl Folder {
    /// Takes the lock, and creates the folders `done` and `failed` if they are not there.
    ///
    /// # Errors
    /// If another process watches the folder, or files could not be moved to the others.
    pub fn open(path: &Path) -> Result<Folder, WatchError> {
        let watched = metadata(path)?;
        if !watched.is_dir() {
            let source = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(WatchError::Folder { doing: "watch", folder: path.to_owned(), source });
        }
        let lock = lock(path)?;
        let (done, failed) = (path.join("done"), path.join("failed"));
        for to in [&done, &failed] {
            match fs::create_dir(to) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(WatchError::Folder { doing: "create", folder: to.clone(), source: error });
                }
                _ => {}
            }
            if metadata(to)?.dev() != watched.dev() {
                return Err(WatchError::OtherFileSystem { folder: path.to_owned(), to: to.clone() });
            }
            // Better now than after the first run.
            tempfile::tempfile_in(to).map_err(|source| WatchError::Folder {
                doing: "write into",
                folder: to.clone(),
                source,
            })?;
        }
        Ok(Folder { done, failed, _lock: lock })
    }

    /// Moves a file, and its mark if it has one, without ever replacing another: if the name is taken, it gets a number.
    /// `reports` are files that are put beside it first, each an ending and a content. Returns where it is.
    ///
    /// # Errors
    /// [`WatchError::Move`] or [`WatchError::Report`]; `run_id` is the run that has ingested it.
    pub fn put(
        &self,
        file: &Path,
        place: Place,
        run_id: Option<i64>,
        reports: &[(&str, &str)],
    ) -> Result<PathBuf, WatchError> {
        let folder = match place {
            Place::Done => &self.done,
            Place::Failed => &self.failed,
        };
        let failed = |source| WatchError::Move { file: file.to_owned(), to: folder.clone(), run_id, source };
        // Somebody may have tidied up.
        let _ = fs::create_dir(folder);
        let mut number = 0;
        let target = loop {
            let target = folder.join(numbered(file, number));
            // Also a link that leads nowhere.
            if fs::symlink_metadata(&target).is_err() {
                for (ending, content) in reports {
                    report(&with_ending(&target, ending), content)?;
                }
                match rename_to_free_name(file, &target) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    moved => break moved.map(|()| target).map_err(failed)?,
                }
            }
            number += 1;
            if number > MAX_NUMBER {
                return Err(failed(io::ErrorKind::AlreadyExists.into()));
            }
        };
        let mark = mark_of(file);
        match fs::rename(&mark, mark_of(&target)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                // It is older than the next file of that name, so it does no harm.
                tracing::warn!("could not move `{}`: {error}", host_core::text::path(&mark));
            }
            _ => {}
        }
        Ok(target)
    }
}

fn metadata(path: &Path) -> Result<fs::Metadata, WatchError> {
    fs::metadata(path).map_err(|source| WatchError::Folder { doing: "open", folder: path.to_owned(), source })
}

/// Takes the lock on a folder. The system frees it when this process ends, however it ends.
fn lock(folder: &Path) -> Result<File, WatchError> {
    let path = folder.join(LOCK);
    let at = |doing| {
        let folder = path.clone();
        move |source| WatchError::Folder { doing, folder, source }
    };
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true).mode(0o600);
    // Whoever may write into the folder must not make us write elsewhere.
    let mut file = options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(&path).map_err(at("open"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut by = String::new();
            // Only for the message.
            let _ = io::Read::read_to_string(&mut io::Read::take(&file, MAX_SHOWN_BYTES), &mut by);
            let by = if by.trim().is_empty() { "another process".into() } else { by.trim().to_owned() };
            return Err(WatchError::InUse { folder: folder.to_owned(), by });
        }
        Err(TryLockError::Error(error)) => return Err(at("lock")(error)),
    }
    let text = format!("process {} since {}\n", std::process::id(), Timestamp::now().strftime("%F %TZ"));
    file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(at("write"))?;
    Ok(file)
}

/// The name of a file, with a number before the ending by which it is known as data.
fn numbered(file: &Path, number: u32) -> OsString {
    let name = file.file_name().unwrap_or_default();
    if number == 0 {
        return name.to_owned();
    }
    match name.to_str().and_then(|text| Some((text, host_source::data_ending(text)?))) {
        Some((text, ending)) => format!("{}.{number}{ending}", &text[..text.len() - ending.len()]).into(),
        None => with_ending(Path::new(name), &format!(".{number}")).into(),
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Writes a report: all of it is there, or nothing. One from an earlier attempt is replaced.
fn report(path: &Path, content: &str) -> Result<(), WatchError> {
    let mut hidden = OsString::from(".");
    hidden.push(path.file_name().unwrap_or_default());
    let hidden = path.with_file_name(hidden);
    let written = fs::write(&hidden, content).and_then(|()| fs::rename(&hidden, path));
    written.map_err(|source| WatchError::Report { file: path.to_owned(), source })
}

/// Renames, unless the new name is taken.
fn rename_to_free_name(file: &Path, target: &Path) -> io::Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use nix::errno::Errno;
        use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

        match renameat2(AT_FDCWD, file, AT_FDCWD, target, RenameFlags::RENAME_NOREPLACE) {
            // Some file systems cannot do that; NFS is one of them.
            Err(Errno::EINVAL | Errno::ENOSYS) => {}
            renamed => return renamed.map_err(io::Error::from),
        }
    }
    // The caller has just seen that the name is free, and nobody else moves files there while we hold the lock.
    fs::rename(file, target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_ever_replaced() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        let put = |name: &str, place| {
            let file = root.path().join(name);
            fs::write(&file, name).unwrap();
            let target = folder.put(&file, place, Some(1), &[]).unwrap();
            assert!(!file.exists());
            assert_eq!(fs::read_to_string(&target).unwrap(), name);
            target.strip_prefix(root.path()).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(put("a.csv", Place::Done), "done/a.csv");
        assert_eq!(put("a.csv", Place::Failed), "failed/a.csv");
        assert_eq!(put("a.csv", Place::Done), "done/a.1.csv");
        std::os::unix::fs::symlink("nowhere", root.path().join("done/a.2.csv")).unwrap();
        assert_eq!(put("a.csv", Place::Done), "done/a.3.csv");
        assert_eq!(put("b.csv.GZ", Place::Done), "done/b.csv.GZ");
        assert_eq!(put("b.csv.GZ", Place::Done), "done/b.1.csv.GZ");
        // Even if it appears between the look and the move.
        let (from, to) = (root.path().join("from"), root.path().join("done/a.csv"));
        fs::write(&from, "").unwrap();
        if cfg!(all(target_os = "linux", target_env = "gnu")) {
            let refused = rename_to_free_name(&from, &to);
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
    }

    #[test]
    fn reports_and_marks_go_with_the_file() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        fs::write(root.path().join("failed/a.csv.error.txt"), "of an earlier attempt").unwrap();
        for name in ["a.csv", "a.csv.done"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        folder.put(&root.path().join("a.csv"), Place::Failed, None, &[(".error.txt", "why")]).unwrap();
        let mut names: Vec<_> = fs::read_dir(root.path().join("failed"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["a.csv", "a.csv.done", "a.csv.error.txt"]);
        assert_eq!(fs::read_to_string(root.path().join("failed/a.csv.error.txt")).unwrap(), "why");
    }

    #[test]
    fn one_process_watches_a_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        match Folder::open(root.path()) {
            Err(WatchError::InUse { by, .. }) => {
                assert!(by.starts_with(&format!("process {} since ", std::process::id())), "{by}");
            }
            other => panic!("{:?}", other.err()),
        }
        drop(folder);
        Folder::open(root.path()).unwrap();
    }
}
