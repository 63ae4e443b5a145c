//! Arguments that select the database, and commands on it.

use clap::{Args, Subcommand};
use jiff::SignedDuration;

/// Which database.
#[derive(Debug, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// The server, as `postgres://user@host:port/database` [default: DATABASE_URL, else PGHOST and
    /// the like, else the embedded server]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,

    /// How long connecting and logging in may take [default: `connect_timeout`, else 10 s]
    #[arg(long, value_name = "TIME")]
    pub connect_timeout: Option<SignedDuration>,

    /// How long the server may take to answer; also how long to keep asking what became of a COMMIT during
    /// which the connection was lost
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub server_timeout: SignedDuration,
}

/// Arguments of `host migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,

    /// Change nothing; list what has been applied
    #[arg(long)]
    pub status: bool,
}

const START_EXAMPLES: &str = "\
Examples:
  host db start
  host db start --format json";

const STOP_EXAMPLES: &str = "\
Examples:
  host db stop";

const STATUS_EXAMPLES: &str = "\
Examples:
  host db status";

const URL_EXAMPLES: &str = "\
Examples:
  host db url";

const PROGRAMS_EXAMPLES: &str = "\
Examples:
  host db programs";

const PSQL_EXAMPLES: &str = "\
Examples:
  host db psql
  host db psql -c 'SELECT * FROM ingest_runs'";

/// What can be done with the embedded server.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Start it and keep it running until `host db stop`
    #[command(after_help = START_EXAMPLES)]
    Start,
    /// Stop it
    #[command(after_help = STOP_EXAMPLES)]
    Stop,
    /// Say where it is and whether it is running
    #[command(after_help = STATUS_EXAMPLES)]
    Status,
    /// Print its URL, for psql and other programs, which need it to be running
    #[command(after_help = URL_EXAMPLES)]
    Url,
    /// Print the folder of the PostgreSQL programs that it uses
    #[command(after_help = PROGRAMS_EXAMPLES)]
    Programs,
    /// Open psql on it, starting it if needed
    #[command(after_help = PSQL_EXAMPLES)]
    Psql {
        /// Passed on to psql unchanged; arguments that name another server are refused
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Wait until nobody uses it, then stop it (started by the host itself)
    #[command(hide = true)]
    Guard,
}

impl DbCommand {
    /// As it is typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            DbCommand::Start => "db start",
            DbCommand::Stop => "db stop",
            DbCommand::Status => "db status",
            DbCommand::Url => "db url",
            DbCommand::Programs => "db programs",
            DbCommand::Psql { .. } => "db psql",
            DbCommand::Guard => "db guard",
        }
    }
}
