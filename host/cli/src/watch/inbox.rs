//! What lies in the folder: which files are complete, and since when the others have been there.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The ending of the file that says that another is complete.
const MARK: &str = ".done";

/// When a file is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complete {
    /// When it has been the same in two looks that are at least this far apart.
    Settled(Duration),
    /// When there is a mark for it that is not older.
    Marked,
}

/// A file as it was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Its size.
    pub bytes: u64,
    modified: (i64, i64),
    device: u64,
    inode: u64,
}

impl State {
    fn of(metadata: &Metadata) -> State {
        State {
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// The file as it is now.
    pub fn now(path: &Path) -> io::Result<State> {
        Ok(State::of(&fs::metadata(path)?))
    }
}

/// A file that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Where it is.
    pub path: PathBuf,
    /// As it was when it was found to be complete.
    pub state: State,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The complete files, by name.
    pub complete: Vec<Arrived>,
    /// All files that are there, complete or not.
    pub waiting: u64,
    /// When the one that has been there for the longest time was put there, or last written to.
    pub oldest: Option<SystemTime>,
    /// In how much time the next one may be complete.
    pub next: Option<Duration>,
}

/// A folder, and what was seen in it.
pub struct Inbox {
    folder: PathBuf,
    complete: Complete,
    seen: BTreeMap<OsString, Seen>,
}

/// A file that has been seen.
#[derive(Clone, Copy)]
struct Seen {
    state: State,
    /// Since when it has been the same.
    since: Instant,
    /// It is not taken before this.
    not_before: Option<Instant>,
}

impl Inbox {
    /// Nothing has been seen yet.
    pub fn new(folder: &Path, complete: Complete) -> Inbox {
        Inbox { folder: folder.to_owned(), complete, seen: BTreeMap::new() }
    }

    /// Looks into the folder.
    ///
    /// # Errors
    /// If it cannot be listed. A file that cannot be looked at is as good as not there.
    pub fn look(&mut self, now: Instant) -> io::Result<Look> {
        let mut found = BTreeMap::new();
        let mut look = Look::default();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let Some(metadata) = self.metadata(&name) else { continue };
            look.waiting += 1;
            look.oldest = [look.oldest, changed(&metadata)].into_iter().flatten().min();
            let seen = self.compare(&name, State::of(&metadata), now);
            found.insert(name, (seen, metadata));
        }
        self.seen = found.iter().map(|(name, (seen, _))| (name.clone(), *seen)).collect();
        for (name, (seen, metadata)) in found {
            let path = self.folder.join(&name);
            match self.missing(&path, &seen, &metadata, now) {
                Some(missing) if missing.is_zero() => look.complete.push(Arrived { path, state: seen.state }),
                missing => look.next = [look.next, missing].into_iter().flatten().min(),
            }
        }
        Ok(look)
    }

    /// Does not take a file for some time, although it is complete.
    pub fn set_aside(&mut self, file: &Path, until: Instant) {
        if let Some(seen) = file.file_name().and_then(|name| self.seen.get_mut(name)) {
            seen.not_before = Some(until);
        }
    }

    /// The metadata of a file that may be data.
    fn metadata(&self, name: &OsStr) -> Option<Metadata> {
        let text = name.to_string_lossy();
        if text.starts_with('.') || host_source::data_ending(&text).is_none() {
            return None;
        }
        fs::metadata(self.folder.join(name)).ok().filter(Metadata::is_file)
    }

    fn compare(&self, name: &OsStr, state: State, now: Instant) -> Seen {
        let before = self.seen.get(name).filter(|before| before.state == state);
        before.copied().unwrap_or(Seen { state, since: now, not_before: None })
    }

    /// How much time a file still needs to be complete; `None` if only its sender knows.
    fn missing(&self, path: &Path, seen: &Seen, metadata: &Metadata, now: Instant) -> Option<Duration> {
        let to_settle = match self.complete {
            Complete::Settled(settle) => settle.saturating_sub(now.saturating_duration_since(seen.since)),
            Complete::Marked => {
                let mark = fs::metadata(mark_of(path)).and_then(|mark| mark.modified()).ok()?;
                let is_for_it = metadata.modified().is_ok_and(|modified| modified <= mark);
                is_for_it.then_some(Duration::ZERO)?
            }
        };
        let aside = seen.not_before.map(|until| until.saturating_duration_since(now));
        Some(to_settle.max(aside.unwrap_or_default()))
    }
}

