//! Arguments of `host undo`.

use clap::Args;

use super::removal::RemovalArgs;

/// Arguments of `host undo`.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The run's number
    pub run: i64,

    /// Undo later runs as well that continued its state or replaced its rows, newest first
    #[arg(long)]
    pub cascade: bool,

    /// Remove what is there, even if it is not exactly what the run wrote, and say how it differs
    #[arg(long)]
    pub force: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub removal: RemovalArgs,
}
