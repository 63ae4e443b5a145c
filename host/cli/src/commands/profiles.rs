//! Commands on profiles.

use std::path::Path;

use host_core::environment::Environment;
use host_core::exit;
use serde_json::json;

use crate::cli::ConfigCommand;
use crate::error::Error;
use crate::profiles::{self, Given, ProfileFile};
use crate::report::{self, Reporter};

/// Runs a command of `host config`.
pub fn config(
    command: &ConfigCommand,
    given: &Given,
    asked: Option<&Path>,
    reporter: &Reporter,
) -> Result<u8, Error> {
    match command {
        ConfigCommand::Show(_) => {
            let environment = Environment::of_process();
            let file = ProfileFile::find(asked, &environment)?;
            let (held, without) = profiles::held(given, &environment);
            let shown = report::Shown { given, file: file.as_ref(), held: &held, without: &without };
            reporter.end(exit::COMMITTED, shown.object(), || shown.human())?;
        }
        ConfigCommand::Schema => {
            let schema = profiles::schema();
            let text = || serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n";
            reporter.end(exit::COMMITTED, json!({ "schema": schema }), text)?;
        }
    }
    Ok(exit::COMMITTED)
}
