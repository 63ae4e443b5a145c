//! Why a folder cannot be watched, or not any longer.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use host_core::text::{path, printable};
use thiserror::Error;

/// Why a folder cannot be watched, or not any longer. What only has to be waited for is not among these.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "watch_")]
pub enum WatchError {
    /// It is not there, or not a folder, or cannot be prepared.
    #[error("could not {doing} `{}`", path(folder))]
    Folder {
        /// What was being done, such as "create".
        doing: &'static str,
        /// The folder, or something in it.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process watches it.
    #[error("`{}` is being watched by {}", path(folder), printable(by))]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// What that process wrote into the lock's file.
        by: String,
    },
    /// Files cannot be moved there without copying them.
    #[error("`{}` is on another file system than `{}`", path(to), path(folder))]
    OtherFileSystem {
        /// The folder that is watched.
        folder: PathBuf,
        /// The folder within it.
        to: PathBuf,
    },
    /// A file that was dealt with could not be moved away.
    #[error("could not move `{}` to `{}`{}", path(file), path(to), after(*run_id))]
    Move {
        /// The file.
        file: PathBuf,
        /// The folder.
        to: PathBuf,
        /// The run that has ingested it; `None` if it was refused.
        run_id: Option<i64>,
        /// Why not.
        source: io::Error,
    },
    /// What was wrong with a file could not be written down.
    #[error("could not write `{}`", path(file))]
    Report {
        /// The file that was to be written.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It was written to after it had been taken for complete.
    #[error("`{}` was written to after run {run_id} had ingested its first {bytes} bytes", path(file))]
    Grown {
        /// The file.
        file: PathBuf,
        /// The run.
        run_id: i64,
        /// How much of it the run has ingested.
        bytes: u64,
    },
    /// Nobody can ask for metrics.
    #[error("could not listen on {address}")]
    Listen {
        /// The address, as given.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// An argument of `run` that means nothing here.
    #[error("`{0}` cannot be used with `host watch`")]
    Argument(&'static str),
}

fn after(run_id: Option<i64>) -> String {
    run_id.map_or(String::new(), |run_id| format!("; run {run_id} has ingested it"))
}

impl WatchError {
    /// What the user can do, if anything.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            WatchError::Folder { .. } | WatchError::Listen { .. } | WatchError::Report { .. } => None,
            WatchError::InUse { .. } => Some("one process at a time watches a folder; end that one first".into()),
            WatchError::OtherFileSystem { .. } => Some(
                "files must be moved in one step: let `done` and `failed` be folders on the file system of the folder that is watched".into(),
            ),
            WatchError::Move { run_id: Some(_), .. } => Some(
                "see to the folder's rights, then start again: a file that was ingested is recognised and only moved".into(),
            ),
            WatchError::Move { run_id: None, .. } => Some("see to the folder's rights, then start again".into()),
            WatchError::Grown { .. } => Some(
                "its later rows are missing in the database; let the sender rename files into the folder when they are complete, use `--done-file`, or a longer `--settle`".into(),
            ),
            WatchError::Argument("--rejects") => Some(
                "rejected rows are in the database: `host rejects` lists those of a run, with their original bytes".into(),
            ),
            WatchError::Argument(_) => Some("every file is ingested at most once, whatever its name".into()),
        }
    }
}
