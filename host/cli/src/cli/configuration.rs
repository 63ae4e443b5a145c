//! The commands that look at the options of a run, and at the file that some of them are kept in.

use clap::Subcommand;

use super::each::RunCommandArgs;

const SHOW_EXAMPLES: &str = "\
Examples:
  host config show
  host config show --profile my-bank
  host config show --profile my-bank --set limit=5 --format json";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  host config schema > host.schema.json

Editors that know TOML use it if the first line of host.toml is
  #:schema ./host.schema.json";

/// What can be done with profiles besides using them.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show which options a run with these arguments would have, and where each of them comes from. Takes the
    /// options of `run`
    #[command(after_help = SHOW_EXAMPLES, mut_arg("files", |files| files.required(false)))]
    Show(Box<RunCommandArgs>),
    /// Print a JSON schema of host.toml, for editors
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema,
}

impl ConfigCommand {
    /// As it is typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            ConfigCommand::Show(_) => "config show",
            ConfigCommand::Schema => "config schema",
        }
    }
}
