//! Options that are kept in a file: `--profile`.

use clap::Args;

/// The id of `--profile`. Commands that have it take options from profiles.
pub const PROFILE_ID: &str = "run_profile";

/// Which profile.
#[derive(Debug, Args)]
pub struct ProfileArgs {
    /// Take options from `[profile.NAME]` in the file of `--config`. Those that are given here win; of `--set` and
    /// `--column`, each name by itself
    #[arg(id = PROFILE_ID, long = "profile", value_name = "NAME")]
    pub profile: Option<String>,
}
