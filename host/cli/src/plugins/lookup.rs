//! From what was given as `--plugin` to a file. Anything with a `/` is a path and is used as it is. A bare
//! name is looked for in the current folder and in those of [`folders`]. If several of them have it, the
//! files must be the same: the order of folders must not decide which of two plugins is used.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use host_core::digest::Sha256Digest;
use host_core::environment::{Environment, VariableError};
use host_core::text::nearest;

use crate::error::LookupError;

/// The extension of plugin files.
pub const EXTENSION: &str = "wasm";

/// Where plugins are looked for by name, in this order: the folders in `HOST_PLUGIN_PATH`, the user's own,
/// the one beside this program.
///
/// # Errors
/// [`VariableError`] if `HOST_PLUGIN_PATH`, or the variable that says where the user's folder is, cannot
/// be used.
pub fn folders() -> Result<Vec<PathBuf>, VariableError> {
    let mut folders = Environment::of_process().paths("HOST_PLUGIN_PATH")?;
    folders.push(user_folder()?);
    // The program may have been started through a symbolic link.
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
/// [`VariableError`] if the variable that says where that is cannot be used.
pub fn user_folder() -> Result<PathBuf, VariableError> {
    Ok(host_core::folders::data(&Environment::of_process())?.join("plugins"))
}

/// Finds the plugin's file. Its extension may be left out.
///
/// # Errors
/// [`LookupError::NotFound`] with the places that were searched, [`LookupError::Ambiguous`] if different
/// files have the name, [`LookupError::Variable`] if it is not known where to look.
pub fn lookup(plugin: &Path) -> Result<PathBuf, LookupError> {
    let is_bare = !plugin.as_os_str().as_encoded_bytes().contains(&b'/');
    // Appended, since a name such as `fraud-1.2` has something that looks like an extension.
    let mut with_extension = plugin.as_os_str().to_owned();
    with_extension.push(format!(".{EXTENSION}"));
    let names = [plugin.to_owned(), PathBuf::from(with_extension)];
    if !is_bare {
        let found = names.iter().find(|name| name.is_file()).cloned();
        return found.ok_or_else(|| not_found(plugin, names.to_vec(), &[]));
    }
    let folders = folders()?;
    let mut places = names.to_vec();
    places.extend(folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))));
    let found: Vec<&PathBuf> = places.iter().filter(|place| place.is_file()).collect();
    match found.as_slice() {
        [] => Err(not_found(plugin, places, &folders)),
        [first, others @ ..] if others.iter().all(|other| are_the_same(first, other)) => Ok((*first).clone()),
        _ => {
            let found = found.into_iter().map(|place| in_a_folder(place)).collect();
            Err(LookupError::Ambiguous { plugin: plugin.display().to_string(), found })
        }
    }
}

/// The plugins in a folder, by name; empty if there is no such folder.
pub fn plugins_in(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut plugins: Vec<PathBuf> = files
        .filter(|file| file.is_file() && file.extension().is_some_and(|extension| extension == EXTENSION))
        .collect();
    plugins.sort();
    plugins
}

fn not_found(plugin: &Path, looked_in: Vec<PathBuf>, folders: &[PathBuf]) -> LookupError {
    let given = plugin.display().to_string();
    let names: Vec<String> = folders
        .iter()
        .flat_map(|folder| plugins_in(folder))
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .collect();
    let wanted = given.strip_suffix(&format!(".{EXTENSION}")).unwrap_or(&given);
    let nearest = nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned);
    LookupError::NotFound { plugin: given, looked_in, nearest }
}

/// As a path that shows that it is in the current folder.
fn in_a_folder(place: &Path) -> PathBuf {
    if place.is_absolute() { place.to_owned() } else { Path::new(".").join(place) }
}

/// Whether the files have the same bytes; a file that cannot be read is only the same as itself.
fn are_the_same(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
    let is_one_file = matches!((file(one), file(other)), (Ok(one), Ok(other)) if one == other);
    is_one_file || matches!((digest(one), digest(other)), (Some(one), Some(other)) if one == other)
}

/// `None` if the file cannot be read: that is reported when it is used.
fn digest(file: &Path) -> Option<Sha256Digest> {
    Some(Sha256Digest::of(&fs::read(file).ok()?))
}
