//! The user's own folders.

use std::path::PathBuf;

use nix::unistd::Uid;

use crate::environment::{Environment, VariableError};

/// Where the user's data is kept: in `HOST_DATA_DIR`, or below the user's data folder, or, for root,
/// in `/var/lib/host`.
///
/// # Errors
/// [`VariableError`] where the variable that decides is set to something else than an absolute path.
pub fn data(environment: &Environment) -> Result<PathBuf, VariableError> {
    if let Some(folder) = environment.path("HOST_DATA_DIR")? {
        return Ok(folder);
    }
    if Uid::effective().is_root() {
        return Ok(PathBuf::from("/var/lib/host"));
    }
    let data = match environment.path("XDG_DATA_HOME")? {
        Some(data) => Some(data),
        None => environment.path("HOME")?.map(|home| home.join(".local/share")),
    };
    Ok(data.unwrap_or_else(std::env::temp_dir).join("host"))
}

/// Where the user's caches are kept, if anywhere: below `XDG_CACHE_HOME`, else `~/.cache`.
///
/// # Errors
/// [`VariableError`] where the variable that decides is set to something else than an absolute path.
pub fn cache(environment: &Environment) -> Result<Option<PathBuf>, VariableError> {
    let cache = match environment.path("XDG_CACHE_HOME")? {
        Some(cache) => Some(cache),
        None => environment.path("HOME")?.map(|home| home.join(".cache")),
    };
    Ok(cache.map(|cache| cache.join("host")))
}
