//! What can go wrong between us and the database, and what to do about it.

use std::time::Duration;

use host_core::advice;
use host_core::batch::RowPlace;
use host_core::environment::VariableError;
use host_core::text::{printable, printable_up_to};
use host_core::threads::ThreadError;
use jiff::Timestamp;
use thiserror::Error;
use tokio_postgres::error::SqlState;

use crate::known_file::{KnownFile, KnownFrom};
use crate::local_server::error::EmbeddedError;
use crate::server_error::{ErrorClass, ServerError};
use crate::session_attributes::SessionAttributes;
use crate::turned_away::TurnedAway;
use crate::undo::error::UndoError;

/// Statements that the user is to run must not be cut; names in them may be long.
const MAX_STATEMENT_CHARS: usize = 4_000;

/// What to do if another program's relation is in the way.
pub(crate) const OTHER_SCHEMA: &str = "rename it, or give the host a schema of its own: `CREATE SCHEMA ingest`, then add \
    `options=-csearch_path%3Dingest` to the URL";

/// Why something could not be written or queried. `server` is a description without the password.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "database_")]
#[non_exhaustive]
pub enum SinkError {
    /// The URL or a libpq variable is invalid.
    #[error("invalid {origin}: {problem}")]
    Target {
        /// Where it came from, such as `--database-url`.
        origin: String,
        /// What is wrong; never contains a password.
        problem: String,
    },
    /// An environment variable that decides where to write cannot be used.
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
    /// Nothing answers at that address.
    #[error("could not connect to {server}")]
    Connect {
        /// The server.
        server: String,
        /// Why not.
        source: ServerError,
    },
    /// Nothing answers at that address, or its name cannot be resolved.
    #[error("could not connect to {server}")]
    LookUp {
        /// The server.
        server: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Its certificate does not prove that it is the server that was meant.
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
    /// None of several servers could be used.
    #[error("could not connect to any of {} servers: {}", failures.len(), of_each(failures))]
    NoneOfSeveral {
        /// Why not, one for each server, in the order in which they were tried.
        failures: Vec<SinkError>,
    },
    /// It is not the kind of server that `target_session_attrs` asks for.
    #[error("{server} {}", wrong_kind(*wanted))]
    WrongKind {
        /// The server.
        server: String,
        /// What it should be.
        wanted: SessionAttributes,
    },
    /// It runs as another user than `requirepeer` asks for.
    #[error("{server} does not run as the user that `requirepeer` names, but as `{}`", printable(user))]
    WrongPeer {
        /// The server.
        server: String,
        /// The user it runs as.
        user: String,
    },
    /// The server answered, but cannot be used, for a reason that another login would not change.
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
    /// Other sessions hold the lock.
    #[error("could not {doing}: other sessions held the lock for more than {} s{}", waited.as_secs_f64(), held_by(holders))]
    LockTimeout {
        /// What was being done, such as "lock `transactions`".
        doing: &'static str,
        /// How long was waited.
        waited: Duration,
        /// Which, as far as the server tells.
        holders: String,
        /// What the server says.
        source: ServerError,
    },
    /// One of the operator's constraints or triggers refuses a row.
    #[error("{}", refused_row(place.as_ref(), table))]
    RowRefused {
        /// The table.
        table: &'static str,
        /// Where the row is, if the server says which one it is.
        place: Option<RowPlace>,
        /// Triggers on the table that the host did not create; PostgreSQL does not say which one it was.
        triggers: Vec<String>,
        /// What the server says.
        source: ServerError,
    },
    /// An id in the file is already in the table.
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
    /// The server's answer is not one that PostgreSQL gives.
    #[error("unexpected answer to {0}; is the server PostgreSQL?")]
    StrangeAnswer(&'static str),
    /// Something kept a row from the ledger, or changed it.
    #[error("a row of `{table}` was not stored as it was written")]
    LedgerRowRefused {
        /// The table.
        table: &'static str,
    },
    /// The server takes no writes.
    #[error("the server takes no writes: {}", if *.is_standby { "it is a standby" } else { "`default_transaction_read_only` is on" })]
    ReadOnly {
        /// Whether it is a standby, rather than configured to be read-only.
        is_standby: bool,
    },
    /// Something was to be written after the end.
    #[error("rows were to be written after the end of the run")]
    WriterClosed,
    /// Another program's statement names leave no room for ours.
    #[error("the session is full of another program's prepared statements")]
    StatementNames,
    /// A migration in the database differs from the one that this host has.
    #[error("migration {version} in the database differs from the `{name}` that this host knows")]
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
    /// The database was set up by an earlier host, and commands that only read do not migrate it.
    #[error("the tables are those of an earlier host: migration {version}, `{name}`, has not been applied")]
    NotMigrated {
        /// The number of the first missing one.
        version: i32,
        /// Its name.
        name: &'static str,
    },
    /// No schema on the search path exists.
    #[error("there is no schema to create the tables in: none on the search path exists")]
    NoSchema,
    /// The role lacks privileges that a run needs.
    #[error("the role `{}` lacks privileges: {}", printable(role), printable_up_to(&grants.join("; "), MAX_STATEMENT_CHARS))]
    PrivilegesMissing {
        /// The role, quoted as in SQL.
        role: String,
        /// What to grant, such as `INSERT ON anomalies`.
        grants: Vec<String>,
    },
    /// A table has to be altered, but belongs to another role.
    #[error("the table `{table}` has to be altered, but belongs to another role")]
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
    /// A user's id has characters that the database does not have.
    #[error(
        "the database cannot hold the user id `{}`: its encoding does not have all of the characters",
        printable(key)
    )]
    UserNotStorable {
        /// The id.
        key: String,
    },
    /// There are not enough ids left.
    #[error("the ids of `transactions` run out: after {last_id} there is no room for the rows of this file{}", counted(*rows))]
    IdsExhausted {
        /// The highest that the column can hold.
        last_id: i64,
        /// The rows of the file, if they were counted before anything was written.
        rows: Option<u64>,
    },
    /// The server's count of rows differs from ours.
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
    /// Some rows that were read were neither written, skipped nor rejected.
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
    /// With `once`: some of the files had been ingested before, which was only found out at the end.
    #[error("{}, but other files of this run are new", known(file))]
    PartlyIngested {
        /// The first of them.
        file: KnownFile,
    },
    /// What is stored of a state is not what its runs have written.
    #[error("the state `{}` is damaged: {}", printable(state), damaged(*run_id, *damage))]
    StateDamaged {
        /// The state.
        state: String,
        /// The run that is concerned.
        run_id: i64,
        /// What is wrong.
        damage: StateDamage,
    },
    /// A state as it was a while ago, of which only what is still needed was kept.
    #[error(
        "the state `{}` as it was after run {run_id} is not there any more: run {into} and those before it were merged",
        printable(state)
    )]
    StateMerged {
        /// The state.
        state: String,
        /// The run.
        run_id: i64,
        /// The newest run whose entries were merged with those before.
        into: i64,
    },
    /// A state as it was before it was dropped.
    #[error(
        "the state `{}` as it was after run {run_id} is not there any more: it was dropped at {}",
        printable(state),
        at.strftime("%F %TZ")
    )]
    StateDropped {
        /// The state.
        state: String,
        /// The run.
        run_id: i64,
        /// When `host state drop` removed it.
        at: Timestamp,
    },
    /// The detector has passed on two entries of one user in one run.
    #[error("the detector has passed on the same entry of its state `{}` twice", printable(state))]
    StateTwice {
        /// The state.
        state: String,
        /// What the server says; `None` for what belongs to no user.
        source: Option<ServerError>,
    },
    /// The server rolled back although COMMIT was sent.
    #[error("the server rolled the transaction back instead of committing it")]
    NotCommitted,
    /// It is not known whether the transaction was committed.
    #[error("could not determine whether the COMMIT succeeded")]
    OutcomeUnknown {
        /// What it was for.
        work: Work,
        /// A query that tells: whether it was committed, was not, or is still being committed.
        query: String,
        /// Why not; `None` if we were told not to wait.
        source: Option<Box<SinkError>>,
    },
    /// A run cannot be undone.
    #[error(transparent)]
    Undo(#[from] UndoError),
    /// The server has neither committed nor rolled back yet.
    #[error("the server is still busy with the COMMIT")]
    StillInProgress,
    /// Blocking work could not be done on a thread.
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

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Writing the rows of a run.
    Run,
    /// Recording what has become known of rows.
    Feedback,
    /// Removing them.
    Undo,
    /// Removing what is stored of a state.
    State,
}

