//! Arguments of commands that remove what is stored.

use clap::Args;
use jiff::SignedDuration;

use super::database::DatabaseArgs;

/// Whether to ask before it is removed, and where it is.
#[derive(Debug, Args)]
pub struct RemovalArgs {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,

    /// How long to wait for other programs that write to the same tables [default: as long as it takes]
    #[arg(long, value_name = "TIME", help_heading = "Database")]
    pub lock_timeout: Option<SignedDuration>,
}
