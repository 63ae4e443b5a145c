//! Compiled plugins, kept between runs: what takes a compiler 30 milliseconds (for a Python guest,
//! 15 seconds) is read back in one.
//!
//! What is read back is machine code that will be executed, so it must be what was written: a
//! folder that others can write to is not used, and every file carries the digest of its content
//! (a single flipped bit in unchecked machine code is a crash of the host, or worse). A file that
//! is not right is as good as none. Files are written under another name and renamed, so that
//! two hosts at once do no harm. The key is the digest of the plugin's bytes and whatever else
//! decides what the compiler makes of them.

use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::Sha256Digest;
use crate::environment::Environment;

/// How many compiled plugins are kept; the oldest go first.
const KEPT_FILES: usize = 100;
const DIGEST_BYTES: usize = 32;

/// A folder of compiled plugins, or none.
#[derive(Clone, Debug)]
pub struct Cache(Option<PathBuf>);

impl Cache {
    /// Nothing is kept.
    #[must_use]
    pub fn none() -> Cache {
        Cache(None)
    }

    /// The user's own: in `XDG_CACHE_HOME`, else `~/.cache`.
    #[must_use]
    pub fn of_user() -> Cache {
        match crate::folders::cache(&Environment::of_process()) {
            Ok(Some(base)) => Cache::in_folder(&base.join("compiled")),
            Ok(None) => Cache(None),
            Err(error) => {
                tracing::warn!("compiled plugins are not kept: {error}");
                Cache(None)
            }
        }
    }

    /// In this folder, if it can be trusted; it is made where it is not there.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Cache {
        if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(folder) {
            tracing::info!("compiled plugins are not kept: create `{}`: {error}", folder.display());
            return Cache(None);
        }
        if is_private(folder) {
            return Cache(Some(folder.to_owned()));
        }
        tracing::warn!(
            "compiled plugins are not kept: others may write to `{}`, or it is somebody else's",
            folder.display()
        );
        Cache(None)
    }

    /// The component that was kept for the plugin with this digest; where there is none, what
    /// `compile` makes, which is kept.
    pub fn get_or_compile(
        &self,
        engine: &Engine,
        plugin: Sha256Digest,
        compile: impl FnOnce() -> wasmtime::Result<Component>,
    ) -> wasmtime::Result<Component> {
        let Some(folder) = &self.0 else { return compile() };
        let file = folder.join(key(engine, plugin));
        if let Some(component) = read(engine, &file) {
            return Ok(component);
        }
        let component = compile()?;
        if let Err(error) = write(folder, &file, &component) {
            tracing::info!("the compiled plugin is not kept: {error}");
        }
        Ok(component)
    }
}

/// Whether only we can write there.
fn is_private(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| {
        let is_ours = metadata.uid() == nix::unistd::geteuid().as_raw();
        is_ours && metadata.mode() & 0o022 == 0
    })
}

/// The plugin, and this host with this compiler and these settings.
fn key(engine: &Engine, plugin: Sha256Digest) -> String {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{plugin}-{:016x}", hasher.finish())
}

/// The digest of the content, then the content.
fn read(engine: &Engine, file: &Path) -> Option<Component> {
    let bytes = fs::read(file).ok()?;
    let (digest, content) = bytes.split_at_checked(DIGEST_BYTES)?;
    if Sha256Digest::of(content).as_bytes() != digest {
        tracing::warn!("`{}` is damaged; the plugin is compiled again", file.display());
        return None;
    }
    #[allow(unsafe_code, reason = "there is no safe way to load compiled code")]
    // SAFETY: the content is what `Component::serialize` returned: its digest is right, and in
    // this folder nobody but this user, who could run any code as well, can have written it.
    let component = unsafe { Component::deserialize(engine, content) };
    component.ok()
}

fn write(folder: &Path, file: &Path, component: &Component) -> wasmtime::Result<()> {
    let content = component.serialize()?;
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(Sha256Digest::of(&content).as_bytes())?;
    fresh.write_all(&content)?;
    fresh.persist(file)?;
    remove_oldest(folder);
    Ok(())
}

fn remove_oldest(folder: &Path) {
    let mut files: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    let too_many = files.len().saturating_sub(KEPT_FILES);
    for (_, file) in &files[..too_many] {
        // Another host may have been faster.
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
        let mut compiled = false;
        let compile = || {
            compiled = true;
            Component::from_binary(engine, EMPTY)
        };
        cache.get_or_compile(engine, Sha256Digest::of(EMPTY), compile).unwrap();
        compiled
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
        // Other settings make other code.
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
            // And it was mended.
            assert!(fs::read(&file).unwrap() == good);
        }
        for length in [0, 1, DIGEST_BYTES, good.len() - 1] {
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
            fs::write(folder.path().join(i.to_string()), "").unwrap();
        }
        let (cache, engine) = (Cache::in_folder(folder.path()), Engine::default());
        assert!(compiles(&cache, &engine) && !compiles(&cache, &engine));
        assert_eq!(files(folder.path()).len(), KEPT_FILES);
    }
}
