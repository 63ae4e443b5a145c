//! Errors for programs: a word for each kind, where it happened, and whether the same command may
//! simply be run again.

use host_core::rejected::RowProblem;
use host_core::text::printable_bytes;
use host_core::threads::ThreadError;
use host_sink::{EmbeddedError, ErrorClass, IdOwner, SinkError, TurnedAway, Work};
use host_source::SourceError;
use serde::{Serialize, Serializer};

use super::command::{DatabaseState, Error, Failure};
use super::plugins::LookupError;
use super::watch::WatchError;

/// Whether the same command may be run again without changing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may succeed at once.
    Yes,
    /// It would fail again, or do harm.
    No,
    /// Once something has happened that is up to others; begins with "after".
    After(&'static str),
}

impl Serialize for Retry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Retry::Yes => serializer.serialize_bool(true),
            Retry::No => serializer.serialize_bool(false),
            Retry::After(event) => serializer.serialize_str(event),
        }
    }
}

/// Where something is wrong, if it is a single place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Option<String>,
    /// The physical line, from 1.
    pub line: Option<u64>,
    /// The column's name.
    pub column: Option<String>,
    /// The offending value, printable.
    pub value: Option<String>,
}

impl Place {
    fn file(file: impl Into<String>) -> Place {
        Place { file: Some(file.into()), ..Place::default() }
    }

    fn line(self, line: u64) -> Place {
        Place { line: Some(line), ..self }
    }

    fn column(self, column: impl Into<String>) -> Place {
        Place { column: Some(column.into()), ..self }
    }
}

impl Error {
    /// A word for the kind of error, which is part of the interface. It is the name of the variant, or the
    /// class of the server's error.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Error::History(error) => error.kind(),
            Error::Variable(error) => error.into(),
            Error::Config(error) => error.into(),
            Error::Profile(error) => error.into(),
            Error::Source(error) => error.into(),
            Error::AnomaliesFile(error) => error.into(),
            Error::Lookup(LookupError::Variable(error)) => error.into(),
            Error::Lookup(error) => error.into(),
            Error::Detector(error) => error.into(),
            Error::Tools(error) => error.into(),
            Error::Sink(SinkError::Variable(error)) => error.into(),
            Error::Sink(SinkError::Statement { source, .. } | SinkError::Migration { source, .. })
                if source.class() != ErrorClass::Other =>
            {
                source.class().into()
            }
            Error::Sink(SinkError::TurnedAway { reason, .. }) => reason.into(),
            Error::Sink(SinkError::Undo(error)) => error.into(),
            Error::Thread(error) | Error::Sink(SinkError::Thread(error)) => error.into(),
            Error::Sink(error) => error.into(),
            Error::State(error) => error.into(),
            Error::Verify(error) => error.into(),
            Error::Watch(error) => error.into(),
            Error::Interrupted(_) => "interrupted",
            Error::Output(_) => "output",
            Error::Runtime(_) => "runtime",
            Error::Internal(_) => "internal",
        }
    }

    /// Where the error is, as far as that is known.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Error::History(error) => error.place(),
            Error::Source(error) => source_place(error),
            Error::Profile(error) => error.place().map_or_else(Place::default, |place| {
                Place::file(place.file.to_string_lossy()).line(place.line)
            }),
            Error::AnomaliesFile(error) => Place::file(error.file().to_string_lossy()),
            Error::Sink(SinkError::IdTaken { transaction_id, file, line, .. }) => Place {
                value: Some(transaction_id.to_string()),
                ..Place::file(file).line(*line).column("transaction_id")
            },
            Error::Sink(SinkError::RowRefused { place: Some(place), .. }) => {
                Place::file(&*place.file).line(place.line)
            }
            _ => Place::default(),
        }
    }
}

