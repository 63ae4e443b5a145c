//! From arguments to [`Cli`]; where they are not usable, what clap says to that, without the
//! control characters of what was given.

use std::ffi::OsString;

use clap::Parser as _;

use super::{Cli, Format};
use crate::text::{is_unprintable, one_line};

/// Takes the arguments apart, the program's name first.
///
/// # Errors
/// Where they are not usable, and where help or the version is asked for.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(arguments).map_err(|error| {
        // clap's message is of several lines, so what an argument adds to them has to be made
        // harmless before it comes in.
        let printable: Vec<OsString> = arguments.iter().map(printable).collect();
        if printable == arguments { error } else { Cli::try_parse_from(printable).err().unwrap_or(error) }
    })
}

/// The format that these arguments ask for, as far as that can be seen where they are not usable.
#[must_use]
pub fn format_asked_for(arguments: &[OsString]) -> Format {
    let mut options = arguments.iter().skip(1).map_while(|argument| match argument.to_str() {
        Some("--") => None,
        text => Some(text.unwrap_or_default()),
    });
    let mut format = Format::Human;
    while let Some(option) = options.next() {
        let value = option.strip_prefix("--format=");
        match value.or_else(|| (option == "--format").then(|| options.next()).flatten()) {
            Some("json") => format = Format::Json,
            Some(_) => format = Format::Human,
            None => {}
        }
    }
    format
}

fn printable(argument: &OsString) -> OsString {
    let text = argument.to_string_lossy();
    if text.contains(is_unprintable) { one_line(&text).into_owned().into() } else { argument.clone() }
}
