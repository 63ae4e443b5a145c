//! The command line, as clap types and nothing else: the commands here, what is read and what
//! judges it in [`ingest`], where it is written in [`database`], tools for plugins in [`plugin`], and
//! what is made of the description itself in [`description`].

mod database;
mod description;
mod ingest;
mod parse;
mod plugin;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub use database::{DatabaseArgs, DbCommand, MigrateArgs};
pub use description::{CompletionsArgs, ManArgs, completions, write_man_pages};
pub use ingest::{EngineArgs, EngineChoice, IngestArgs, InputArgs, SandboxArgs};
pub use parse::{format_asked_for, parse};
pub use plugin::{
    AddArgs, BenchArgs, DigestArgs, InspectArgs, Language, ListArgs, NewArgs, PluginCheckArgs, PluginCommand,
    SubjectArgs, TestArgs,
};

use crate::sink::{DeferKeys, OnConflict};

/// Streams a transactions CSV through a sandboxed detector into PostgreSQL, in one transaction.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
pub struct Cli {
    /// Show more of what happens; twice for even more
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// How results are printed: for people, or as JSON, one object a line; the last line is the end of
    /// the command, also where it fails
    #[arg(long, value_enum, global = true, default_value_t)]
    pub format: Format,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

impl Command {
    /// As it is typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Command::Run(_) => "run",
            Command::Check(_) => "check",
            Command::Runs(_) => "runs",
            Command::Verify(_) => "verify",
            Command::Rejects(_) => "rejects",
            Command::Skipped(_) => "skipped",
            Command::Migrate(_) => "migrate",
            Command::Db(command) => command.name(),
            Command::Plugin(command) => command.name(),
            Command::Completions(_) => "completions",
            Command::Man(_) => "man",
        }
    }
}

/// What is not an argument, but means something all the same.
const AFTER_HELP: &str = "\
Environment:
  DATABASE_URL      The database, if --database-url is not given
  PGHOST, PGPORT …  The same, as libpq takes them
  HOST_PLUGIN_PATH  Folders in which plugins are looked for by name, separated by `:`
  HOST_DATA_DIR     Where the embedded server and added plugins are kept (an absolute path)
  HOST_LOG          What is logged, in place of -v: `warn,host=debug`
  XDG_CACHE_HOME    Where compiled plugins are kept

Exit codes:
  0    committed (anomalies are no failure); other commands: done
  1    a bug in host, or the result could not be written to standard output
  2    wrong usage
  3    the file cannot be ingested; `db status`: the server does not run
  4    the plugin cannot be used or misbehaved
  5    the database cannot be reached or refused something
  6    whether the run was committed is not known; the message has the query that tells
  7    `verify`: what is stored differs from the replay
  130  interrupted by ^C
  143  terminated (SIGTERM)";

/// What can be asked of the host.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ingest files: classify their rows and write everything in one transaction
    Run(RunArgs),
    /// Do all that `run` does but the writing, and say what it would do. Takes the arguments of `run`;
    /// needs no database, and asks none
    Check(CheckArgs),
    /// List the runs that the ledger knows, or show one of them
    Runs(RunsArgs),
    /// Replay a committed run and compare what it gives with what is stored
    Verify(VerifyArgs),
    /// List what a run rejected
    Rejects(ListingArgs),
    /// List what a run skipped because the ids were there already
    Skipped(ListingArgs),
    /// Create or update the tables; `run` does so by itself
    Migrate(MigrateArgs),
    /// Start, stop and look at the embedded server, the database where no other is named
    #[command(subcommand)]
    Db(DbCommand),
    /// Write, check and manage plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Print a script that makes a shell complete the arguments of this program
    Completions(CompletionsArgs),
    /// Write the man pages into a folder (for packages)
    #[command(hide = true)]
    Man(ManArgs),
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

    /// How long to wait for others that write to the same tables [default: as long as it takes]
    #[arg(long, value_name = "TIME", help_heading = "Database")]
    pub lock_timeout: Option<SignedDuration>,

    /// Where `transaction_id` comes from
    #[arg(long, value_enum, default_value_t, help_heading = "Writing")]
    pub ids: IdsArg,

    /// With `--ids keep`: what to do about a row whose id is there already [default: fail]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Writing")]
    pub on_conflict: Option<OnConflict>,

    /// Whether the keys of empty tables are built after the rows, which is faster, but blocks readers
    /// until the run has ended; `auto` does so for large files
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, help_heading = "Writing")]
    pub defer_keys: DeferKeys,

    /// Leave out files whose content was ingested before; `all`: write nothing if the same files were
    /// ingested before with the same plugin, settings and way of reading
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "file", help_heading = "Writing")]
    pub once: Option<OnceArg>,

    /// Where to write rejected rows, besides the database: a CSV that can be mended and run again
    #[arg(long, value_name = "FILE", help_heading = "Writing")]
    pub rejects: Option<PathBuf>,

    /// Fail, and write nothing, if there are fewer rows than this: a delivery without rows is not a
    /// good day's
    #[arg(long, value_name = "ROWS", default_value_t = 0, help_heading = "Input", hide_default_value = true)]
    pub min_rows: u64,
}

