//! Arguments that say what the sender of a delivery says about it.

use clap::Args;
use host_core::digest::Sha256Digest;

/// What must be true of what is read; otherwise nothing is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Control")]
pub struct ControlArgs {
    /// Write nothing unless exactly so many records are read, counting those that are rejected
    #[arg(long, value_name = "RECORDS")]
    pub expect_rows: Option<u64>,

    /// Write nothing unless the amounts of all rows sum up to exactly this, such as `125000.50`, or written like the
    /// example of `--amount-format`
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub expect_total: Option<String>,

    /// Write nothing unless the file has this SHA-256; with several files, given once for each, in their order
    #[arg(long, value_name = "HEX")]
    pub expect_sha256: Vec<Sha256Digest>,

    /// Write nothing if a file does not end in a line break: it may have been cut off
    #[arg(long)]
    pub require_final_newline: bool,
}
