//! Arguments of `host feedback`.

use std::path::PathBuf;

use clap::Args;
use host_source::RejectLimit;
use host_source::timestamp::TimestampForm;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::database::DatabaseArgs;
use super::dialect::DialectArgs;
use super::ingest::time_zone;

/// Arguments of `host feedback`.
#[derive(Debug, Args)]
pub struct FeedbackArgs {
    /// CSV files, folders of them, patterns, or `-` for standard input; gzip and zstd are recognised
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub input: FeedbackInputArgs,

    /// Where to write rejected records: a CSV file that can be corrected and given to `host feedback` again
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,

    /// How long to wait for others who record feedback [default: as long as it takes]
    #[arg(long, value_name = "TIME", help_heading = "Database")]
    pub lock_timeout: Option<SignedDuration>,
}

/// How files of labels are to be read: as `host run` does, as far as that means anything for them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct FeedbackInputArgs {
    /// How many records may be rejected, because they cannot be read or no row is the one that is meant: a count, or a
    /// percentage such as `0.5%`
    #[arg(long, value_name = "N|P%", default_value = "0")]
    pub max_rejects: RejectLimit,

    /// The name that a column has in the file, such as `is_fraud=TX_FRAUD`, or `source_id=transaction_id` if the ids
    /// are those that the rows had in their own files
    #[arg(long = "column", value_name = "COLUMN=NAME")]
    pub columns: Vec<String>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub dialect: DialectArgs,

    /// How `known_at` is written, as `host run` takes it for timestamps [default: ISO 8601]
    #[arg(long, value_name = "PATTERN")]
    pub timestamp_format: Option<TimestampForm>,

    /// The zone of `known_at`, such as `Europe/Berlin`, to which times with an offset are converted; and that of the
    /// present time, if there is no such column [default: UTC for the present time, and an offset is an error]
    #[arg(long, value_name = "ZONE", value_parser = time_zone)]
    pub timezone: Option<TimeZone>,
}
