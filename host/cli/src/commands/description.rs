//! Commands that print or write the program's description of itself.

use std::path::Path;

use host_core::{exit, text};
use serde_json::json;

use crate::cli::{CompletionsArgs, ManArgs, completions, write_man_pages};
use crate::error::{Error, ToolsError};
use crate::report::Reporter;

/// Prints a script for a shell.
pub fn complete(arguments: &CompletionsArgs, reporter: &Reporter) -> Result<u8, Error> {
    let script = completions(arguments.shell, &called());
    let object = json!({ "shell": arguments.shell.to_string(), "script": script });
    reporter.end(exit::COMMITTED, object, || script)?;
    Ok(exit::COMMITTED)
}

/// Writes the man pages.
pub fn man(arguments: &ManArgs, reporter: &Reporter) -> Result<u8, Error> {
    let failed =
        |source| ToolsError::File { doing: "write man pages to", path: arguments.folder.clone(), source };
    write_man_pages(&called(), &arguments.folder).map_err(failed)?;
    reporter.end(exit::COMMITTED, json!({ "folder": text::path(&arguments.folder) }), String::new)?;
    Ok(exit::COMMITTED)
}

/// The name under which this program was called.
fn called() -> String {
    let first = std::env::args_os().next().unwrap_or_default();
    Path::new(&first).file_name().map_or_else(|| "host".into(), |name| name.to_string_lossy().into_owned())
}
