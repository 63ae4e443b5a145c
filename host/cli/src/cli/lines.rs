//! Arguments that say which lines of a file are its header and its rows.

use clap::Args;
use host_source::Trailer;

/// A longer text is refused.
const MAX_TEXT_BYTES: usize = 1_000;

/// Which lines of a file are its header and its rows.
#[derive(Debug, Args)]
pub struct LineArgs {
    /// Leave out so many lines at the beginning of each file, before its header
    #[arg(long, value_name = "LINES", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub skip_lines: u32,

    /// The header is the first record that has this text in a cell, such as `Booking date`; what comes before it is
    /// left out. It is looked for in 1,000 lines
    #[arg(long, value_name = "TEXT", value_parser = text, conflicts_with = "no_header", allow_hyphen_values = true)]
    pub header_contains: Option<String>,

    /// Leave out so many records at the end of each file
    #[arg(long, value_name = "RECORDS", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u32).range(..=1_000))]
    pub skip_last: u32,

    /// Leave out the first line that begins with this text, such as `Total`, and all lines after it
    #[arg(long, value_name = "TEXT", value_parser = text, allow_hyphen_values = true)]
    pub stop_at: Option<String>,

    /// The last record of each file must look like this, such as `TRAILER,{rows},{total}`, with the number of the
    /// records before it and the sum of their amounts; `{ignore}` stands for anything. A file in which these
    /// disagree with what is read, or that has no such record, is refused
    #[arg(long, value_name = "TEMPLATE", allow_hyphen_values = true)]
    pub trailer: Option<Trailer>,
}

/// A text to look for.
fn text(given: &str) -> Result<String, String> {
    if given.is_empty() || given.len() > MAX_TEXT_BYTES || given.contains(['\n', '\r']) {
        return Err(format!("give a text of 1 to {MAX_TEXT_BYTES} bytes on a line"));
    }
    Ok(given.to_owned())
}
