//! The user's own folders.

use std::path::PathBuf;

use nix::unistd::Uid;

/// Where the user's data is kept: in `HOST_DATA_DIR`, or below the user's data folder, or, for root,
/// in `/var/lib/host`. Only absolute paths count.
#[must_use]
pub fn data(environment: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let absolute = |name| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("HOST_DATA_DIR").unwrap_or_else(|| {
        if Uid::effective().is_root() {
            return PathBuf::from("/var/lib/host");
        }
        let data =
            absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
        data.unwrap_or_else(std::env::temp_dir).join("host")
    })
}
