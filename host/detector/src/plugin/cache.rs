//! Compiled plugins, kept between runs: what takes a compiler 30 milliseconds (for a Python guest, 15
//! seconds) is read back in one.
//!
//! What is read back is machine code that will be executed, so it must be exactly what was written: a folder
//! that others can write to or could replace is not used, links in it are not followed, and every file is
//! [`MachineCode`] with its digest (a single flipped bit in unchecked machine code crashes the host, or
//! worse). A damaged file is treated as missing. Files are written under another name and renamed, so that
//! two hosts can work at the same time. The key is the digest of the plugin's bytes and of everything else
//! that affects the compiler's output.

use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use host_core::digest::Sha256Digest;
use host_core::environment::Environment;
use host_core::text::path;
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::plugin::machine_code::MachineCode;
use crate::runtime::preview1;

/// How many compiled plugins are kept; the oldest are removed first.
const KEPT_FILES: usize = 100;
/// Mode bits: the group or everybody may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A folder of compiled plugins, or no cache at all.
#[derive(Clone, Debug)]
pub struct Cache(Option<PathBuf>);

impl Cache {
    /// A cache that keeps nothing.
    #[must_use]
    pub fn none() -> Cache {
        Cache(None)
    }

    /// The user's own cache: in `XDG_CACHE_HOME`, else `~/.cache`.
    #[must_use]
    pub fn of_user() -> Cache {
        match host_core::folders::cache(&Environment::of_process()) {
            Ok(Some(base)) => Cache::in_folder(&base.join("compiled")),
            Ok(None) => Cache(None),
            Err(error) => {
                tracing::warn!("compiled plugins not cached: {error}");
                Cache(None)
            }
        }
    }

    /// A cache in this folder, if it can be trusted; the folder is created if needed.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Cache {
        match prepare(folder) {
            Ok(()) => Cache(Some(folder.to_owned())),
            Err(Unusable::Create(error)) => {
                tracing::info!("compiled plugins not cached: could not create `{}`: {error}", path(folder));
                Cache(None)
            }
            Err(Unusable::NotOurs(place)) => {
                tracing::warn!(
                    "compiled plugins not cached: others may write to `{}`, or another user owns it",
                    path(&place)
                );
                Cache(None)
            }
        }
    }

    /// The component that was kept for the plugin with this digest.
    pub fn get(&self, engine: &Engine, plugin: Sha256Digest) -> Option<Component> {
        read(engine, &self.0.as_ref()?.join(key(engine, plugin)))
    }

    /// Keeps what the plugin with this digest was compiled to.
    pub fn keep(&self, engine: &Engine, plugin: Sha256Digest, code: &MachineCode) {
        let Some(folder) = &self.0 else { return };
        if let Err(error) = write(folder, &folder.join(key(engine, plugin)), code) {
            tracing::info!("compiled plugin not cached: {error}");
        }
    }
}

enum Unusable {
    Create(io::Error),
    NotOurs(PathBuf),
}

fn prepare(folder: &Path) -> Result<(), Unusable> {
    // Before anything is created in another user's folder, or through their link.
    check_way(folder)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Unusable::Create)?;
    check_way(folder)?;
    let is_ours = fs::symlink_metadata(folder).is_ok_and(|metadata| {
        metadata.is_dir() && metadata.uid() == geteuid().as_raw() && metadata.mode() & WRITABLE_BY_OTHERS == 0
    });
    if is_ours { Ok(()) } else { Err(Unusable::NotOurs(folder.to_owned())) }
}

/// Makes sure that no other user controls where this path leads, neither as written nor with links resolved.
fn check_way(folder: &Path) -> Result<(), Unusable> {
    let there = folder.ancestors().find(|place| place.symlink_metadata().is_ok());
    let Some(there) = there else { return Ok(()) };
    let real = there.canonicalize().map_err(Unusable::Create)?;
    let mut places = there.ancestors().chain(real.ancestors());
    match places.find(|place| !place.as_os_str().is_empty() && !is_trusted(place)) {
        Some(place) => Err(Unusable::NotOurs(place.to_owned())),
        None => Ok(()),
    }
}

/// Whether it is ours or root's, and nobody else can replace what is in it.
fn is_trusted(place: &Path) -> bool {
    const STICKY: u32 = 0o1000;
    fs::symlink_metadata(place).is_ok_and(|metadata| {
        let is_known = [0, geteuid().as_raw()].contains(&metadata.uid());
        let is_closed = metadata.mode() & WRITABLE_BY_OTHERS == 0 || metadata.mode() & STICKY != 0;
        // A link's own mode says nothing.
        is_known && (metadata.is_symlink() || is_closed)
    })
}

/// A name for the plugin as compiled by this host with this compiler and these settings.
fn key(engine: &Engine, plugin: Sha256Digest) -> String {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    preview1::STUB.hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{plugin}-{:016x}", hasher.finish())
}

fn read(engine: &Engine, file: &Path) -> Option<Component> {
    let mut bytes = Vec::new();
    // Do not follow a link, and do not wait for a pipe.
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    File::options().read(true).custom_flags(flags).open(file).ok()?.read_to_end(&mut bytes).ok()?;
    let Some(code) = MachineCode::from_bytes(bytes) else {
        tracing::warn!("`{}` is damaged; the plugin is compiled again", file.display());
        return None;
    };
    code.load(engine).ok()
}

