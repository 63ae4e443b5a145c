//! Arguments of `host state`.

use clap::{Args, Subcommand};

use super::database::DatabaseArgs;
use super::removal::RemovalArgs;

const LIST_EXAMPLES: &str = "\
Examples:
  host state list
  host state list --format json";

const SHOW_EXAMPLES: &str = "\
Examples:
  host state show zscore
  host state show zscore@north --limit 100";

const PRUNE_EXAMPLES: &str = "\
Examples:
  host state prune zscore
  host state prune zscore@north --yes";

const DROP_EXAMPLES: &str = "\
Examples:
  host state drop zscore
  host state drop zscore@north --yes --format json";

/// What detectors know from one run to the next.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// List the states, with the run that the next one continues, and what is stored of each
    #[command(after_help = LIST_EXAMPLES)]
    List(StateListArgs),
    /// Show a state and the runs that have written it: what each continued and wrote, and how much of that is stored
    #[command(after_help = SHOW_EXAMPLES)]
    Show(StateShowArgs),
    /// Keep only the newest entry of each user, in one transaction. Asks before: no run until now can be undone or
    /// verified with its state any more, and what the next run finds does not change
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune(StateRemoveArgs),
    /// Remove all entries of a state, in one transaction, so that the next run begins anew. Asks before: no run until now
    /// can be verified with its state any more. Rows, anomalies and the ledger stay as they are
    #[command(after_help = DROP_EXAMPLES)]
    Drop(StateRemoveArgs),
}

impl StateCommand {
    /// The name as typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            StateCommand::List(_) => "state list",
            StateCommand::Show(_) => "state show",
            StateCommand::Prune(_) => "state prune",
            StateCommand::Drop(_) => "state drop",
        }
    }
}

/// Arguments of `host state list`.
#[derive(Debug, Args)]
pub struct StateListArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,
}

/// Arguments of `host state show`.
#[derive(Debug, Args)]
pub struct StateShowArgs {
    /// The state's name
    #[arg(value_name = "NAME")]
    pub state: String,

    /// How many runs to list, the latest first
    #[arg(long, value_name = "RUNS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,
}

/// Arguments of `host state prune` and `drop`.
#[derive(Debug, Args)]
pub struct StateRemoveArgs {
    /// The state's name
    #[arg(value_name = "NAME")]
    pub state: String,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub removal: RemovalArgs,
}
