//! The texts that libpq reads: URLs, keyword strings and service files. Errors say what is wrong without
//! repeating any of it: if the password contains a separator, any part of the text may be part of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use host_core::text::printable;

/// What to write instead of characters that separate the parts of a URL.
const ESCAPES: &str =
    "in a user name, password or other part write `@` as `%40`, `/` as `%2F`, `?` as `%3F`, `#` as `%23`";

/// `[user[:password]@][host[:port],…][/database][?name=value&…]`
pub fn parse_url(rest: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if tail.contains(['@', '#']) || authority.matches('@').count() > 1 {
        return Err(format!("a `@` or `#` is in the wrong place; {ESCAPES}"));
    }
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let database = path.strip_prefix('/').unwrap_or(path);
    if database.contains('/') || query.contains('?') {
        return Err(format!("there is more than one `/` or `?`; {ESCAPES}"));
    }
    let (login, hosts) = authority.split_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or("a `[` in it is not closed")?;
                (
                    address,
                    if port.is_empty() {
                        ""
                    } else {
                        port.strip_prefix(':').ok_or("`]` is not followed by `:`")?
                    },
                )
            }
            None => host.rsplit_once(':').unwrap_or((host, "")),
        };
        names.push(decode(name)?);
        ports.push(decode(port)?);
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
        let (name, value) = (decode(name)?, decode(value)?);
        // As other programs write it; libpq accepts it, too.
        let is_jdbcs = (name.as_str(), value.as_str()) == ("ssl", "true");
        let (name, value) = if is_jdbcs { ("sslmode".into(), "require".into()) } else { (name, value) };
        found.insert(name, value);
    }
    Ok(found)
}

fn decode(text: &str) -> Result<String, String> {
    let is_escape = |rest: &str| {
        rest.len() >= 2 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit) && !rest.starts_with("00")
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err("a `%` in it is not followed by two hexadecimal digits (other than 00); write `%` itself as `%25`".into());
    }
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.map(String::from).map_err(|_| "a %-escape in it is not UTF-8".into())
}

/// `name = value` pairs; values with blanks are in single quotes, `\` escapes.
pub fn parse_keywords(text: &str) -> Result<BTreeMap<String, String>, String> {
    const NEITHER: &str =
        "it is neither a URL nor `keyword=value` pairs (a value with blanks must be in single quotes)";
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or(NEITHER)?;
        let name = name.trim_end();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(NEITHER.into());
        }
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
        found.insert(name.to_owned(), value);
        rest = body[end.unwrap_or(body.len())..].trim_start();
    }
    Ok(found)
}

/// The parameters of a service, from the first of these files that has it. The user's file is
/// `required` if it was named explicitly.
pub fn read_service(
    service: &str,
    user_file: Option<&Path>,
    required: bool,
    system_file: &Path,
) -> Result<Vec<(String, String)>, String> {
    let shown = printable(service);
    for (file, required) in user_file.map(|file| (file, required)).into_iter().chain([(system_file, false)]) {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if required => {
                return Err(format!("could not read the service file `{}`: {error}", file.display()));
            }
            Err(_) => continue,
        };
        let mut lines = (1..).zip(text.lines().map(str::trim));
        if !lines.any(|(_, line)| line == format!("[{service}]")) {
            continue;
        }
        return lines
            .take_while(|(_, line)| !line.starts_with('['))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(number, line)| {
                let pair = line
                    .split_once('=')
                    .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
                let place =
                    || format!("line {number} of the service file `{}` is not NAME=VALUE", file.display());
                pair.ok_or_else(place)
            })
            .collect();
    }
    Err(format!("there is no service `{shown}` in the service files"))
}

/// The service file for all users.
pub fn system_service_file(folder: Option<&str>) -> PathBuf {
    folder.map_or("/etc/postgresql-common".into(), PathBuf::from).join("pg_service.conf")
}
