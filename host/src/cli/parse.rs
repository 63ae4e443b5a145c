//! From arguments to [`Cli`]; where they are not usable, what clap says to that, without the
//! control characters of what was given.

use std::ffi::OsString;

use clap::Parser as _;

use super::Cli;
use crate::text::{is_unprintable, one_line};

/// Takes the arguments apart, the program's name first.
///
/// # Errors
/// Where they are not usable, and where help or the version is asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    Cli::try_parse_from(&arguments).map_err(|error| {
        // clap's message is of several lines, so what an argument adds to them has to be made
        // harmless before it comes in.
        let printable: Vec<OsString> = arguments.iter().map(printable).collect();
        if printable == arguments { error } else { Cli::try_parse_from(printable).err().unwrap_or(error) }
    })
}

fn printable(argument: &OsString) -> OsString {
    let text = argument.to_string_lossy();
    if text.contains(is_unprintable) { one_line(&text).into_owned().into() } else { argument.clone() }
}
