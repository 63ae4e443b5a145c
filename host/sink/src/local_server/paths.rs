//! The embedded server's folders: created for their owner alone, and never taken over from another user.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use host_core::digest::Sha256Digest;
use nix::fcntl::OFlag;
use nix::unistd::geteuid;

use crate::local_server::error::{EmbeddedError, at};
use crate::local_server::programs::server_user;

/// The port is part of the socket's name; nothing listens on that TCP port unless asked to.
pub(crate) const PORT: u16 = 5432;

/// A socket's path must fit into `sockaddr_un`: 108 bytes including the final NUL.
const MAX_SOCKET_PATH_BYTES: usize = 107;
/// The bits of a mode that let others do anything.
const OTHERS: u32 = 0o077;

/// The folder with the socket of the cluster in `folder`: inside it, or, if that path is too long or
/// contains a comma, at which libpq would split it, in the user's runtime folder, else in the temporary
/// folder.
pub fn socket_folder(folder: &Path, runtime: Option<&Path>) -> PathBuf {
    let fits = |folder: &Path| {
        folder.join(format!(".s.PGSQL.{PORT}.lock")).as_os_str().len() <= MAX_SOCKET_PATH_BYTES
    };
    let beside = folder.join("socket");
    if fits(&beside) && !beside.as_os_str().as_encoded_bytes().contains(&b',') {
        return beside;
    }
    let digest = Sha256Digest::of(folder.as_os_str().as_encoded_bytes()).to_string();
    let name = format!("host-{}", &digest[..16]);
    // A server that runs as another user could not enter it.
    let is_usable = |runtime: &&Path| {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_.-".contains(byte);
        let is_ours = fs::symlink_metadata(runtime).is_ok_and(|found| {
            found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & OTHERS == 0
        });
        is_ours && !geteuid().is_root() && runtime.as_os_str().as_encoded_bytes().iter().all(is_plain)
    };
    let in_runtime = runtime.filter(is_usable).map(|runtime| runtime.join(&name));
    in_runtime.filter(|folder| fits(folder)).unwrap_or_else(|| Path::new("/tmp").join(name))
}

/// Creates the folder that holds everything, and its parents. Only its owner can enter it, except that
/// a server that runs as another user must be able to pass through.
pub fn make_folder(path: &Path) -> Result<(), EmbeddedError> {
    if let Some(above) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(above).map_err(at("create", above))?;
    }
    make_if_absent(path)?;
    let found = fs::metadata(path).map_err(at("look at", path))?;
    if found.uid() != geteuid().as_raw() {
        return Err(foreign(path, "it belongs to another user"));
    }
    let mode = if server_user()?.is_some() { 0o711 } else { 0o700 };
    if found.mode() & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at("set the mode of", path))
}

/// Creates a folder that belongs to the user that the server runs as, and that nobody else can enter. An
/// existing one is only used if that holds for it: in the temporary folder, anybody can create it first.
pub fn own_folder(path: &Path) -> Result<(), EmbeddedError> {
    let is_new = make_if_absent(path)?;
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY).bits();
    let folder = File::options().read(true).custom_flags(flags).open(path).map_err(at("open", path))?;
    if is_new {
        folder.set_permissions(fs::Permissions::from_mode(0o700)).map_err(at("set the mode of", path))?;
    }
    let user = server_user()?;
    let found = folder.metadata().map_err(at("look at", path))?;
    let server = user.as_ref().map(|user| user.uid.as_raw());
    if found.uid() != geteuid().as_raw() && Some(found.uid()) != server {
        return Err(foreign(path, "it belongs to another user"));
    }
    if found.mode() & OTHERS != 0 {
        return Err(foreign(path, "others may enter it"));
    }
    let Some(user) = user else { return Ok(()) };
    std::os::unix::fs::fchown(&folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        .map_err(at("hand over", path))
}

/// Whether it had to be created.
fn make_if_absent(path: &Path) -> Result<bool, EmbeddedError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(at("create", path)(error)),
    }
}

fn foreign(path: &Path, why: &'static str) -> EmbeddedError {
    at("use", path)(io::Error::new(io::ErrorKind::PermissionDenied, why))
}