fn source_place(error: &SourceError) -> Place {
    match error {
        SourceError::Open { file, .. }
        | SourceError::Read { file, .. }
        | SourceError::NotCsv { file, .. }
        | SourceError::Entry { file, .. }
        | SourceError::Changed { file, .. }
        | SourceError::RejectsNotInPlace { file, .. }
        | SourceError::RejectsOverInput { file, .. }
        | SourceError::RejectsFile { file, .. } => Place::file(file.to_string_lossy()),
        SourceError::NoFiles { given, .. } | SourceError::Pattern { given, .. } => {
            Place::file(given.to_string_lossy())
        }
        SourceError::Empty { file }
        | SourceError::NoColumns { file }
        | SourceError::TooFewLines { file, .. }
        | SourceError::HeaderNotFound { file, .. }
        | SourceError::NoTrailer { file, found: None, .. }
        | SourceError::NoFinalNewline { file }
        | SourceError::OtherDigest { file, .. } => Place::file(file),
        SourceError::OtherDelimiter { file, .. } => Place::file(file).line(1),
        SourceError::MissingColumn { file, column, .. }
        | SourceError::MissingPosition { file, column, .. }
        | SourceError::DuplicateColumn { file, column, .. } => Place::file(file).column(column),
        SourceError::UnclosedQuote { file, line }
        | SourceError::RecordTooLong { file, line, .. }
        | SourceError::HeldBack { file, line, .. }
        | SourceError::NoTrailer { file, found: Some((line, _)), .. }
        | SourceError::TrailerDisagrees { file, line, .. } => Place::file(file).line(*line),
        SourceError::Row(row, _) => Place {
            column: row.column.clone(),
            value: match &row.problem {
                RowProblem::Value { value, .. } => Some(printable_bytes(value)),
                RowProblem::FieldCount { .. } => None,
            },
            ..Place::file(&*row.file).line(row.line)
        },
        _ => Place::default(),
    }
}

impl Failure {
    /// Whether the same command may be run again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self.error.root() {
            _ if self.database == DatabaseState::Committed => Retry::No,
            // It finds out.
            Error::Sink(SinkError::OutcomeUnknown { work: Work::Undo | Work::State, .. }) => Retry::Yes,
            _ if self.database == DatabaseState::Unknown => {
                Retry::After("after the database was asked, or with --once")
            }
            Error::Interrupted(_) => Retry::Yes,
            Error::Output(_) => Retry::After("after there is room for the output"),
            Error::Thread(ThreadError::Refused(_))
            | Error::Sink(SinkError::Thread(ThreadError::Refused(_))) => {
                Retry::After("after the system has resources again")
            }
            Error::Watch(WatchError::InUse { .. }) => Retry::After("after the other process has ended"),
            Error::Watch(WatchError::Move { .. } | WatchError::Report { .. }) => {
                Retry::After("after the folder can be written to")
            }
            Error::Source(
                SourceError::Changed { .. }
                | SourceError::NoTrailer { .. }
                | SourceError::NoFinalNewline { .. },
            ) => Retry::After("after the file is complete"),
            Error::Sink(error) => of_database(error),
            _ => Retry::No,
        }
    }
}

fn of_database(error: &SinkError) -> Retry {
    match error {
        SinkError::Connect { .. }
        | SinkError::LookUp { .. }
        | SinkError::ConnectTimeout { .. }
        | SinkError::ServerSilent { .. } => Retry::After("after the server can be reached"),
        SinkError::NoneOfSeveral { failures } => failures.last().map_or(Retry::No, of_database),
        SinkError::TurnedAway { reason: TurnedAway::NotReady, .. } => Retry::After("after the server is up"),
        SinkError::TurnedAway { reason: TurnedAway::NoConnectionsLeft, .. } => {
            Retry::After("after the server has resources again")
        }
        SinkError::LockTimeout { .. } => Retry::Yes,
        SinkError::NotCommitted | SinkError::StillInProgress => Retry::After("after the server has settled"),
        SinkError::IdTaken { by: IdOwner::ThisRun | IdOwner::Run(_) | IdOwner::Unknown, .. } => Retry::No,
        SinkError::Embedded { source: EmbeddedError::Program { .. }, .. } => {
            Retry::After("after the cause was seen to")
        }
        SinkError::Login { source, .. }
        | SinkError::Statement { source, .. }
        | SinkError::Migration { source, .. } => of_server(source.class()),
        _ => Retry::No,
    }
}

fn of_server(trouble: ErrorClass) -> Retry {
    match trouble {
        ErrorClass::Deadlock | ErrorClass::LockTimeout => Retry::Yes,
        ErrorClass::ConnectionLost | ErrorClass::Ended | ErrorClass::NotReady => {
            Retry::After("after the server is up")
        }
        ErrorClass::DiskFull => Retry::After("after space was freed on the server"),
        ErrorClass::OutOfResources | ErrorClass::PoolExhausted => {
            Retry::After("after the server has resources again")
        }
        _ => Retry::No,
    }
}
