//! What can go wrong between us and the database, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;
use tokio_postgres::error::SqlState;

use crate::text::printable;

/// Why something could not be written or asked. `server` is a description without password.
#[derive(Debug, Error)]
pub enum SinkError {
    /// The URL or a libpq variable makes no sense.
    #[error("{origin} is not usable: {problem}")]
    Target {
        /// Where it came from, such as `--database-url`.
        origin: String,
        /// What is wrong; never contains a password.
        problem: String,
    },
    /// Certificates or keys cannot be used.
    #[error("set up TLS for {server}")]
    Tls {
        /// The server.
        server: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody answers.
    #[error("connect to {server}")]
    Connect {
        /// The server.
        server: String,
        /// Why not.
        source: ServerError,
    },
    /// It is not who it should be.
    #[error("trust the certificate of {server}")]
    Certificate {
        /// The server.
        server: String,
        /// Why not.
        source: ServerError,
    },
    /// It took too long to answer.
    #[error("connect to {server}: no answer within {seconds} s")]
    ConnectTimeout {
        /// The server.
        server: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The server answered and refused.
    #[error("log in to {server}")]
    Login {
        /// The server.
        server: String,
        /// Why.
        source: ServerError,
    },
    /// A statement failed.
    #[error("{doing}")]
    Statement {
        /// What was being done, such as "write the transactions".
        doing: &'static str,
        /// What the server says.
        source: ServerError,
    },
    /// The server's answer is none that PostgreSQL gives.
    #[error("the server's answer to {0} makes no sense; is it a PostgreSQL?")]
    StrangeAnswer(&'static str),
    /// A migration in the database is not the one that this host has.
    #[error("migration {version} in the database is not the `{name}` that this host knows")]
    MigrationChanged {
        /// Its number.
        version: i32,
        /// Its name here.
        name: &'static str,
    },
    /// A migration failed.
    #[error("apply migration {version}, `{name}`")]
    Migration {
        /// Its number.
        version: i32,
        /// Its name.
        name: &'static str,
        /// What the server says.
        source: ServerError,
    },
    /// A table is not what the host can write to.
    #[error("the table `{table}` does not fit: {problem}")]
    TableDoesNotFit {
        /// The table.
        table: &'static str,
        /// How.
        problem: String,
    },
    /// There are no ids left.
    #[error("the ids of `transactions` run out: after {last_id} there is no room for the rows of this file")]
    IdsExhausted {
        /// The highest that the column can hold.
        last_id: i64,
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
    },
    /// Rows were read that were neither written nor rejected.
    #[error("{read} rows were read, but {written} written and {rejected} rejected")]
    RowsLost {
        /// Rows read.
        read: u64,
        /// Rows written.
        written: u64,
        /// Rows rejected.
        rejected: u64,
    },
    /// The server rolled back instead of committing.
    #[error("the server rolled the transaction back instead of committing it")]
    NotCommitted,
    /// Nobody knows whether the run was committed.
    #[error("the connection was lost during COMMIT")]
    OutcomeUnknown {
        /// A query that tells: it returns a row exactly if the run was committed.
        query: String,
        /// How the connection was lost.
        source: ServerError,
    },
    /// The embedded server does not work.
    #[error("{doing} the embedded server")]
    Embedded {
        /// What was being done, such as "start".
        doing: &'static str,
        /// Why not.
        source: EmbeddedError,
    },
}

/// Why the embedded server does not work.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// PostgreSQL is not installed.
    #[error("PostgreSQL's programs (initdb, pg_ctl) were found neither on the PATH nor in `{folder}`")]
    NotInstalled {
        /// Where else they were looked for.
        folder: &'static str,
    },
    /// A file or folder of it cannot be used.
    #[error("{doing} `{}`", path.display())]
    File {
        /// A verb, such as "create".
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// One of PostgreSQL's programs failed.
    #[error("`{program}` failed: {}", printable(output.trim()))]
    Program {
        /// The program.
        program: &'static str,
        /// The end of what it printed.
        output: String,
    },
    /// The cluster belongs to another version of PostgreSQL.
    #[error("its data in `{}` is of PostgreSQL {data}, but the installed version is {installed}", folder.display())]
    Version {
        /// The cluster's folder.
        folder: PathBuf,
        /// Major version of the data.
        data: String,
        /// Major version of the programs.
        installed: String,
    },
    /// There is no user to run it as.
    #[error("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")]
    NoUser,
}

/// An error of tokio-postgres, with all that the server said: its own text is only "db error".
#[derive(Debug)]
pub struct ServerError(pub tokio_postgres::Error);

impl ServerError {
    /// The SQLSTATE, if the server answered at all.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        self.0.code()
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(said) = self.0.as_db_error() else {
            // The cause says more than the outer text, which the chain would repeat.
            return match std::error::Error::source(&self.0) {
                Some(cause) => write!(f, "{}", printable(&chain(cause))),
                None => write!(f, "{}", printable(&self.0.to_string())),
            };
        };
        write!(f, "{}", printable(said.message()))?;
        if let Some(detail) = said.detail() {
            write!(f, " ({})", printable(detail))?;
        }
        if let Some(hint) = said.hint() {
            write!(f, "; {}", printable(hint))?;
        }
        if let Some(context) = said.where_() {
            write!(f, "; {}", printable(&context.replace('\n', "; ")))?;
        }
        write!(f, " [SQLSTATE {}]", said.code().code())
    }
}

impl std::error::Error for ServerError {}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

impl SinkError {
    /// For `map_err`: the statement that failed.
    pub(super) fn statement(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> SinkError {
        move |error| SinkError::Statement { doing, source: ServerError(error) }
    }

    /// What the user can do, where there is something.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            SinkError::Connect { .. } | SinkError::ConnectTimeout { .. } => Some(
                "is the server running and reachable? It is chosen by --database-url, DATABASE_URL or PGHOST and the like; with none of them, the embedded server is used".into(),
            ),
            SinkError::Certificate { .. } => Some(
                "sslrootcert must name the authority that signed it; sslmode=verify-ca accepts any name in it, and sslmode=require without sslrootcert any certificate".into(),
            ),
            SinkError::Tls { .. } => Some("see sslmode, sslrootcert, sslcert and sslkey of the URL, or PGSSLMODE and the like".into()),
            SinkError::Login { .. } => Some(
                "check user, password and database name; a password can be given in the URL, PGPASSWORD or ~/.pgpass".into(),
            ),
            SinkError::Target { .. } => Some("a URL looks like `postgres://user@localhost:5432/database`".into()),
            SinkError::Statement { source, .. } | SinkError::Migration { source, .. } => statement_help(source),
            SinkError::TableDoesNotFit { .. } => Some(
                "alter the table, or choose a database or schema without one of that name; the host creates its own".into(),
            ),
            SinkError::IdsExhausted { .. } => Some("widen the columns: ALTER TABLE transactions ALTER transaction_id TYPE BIGINT; ALTER TABLE anomalies ALTER transaction_id TYPE BIGINT".into()),
            SinkError::MigrationChanged { .. } => Some("the database was set up by another build of the host; use that one".into()),
            SinkError::OutcomeUnknown { query, .. } => Some(format!("ask the database: `{query}` returns one row exactly if the run was committed")),
            SinkError::Embedded { source: EmbeddedError::NotInstalled { .. }, .. } => Some(
                "install PostgreSQL (on Debian or Ubuntu: apt-get install postgresql), or name a server with --database-url".into(),
            ),
            _ => None,
        }
    }
}

fn statement_help(error: &ServerError) -> Option<String> {
    let code = error.code()?;
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        Some("the host needs to read and insert in its tables, to lock `transactions` (UPDATE or DELETE privilege), and, the first time, to create them".into())
    } else if *code == SqlState::DISK_FULL {
        Some("free space on the server, then run again".into())
    } else if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        Some("this server does not take writes; is it a standby?".into())
    } else {
        None
    }
}
