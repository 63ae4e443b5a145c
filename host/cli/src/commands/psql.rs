//! `host db psql`: psql on the embedded server, with the arguments that psql takes. Where to connect is
//! passed in the environment, so that psql interprets a database name among them as usual; arguments that
//! would lead to another server are refused.

use std::ffi::{OsStr, OsString};
use std::process;

use host_core::exit;
use host_sink::{Cluster, EmbeddedError, SinkError};
use percent_encoding::percent_decode_str;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{ConfigError, Error};

/// psql's options that take a value (psql's documentation, "Options").
const SHORT_WITH_VALUE: &str = "cdfFhLoPpRTUv";
const LONG_WITH_VALUE: [&str; 14] = [
    "command",
    "dbname",
    "file",
    "field-separator",
    "host",
    "log-file",
    "output",
    "port",
    "pset",
    "record-separator",
    "set",
    "table-attr",
    "username",
    "variable",
];

/// Runs psql; returns its exit code.
pub fn psql(cluster: &Cluster, arguments: &[OsString]) -> Result<u8, Error> {
    if let Some(argument) = leads_elsewhere(arguments) {
        return Err(ConfigError::OtherServer(argument).into());
    }
    let _in_use = cluster.ensure_running()?;
    let beside_server = Cluster::programs_folder()?.join("psql");
    let program = if beside_server.is_file() { beside_server } else { "psql".into() };
    let failed = |source| SinkError::Embedded {
        doing: "open psql on",
        source: EmbeddedError::File { doing: "run", path: program.clone(), source },
    };
    // ^C is for psql, which cancels a query with it; we catch it so that it does not end us.
    let _caught = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut command = process::Command::new(&program);
    // Variables that name another server.
    for name in ["PGHOSTADDR", "PGPORT", "PGSERVICE", "PGPASSWORD", "PGOPTIONS", "PGSSLMODE", "PGREQUIREAUTH"]
    {
        command.env_remove(name);
    }
    let url = cluster.url();
    let (user, database) = parts(&url);
    command.env("PGHOST", cluster.socket_folder()).env("PGUSER", user).env("PGDATABASE", database);
    let status = command.args(arguments).status().map_err(failed)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::INTERNAL))
}

/// User and database of `postgres://user@socket/database`.
fn parts(url: &str) -> (String, String) {
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let (server, database) = url.rsplit_once('/').unwrap_or((url, ""));
    let user = server.trim_start_matches("postgres://").split('@').next().unwrap_or_default();
    (decoded(user), decoded(database))
}

/// The argument that would make psql connect to another server, if there is one.
fn leads_elsewhere(arguments: &[OsString]) -> Option<String> {
    let text = |argument: &OsStr| argument.to_string_lossy().into_owned();
    let is_connection = |name: &str| name.contains("://") || name.contains('=');
    let mut rest = arguments.iter();
    let mut only_names = false;
    while let Some(given) = rest.next() {
        let argument = text(given);
        let (option, value) = match argument.strip_prefix("--") {
            _ if only_names => ("dbname".to_owned(), Some(argument.clone())),
            Some("") => {
                only_names = true;
                continue;
            }
            Some(long) => {
                let (option, value) = match long.split_once('=') {
                    Some((option, value)) => (option, Some(value.to_owned())),
                    None => (long, None),
                };
                // As with getopt, options may be abbreviated.
                let full = LONG_WITH_VALUE.iter().find(|full| full.starts_with(option)).copied();
                match full {
                    Some(full) => (full.to_owned(), value.or_else(|| rest.next().map(|value| text(value)))),
                    None => continue,
                }
            }
            None => match argument.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                None => ("dbname".to_owned(), Some(argument.clone())),
                Some(letters) => {
                    let Some(at) = letters.find(|letter| SHORT_WITH_VALUE.contains(letter)) else { continue };
                    let attached = &letters[at + 1..];
                    let value = match attached {
                        "" => rest.next().map(|value| text(value)),
                        attached => Some(attached.to_owned()),
                    };
                    let option = match &letters[at..=at] {
                        "h" => "host",
                        "p" => "port",
                        "d" => "dbname",
                        _ => continue,
                    };
                    (option.to_owned(), value)
                }
            },
        };
        match (option.as_str(), value) {
            ("host" | "port", _) => return Some(argument),
            ("dbname", Some(name)) if is_connection(&name) => return Some(argument),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_another_server_is_seen() {
        let cases: &[(&[&str], Option<&str>)] = &[
            (&[], None),
            (&["otherdb", "someone"], None),
            (&["-d", "otherdb", "-U", "me"], None),
            (&["-XAtc", "SELECT 'a=b' -- postgres://"], None),
            (&["-X", "-v", "host=x", "-P", "format=csv", "--set=a=b", "--set", "a=b"], None),
            (&["-f", "-h"], None),
            (&["-h", "x"], Some("-h")),
            (&["-qAthx"], Some("-qAthx")),
            (&["--host=x"], Some("--host=x")),
            (&["--po", "1"], Some("--po")),
            (&["postgres://u@h/x"], Some("postgres://u@h/x")),
            (&["host=h dbname=x"], Some("host=h dbname=x")),
            (&["-dservice=x"], Some("-dservice=x")),
            (&["--dbname", "host=x"], Some("--dbname")),
            (&["--", "-h=x"], Some("-h=x")),
        ];
        for (arguments, expected) in cases {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            assert_eq!(leads_elsewhere(&arguments).as_deref(), *expected, "{arguments:?}");
        }
    }

    #[test]
    fn a_url_is_taken_apart() {
        assert_eq!(parts("postgres://postgres@%2Ftmp%2Fx/db%20a"), ("postgres".into(), "db a".into()));
    }
}
