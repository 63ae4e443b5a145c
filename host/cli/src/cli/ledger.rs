//! Arguments of the commands that look back at committed runs.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::database::DatabaseArgs;
use super::ingest::SandboxArgs;

/// Arguments of `host runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// The number of a run, to see all of it
    pub run: Option<i64>,

    /// How many runs to list, the latest first
    #[arg(long, value_name = "RUNS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,

    /// Only runs committed at this time or later, such as `2024-02-29` or `2024-02-29T23:59:59Z`; a
    /// time without a zone is local time
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Timestamp>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub wanted: WantedArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,
}

/// Which runs are looked at.
#[derive(Clone, Debug, Args)]
pub struct WantedArgs {
    /// Only runs of a file whose name contains this
    #[arg(long, value_name = "PART")]
    pub file: Option<String>,

    /// Only runs of this source
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,

    /// Only runs with the plugin of this name
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<String>,
}

/// Arguments of `host verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The run's number
    pub run: i64,

    /// The files that the run read, in the same order
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// An earlier file from which the run learned before its first row; may be repeated, in the same order
    #[arg(long, value_name = "FILE")]
    pub history: Vec<PathBuf>,

    /// The plugin that the run used: a path or a name [default: the name in the ledger]
    #[arg(short, long, value_name = "PLUGIN")]
    pub plugin: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub sandbox: SandboxArgs,
}

/// Arguments of `host rejects`, `host skipped` and `host replaced`.
#[derive(Debug, Args)]
pub struct ListingArgs {
    /// The run's number
    pub run: i64,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,
}

fn since(text: &str) -> Result<Timestamp, String> {
    let local = || text.parse::<DateTime>().and_then(|time| time.to_zoned_datetime(TimeZone::system()));
    let time = text.parse::<Timestamp>().or_else(|_| local().map(|time| time.timestamp()));
    time.map_err(|_| "give a day or a time, such as `2024-02-29` or `2024-02-29T23:59:59Z`".into())
}
