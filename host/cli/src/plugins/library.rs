//! The plugins that are found by name: listing them, and adding one.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use host_core::digest::Sha256Digest;
use host_core::environment::VariableError;
use host_core::text::{path, printable};
use host_detector::{Detector, Sandbox};
use serde::Serialize;

use super::lookup::{EXTENSION, folders, lookup, plugins_in, user_folder};
use crate::error::{Error, ToolsError};

/// A plugin that is found by name; field names are part of the interface.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// The name that finds it.
    pub name: String,
    /// The file.
    #[serde(serialize_with = "as_text")]
    pub file: PathBuf,
    /// The digest of its bytes; `None` if it cannot be read.
    pub sha256: Option<String>,
    /// Whether its bytes are those that were added; `None` if it was not added by `host plugin add`.
    pub is_as_added: Option<bool>,
    /// Whether the name alone is enough, since no other file has it.
    pub is_unambiguous: bool,
    /// The version it gives itself; this and the next are `None` if it cannot be loaded.
    pub version: Option<String>,
    /// Its description of itself.
    pub description: Option<String>,
    /// Why it cannot be loaded.
    pub problem: Option<String>,
}

/// Lets the plugins describe themselves.
pub fn describe(entries: &mut [Entry], sandbox: &Sandbox) {
    for entry in entries {
        let described = host_detector::load(sandbox, &entry.file).and_then(|plugin| Detector::start(&plugin));
        match described {
            Ok(detector) => {
                entry.version = Some(detector.metadata.version.clone());
                entry.description = Some(detector.metadata.description.clone());
            }
            Err(error) => entry.problem = Some(error.to_string()),
        }
    }
}

/// A path need not be valid text, but JSON must be.
fn as_text<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// All plugins in the folders that are searched, in that order, and by name within each.
///
/// # Errors
/// If a variable that says where they are cannot be used.
pub fn list() -> Result<Vec<Entry>, VariableError> {
    Ok(folders()?.iter().flat_map(|folder| plugins_in(folder)).map(entry).collect())
}

fn entry(file: PathBuf) -> Entry {
    let sha256 = fs::read(&file).ok().map(|bytes| Sha256Digest::of(&bytes).to_string());
    let added = fs::read_to_string(digest_file(&file)).ok();
    let is_as_added = added.map(|line| line.split(' ').next() == sha256.as_deref());
    let name = file.file_stem().unwrap_or_default();
    // Uses the real look-up, so that this cannot disagree with it.
    let is_unambiguous = lookup(Path::new(name)).is_ok();
    let name = name.to_string_lossy().into_owned();
    let (version, description, problem) = (None, None, None);
    Entry { name, file, sha256, is_as_added, is_unambiguous, version, description, problem }
}

/// For people.
#[must_use]
pub fn human(entries: &[Entry]) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    for entry in entries {
        let Entry { name, file, sha256, is_as_added, is_unambiguous, .. } = entry;
        let digest = sha256.as_deref().map_or("unreadable", |digest| &digest[..16]);
        let version = entry.version.as_deref().unwrap_or("-");
        let _ = write!(text, "{:<20} {:<8} {digest}  {}", printable(name), printable(version), path(file));
        if *is_as_added == Some(false) {
            text.push_str("  CHANGED since it was added");
        }
        if !is_unambiguous {
            text.push_str("  ambiguous: give the path");
        }
        text.push('\n');
        if let Some(says) =
            entry.problem.as_deref().or(entry.description.as_deref().and_then(|d| d.lines().next()))
        {
            let _ = writeln!(text, "  {}", printable(says));
        }
    }
    if entries.is_empty() {
        text.push_str("no plugins; looked in\n");
        for folder in folders().unwrap_or_default() {
            let _ = writeln!(text, "  {}", folder.display());
        }
    }
    text
}

/// A plugin that was added.
#[derive(Debug)]
pub struct Added {
    /// The name by which it is found.
    pub name: String,
    /// Where it is now.
    pub file: PathBuf,
    /// The digest of its bytes.
    pub sha256: Sha256Digest,
}

/// Copies a plugin into the user's folder under the name it gives itself, with its digest beside it.
/// Loading it on the way checks it, and leaves it compiled in the cache.
///
/// # Errors
/// If it is not a plugin, or another one of that name is there and is not to be replaced.
pub fn add(sandbox: &Sandbox, file: &Path, replace: bool) -> Result<Added, Error> {
    let plugin = host_detector::load(sandbox, file)?;
    let name = Detector::start(&plugin)?.metadata.name;
    // Read again: what is copied must be what was loaded.
    let fail = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| ToolsError::File { doing, path, source }
    };
    let bytes = fs::read(file).map_err(fail("read", file))?;
    let sha256 = Sha256Digest::of(&bytes);
    if sha256 != plugin.sha256 {
        return Err(host_detector::DetectorError::OtherBytes {
            file: file.to_owned(),
            expected: plugin.sha256,
            found: sha256,
        }
        .into());
    }
    let folder = user_folder()?;
    fs::create_dir_all(&folder).map_err(fail("create", &folder))?;
    let target = folder.join(&name).with_extension(EXTENSION);
    match fs::read(&target).map(|there| Sha256Digest::of(&there)) {
        Ok(found) if found != sha256 && !replace => {
            return Err(ToolsError::OtherPlugin { name, file: target, found }.into());
        }
        _ => {}
    }
    write(&folder, &target, &bytes).map_err(fail("write", &target))?;
    // In the format that `sha256sum --check` reads.
    let digest_file = digest_file(&target);
    let line = format!("{sha256}  {name}.{EXTENSION}\n");
    write(&folder, &digest_file, line.as_bytes()).map_err(fail("write", &digest_file))?;
    Ok(Added { name, file: target, sha256 })
}

/// Writes under another name first, so that a run never sees half a plugin.
fn write(folder: &Path, file: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(content)?;
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(fresh.path(), readable)?;
    fresh.persist(file)?;
    Ok(())
}

fn digest_file(plugin: &Path) -> PathBuf {
    plugin.with_extension("wasm.sha256")
}
