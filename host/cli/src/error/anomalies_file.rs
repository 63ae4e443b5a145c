//! Why the anomalies of a check could not be written to a file.

use std::path::PathBuf;

use thiserror::Error;

/// Why the anomalies of a check could not be written to a file.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "anomalies_file_")]
pub enum AnomaliesFileError {
    /// It is one that the check reads.
    #[error("anomalies cannot go to `{}`: the check reads it, as `{}`", file.display(), other.display())]
    OverInput {
        /// The file.
        file: PathBuf,
        /// The name under which the check reads it.
        other: PathBuf,
    },
    /// It cannot be written.
    #[error("could not write the anomalies to `{}`", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl AnomaliesFileError {
    /// The file.
    #[must_use]
    pub fn file(&self) -> &PathBuf {
        match self {
            AnomaliesFileError::OverInput { file, .. } | AnomaliesFileError::Write { file, .. } => file,
        }
    }

    /// What the user can do, if anything.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            AnomaliesFileError::OverInput { .. } => Some("name another file with --anomalies".into()),
            AnomaliesFileError::Write { .. } => None,
        }
    }
}