/// The file that says that another is complete.
pub fn mark_of(file: &Path) -> PathBuf {
    let mut mark = file.as_os_str().to_owned();
    mark.push(MARK);
    mark.into()
}

/// When a file was put there or written to, by the clock of its file system: unlike its time of modification, senders
/// cannot set this.
fn changed(metadata: &Metadata) -> Option<SystemTime> {
    let seconds = u64::try_from(metadata.ctime()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    const SETTLE: Duration = Duration::from_secs(2);

    /// A folder, and what a watch sees in it at times that the test chooses.
    struct Folder {
        folder: tempfile::TempDir,
        inbox: Inbox,
        started: Instant,
    }

    impl Folder {
        fn new(complete: Complete) -> Folder {
            let folder = tempfile::tempdir().unwrap();
            let inbox = Inbox::new(folder.path(), complete);
            Folder { folder, inbox, started: Instant::now() }
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        }

        fn look(&mut self, seconds: u64) -> Look {
            self.inbox.look(self.started + Duration::from_secs(seconds)).unwrap()
        }

        /// The names of the complete files.
        fn complete(&mut self, seconds: u64) -> Vec<String> {
            let name = |arrived: Arrived| arrived.path.file_name().unwrap().to_string_lossy().into_owned();
            self.look(seconds).complete.into_iter().map(name).collect()
        }
    }

    fn set_modified(path: &Path, seconds: u64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_file_is_complete_when_two_looks_see_the_same() {
        let mut folder = Folder::new(Complete::Settled(SETTLE));
        let b = folder.write("b.csv", "1");
        folder.write("a.csv.gz", "1");
        let first = folder.look(0);
        assert_eq!((first.complete.len(), first.waiting, first.next), (0, 2, Some(SETTLE)));
        assert!(first.oldest.is_some());
        fs::write(&b, "12").unwrap();
        assert_eq!(folder.complete(2), ["a.csv.gz"]);
        // The same size, but another time; then another file under the same name.
        set_modified(&b, 1);
        assert_eq!(folder.complete(4), ["a.csv.gz"]);
        fs::rename(folder.write("x", "12"), &b).unwrap();
        set_modified(&b, 1);
        assert_eq!(folder.complete(6), ["a.csv.gz"]);
        assert_eq!(folder.look(7).next, Some(Duration::from_secs(1)));
        assert_eq!(folder.complete(8), ["a.csv.gz", "b.csv"]);
    }

    #[test]
    fn only_names_of_data_are_taken() {
        let mut folder = Folder::new(Complete::Settled(SETTLE));
        let others = [".a.csv", "a.csv.tmp", "a.csv.part", "a.csv.filepart", "a.csv~", "a.txt", "a.csv.done"];
        for name in others.iter().chain(&["A.CSV", "ü.csv.zst"]) {
            folder.write(name, "1");
        }
        fs::create_dir(folder.folder.path().join("folder.csv")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.folder.path().join("link.csv")).unwrap();
        folder.look(0);
        assert_eq!(folder.complete(9), ["A.CSV", "ü.csv.zst"]);
        assert_eq!(folder.look(9).waiting, 2);
    }

    #[test]
    fn what_is_set_aside_is_taken_later() {
        let mut folder = Folder::new(Complete::Settled(SETTLE));
        let file = folder.write("a.csv", "1");
        folder.look(0);
        assert_eq!(folder.complete(2), ["a.csv"]);
        folder.inbox.set_aside(&file, folder.started + Duration::from_secs(10));
        assert_eq!(folder.look(4).next, Some(Duration::from_secs(6)));
        assert_eq!(folder.complete(10), ["a.csv"]);
    }

    #[test]
    fn a_mark_counts_if_it_is_not_older() {
        let mut folder = Folder::new(Complete::Marked);
        let file = folder.write("a.csv", "1");
        assert_eq!((folder.complete(0).len(), folder.look(9).next), (0, None));
        let mark = folder.write("a.csv.done", "");
        set_modified(&file, 100);
        for (mark_is_from, expected) in [(99, 0), (100, 1), (101, 1)] {
            set_modified(&mark, mark_is_from);
            assert_eq!(folder.complete(0).len(), expected, "{mark_is_from}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_listed_is_an_error() {
        let mut folder = Folder::new(Complete::Marked);
        fs::remove_dir(folder.folder.path()).unwrap();
        assert_eq!(folder.inbox.look(folder.started).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
