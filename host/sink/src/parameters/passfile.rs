//! libpq's password file: one line for each server, `host:port:database:user:password`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::parameters::hosts::SOCKET_FOLDERS;

/// The lines of a password file.
#[derive(Default)]
pub struct PasswordFile(Vec<Vec<String>>);

impl PasswordFile {
    /// Reads it. A missing file counts as empty; that is only worth a warning if it was named explicitly.
    pub fn read(file: &Path, is_named: bool) -> PasswordFile {
        let text = fs::metadata(file).and_then(|metadata| {
            if metadata.mode() & 0o077 != 0 {
                return Err(std::io::Error::other("others can read it; chmod it to 0600"));
            }
            fs::read_to_string(file)
        });
        match text {
            Ok(text) => PasswordFile(text.lines().map(fields).collect()),
            Err(error) => {
                if is_named || error.kind() != std::io::ErrorKind::NotFound {
                    tracing::warn!("the password file `{}` is ignored: {error}", file.display());
                }
                PasswordFile::default()
            }
        }
    }

    /// The password in the first line that matches. A server on the default socket is listed as `localhost`,
    /// any other by its socket folder.
    pub fn password(&self, host: &str, port: u16, database: &str, user: &str) -> Option<String> {
        let port = port.to_string();
        let is_default = SOCKET_FOLDERS.contains(&host);
        let is_host = |key: &str| key == host || is_default && key == "localhost";
        let fits = |key: &str, wanted: &str| key == "*" || key == wanted;
        self.0.iter().find_map(|fields| match fields.as_slice() {
            [host, in_port, in_database, in_user, password]
                if (host == "*" || is_host(host))
                    && fits(in_port, &port)
                    && fits(in_database, database)
                    && fits(in_user, user) =>
            {
                Some(password.clone())
            }
            _ => None,
        })
    }
}

/// The fields of a line; `\` escapes `:` and itself.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    if line.starts_with('#') {
        return fields;
    }
    while let Some(character) = characters.next() {
        // There is always at least one field.
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
