//! What can go wrong between us and the database, and what to do about it.

use std::time::Duration;

use host_core::advice;
use host_core::batch::RowPlace;
use host_core::environment::VariableError;
use host_core::text::{printable, printable_up_to};
use host_core::threads::ThreadError;
use thiserror::Error;
use tokio_postgres::error::SqlState;

use crate::known_file::{KnownFile, KnownFrom};
use crate::local_server::error::EmbeddedError;
use crate::server_error::{ErrorClass, ServerError};
use crate::session_attributes::SessionAttributes;
use crate::turned_away::TurnedAway;

/// Statements that people are to give must not be cut; names in them may be long.
const MAX_STATEMENT_CHARS: usize = 4_000;

/// What to do where somebody else's relation is in the way.
pub(crate) const OTHER_SCHEMA: &str = "rename it, or give the host a schema of its own: `CREATE SCHEMA ingest`, then add \
    `options=-csearch_path%3Dingest` to the URL";

/// Why something could not be written or asked. `server` is a description without password.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "database_")]
#[non_exhaustive]
pub enum SinkError {
    /// The URL or a libpq variable makes no sense.
    #[error("invalid {origin}: {problem}")]
    Target {
        /// Where it came from, such as `--database-url`.
        origin: String,
        /// What is wrong; never contains a password.
        problem: String,
    },
    /// A variable of the environment that decides where to write cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// Certificates or keys cannot be used.
    #[error("could not set up TLS for {server}")]
    Tls {
        /// The server.
        server: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody answers.
    #[error("could not connect to {server}")]
    Connect {
        /// The server.
        server: String,
        /// Why not.
        source: ServerError,
    },
    /// Nobody answers, or nobody knows where it is.
    #[error("could not connect to {server}")]
    LookUp {
        /// The server.
        server: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not who it should be.
    #[error("could not verify the certificate of {server}")]
    Certificate {
        /// The server.
        server: String,
        /// Why not.
        source: ServerError,
    },
    /// It took too long to answer.
    #[error("could not connect to {server}: no answer within {seconds} s")]
    ConnectTimeout {
        /// The server.
        server: String,
        /// How long was waited.
        seconds: f64,
    },
    /// None of several servers.
    #[error("could not connect to any of {} servers: {}", failures.len(), of_each(failures))]
    NoneOfSeveral {
        /// Why not, one a server, in the order in which they were tried.
        failures: Vec<SinkError>,
    },
    /// It is not what `target_session_attrs` asks for.
    #[error("{server} {}", wrong_kind(*wanted))]
    WrongKind {
        /// The server.
        server: String,
        /// What it should be.
        wanted: SessionAttributes,
    },
    /// It runs as somebody else than `requirepeer` asks for.
    #[error("{server} does not run as the user that `requirepeer` names, but as `{}`", printable(user))]
    WrongPeer {
        /// The server.
        server: String,
        /// As whom it runs.
        user: String,
    },
    /// The server answered that it cannot be used, for a reason that no login changes.
    #[error("could not connect to {server}{}", reason.headline())]
    TurnedAway {
        /// The server.
        server: String,
        /// What kind of reason.
        reason: TurnedAway,
        /// In the server's words.
        source: ServerError,
    },
    /// The server answered and refused.
    #[error("could not log in to {server}")]
    Login {
        /// The server.
        server: String,
        /// Why.
        source: ServerError,
    },
    /// A statement failed.
    #[error("could not {doing}{}", .source.headline())]
    Statement {
        /// What was being done, such as "write the transactions".
        doing: &'static str,
        /// What the server says.
        source: ServerError,
    },
    /// An answer did not come in time.
    #[error("could not {doing}: the server has not answered for {} s", patience.as_secs_f64())]
    ServerSilent {
        /// What was being done.
        doing: &'static str,
        /// How long was waited.
        patience: Duration,
    },
    /// Others hold the lock.
    #[error("could not {doing}: others were in the way for more than {} s{}", waited.as_secs_f64(), held_by(holders))]
    LockTimeout {
        /// What was being done, such as "lock `transactions`".
        doing: &'static str,
        /// How long was waited.
        waited: Duration,
        /// Who, as far as the server tells.
        holders: String,
        /// What the server says.
        source: ServerError,
    },
    /// A constraint or trigger of the operator's does not want a row.
    #[error("{}", refused_row(place.as_ref(), table))]
    RowRefused {
        /// The table.
        table: &'static str,
        /// Where the row is, if the server says which one it is.
        place: Option<RowPlace>,
        /// Triggers of the table that others have made; PostgreSQL does not name the one.
        triggers: Vec<String>,
        /// What the server says.
        source: ServerError,
    },
    /// An id of the file is in the table already.
    #[error("the id {transaction_id} in `{}` at line {line} is taken: {}", printable(file), taken_by(.by))]
    IdTaken {
        /// The id.
        transaction_id: i64,
        /// The file.
        file: String,
        /// The physical line, from 1.
        line: u64,
        /// By whom.
        by: IdOwner,
    },
    /// The server's answer is none that PostgreSQL gives.
    #[error("the server's answer to {0} makes no sense; is it a PostgreSQL?")]
    StrangeAnswer(&'static str),
    /// Something keeps the ledger from what the run wrote into it.
    #[error("a row of `{table}` was not stored as it was written")]
    LedgerRowRefused {
        /// The table.
        table: &'static str,
    },
    /// The server takes no writes.
    #[error("the server takes no writes: {}", if *.is_standby { "it is a standby" } else { "`default_transaction_read_only` is on" })]
    ReadOnly {
        /// Whether it is a standby, or merely set so.
        is_standby: bool,
    },
    /// Something was to be written when everything had been.
    #[error("rows were to be written after the last one")]
    WriterClosed,
    /// Another program's names leave none for ours.
    #[error("the session is full of another program's prepared statements")]
    StatementNames,
    /// A migration in the database is not the one that this host has.
    #[error("migration {version} in the database is not the `{name}` that this host knows")]
    MigrationChanged {
        /// Its number.
        version: i32,
        /// Its name here.
        name: &'static str,
    },
    /// The database was set up by a later host.
    #[error("the database has migration {version}, `{}`, which this host does not know", printable(name))]
    LaterMigration {
        /// Its number.
        version: i32,
        /// Its name there.
        name: String,
    },
    /// The database was set up by an earlier host, and looking alters nothing.
    #[error("the tables are those of an earlier host: migration {version}, `{name}`, has not been applied")]
    NotMigrated {
        /// The number of the first that is missing.
        version: i32,
        /// Its name.
        name: &'static str,
    },
    /// The search path names no schema that is there.
    #[error("there is no schema to make the tables in: none of those on the search path exists")]
    NoSchema,
    /// The role may not do what a run has to.
    #[error("the role `{}` lacks privileges: {}", printable(role), printable_up_to(&grants.join("; "), MAX_STATEMENT_CHARS))]
    PrivilegesMissing {
        /// The role, as SQL has it.
        role: String,
        /// What to grant, such as `INSERT ON anomalies`.
        grants: Vec<String>,
    },
    /// A table has to be altered, and belongs to somebody else.
    #[error("the table `{table}` is to be altered, but belongs to another role")]
    NotOwner {
        /// The table.
        table: &'static str,
    },
    /// A migration failed.
    #[error("could not apply migration {version}, `{name}`")]
    Migration {
        /// Its number.
        version: i32,
        /// Its name.
        name: &'static str,
        /// What the server says.
        source: ServerError,
    },
    /// A table is not what the host can write to.
    #[error("the table `{table}` does not fit: {}", printable_up_to(problem, MAX_STATEMENT_CHARS))]
    TableDoesNotFit {
        /// The table.
        table: &'static str,
        /// How.
        problem: String,
        /// What to do about it.
        help: String,
    },
    /// There are no ids left.
    #[error("the ids of `transactions` run out: after {last_id} there is no room for the rows of this file{}", counted(*rows))]
    IdsExhausted {
        /// The highest that the column can hold.
        last_id: i64,
        /// The rows of the file, where they were counted before anything was written.
        rows: Option<u64>,
    },
    /// The server counted other rows than we did.
    #[error("the server stored {stored} rows of `{table}` where {sent} were sent")]
    CountMismatch {
        /// The table.
        table: &'static str,
        /// What was sent.
        sent: u64,
        /// What COPY says.
        stored: u64,
        /// Triggers that may leave rows out, by returning NULL.
        triggers: Vec<String>,
    },
    /// Rows were read that were neither written nor rejected.
    #[error("{read} rows were read, but {written} written, {skipped} skipped and {rejected} rejected")]
    RowsLost {
        /// Rows read.
        read: u64,
        /// Rows written.
        written: u64,
        /// Rows skipped.
        skipped: u64,
        /// Rows rejected.
        rejected: u64,
    },
    /// With `once`: some of the files were ingested before, which was only known at the end.
    #[error("{}, but other files of this run are new", known(file))]
    PartlyIngested {
        /// The first of them.
        file: KnownFile,
    },
    /// The server rolled back instead of committing.
    #[error("the server rolled the transaction back instead of committing it")]
    NotCommitted,
    /// Nobody knows whether the run was committed.
    #[error("could not determine whether the COMMIT succeeded")]
    OutcomeUnknown {
        /// A query that tells: whether the run was committed, was not, or is still being committed.
        query: String,
        /// Why not; none where we were told not to wait.
        source: Option<Box<SinkError>>,
    },
    /// The server has neither committed nor rolled back yet.
    #[error("the server is still busy with the COMMIT")]
    StillInProgress,
    /// Something that blocks could not be done on a thread.
    #[error(transparent)]
    Thread(#[from] ThreadError),
    /// The embedded server does not work.
    #[error("could not {doing} the embedded server")]
    Embedded {
        /// What was being done, such as "start".
        doing: &'static str,
        /// Why not.
        source: EmbeddedError,
    },
}

/// One line of several failures.
fn of_each(failures: &[SinkError]) -> String {
    let of_one = |failure: &SinkError| {
        let text = match failure {
            SinkError::Connect { server, .. } | SinkError::LookUp { server, .. } => server.clone(),
            SinkError::ConnectTimeout { server, seconds } => {
                format!("{server}: no answer within {seconds} s")
            }
            SinkError::TurnedAway { server, reason, .. } => format!("{server}{}", reason.headline()),
            other => other.to_string(),
        };
        match std::error::Error::source(failure) {
            Some(cause) => format!("{text}: {cause}"),
            None => text,
        }
    };
    failures.iter().map(of_one).collect::<Vec<_>>().join("; ")
}

fn wrong_kind(wanted: SessionAttributes) -> &'static str {
    match wanted {
        SessionAttributes::ReadWrite => "takes no writes",
        SessionAttributes::ReadOnly => {
            "takes writes, and target_session_attrs=read-only asks for one that does not"
        }
        SessionAttributes::Primary => "is a standby, and target_session_attrs=primary asks for none",
        SessionAttributes::Standby | SessionAttributes::PreferStandby => "is not a standby",
        SessionAttributes::Any => "is not what target_session_attrs asks for",
    }
}

/// Who has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdOwner {
    /// An earlier row of the same run.
    ThisRun,
    /// A run that the ledger knows.
    Run(i64),
    /// Somebody.
    Unknown,
}

fn taken_by(by: &IdOwner) -> String {
    match by {
        IdOwner::ThisRun => "an earlier row of this run has it too".into(),
        IdOwner::Run(run) => format!("run {run} wrote it"),
        IdOwner::Unknown => "it is in `transactions`, and the ledger does not know from where".into(),
    }
}

fn known(file: &KnownFile) -> String {
    let name = printable(&file.name);
    match &file.from {
        KnownFrom::RunId(run_id) => format!("run {run_id} has ingested the content of `{name}`"),
        KnownFrom::SameAs(other) => format!("`{name}` has the content of `{}`", printable(other)),
    }
}

fn held_by(holders: &str) -> String {
    if holders.is_empty() { String::new() } else { format!(", last {holders}") }
}

fn counted(rows: Option<u64>) -> String {
    rows.map(|rows| format!(", which has {rows}")).unwrap_or_default()
}

fn refused_row(place: Option<&RowPlace>, table: &str) -> String {
    let of_table = format!("the database refuses a row of `{table}`");
    match place {
        Some(RowPlace { file, line }) => format!("{of_table}: `{}` line {line}", printable(file)),
        None => of_table,
    }
}

impl SinkError {
    /// The SQLSTATE, where it is a statement that failed.
    pub(crate) fn code(&self) -> Option<&SqlState> {
        match self {
            SinkError::Statement { source, .. } => source.code(),
            _ => None,
        }
    }

    /// Whether the server has said no, which it can only if it lives.
    pub(crate) fn is_an_answer(&self) -> bool {
        match self {
            SinkError::Statement { source, .. }
            | SinkError::Login { source, .. }
            | SinkError::Connect { source, .. } => source.code().is_some(),
            SinkError::TurnedAway { .. } => true,
            SinkError::NoneOfSeveral { failures } => failures.last().is_some_and(SinkError::is_an_answer),
            _ => false,
        }
    }

    /// Whether the connection is of no use any more.
    #[must_use]
    pub fn has_lost_connection(&self) -> bool {
        match self {
            SinkError::ServerSilent { .. } => true,
            SinkError::Statement { source, .. } => {
                matches!(
                    source.class(),
                    ErrorClass::ConnectionLost
                        | ErrorClass::Ended
                        | ErrorClass::IdleTooLong
                        | ErrorClass::PoolExhausted
                )
            }
            _ => false,
        }
    }

    /// What the user can do, where there is something.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            SinkError::NoneOfSeveral { failures } => failures.last().and_then(SinkError::help),
            SinkError::TurnedAway { reason, .. } => reason.help().map(str::to_owned),
            SinkError::Connect { source, .. } if !source.is_unreachable() => None,
            SinkError::Connect { .. } | SinkError::LookUp { .. } | SinkError::ConnectTimeout { .. } => Some(
                "is the server running and reachable? It is chosen by --database-url, DATABASE_URL or PGHOST and the like; with none of them, the embedded server is used".into(),
            ),
            SinkError::Certificate { .. } => Some(
                "sslrootcert must name the authority that signed it; sslmode=verify-ca accepts any name in it, and sslmode=require without sslrootcert any certificate".into(),
            ),
            SinkError::Tls { .. } => Some("see sslmode, sslrootcert, sslcert and sslkey of the URL, or PGSSLMODE and the like".into()),
            SinkError::Login { .. } => Some(
                "check user, password and database name; a password can be given in the URL, PGPASSWORD or ~/.pgpass".into(),
            ),
            SinkError::Variable(error) => Some(error.help()),
            SinkError::Target { .. } => Some("a URL looks like `postgres://user@localhost:5432/database`".into()),
            SinkError::WrongKind { .. } => Some("list all servers that may be it, as in `host=a,b`, or leave out target_session_attrs".into()),
            SinkError::WrongPeer { .. } => Some("somebody else may be listening there; if it is the right one, correct requirepeer".into()),
            SinkError::Statement { source, .. } | SinkError::Migration { source, .. } => {
                source.class().help().map(str::to_owned)
            }
            SinkError::LockTimeout { .. } => Some("to wait as long as it takes, leave out `--lock-timeout`; or end the session that holds the lock".into()),
            SinkError::RowRefused { triggers, .. } => Some(refusal_help(triggers)),
            SinkError::CountMismatch { triggers, .. } if !triggers.is_empty() => Some(format!(
                "a trigger leaves rows out by returning NULL; triggers on this table that may: {}",
                printable(&triggers.join(", "))
            )),
            SinkError::ReadOnly { is_standby: true } => Some(
                "name the primary, or list both servers and ask for it: `host=a,b target_session_attrs=read-write`".into(),
            ),
            SinkError::ReadOnly { is_standby: false } => Some(
                "as the host's role: `BEGIN READ WRITE; ALTER ROLE CURRENT_USER SET default_transaction_read_only = off; COMMIT`; or add `options=-cdefault_transaction_read_only=off` to the URL".into(),
            ),
            SinkError::StatementNames => Some("a pooler in transaction mode seems to be in between; name the server's own port, or a pool in session mode".into()),
            SinkError::LedgerRowRefused { table } => Some(format!("is there a trigger on `{table}`? The host's own tables must take what it writes")),
            SinkError::ServerSilent { .. } => Some("is the network up? Where the server merely needs longer, raise --server-timeout".into()),
            SinkError::IdTaken { by: IdOwner::ThisRun, .. } => Some("ids must differ within a file; to leave out the later rows, pass `--on-conflict skip`".into()),
            SinkError::IdTaken { .. } => Some("to leave out rows that are there already, pass `--on-conflict skip`; to have ids allotted, leave out `--ids keep`".into()),
            SinkError::TableDoesNotFit { help, .. } => Some(printable_up_to(help, MAX_STATEMENT_CHARS).into_owned()),
            SinkError::LaterMigration { .. } => Some(format!("use the host that set it up, or a later one; see: `{}`", advice::on_database("migrate --status"))),
            SinkError::NotMigrated { .. } => Some(format!("`{}` brings them up to date; it only adds", advice::on_database("migrate"))),
            SinkError::Thread(error) => error.help(),
            SinkError::NoSchema => Some("see `SHOW search_path`; make the schema with CREATE SCHEMA, or name another with options=-csearch_path%3D… in the URL".into()),
            SinkError::PrivilegesMissing { role, grants } => {
                let grants = grants.iter().map(|grant| format!("GRANT {grant} TO {role}"));
                let grants = grants.collect::<Vec<_>>().join("; ");
                Some(format!("let their owner give them: `{}`", printable_up_to(&grants, MAX_STATEMENT_CHARS)))
            }
            SinkError::NotOwner { table } => Some(format!("let the owner of `{table}` run `host migrate` once")),
            SinkError::IdsExhausted { .. } => Some("widen the columns: `ALTER TABLE transactions ALTER transaction_id TYPE BIGINT; ALTER TABLE anomalies ALTER transaction_id TYPE BIGINT`".into()),
            SinkError::PartlyIngested { .. } => Some("the content of a pipe is known only at its end; leave that file out, or ingest it by itself".into()),
            SinkError::MigrationChanged { .. } => Some("the database was set up by another build of the host; use that one".into()),
            SinkError::OutcomeUnknown { query, .. } => Some(format!(
                "give the same command again with `--once`: it waits for this run to end, and ingests the files only if it was not committed. Or ask the database: `{query}`"
            )),
            SinkError::Embedded { source: EmbeddedError::NotInstalled { .. }, .. } => Some(
                "install PostgreSQL (on Debian or Ubuntu: apt-get install postgresql), or name a server with --database-url".into(),
            ),
            _ => None,
        }
    }
}

fn refusal_help(triggers: &[String]) -> String {
    let help = "correct the row, or the constraint or trigger, then run again";
    match triggers {
        [] => help.into(),
        triggers => format!("{help}; triggers on this table: {}", printable(&triggers.join(", "))),
    }
}
