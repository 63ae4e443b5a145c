//! From what was given as `--plugin` to a file: a path is taken as it is, a bare name is looked
//! for in the current folder and in the folder `plugins` beside this program.

use std::path::{Path, PathBuf};

use super::DetectorError;

/// Finds the plugin's file.
///
/// # Errors
/// [`DetectorError::NotFound`] with the places that were looked in.
pub fn lookup(plugin: &Path) -> Result<PathBuf, DetectorError> {
    let is_name = plugin.components().count() == 1;
    let mut looked_in = vec![plugin.to_owned()];
    if is_name {
        let folders = std::env::current_exe().ok().and_then(|program| {
            // The program may have been found through a link.
            Some(program.canonicalize().ok()?.parent()?.join("plugins"))
        });
        looked_in.extend(folders.map(|folder| folder.join(plugin)));
    }
    if is_name && plugin.extension().is_none() {
        let with_extension: Vec<_> = looked_in.iter().map(|place| place.with_extension("wasm")).collect();
        looked_in.extend(with_extension);
    }
    match looked_in.iter().find(|place| place.is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(DetectorError::NotFound { plugin: plugin.display().to_string(), looked_in }),
    }
}