fn write(folder: &Path, file: &Path, code: &MachineCode) -> io::Result<()> {
    // Named so that it is recognised as ours if we die in between.
    let prefix = format!("{}.", file.file_name().unwrap_or_default().display());
    let mut fresh = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder)?;
    fresh.write_all(code.as_bytes())?;
    fresh.persist(file)?;
    remove_oldest(folder);
    Ok(())
}

/// Whether a file of this name was made by [`write()`]: two digests, and perhaps a suffix while it is being
/// written.
fn is_ours(name: &str) -> bool {
    let is_hex =
        |text: &str, digits| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.split_once('-').is_some_and(|(plugin, host)| {
        let (host, _unfinished) = host.split_once('.').unwrap_or((host, ""));
        is_hex(plugin, 2 * size_of::<Sha256Digest>()) && is_hex(host, 16)
    })
}

/// Removes the oldest of our own files; anything else in the folder is not ours to remove.
fn remove_oldest(folder: &Path) {
    let mut files: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_ours))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    let too_many = files.len().saturating_sub(KEPT_FILES);
    for (_, file) in &files[..too_many] {
        // Another host may have removed it already.
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// The smallest component.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn compiles(cache: &Cache, engine: &Engine) -> bool {
        let plugin = Sha256Digest::of(EMPTY);
        if cache.get(engine, plugin).is_some() {
            return false;
        }
        let content = engine.precompile_component(EMPTY).unwrap();
        let bytes = [Sha256Digest::of(&content).as_bytes(), content.as_slice()].concat();
        cache.keep(engine, plugin, &MachineCode::from_bytes(bytes).unwrap());
        true
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_plugin_is_compiled_once() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, engine) = (Cache::in_folder(&folder.path().join("new")), Engine::default());
        assert!(compiles(&cache, &engine));
        assert!(!compiles(&cache, &engine));
        // Other settings give other code.
        let mut config = wasmtime::Config::new();
        let other = Engine::new(config.epoch_interruption(true)).unwrap();
        assert!(compiles(&cache, &other));
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, engine) = (Cache::in_folder(folder.path()), Engine::default());
        assert!(compiles(&cache, &engine));
        let file = files(folder.path()).pop().unwrap();
        let good = fs::read(&file).unwrap();
        for position in (0..good.len()).step_by(good.len() / 50) {
            let mut damaged = good.clone();
            damaged[position] ^= 1;
            fs::write(&file, damaged).unwrap();
            assert!(compiles(&cache, &engine), "byte {position}");
            // And it was replaced by a good one.
            assert!(fs::read(&file).unwrap() == good);
        }
        for length in [0, 1, size_of::<Sha256Digest>(), good.len() - 1] {
            fs::write(&file, &good[..length]).unwrap();
            assert!(compiles(&cache, &engine), "{length} bytes");
        }
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let (cache, engine) = (Cache::in_folder(folder.path()), Engine::default());
        assert!(compiles(&cache, &engine) && compiles(&cache, &engine));
        assert!(files(folder.path()).is_empty());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_done_without() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (cache, engine) = (Cache::in_folder(&file.path().join("below")), Engine::default());
        assert!(compiles(&cache, &engine) && compiles(&cache, &engine));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        for i in 0..KEPT_FILES + 20 {
            let (plugin, unfinished) = (Sha256Digest::of(&i.to_ne_bytes()), if i < 20 { ".x" } else { "" });
            fs::write(folder.path().join(format!("{plugin}-{i:016x}{unfinished}")), "").unwrap();
        }
        let (cache, engine) = (Cache::in_folder(folder.path()), Engine::default());
        assert!(compiles(&cache, &engine) && !compiles(&cache, &engine));
        assert_eq!(files(folder.path()).len(), KEPT_FILES);
    }

    #[test]
    fn what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let digests = format!("{}-{:016x}", Sha256Digest::of(b""), 0);
        for i in 0..KEPT_FILES + 20 {
            fs::write(folder.path().join(format!("{i}-{digests}")), "").unwrap();
        }
        fs::create_dir(folder.path().join(&digests)).unwrap();
        let (cache, engine) = (Cache::in_folder(folder.path()), Engine::default());
        assert!(compiles(&cache, &engine) && !compiles(&cache, &engine));
        assert_eq!(files(folder.path()).len(), KEPT_FILES + 20 + 2);
    }

    #[test]
    fn no_link_is_followed() {
        let (folder, precious) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let link = folder.path().join("compiled");
        std::os::unix::fs::symlink(precious.path(), &link).unwrap();
        let (cache, engine) = (Cache::in_folder(&link), Engine::default());
        assert!(compiles(&cache, &engine) && compiles(&cache, &engine));
        assert!(files(precious.path()).is_empty());
        // Nor is a folder used whose parent others can write to.
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let (cache, engine) = (Cache::in_folder(&open.join("compiled")), Engine::default());
        assert!(compiles(&cache, &engine) && compiles(&cache, &engine));
        assert!(files(&open).is_empty());
    }
}
