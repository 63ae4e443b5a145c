//! The files of a run, and what was left out in finding them.

use std::fmt;
use std::path::PathBuf;

use host_core::text::{listed, printable};

/// How many names a note lists.
const SHOWN_NAMES: usize = 8;

/// The files of a run, in order.
#[derive(Clone, Debug, Default)]
pub struct FileList {
    /// Their names.
    pub files: Vec<PathBuf>,
    /// An upper bound of their total size; `None` if any has no size, such as a pipe.
    pub size_bytes: Option<u64>,
    /// What was left out.
    pub notes: Vec<Note>,
}

/// What was left out of a folder, of a pattern's matches or of many files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Files such as `._day.csv` and `.~lock.day.csv#`.
    Hidden {
        /// The folder or the pattern.
        within: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
    /// Files such as `day.csv.bak`.
    OtherNames {
        /// The folder.
        within: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
    /// Folders within it.
    SubFolders {
        /// The folder or the pattern.
        within: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
    /// Files without content among others.
    Empty {
        /// The files.
        files: Vec<PathBuf>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, within, names) = match self {
            Note::Hidden { within, names } => ("left out hidden files in", within, names),
            Note::OtherNames { within, names } => {
                ("left out files without the ending `.csv`, `.csv.gz` or `.csv.zst` in", within, names)
            }
            Note::SubFolders { within, names } => ("left out sub-folders of", within, names),
            Note::Empty { files } => {
                let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
                return write!(f, "left out empty files: {}", listed(&files, SHOWN_NAMES));
            }
        };
        write!(f, "{what} `{}`: {}", printable(&within.to_string_lossy()), listed(names, SHOWN_NAMES))
    }
}
