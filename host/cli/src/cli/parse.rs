//! From arguments to [`Cli`]; if they are invalid, clap's message, without control characters from what
//! was given.

use std::ffi::OsString;

use clap::{ColorChoice, CommandFactory as _, Parser as _};
use host_core::text::{is_unprintable, one_line};

use super::command::{Cli, Format};

/// Parses the arguments, the program's name first.
///
/// # Errors
/// If they are invalid, or if help or the version is asked for.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let arguments = &for_psql(arguments);
    Cli::try_parse_from(arguments).map_err(|error| {
        // clap's message has several lines, so what arguments contribute to it has to be made harmless
        // before it goes in.
        let printable: Vec<OsString> = arguments.iter().map(printable).collect();
        if printable == *arguments { error } else { Cli::try_parse_from(printable).err().unwrap_or(error) }
    })
}

/// What follows `db psql` belongs to psql, even `-v` and `--help`.
fn for_psql(arguments: &[OsString]) -> Vec<OsString> {
    let mut arguments = arguments.to_vec();
    if arguments.iter().any(|argument| argument == "psql")
        && let Some(position) = after_command(&arguments, &["db", "psql"])
    {
        arguments.insert(position, "--".into());
    }
    arguments
}

/// The position after a command's name, from 0, if these arguments are for this command: there its options may
/// be put. Before the name, there is nothing but options that all commands have.
#[must_use]
pub fn after_command(arguments: &[OsString], names: &[&str]) -> Option<usize> {
    let cli = Cli::command();
    let takes_value = |option: &str| {
        let mut known = cli.get_arguments().filter(|known| known.get_action().takes_values());
        option.strip_prefix("--").is_some_and(|long| known.any(|known| known.get_long() == Some(long)))
    };
    let mut position = 1;
    for name in names {
        loop {
            let argument = arguments.get(position)?.to_str()?;
            position += 1;
            if argument == *name {
                break;
            } else if takes_value(argument) {
                position += 1;
            } else if argument == "--" || !argument.starts_with('-') {
                return None;
            }
        }
    }
    Some(position)
}

/// The format that these arguments ask for, as far as that can be told if they are invalid.
#[must_use]
pub fn format_asked_for(arguments: &[OsString]) -> Format {
    match asked_for(arguments, "--format") {
        Some("json") => Format::Json,
        _ => Format::Human,
    }
}

/// The colours that these arguments ask for, as far as that can be told if they are invalid.
#[must_use]
pub fn color_asked_for(arguments: &[OsString]) -> ColorChoice {
    match asked_for(arguments, "--color") {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// The last value of an option.
fn asked_for<'a>(arguments: &'a [OsString], option: &str) -> Option<&'a str> {
    let mut options = arguments.iter().skip(1).map_while(|argument| match argument.to_str() {
        Some("--") => None,
        text => Some(text.unwrap_or_default()),
    });
    let mut last = None;
    while let Some(argument) = options.next() {
        let value = argument.strip_prefix(option);
        match value.and_then(|rest| rest.strip_prefix('=')) {
            Some(value) => last = Some(value),
            None if value == Some("") => last = options.next().or(last),
            None => {}
        }
    }
    last
}

fn printable(argument: &OsString) -> OsString {
    let text = argument.to_string_lossy();
    if text.contains(is_unprintable) { one_line(&text).into_owned().into() } else { argument.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, DbCommand};

    fn arguments(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn what_is_for_psql_goes_to_psql() {
        for (line, expected) in [
            ("host db psql", ""),
            ("host db psql -v a=b --help", "-v a=b --help"),
            ("host --format json -v db psql -h", "-h"),
            ("host db psql --format x", "--format x"),
            ("host db psql -- -x", "-- -x"),
            ("host --config db db --config=x psql --config y", "--config y"),
        ] {
            let Command::Db(DbCommand::Psql { arguments }) = parse(&arguments(line)).unwrap().command else {
                panic!("{line}");
            };
            assert_eq!(arguments.join(" ".as_ref()), expected, "{line}");
        }
    }

    #[test]
    fn the_format_is_known_where_nothing_else_is() {
        let cases = [
            ("host run --format json", Format::Json),
            ("host --format=json nonsense", Format::Json),
            ("host nonsense", Format::Human),
            ("host --format=json --format human", Format::Human),
            ("host x -- --format json", Format::Human),
            ("host --format", Format::Human),
        ];
        for (line, format) in cases {
            assert_eq!(format_asked_for(&arguments(line)), format, "{line}");
        }
    }
}