/// Arguments of `host check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub run: RunArgs,
}

/// Arguments of `host runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// The number of a run, to see all of it
    pub run: Option<i64>,

    /// How many runs are listed, the latest first
    #[arg(long, value_name = "RUNS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,

    /// Only runs committed at this time or later, such as `2024-02-29` or `2024-02-29T23:59:59Z`; a
    /// time without a zone is local time
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Timestamp>,

    /// Only runs of a file whose name contains this
    #[arg(long, value_name = "PART")]
    pub file: Option<String>,

    /// Only runs by the plugin of this name
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<String>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,
}

/// Arguments of `host verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The run's number
    pub run: i64,

    /// The files that it read, in the same order
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The plugin that it used: a path or a name [default: the name in the ledger]
    #[arg(short, long, value_name = "PLUGIN")]
    pub plugin: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub sandbox: SandboxArgs,
}

/// Arguments of `host rejects` and `host skipped`.
#[derive(Debug, Args)]
pub struct ListingArgs {
    /// The run's number
    pub run: i64,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,
}

/// What is not ingested a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnceArg {
    /// The content of a file, compressed or not, whatever the plugin and its settings
    File,
    /// All files together, with this plugin and these settings
    All,
}

fn since(text: &str) -> Result<Timestamp, String> {
    let local = || text.parse::<DateTime>().and_then(|time| time.to_zoned_datetime(TimeZone::system()));
    let time = text.parse::<Timestamp>().or_else(|_| local().map(|time| time.timestamp()));
    time.map_err(|_| "give a day or a time, such as `2024-02-29` or `2024-02-29T23:59:59Z`".into())
}

/// Where `transaction_id` comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IdsArg {
    /// The host allots it, in file order, after the highest one; the file's goes to `source_id`
    #[default]
    Assign,
    /// The file's own
    Keep,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object a line
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::exit;

    #[test]
    fn every_option_stands_where_it_is_looked_for() {
        let cli = Cli::command();
        let run = cli.find_subcommand("run").unwrap();
        let heading = |id: &str| {
            let argument = run.get_arguments().find(|argument| argument.get_id() == id);
            argument.unwrap_or_else(|| panic!("{id}")).get_help_heading()
        };
        let cases = [
            ("plugin", None),
            ("max_rejects", Some("Input")),
            ("min_rows", Some("Input")),
            ("memory_limit", Some("Sandbox")),
            ("database_url", Some("Database")),
            ("lock_timeout", Some("Database")),
            ("ids", Some("Writing")),
            ("once", Some("Writing")),
            ("rejects", Some("Writing")),
        ];
        for (id, expected) in cases {
            assert_eq!(heading(id), expected, "{id}");
        }
    }

    /// In `--help` and in README.md.
    #[test]
    fn every_exit_code_is_documented() {
        let readme = include_str!("../../../README.md");
        let codes = [
            exit::COMMITTED,
            exit::INTERNAL,
            exit::USAGE,
            exit::INPUT,
            exit::PLUGIN,
            exit::DATABASE,
            exit::UNKNOWN,
            exit::DIFFERS,
            exit::INTERRUPTED,
            exit::TERMINATED,
        ];
        for code in codes {
            assert!(AFTER_HELP.lines().any(|line| line.starts_with(&format!("  {code:<5}"))), "{code}");
            assert!(readme.lines().any(|line| line.starts_with(&format!("| {code} |"))), "{code}");
        }
    }
}