/// Several failures on one line.
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
            "takes writes, but target_session_attrs=read-only asks for a server that does not"
        }
        SessionAttributes::Primary => "is a standby, but target_session_attrs=primary asks for a primary",
        SessionAttributes::Standby | SessionAttributes::PreferStandby => "is not a standby",
        SessionAttributes::Any => "is not what target_session_attrs asks for",
    }
}

/// Who uses an id already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdOwner {
    /// An earlier row of the same run.
    ThisRun,
    /// A run in the ledger.
    Run(i64),
    /// It is not known who.
    Unknown,
}

/// What is wrong with a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateDamage {
    /// The run is not in the ledger.
    NoRun,
    /// What it wrote was altered, or some of it was removed or added.
    Altered,
    /// The same of what it and the runs before it wrote, which was merged.
    AlteredSince,
}

fn damaged(run_id: i64, damage: StateDamage) -> String {
    match damage {
        StateDamage::NoRun => {
            format!("it continues run {run_id}, which is not in the ledger with that state")
        }
        StateDamage::AlteredSince => {
            format!(
                "its entries in `detector_states` are not those that run {run_id} and the runs before it wrote"
            )
        }
        StateDamage::Altered => {
            format!("its entries in `detector_states` are not those that run {run_id} wrote")
        }
    }
}

