//! Commands that messages suggest, such as `host runs 3`, written so that they act on the same database as
//! this command: if an argument named it, with that argument. And the profile that arguments come from.

use std::fmt::Display;
use std::sync::OnceLock;

use crate::secret::hide_passwords;
use crate::text::{printable, shell_quoted};

static DATABASE: OnceLock<String> = OnceLock::new();
static PROFILE: OnceLock<String> = OnceLock::new();

/// Remembers the database URL that this command was given as an argument.
pub fn remember_database(url: &str) {
    // A URL with a password, or with parameters that may hold one, is not repeated: the user types it.
    let is_open =
        hide_passwords(url) == url && !url.contains(['?', '=']) && !url.contains(char::is_whitespace);
    let shown = if is_open { shell_quoted(url) } else { "URL".into() };
    // A process sets it once.
    let _ = DATABASE.set(format!(" --database-url {shown}"));
}

/// Remembers the profile that some of this command's options come from, and where it is.
pub fn remember_profile(name: &str, place: &dyn Display) {
    let show = shell_quoted(name);
    // A process has one.
    let _ = PROFILE.set(format!("`{}`, {place}; see `host config show --profile {show}`", printable(name)));
}

/// That profile, for a message about options.
#[must_use]
pub fn profile() -> Option<&'static str> {
    PROFILE.get().map(String::as_str)
}

/// A command of this program, on the same database.
#[must_use]
pub fn on_database(command: &str) -> String {
    format!("host {command}{}", DATABASE.get().map_or("", String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each test runs in a process of its own.
    #[test]
    fn no_password_is_proposed() {
        assert_eq!(on_database("runs"), "host runs");
        remember_database("postgres://a:secret@b/c");
        assert_eq!(on_database("runs 3"), "host runs 3 --database-url URL");
    }

    #[test]
    fn the_database_is_named_as_a_shell_takes_it() {
        remember_database("postgres://a@b/it's");
        assert_eq!(on_database("runs"), r"host runs --database-url 'postgres://a@b/it'\''s'");
    }
}
