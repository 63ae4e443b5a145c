//! The error of a whole command: which stage failed, what became of the database, and which exit
//! code says so.

use thiserror::Error;

use crate::config::ConfigError;
use crate::detector::DetectorError;
use crate::environment::VariableError;
use crate::interrupt::Interrupt;
use crate::pipeline::VerifyError;
use crate::plugin_tools::ToolsError;
use crate::sink::SinkError;
use crate::source::SourceError;

/// Exit codes.
pub mod exit {
    /// The run was committed, whatever was found in it; other commands: done.
    pub const COMMITTED: u8 = 0;
    /// A mistake in the host.
    pub const INTERNAL: u8 = 1;
    /// A wrong command line or environment. (Also what clap uses.)
    pub const USAGE: u8 = 2;
    /// The file cannot be ingested.
    pub const INPUT: u8 = 3;
    /// The plugin cannot be used or misbehaved.
    pub const PLUGIN: u8 = 4;
    /// The database cannot be reached or refused something.
    pub const DATABASE: u8 = 5;
    /// Whether the run was committed is not known.
    pub const UNKNOWN: u8 = 6;
    /// Interrupted by ^C (SIGINT); nothing was written.
    pub const INTERRUPTED: u8 = 130;
    /// Told to end (SIGTERM); nothing was written.
    pub const TERMINATED: u8 = 143;
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum Error {
    /// A variable of the environment cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// What was asked for makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The plugin.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// The tools for plugins.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The database.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A replay that shows something else than what is stored.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// ^C or `kill`.
    #[error("{}", match .0 { Interrupt::Interrupt => "interrupted", Interrupt::Terminate => "terminated (SIGTERM)" })]
    Interrupted(Interrupt),
    /// A mistake of ours.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

/// What a failed command left in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseState {
    /// It never came to writing.
    Untouched,
    /// The server confirmed the rollback.
    RolledBack,
    /// COMMIT was never sent, so the server rolls back by itself; it could not confirm it.
    NeverCommitted,
    /// Only the database knows.
    Unknown,
    /// Not a command that writes rows; there is nothing to say.
    NotConcerned,
}

/// An error and what it left behind.
#[derive(Debug)]
pub struct Failure {
    /// What failed.
    pub error: Error,
    /// What is in the database.
    pub database: DatabaseState,
}

impl Failure {
    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match &self.error {
            Error::Variable(_) | Error::Detector(DetectorError::Variable(_)) => exit::USAGE,
            Error::Config(_) => exit::USAGE,
            Error::Sink(SinkError::Target { .. } | SinkError::Variable(_)) => exit::USAGE,
            Error::Source(_) => exit::INPUT,
            Error::Detector(_) => exit::PLUGIN,
            Error::Tools(error) => error.exit_code(),
            Error::Sink(SinkError::OutcomeUnknown { .. }) => exit::UNKNOWN,
            Error::Sink(SinkError::PartlyIngested { .. }) => exit::INPUT,
            Error::Sink(_) => exit::DATABASE,
            Error::Verify(VerifyError::OtherFile { .. }) => exit::INPUT,
            Error::Verify(_) => exit::DATABASE,
            Error::Interrupted(Interrupt::Interrupt) => exit::INTERRUPTED,
            Error::Interrupted(Interrupt::Terminate) => exit::TERMINATED,
            Error::Internal(_) => exit::INTERNAL,
        }
    }
}

impl<E: Into<Error>> From<E> for Failure {
    /// Before anything was written.
    fn from(error: E) -> Failure {
        Failure { error: error.into(), database: DatabaseState::Untouched }
    }
}
