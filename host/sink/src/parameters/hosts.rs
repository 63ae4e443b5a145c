//! The servers to try: lists of hosts, addresses and ports.

use std::net::IpAddr;
use std::path::Path;

/// Where servers have their sockets by default, on Debian and when built from source.
pub const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

const DEFAULT_PORT: u16 = 5432;

/// A server to try.
#[derive(Debug, PartialEq)]
pub struct Host {
    /// A name, an address, or a socket folder.
    pub name: String,
    /// Its address, if it is not to be looked up.
    pub address: Option<IpAddr>,
    pub port: u16,
}

/// At least one host. An error comes with the name of the parameter at fault.
pub fn hosts(
    names: Option<&str>,
    addresses: Option<&str>,
    ports: Option<&str>,
) -> Result<Vec<Host>, (&'static str, String)> {
    let list = |text: Option<&str>| {
        text.map(|text| text.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>())
    };
    let addresses = list(addresses).unwrap_or_default();
    let names = match list(names) {
        Some(names) => names,
        None if !addresses.is_empty() => addresses.clone(),
        None => vec![String::new()],
    };
    let ports = list(ports).unwrap_or_default();
    for (parameter, given, alone) in [("hostaddr", addresses.len(), false), ("port", ports.len(), true)] {
        if given != 0 && given != names.len() && !(alone && given == 1) {
            return Err((parameter, format!("lists {given}, but there are {} hosts", names.len())));
        }
    }
    let port = |i: usize| match ports.get(i).or(ports.first()).map(String::as_str) {
        None | Some("") => Ok(DEFAULT_PORT),
        Some(text) => text
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or(("port", "must be a number from 1 to 65535".to_owned())),
    };
    let host = |(i, name): (usize, String)| {
        let port = port(i)?;
        let address = match addresses.get(i).map(String::as_str) {
            None | Some("") => None,
            Some(text) => {
                Some(text.parse().map_err(|_| ("hostaddr", "must be a numeric address".to_owned()))?)
            }
        };
        let name = if name.is_empty() { default_host(port) } else { name };
        if is_possible(&name) {
            Ok(Host { name, address, port })
        } else {
            Err(("host", "is neither a name nor an address nor the folder of a socket".to_owned()))
        }
    };
    names.into_iter().enumerate().map(host).collect()
}

/// Whether there can be a host of this name. What a misplaced separator in a URL yields usually cannot
/// be one.
fn is_possible(name: &str) -> bool {
    let without_scope = name.split('%').next().unwrap_or(name);
    name.starts_with('/')
        || without_scope.parse::<IpAddr>().is_ok()
        || name.chars().all(|character| character.is_alphanumeric() || "-._".contains(character))
}

/// A local server's socket folder if there is one, as with libpq, else localhost.
fn default_host(port: u16) -> String {
    let socket =
        SOCKET_FOLDERS.iter().find(|folder| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists());
    socket.copied().unwrap_or("localhost").to_owned()
}
