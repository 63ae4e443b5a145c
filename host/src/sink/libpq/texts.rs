//! The texts that libpq reads: URLs, keyword strings, service files and password files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::{Unusable, home};
use crate::environment::Environment;
use crate::text::printable;

/// `[user[:password]@][host[:port],…][/database][?name=value&…]`
pub fn parse_url(rest: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => (address, port.strip_prefix(':').unwrap_or(port)),
            None => host.rsplit_once(':').unwrap_or((host, "")),
        };
        names.push(decode(name)?);
        ports.push(port);
    }
    let pairs = [
        ("user", decode(user)?),
        ("password", decode(password)?),
        ("dbname", decode(database)?),
        ("host", names.join(",")),
    ];
    found.extend(
        pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value)),
    );
    if ports.iter().any(|port| !port.is_empty()) {
        found.insert("port".into(), ports.join(","));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("a parameter after `?` has no `=`")?;
        found.insert(decode(name)?, decode(value)?);
    }
    Ok(found)
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.map(String::from).map_err(|_| "a %-escape in it is not UTF-8".into())
}

/// `name = value` pairs; values with blanks stand in single quotes, `\` escapes.
pub fn parse_keywords(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or("it is neither a URL nor `keyword=value` pairs")?;
        let after = after.trim_start();
        let (quoted, body) = after.strip_prefix('\'').map_or((false, after), |body| (true, body));
        let mut value = String::new();
        let mut characters = body.char_indices();
        let mut end = None;
        while let Some((i, character)) = characters.next() {
            match character {
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                '\'' if quoted => {
                    end = Some(i + 1);
                    break;
                }
                _ if !quoted && character.is_whitespace() => {
                    end = Some(i);
                    break;
                }
                _ => value.push(character),
            }
        }
        if quoted && end.is_none() {
            return Err("a quote in it is not closed".into());
        }
        found.insert(name.trim().to_owned(), value);
        rest = body[end.unwrap_or(body.len())..].trim_start();
    }
    Ok(found)
}

/// The section `[service]` of the user's or the system's service file.
pub fn read_service(service: &str, environment: &Environment) -> Result<Vec<(String, String)>, Unusable> {
    let user_file = match environment.text("PGSERVICEFILE")? {
        Some(file) => Some(PathBuf::from(file)),
        None => home(environment)?.map(|home| home.join(".pg_service.conf")),
    };
    let system_file = environment
        .text("PGSYSCONFDIR")?
        .map_or("/etc/postgresql-common".into(), PathBuf::from)
        .join("pg_service.conf");
    for file in user_file.into_iter().chain([system_file]) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let mut lines = text.lines().map(str::trim).skip_while(|line| *line != format!("[{service}]"));
        if lines.next().is_some() {
            return Ok(lines
                .take_while(|line| !line.starts_with('['))
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
                .collect());
        }
    }
    Err(format!("there is no service `{}` in the service files", printable(service)).into())
}

/// The fields of a line of a password file; `\` escapes `:` and itself.
pub fn pgpass_fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    if line.starts_with('#') {
        return fields;
    }
    while let Some(character) = characters.next() {
        // There is always a last field.
        let last = fields.len() - 1;
        match character {
            '\\' => fields[last].extend(characters.next()),
            // Colons in the password need no escape.
            ':' if last < 4 => fields.push(String::new()),
            _ => fields[last].push(character),
        }
    }
    fields
}
