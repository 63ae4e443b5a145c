//! Arguments of `host run` and `host check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use host_core::text::is_unprintable;
use host_sink::{DeferKeys, OnConflict};
use jiff::SignedDuration;

use super::database::DatabaseArgs;
use super::ingest::IngestArgs;
use super::profile::ProfileArgs;

/// Arguments of `host run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub profile: ProfileArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub ingest: IngestArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,

    /// How long to wait for other programs that write to the same tables [default: as long as it takes]
    #[arg(long, value_name = "TIME", help_heading = "Database")]
    pub lock_timeout: Option<SignedDuration>,

    /// Where `transaction_id` comes from
    #[arg(long, value_enum, default_value_t, help_heading = "Writing")]
    pub ids: IdsArg,

    /// With `--ids keep`: what to do about a row whose id is already taken [default: fail]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Writing")]
    pub on_conflict: Option<OnConflictArg>,

    /// Whether the keys of empty tables are built after the rows, which is faster, but blocks readers
    /// until the run has ended; `auto` does so for large files
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, help_heading = "Writing")]
    pub defer_keys: DeferKeysArg,

    /// Leave out files whose content was ingested before; `all`: write nothing if the same files were
    /// ingested before with the same plugin, settings and way of reading
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "file", help_heading = "Writing")]
    pub once: Option<OnceArg>,

    /// The name of the source that the files came from, for the ledger, `host runs` and `host status`
    #[arg(long, value_name = "NAME", value_parser = super::operations::source, help_heading = "Writing")]
    pub source: Option<String>,

    /// With a plugin that learns: the name of the state that it continues and writes, `new` for the default one from
    /// its beginning, or `none` [default: the plugin's name, joined with that of the source if there is one]
    #[arg(long, value_name = "NAME|new|none", value_parser = state, help_heading = "Writing")]
    pub state: Option<StateArg>,

    /// Where to write rejected rows, besides the database: a CSV file that can be corrected and run again
    #[arg(long, value_name = "FILE", help_heading = "Writing")]
    pub rejects: Option<PathBuf>,

    /// If the plugin fails, keep the rows on which it failed in this folder: as a case for `host plugin test`, with
    /// which its author sees it fail again
    #[arg(long, value_name = "FOLDER", help_heading = "Plugin author")]
    pub capture: Option<PathBuf>,

    /// Keep these physical lines of the file as a case, too, whatever comes of them, such as `5000-5100`
    #[arg(long, value_name = "FIRST-LAST", requires = "capture", value_parser = lines, help_heading = "Plugin author")]
    pub capture_lines: Option<(u64, u64)>,

    /// Fail, and write nothing, if there are fewer rows than this: a delivery without rows usually means that
    /// something went wrong
    #[arg(long, value_name = "ROWS", default_value_t = 0, help_heading = "Input", hide_default_value = true)]
    pub min_rows: u64,
}

/// Physical lines, from 1, both included.
fn lines(text: &str) -> Result<(u64, u64), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok((first, last)),
        _ => Err("give the first and the last line, such as `5000-5100`".into()),
    }
}

/// Which state a run continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateArg {
    /// The default one, from its beginning.
    New,
    /// None.
    None,
    /// The one of this name.
    Named(String),
}

fn state(text: &str) -> Result<StateArg, String> {
    const MAX_BYTES: usize = 128;
    match text {
        "new" => Ok(StateArg::New),
        "none" => Ok(StateArg::None),
        _ if text.is_empty() || text.len() > MAX_BYTES => Err(format!("a name has 1 to {MAX_BYTES} bytes")),
        _ if text.contains(is_unprintable) => Err("a name has no control characters".into()),
        _ if text.trim() != text => Err("a name neither begins nor ends with a blank".into()),
        _ => Ok(StateArg::Named(text.to_owned())),
    }
}

/// Arguments of `host check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub run: RunArgs,

    /// Where to write the anomalies: a CSV file with file, line, transaction id, score and reason of each, in
    /// the order of the rows
    #[arg(long, value_name = "FILE", help_heading = "Writing")]
    pub anomalies: Option<PathBuf>,
}

/// What is not ingested a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnceArg {
    /// The content of a file, compressed or not, whatever the plugin and its settings
    File,
    /// All files together, with this plugin and these settings
    All,
}

/// Where `transaction_id` comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IdsArg {
    /// The host allots it, in file order, after the highest one; the file's id goes to `source_id`
    #[default]
    Assign,
    /// The file's id is used
    Keep,
}

/// What to do about a row whose id is already taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnConflictArg {
    /// End the run; nothing is written
    Fail,
    /// Leave the existing row, write the other rows, and record the skipped one in `skipped_rows`
    Skip,
    /// Write the row in place of the existing one, and keep what that was in `replaced_rows`
    Replace,
}

impl From<OnConflictArg> for OnConflict {
    fn from(argument: OnConflictArg) -> OnConflict {
        match argument {
            OnConflictArg::Fail => OnConflict::Fail,
            OnConflictArg::Skip => OnConflict::Skip,
            OnConflictArg::Replace => OnConflict::Replace,
        }
    }
}

/// Whether the keys of empty tables are built after the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DeferKeysArg {
    /// For files that are large enough for it to matter
    #[default]
    Auto,
    /// Whatever the files' size
    Always,
    /// Keys stay in place
    Never,
}

impl From<DeferKeysArg> for DeferKeys {
    fn from(argument: DeferKeysArg) -> DeferKeys {
        match argument {
            DeferKeysArg::Auto => DeferKeys::Auto,
            DeferKeysArg::Always => DeferKeys::Always,
            DeferKeysArg::Never => DeferKeys::Never,
        }
    }
}
