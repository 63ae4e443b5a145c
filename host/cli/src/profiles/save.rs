//! Adding a profile to the file: everything else in it stays as it is, comments included.

use std::io::{self, Write as _};
use std::path::Path;

use host_source::sniff::{Finding, Flag, Sniffed};
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

use super::file::{PROFILES, ProfileFile};
use crate::error::ProfileError;

/// Adds what is proposed for a file as a profile of this name; what is still to be chosen, as comments before it.
///
/// # Errors
/// If there is such a profile, or the file cannot be read or written.
pub fn save(path: &Path, name: &str, about: &str, sniffed: &Sniffed) -> Result<(), ProfileError> {
    let text = match ProfileFile::read(path) {
        Ok(file) => {
            if let Some((name, place)) = file.names().into_iter().find(|(known, _)| known == name) {
                return Err(ProfileError::Exists { place, name });
            }
            file.text().to_owned()
        }
        Err(ProfileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let fail = |source| ProfileError::Write { file: path.to_owned(), source };
    // It has been parsed before.
    let mut document: DocumentMut = text.parse().map_err(|error| fail(io::Error::other(error)))?;
    let mut table = of_flags(sniffed.flags());
    table.decor_mut().set_prefix(comment(about, sniffed, !text.is_empty()));
    let mut profiles = Table::new();
    profiles.set_implicit(true);
    match document.entry(PROFILES).or_insert(Item::Table(profiles)) {
        Item::Value(Value::InlineTable(profiles)) => {
            profiles.insert(name, Value::InlineTable(table.into_inline_table()));
        }
        profiles => {
            // It is a table: that was checked when it was read.
            if let Some(profiles) = profiles.as_table_like_mut() {
                profiles.insert(name, Item::Table(table));
            }
        }
    }
    replace(path, &document.to_string()).map_err(fail)
}

fn of_flags<'a>(flags: impl Iterator<Item = &'a Flag>) -> Table {
    let mut table = Table::new();
    for Flag { name, value } in flags {
        let pair = value.as_deref().filter(|_| *name == COLUMN).and_then(|value| value.split_once('='));
        match (pair, value) {
            (Some((column, in_file)), _) => {
                let columns =
                    table.entry(name).or_insert(Item::Value(Value::InlineTable(InlineTable::new())));
                if let Some(columns) = columns.as_inline_table_mut() {
                    columns.insert(column, in_file.into());
                }
            }
            (None, Some(value)) => {
                table.insert(name, Item::Value(value.into()));
            }
            (None, None) => {
                table.insert(name, Item::Value(true.into()));
            }
        }
    }
    table
}

/// The option of pairs that is proposed.
const COLUMN: &str = "column";

/// What the profile is made from, and what is to be added to it.
fn comment(about: &str, sniffed: &Sniffed, is_after_others: bool) -> String {
    let line = |text: &str| format!("# {}\n", text.replace(['\n', '\r'], " "));
    let mut comment = if is_after_others { "\n".to_owned() } else { String::new() };
    comment += &line(&format!("As proposed by: host sniff {about}"));
    for Finding { what, readings, .. } in sniffed.findings.iter().filter(|finding| finding.is_open()) {
        comment += &line(&format!("To be decided: {what}"));
        for reading in readings {
            let options = of_flags(reading.flags.iter()).to_string();
            let examples =
                reading.examples.iter().map(|example| format!("{} is {}", example.cell, example.meaning));
            let examples: Vec<String> = examples.collect();
            comment +=
                &line(&format!("  {}    # {}", options.trim().replace('\n', ", "), examples.join(", ")));
        }
    }
    comment
}

/// Puts a file in the place of another at once, with its permissions. A new one is only for its owner: a URL with a
/// password may be added to it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    if let Ok(metadata) = target.metadata() {
        file.as_file().set_permissions(metadata.permissions())?;
    }
    file.persist(&target)?;
    Ok(())
}
