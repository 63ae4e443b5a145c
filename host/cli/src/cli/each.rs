//! Arguments of `host run` that `host check` does not have: how many runs there are.

use clap::Args;

use super::run::RunArgs;

/// Arguments of `host run`.
#[derive(Debug, Args)]
pub struct RunCommandArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub run: RunArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub each: EachArgs,
}

/// One run for all files, or one for each.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Writing")]
pub struct EachArgs {
    /// Make a run of each file, one after the other, each with its own transaction and its own row in the ledger.
    /// The first that fails ends the command; the runs before it stay committed
    #[arg(long, conflicts_with = "rejects")]
    pub each: bool,

    /// With `--each`: go on with the next file if a run fails because of what is in its file, or because the plugin
    /// fails over its rows. Whatever would make other runs fail, too, such as a lost server, still ends the command
    #[arg(long, requires = "each")]
    pub keep_going: bool,
}
