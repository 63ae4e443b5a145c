//! Whose fault a failure is: that of the files, so that a run over other files may succeed, or of something that
//! would make those fail, too. `run --each --keep-going` and `watch` go on in the first case only.

use std::io;

use host_detector::{Call, DetectorError};
use host_sink::{ErrorClass, SinkError};
use host_source::SourceError;

use super::command::{DatabaseState, Error, Failure};
use super::config::ConfigError;

impl Failure {
    /// Whether the run failed because of what is in its files. (If it is not even known whether it failed, that
    /// comes first.)
    #[must_use]
    pub fn is_due_to_files(&self) -> bool {
        if matches!(self.database, DatabaseState::Unknown | DatabaseState::Committed) {
            return false;
        }
        match &self.error {
            Error::Source(error) => of_source(error),
            Error::Detector(error) => of_detector(error),
            Error::Sink(error) => of_sink(error),
            Error::Config(ConfigError::HistoryOfItself { .. }) => true,
            // Other files may not get to where the bug is.
            Error::Internal(_) => true,
            _ => false,
        }
    }
}

fn of_source(error: &SourceError) -> bool {
    match error {
        SourceError::Open { source, .. } | SourceError::Entry { source, .. } => is_lasting(source),
        SourceError::Read { source, .. } => is_lasting(source),
        SourceError::Changed { .. }
        | SourceError::RejectsNotInPlace { .. }
        | SourceError::RejectsOverInput { .. }
        | SourceError::RejectsFile { .. } => false,
        _ => true,
    }
}

/// What the system cannot do now it may do later, except for what it forbids; what a decompressor or decoder says
/// has no code of the system.
fn is_lasting(error: &io::Error) -> bool {
    error.raw_os_error().is_none() || error.kind() == io::ErrorKind::PermissionDenied
}

/// The plugin failed over rows, rather than before it saw any.
fn of_detector(error: &DetectorError) -> bool {
    matches!(error.call(), Some(Call::Classify(_) | Call::Score(_) | Call::Snapshot | Call::Finish))
}

fn of_sink(error: &SinkError) -> bool {
    match error {
        SinkError::RowRefused { .. } | SinkError::IdTaken { .. } | SinkError::PartlyIngested { .. } => true,
        SinkError::Statement { source, .. } => source.class() == ErrorClass::RowRefused,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::interrupt::Interrupt;

    fn read(source: io::Error) -> Error {
        SourceError::Open { file: PathBuf::from("a.csv"), source }.into()
    }

    #[test]
    fn files_are_blamed_for_what_is_in_them() {
        let os = |code| read(io::Error::from_raw_os_error(code));
        let cases: Vec<(Error, bool)> = vec![
            (SourceError::Empty { file: "a.csv".into() }.into(), true),
            (SourceError::TooFewRows { rows: 0, min_rows: 1 }.into(), true),
            (read(io::Error::new(io::ErrorKind::UnexpectedEof, "cut off")), true),
            (os(libc::EACCES), true),
            (os(libc::EIO), false),
            (os(libc::ESTALE), false),
            (os(libc::ENOENT), false),
            (os(libc::EMFILE), false),
            (ConfigError::NoPlugin.into(), false),
            (ConfigError::HistoryOfItself { file: "a.csv".into() }.into(), true),
            (Error::History(Box::new(SourceError::Empty { file: "a.csv".into() }.into())), false),
            (SinkError::NotCommitted.into(), false),
            (Error::Interrupted(Interrupt::Terminate), false),
            (Error::Internal("a bug"), true),
        ];
        for (error, expected) in cases {
            let failure = Failure::from(error);
            assert_eq!(failure.is_due_to_files(), expected, "{}", failure.error);
            let unknown = Failure { database: DatabaseState::Unknown, ..failure };
            assert!(!unknown.is_due_to_files(), "{}", unknown.error);
        }
    }
}