fn taken_by(by: &IdOwner) -> String {
    match by {
        IdOwner::ThisRun => "an earlier row of this run has it too".into(),
        IdOwner::Run(run) => format!("run {run} wrote it"),
        IdOwner::Unknown => "it is in `transactions`, and the ledger does not say which run wrote it".into(),
    }
}

fn known(file: &KnownFile) -> String {
    let name = printable(&file.name);
    match &file.from {
        KnownFrom::RunId(run_id) => format!("run {run_id} has ingested the content of `{name}`"),
        KnownFrom::SameAs(other) => format!("`{name}` has the same content as `{}`", printable(other)),
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
    /// The SQLSTATE, if a statement failed.
    pub(crate) fn code(&self) -> Option<&SqlState> {
        match self {
            SinkError::Statement { source, .. } => source.code(),
            _ => None,
        }
    }

    /// Whether the server refused, which shows that it is alive.
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

    /// Whether the connection can no longer be used.
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

    /// What the user can do, if anything.
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
            SinkError::StatementNames => Some("there seems to be a pooler in transaction mode in between; use the server's own port, or a pool in session mode".into()),
            SinkError::LedgerRowRefused { table } => Some(format!("is there a trigger on `{table}`? The host's own tables must take what it writes")),
            SinkError::ServerSilent { .. } => Some("is the network up? If the server only needs more time, raise --server-timeout".into()),
            SinkError::IdTaken { by: IdOwner::ThisRun, .. } => Some("ids must differ within a file; to skip the later rows, pass `--on-conflict skip`".into()),
            SinkError::IdTaken { .. } => Some("to skip rows that are already there, pass `--on-conflict skip`, and to write these rows in their place, `--on-conflict replace`; to have ids allotted, leave out `--ids keep`".into()),
            SinkError::TableDoesNotFit { help, .. } => Some(printable_up_to(help, MAX_STATEMENT_CHARS).into_owned()),
            SinkError::LaterMigration { .. } => Some(format!("use the host that set it up, or a later one; see: `{}`", advice::on_database("migrate --status"))),
            SinkError::NotMigrated { .. } => Some(format!("`{}` brings them up to date; it only adds", advice::on_database("migrate"))),
            SinkError::Thread(error) => error.help(),
            SinkError::NoSchema => Some("see `SHOW search_path`; create the schema with CREATE SCHEMA, or choose another with options=-csearch_path%3D… in the URL".into()),
            SinkError::PrivilegesMissing { role, grants } => {
                let grants = grants.iter().map(|grant| format!("GRANT {grant} TO {role}"));
                let grants = grants.collect::<Vec<_>>().join("; ");
                Some(format!("have their owner grant them: `{}`", printable_up_to(&grants, MAX_STATEMENT_CHARS)))
            }
            SinkError::NotOwner { table } => Some(format!("have the owner of `{table}` run `host migrate` once")),
            SinkError::IdsExhausted { .. } => Some("widen the columns: `ALTER TABLE transactions ALTER transaction_id TYPE BIGINT; ALTER TABLE anomalies ALTER transaction_id TYPE BIGINT`".into()),
            SinkError::PartlyIngested { .. } => Some("the content of a pipe is known only at its end; leave that file out, or ingest it on its own".into()),
            SinkError::StateDamaged { .. } => Some(
                "restore `ingest_runs` and `detector_states` from a backup, or let the detector begin anew: with `--state new`, or under another name, such as `--state second`".into(),
            ),
            SinkError::StateMerged { .. } => Some("only the last ten runs of a state are kept apart, and none of those before `host state prune`".into()),
            SinkError::StateTwice { .. } => Some("this is a bug in the plugin; `host plugin check` helps its author to find it".into()),
            SinkError::UserNotStorable { .. } => Some("use a database with ENCODING 'UTF8'".into()),
            SinkError::MigrationChanged { .. } => Some("the database was set up by another build of the host; use that one".into()),
            SinkError::OutcomeUnknown { work: Work::Feedback, query, .. } => Some(format!(
                "run the same command again: it waits for this one to end, and records only what is not there. Or ask the database: `{query}`"
            )),
            SinkError::OutcomeUnknown { work: Work::Undo, query, .. } => Some(format!(
                "run the same command again: it waits for this one to end, and says so if the run is undone. Or ask the database: `{query}`"
            )),
            SinkError::OutcomeUnknown { work: Work::State, query, .. } => Some(format!(
                "run the same command again: it waits for this one to end, and says so if nothing is left to remove. Or ask the database: `{query}`"
            )),
            SinkError::OutcomeUnknown { work: Work::Run, query, .. } => Some(format!(
                "run the same command again with `--once`: it waits for this run to end, and ingests the files only if it was not committed. Or ask the database: `{query}`"
            )),
            SinkError::Undo(error) => error.help(),
            SinkError::Embedded { source: EmbeddedError::NotInstalled { .. }, .. } => Some(
                "name a server with --database-url, DATABASE_URL or PGHOST; or install PostgreSQL, for one of your own (on Debian or Ubuntu: apt-get install postgresql)".into(),
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
