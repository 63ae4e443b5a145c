//! Options that are kept in a file: `host run --profile my-bank day.csv`.
//!
//! A profile becomes arguments, which clap then parses like those that were typed ([`given`]); so every option
//! may be in a profile, with the checks that it has anyway, and there is no second list of them. [`options`] asks
//! clap which options there are and what they take, [`file`](mod@file) is the file, [`held`](mod@held) says where each
//! option of a command comes from, [`schema`](mod@schema) describes the file for editors, and [`save`](mod@save) adds a
//! profile to it.
//!
//! Without `--profile` no file is read: a folder that somebody works in cannot change what a run does.

mod file;
mod given;
mod held;
mod options;
mod save;
mod schema;

pub use file::ProfileFile;
pub use given::{Given, expand};
pub use held::{Held, Origin, held};
pub use save::save;
pub use schema::schema;

/// Whether a profile, and so a run, has this option.
#[must_use]
pub fn has_option(name: &str) -> bool {
    options::all(&<crate::cli::Cli as clap::CommandFactory>::command())
        .iter()
        .any(|option| option.get_long() == Some(name))
}
