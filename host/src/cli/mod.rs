//! The command line, as clap types and nothing else: the commands here, what is read and what
//! judges it in [`ingest`], where it is written in [`database`], tools for plugins in [`plugin`].

mod database;
mod ingest;
mod plugin;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use database::{DatabaseArgs, DbCommand, MigrateArgs};
pub use ingest::{IngestArgs, InputArgs, SandboxArgs};
pub use plugin::{
    AddArgs, BenchArgs, DigestArgs, InspectArgs, Language, ListArgs, NewArgs, PluginCheckArgs, PluginCommand,
    SubjectArgs, TestArgs,
};

/// Streams a transactions CSV through a sandboxed detector into PostgreSQL, in one transaction.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub struct Cli {
    /// Show more of what happens; twice for even more
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 committed, 1 internal error, 2 usage, 3 input, 4 plugin, 5 database, \
     6 outcome unknown, 130 interrupted";

/// What can be asked of the host.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ingest files: classify their rows and write everything in one transaction
    Run(RunArgs),
    /// Do all that `run` does but the writing, and say what it would do; needs no database
    Check(CheckArgs),
    /// List what a run rejected
    Rejects(RejectsArgs),
    /// Create or update the tables; `run` does so by itself
    Migrate(MigrateArgs),
    /// Start, stop and look at the embedded server, the database where no other is named
    #[command(subcommand)]
    Db(DbCommand),
    /// Write, check and manage plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
}

/// Arguments of `host run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub ingest: IngestArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,

    /// Where to write rejected rows, besides the database: a CSV that can be mended and run again
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,

    /// How the summary is printed
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `host check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub ingest: IngestArgs,
}

/// Arguments of `host rejects`.
#[derive(Debug, Args)]
pub struct RejectsArgs {
    /// The run's number
    pub run: i64,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,

    /// How they are printed: for people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// How the summary is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object on stdout
    Json,
}
