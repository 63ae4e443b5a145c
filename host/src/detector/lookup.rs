//! From what was given as `--plugin` to a file. A path is taken as it is, and so is the name of a file
//! in the current folder; any other bare name is looked for in the folders of [`folders`]. Where
//! several of them have it, the files must be the same: which of two plugins judges is not left to
//! the order of folders.

use std::fs;
use std::path::{Path, PathBuf};

use super::DetectorError;
use crate::digest::Sha256Digest;
use crate::environment::{Environment, VariableError};

/// What plugins' files end in.
pub const EXTENSION: &str = "wasm";

/// Where plugins are looked for by name, in this order: the folders of `HOST_PLUGIN_PATH`, the user's
/// own, the one beside this program.
///
/// # Errors
/// [`VariableError`] where `HOST_PLUGIN_PATH`, or the variable that says where the user's folder is,
/// cannot be used.
pub fn folders() -> Result<Vec<PathBuf>, VariableError> {
    let mut folders = Environment::of_process().paths("HOST_PLUGIN_PATH")?;
    folders.push(user_folder()?);
    // The program may have been found through a link.
    let beside = std::env::current_exe().ok().and_then(|program| {
        let program = program.canonicalize().ok()?;
        Some(program.parent()?.join("plugins"))
    });
    folders.extend(beside);
    Ok(folders)
}

/// The user's own plugins, where `host plugin add` puts them.
///
/// # Errors
/// [`VariableError`] where the variable that says where that is cannot be used.
pub fn user_folder() -> Result<PathBuf, VariableError> {
    Ok(crate::folders::data(&Environment::of_process())?.join("plugins"))
}

/// Finds the plugin's file.
///
/// # Errors
/// [`DetectorError::NotFound`] with the places that were looked in, [`DetectorError::Ambiguous`]
/// where different files have the name, [`DetectorError::Variable`] where it is not known where to look.
pub fn lookup(plugin: &Path) -> Result<PathBuf, DetectorError> {
    if plugin.is_file() {
        return Ok(plugin.to_owned());
    }
    let mut names = vec![plugin.to_owned()];
    if plugin.extension().is_none() {
        names.push(plugin.with_extension(EXTENSION));
    }
    let mut places = names.clone();
    if plugin.components().count() == 1 {
        places.extend(folders()?.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))));
    }
    let found: Vec<&PathBuf> = places.iter().filter(|place| place.is_file()).collect();
    let Some(first) = found.first() else {
        return Err(DetectorError::NotFound { plugin: plugin.display().to_string(), looked_in: places });
    };
    if found.len() > 1 && found.iter().any(|other| digest(other) != digest(first)) {
        let found = found.into_iter().cloned().collect();
        return Err(DetectorError::Ambiguous { plugin: plugin.display().to_string(), found });
    }
    Ok((*first).clone())
}

/// None of a file that cannot be read: that is told when it is used.
fn digest(file: &Path) -> Option<Sha256Digest> {
    Some(Sha256Digest::of(&fs::read(file).ok()?))
}
