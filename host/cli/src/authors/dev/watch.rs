//! Which files of a project have changed. The system only says that something happened in a folder; what counts is
//! whether the content of a source or a case differs from when it was last looked at: builds write files, too, and some
//! write the same ones again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use host_core::digest::Sha256Digest;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::authors::project::Project;
use crate::error::ToolsError;

/// Editors save in several steps. When nothing has happened for this long, it is taken to be done.
const QUIET: Duration = Duration::from_millis(50);

/// The files that matter, and what is in them; `None` if they cannot be read.
type Seen = BTreeMap<PathBuf, Option<Sha256Digest>>;

/// Watches a project.
pub(super) struct Watch {
    project: Project,
    watcher: RecommendedWatcher,
    /// Set whenever the system reports anything.
    event: Arc<Notify>,
    folders: BTreeSet<PathBuf>,
    seen: Seen,
}

impl Watch {
    /// From now on, changes are noticed.
    pub fn start(project: &Project) -> Result<Watch, ToolsError> {
        let event = Arc::new(Notify::new());
        let happened = event.clone();
        // Also if it is an error: then some events may be missing, and looking is right.
        let watcher = notify::recommended_watcher(move |_| happened.notify_one());
        let watcher = watcher.map_err(|source| failed(&project.folder, source))?;
        let (folders, seen) = (BTreeSet::new(), Seen::new());
        Ok(Watch { project: project.clone(), watcher, event, folders, seen })
    }

    /// Looks at the files; returns which of them are not as they were the last time.
    pub fn look(&mut self) -> Result<Vec<PathBuf>, ToolsError> {
        let now = self.now()?;
        let names: BTreeSet<&PathBuf> = self.seen.keys().chain(now.keys()).collect();
        let differs = |name: &&&PathBuf| self.seen.get(**name) != now.get(**name);
        let changed = names.iter().filter(differs).map(|name| (*name).clone()).collect();
        self.seen = now;
        Ok(changed)
    }

    /// How many files are watched.
    pub fn files(&self) -> usize {
        self.seen.len()
    }

    /// Waits until a file is not as it was when last looked at, and nothing more happens.
    pub async fn differs(&mut self) -> Result<(), ToolsError> {
        loop {
            if self.now()? != self.seen {
                while tokio::time::timeout(QUIET, self.event.notified()).await.is_ok() {}
                // A file is empty for a moment while it is saved.
                if self.now()? != self.seen {
                    return Ok(());
                }
            }
            self.event.notified().await;
        }
    }

    /// The files as they are, in folders that are watched.
    fn now(&mut self) -> Result<Seen, ToolsError> {
        let tree = self.project.tree()?;
        let cases = self.project.cases();
        for folder in tree.folders.into_iter().chain([cases.clone()]).filter(|folder| folder.is_dir()) {
            if !self.folders.contains(&folder) {
                let watched = self.watcher.watch(&folder, RecursiveMode::NonRecursive);
                watched.map_err(|source| failed(&folder, source))?;
                self.folders.insert(folder);
            }
        }
        // One that is created again is another folder for the system.
        self.folders.retain(|folder| folder.is_dir());
        // There may be none yet.
        let cases = fs::read_dir(cases).into_iter().flatten().flatten().map(|entry| entry.path());
        let files = tree.files.into_iter().map(|(file, _)| file).chain(cases);
        Ok(files.map(|file| (file.clone(), digest(&file))).collect())
    }
}

fn digest(file: &Path) -> Option<Sha256Digest> {
    Some(Sha256Digest::of(&fs::read(file).ok()?))
}

fn failed(folder: &Path, source: notify::Error) -> ToolsError {
    ToolsError::Watch { folder: folder.to_owned(), source }
}
