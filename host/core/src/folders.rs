//! The user's own folders.

use std::path::PathBuf;

use nix::unistd::Uid;

use crate::environment::{Environment, VariableError};

/// Where the user's data is kept: in `HOST_DATA_DIR`, else below the user's data folder or, for root, in
/// `/var/lib/host`.
///
/// # Errors
/// [`VariableError`] if the deciding variable is set to anything but an absolute path.
pub fn data(environment: &Environment) -> Result<PathBuf, VariableError> {
    data_of(environment, Uid::effective().is_root())
}

fn data_of(environment: &Environment, is_root: bool) -> Result<PathBuf, VariableError> {
    if let Some(folder) = environment.path("HOST_DATA_DIR")? {
        return Ok(folder);
    }
    if is_root {
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
/// [`VariableError`] if the deciding variable is set to anything but an absolute path.
pub fn cache(environment: &Environment) -> Result<Option<PathBuf>, VariableError> {
    let cache = match environment.path("XDG_CACHE_HOME")? {
        Some(cache) => Some(cache),
        None => environment.path("HOME")?.map(|home| home.join(".cache")),
    };
    Ok(cache.map(|cache| cache.join("host")))
}

/// Where the user's configuration is kept, if anywhere: below `XDG_CONFIG_HOME`, else `~/.config`.
///
/// # Errors
/// [`VariableError`] if the deciding variable is set to anything but an absolute path.
pub fn configuration(environment: &Environment) -> Result<Option<PathBuf>, VariableError> {
    let folder = match environment.path("XDG_CONFIG_HOME")? {
        Some(folder) => Some(folder),
        None => environment.path("HOME")?.map(|home| home.join(".config")),
    };
    Ok(folder.map(|folder| folder.join("host")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folder, or the variable that is wrong.
    fn found(variables: &[(&str, &str)], is_root: bool) -> Result<String, String> {
        let folder = data_of(&variables.iter().copied().collect(), is_root);
        folder.map(|folder| folder.display().to_string()).map_err(|error| error.name().to_owned())
    }

    #[test]
    fn the_variable_that_decides_must_be_usable() {
        let folder = |path: &str| Ok(path.to_owned());
        let wrong = |name: &str| Err(name.to_owned());
        let home = ("HOME", "/home/me");
        assert_eq!(found(&[home], false), folder("/home/me/.local/share/host"));
        assert_eq!(found(&[home, ("XDG_DATA_HOME", "/data")], false), folder("/data/host"));
        assert_eq!(found(&[home, ("HOST_DATA_DIR", "/mine")], false), folder("/mine"));
        for value in ["", "relative"] {
            assert_eq!(found(&[home, ("HOST_DATA_DIR", value)], false), wrong("HOST_DATA_DIR"));
            assert_eq!(found(&[home, ("HOST_DATA_DIR", value)], true), wrong("HOST_DATA_DIR"));
            assert_eq!(found(&[home, ("XDG_DATA_HOME", value)], false), wrong("XDG_DATA_HOME"));
            assert_eq!(found(&[("HOME", value)], false), wrong("HOME"));
            // It is not looked at.
            assert_eq!(found(&[("HOME", value)], true), folder("/var/lib/host"));
        }
    }
}
