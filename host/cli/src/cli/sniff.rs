//! Arguments of `host sniff`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `host sniff`.
#[derive(Debug, Args)]
pub struct SniffArgs {
    /// CSV files, folders of them, or patterns; at most the first MiB of each is looked at. Files of one shape get one
    /// proposal
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Add what is proposed for the first file to the file of `--config`, as a profile of this name
    #[arg(long, value_name = "NAME")]
    pub save: Option<String>,
}
