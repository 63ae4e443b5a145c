//! Arguments that say which files are read, how, and which plugin classifies them within which limits.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use host_core::digest::Sha256Digest;
use host_core::text::did_you_mean;
use host_detector::{EngineKind, MIN_COMPILE_MEMORY_BYTES};
use host_source::RejectLimit;
use host_source::timestamp::TimestampForm;
use jiff::SignedDuration;
use jiff::tz::{self, TimeZone};

use super::control::ControlArgs;
use super::dialect::DialectArgs;
use super::ids::IdArgs;
use super::lines::LineArgs;
use super::values::ValueArgs;

/// What is read, and what classifies it.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// CSV files, folders of them, patterns such as `'data/*.csv'`, or `-` for standard input; gzip
    /// and zstd are recognised
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The detector: a path, or the name of a plugin in the current folder, in HOST_PLUGIN_PATH, in the
    /// user's folder (see `host plugin add`) or in the folder `plugins` beside this program; or the folder of a
    /// project [default: that of the project in the current folder]
    #[arg(short, long, value_name = "PLUGIN")]
    pub plugin: Option<PathBuf>,

    /// A setting of the detector; may be repeated
    #[arg(short, long = "set", value_name = "NAME=VALUE")]
    pub settings: Vec<String>,

    /// Most rows to hand to the plugin at a time. A few thousand, shared by all instances, are in flight at
    /// once, so that whatever the plugin says about them fits into memory
    #[arg(long, value_name = "ROWS", default_value_t = 8_192, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch_rows: u32,

    /// Plugin instances to run in parallel, each with its own limits; always 1 if the plugin's `ordering`
    /// is `file`
    #[arg(short, long, value_name = "INSTANCES", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub jobs: u8,

    /// With a plugin that learns: an earlier file, folder or pattern from which it learns before the first row, without
    /// writing it, unless it continues a state, which knows it already; may be repeated
    #[arg(long, value_name = "FILE")]
    pub history: Vec<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub input: InputArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub control: ControlArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub sandbox: SandboxArgs,
}

/// How files are to be read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// How many unreadable records to tolerate: a count, or a percentage such as `0.5%`; `run` keeps
    /// them in `rejected_rows`
    #[arg(long, value_name = "N|P%", default_value = "0")]
    pub max_rejects: RejectLimit,

    /// The name that a column has in the file, such as `amount=TX_AMOUNT`, or, with `--no-header`, its
    /// position, such as `amount=3`; also for the columns that the detector asks for
    #[arg(long = "column", value_name = "COLUMN=NAME")]
    pub columns: Vec<String>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub ids: IdArgs,

    /// The first record is a row, not a header; every column's position must be given
    #[arg(long)]
    pub no_header: bool,

    /// Treat an empty file among others as an error; by default it is left out with a note
    #[arg(long)]
    pub strict_files: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub lines: LineArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub dialect: DialectArgs,

    /// Amounts have a decimal comma: `12,50`
    #[arg(long)]
    pub decimal_comma: bool,

    /// How timestamps are written: a strptime pattern such as `%d/%m/%Y %H:%M`, or, for counts since 1970,
    /// `epoch-days`, `epoch-hours`, `epoch-seconds`, `epoch-millis` or `epoch-micros`, or, for Excel's day
    /// numbers, `excel` or `excel-1904` [default: ISO 8601]
    #[arg(long, value_name = "PATTERN")]
    pub timestamp_format: Option<TimestampForm>,

    /// Timestamps with an offset (and counts of seconds) are converted to the local time of this
    /// zone, such as `UTC` or `Europe/Berlin` [default: an offset is an error]
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    pub timezone: Option<TimeZone>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub values: ValueArgs,
}

pub(super) fn time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        let zones: Vec<String> = tz::db().available().map(|zone| zone.to_string()).collect();
        format!("unknown zone{}", did_you_mean(name, zones.iter().map(String::as_str)))
    })
}

/// The limits imposed on the plugin.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sandbox")]
pub struct SandboxArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub engine: EngineArgs,

    /// How long a single call into the plugin may take, such as `500ms` or `1m`
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub deadline: SignedDuration,

    /// How long all calls of the run may take together [default: no limit]
    #[arg(long, value_name = "TIME")]
    pub run_deadline: Option<SignedDuration>,

    /// How long compiling the plugin may take
    #[arg(long, value_name = "TIME", default_value = "2m")]
    pub compile_deadline: SignedDuration,

    /// How much memory the process that compiles the plugin may use
    #[arg(long, value_name = "SIZE", default_value = "448MiB", value_parser = compile_memory)]
    pub compile_memory_limit: ByteSize,

    /// Roughly how many instructions the plugin may execute in the run [default: no limit]
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u64).range(1..))]
    pub fuel: Option<u64>,

    /// How much memory each instance of the plugin may use, such as `64MiB`: memories, tables, globals,
    /// stack and the data it passes, all together
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub memory_limit: ByteSize,

    /// How much stack the plugin's calls may use
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = stack_size)]
    pub stack_limit: ByteSize,

    /// How much data a single call may pass, all lists and strings together
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub transfer_limit: ByteSize,

    /// How many rows of a batch may be anomalous [default: all]
    #[arg(long, value_name = "ROWS")]
    pub batch_anomalies: Option<usize>,

    /// How many lines the plugin may log; the rest are counted and dropped
    #[arg(long, value_name = "LINES", default_value_t = 1_000)]
    pub log_lines: u64,

    /// Reject plugins that import anything beyond the contract, even WASI
    #[arg(long)]
    pub strict: bool,

    /// Require this SHA-256 of the plugin file
    #[arg(long, value_name = "HEX")]
    pub plugin_sha256: Option<Sha256Digest>,

    /// Make even the bits of a NaN the same on every machine; this costs time
    #[arg(long)]
    pub deterministic: bool,
}

/// How plugins are executed.
#[derive(Clone, Copy, Debug, Args)]
pub struct EngineArgs {
    /// How the plugin's code is executed: as machine code, or, if the system does not let programs generate
    /// any, by an interpreter, which is many times slower
    #[arg(long, env = "HOST_ENGINE", value_name = "ENGINE", value_enum, default_value_t)]
    pub engine: EngineChoice,
}

/// A way to execute a plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// Compiled to machine code
    #[default]
    Native,
    /// Interpreted
    Interpreter,
}

impl From<EngineChoice> for EngineKind {
    fn from(choice: EngineChoice) -> EngineKind {
        match choice {
            EngineChoice::Native => EngineKind::Native,
            EngineChoice::Interpreter => EngineKind::Interpreter,
        }
    }
}

/// With less, the compiler's process could not even start far enough to report an error.
fn compile_memory(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse()?;
    if size.as_u64() >= MIN_COMPILE_MEMORY_BYTES as u64 {
        Ok(size)
    } else {
        Err("it must be at least 64MiB".into())
    }
}

/// The engine keeps a guest's stack on the thread's own stack.
fn stack_size(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse()?;
    if (ByteSize::kib(64)..=ByteSize::mib(1)).contains(&size) {
        Ok(size)
    } else {
        Err("it must be between 64KiB and 1MiB".into())
    }
}
