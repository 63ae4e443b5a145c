//! The error of a whole command: which stage failed, what state the database is in, and which exit code
//! says so.

use host_core::environment::VariableError;
use host_core::exit;
use host_core::threads::ThreadError;
use host_detector::DetectorError;
use host_sink::{SinkError, UndoError};
use host_source::SourceError;
use thiserror::Error;

use super::anomalies_file::AnomaliesFileError;
use super::authors::ToolsError;
use super::config::ConfigError;
use super::plugins::LookupError;
use super::profile::ProfileError;
use super::state::StateError;
use super::verify::VerifyError;
use super::watch::WatchError;
use crate::interrupt::Interrupt;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum Error {
    /// An environment variable cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The arguments make no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The file.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The detector could not learn from earlier files.
    #[error("could not learn from the files of `--history`")]
    History(#[source] Box<Error>),
    /// No plugin was found.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The plugin.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// The file for anomalies.
    #[error(transparent)]
    AnomaliesFile(#[from] AnomaliesFileError),
    /// The tools for plugins.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The database.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// What the detector has learned before.
    #[error(transparent)]
    State(#[from] StateError),
    /// A run cannot be replayed, or the replay differs from what is stored.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A folder cannot be watched.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// ^C or `kill`.
    #[error("{}", match .0 { Interrupt::Interrupt => "interrupted", Interrupt::Terminate => "terminated (SIGTERM)" })]
    Interrupted(Interrupt),
    /// The result could not be written to stdout.
    #[error("could not write the result to standard output")]
    Output(#[source] std::io::Error),
    /// Some work could not be done on a thread of its own.
    #[error(transparent)]
    Thread(#[from] ThreadError),
    /// Not even the asynchronous runtime could be started.
    #[error("could not start the asynchronous runtime")]
    Runtime(#[source] std::io::Error),
    /// A bug in this program.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl Error {
    /// What went wrong, whatever was to be done then.
    pub(crate) fn root(&self) -> &Error {
        match self {
            Error::History(error) => error.root(),
            error => error,
        }
    }
}

/// What a failed command left in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseState {
    /// Nothing was ever written.
    Untouched,
    /// The server confirmed the rollback.
    RolledBack,
    /// COMMIT was never sent, so the server rolls back by itself, but did not confirm it.
    NeverCommitted,
    /// Only the database knows.
    Unknown,
    /// The server acknowledged the COMMIT before the error occurred.
    Committed,
    /// The command writes no rows, so there is nothing to say.
    NotConcerned,
}

/// An error and what it left behind.
#[derive(Debug)]
pub struct Failure {
    /// What failed.
    pub error: Error,
    /// The state of the database.
    pub database: DatabaseState,
}

impl Failure {
    /// Of something that writes no rows itself, so that there is nothing to say about the database.
    #[must_use]
    pub fn without_rows(error: impl Into<Error>) -> Failure {
        Failure { error: error.into(), database: DatabaseState::NotConcerned }
    }

    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.error.root() {
            _ if self.database == DatabaseState::Committed => exit::COMMITTED,
            Error::Internal(_) if self.database == DatabaseState::Unknown => exit::UNKNOWN,
            Error::Variable(_) | Error::Lookup(LookupError::Variable(_)) => exit::USAGE,
            Error::Config(_) => exit::USAGE,
            Error::Sink(SinkError::Target { .. } | SinkError::Variable(_)) => exit::USAGE,
            Error::Profile(error) => error.exit_code(),
            Error::Watch(WatchError::Listen { .. } | WatchError::Argument(_)) => exit::USAGE,
            Error::Source(_) | Error::AnomaliesFile(_) | Error::Watch(_) => exit::INPUT,
            Error::Lookup(_) | Error::Detector(_) => exit::PLUGIN,
            Error::Tools(error) => error.exit_code(),
            Error::Sink(SinkError::OutcomeUnknown { .. }) => exit::UNKNOWN,
            Error::Sink(SinkError::PartlyIngested { .. }) => exit::INPUT,
            Error::Sink(SinkError::Undo(UndoError::NoRun { .. })) => exit::USAGE,
            Error::Sink(_) => exit::DATABASE,
            Error::State(StateError::Refused { .. }) => exit::PLUGIN,
            Error::State(_) => exit::USAGE,
            Error::Verify(VerifyError::OtherFile { .. } | VerifyError::OtherHistory { .. }) => exit::INPUT,
            Error::Verify(VerifyError::Differs { .. }) => exit::DIFFERS,
            Error::Verify(_) => exit::DATABASE,
            Error::Interrupted(Interrupt::Interrupt) => exit::INTERRUPTED,
            Error::Interrupted(Interrupt::Terminate) => exit::TERMINATED,
            // Never itself a root.
            Error::History(_) => exit::INTERNAL,
            Error::Output(_) | Error::Thread(_) | Error::Runtime(_) | Error::Internal(_) => exit::INTERNAL,
        }
    }
}

impl<E: Into<Error>> From<E> for Failure {
    /// For errors before anything was written.
    fn from(error: E) -> Failure {
        Failure { error: error.into(), database: DatabaseState::Untouched }
    }
}
