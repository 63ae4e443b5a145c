//! Locks between the processes that use the embedded server. Only the owner can open their files:
//! whoever can read a file can lock it, and could keep everybody else waiting.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use host_core::text;
use nix::fcntl::OFlag;

use crate::local_server::error::{EmbeddedError, at};

/// How long to wait for others who start or stop the server, which a recovery may make slow.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait before saying what is waited for.
const QUIET: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(10);

/// Whether others may hold it at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Shared,
    Exclusive,
}

/// Opens a lock's file, creating it if it does not exist.
pub fn open(path: &Path) -> Result<File, EmbeddedError> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    let file = options.open(path).map_err(at("open", path))?;
    // Also for a file that an earlier version created.
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(at("set the mode of", path))?;
    Ok(file)
}

/// Takes the lock; false if another process holds it.
pub fn try_lock(file: &File, kind: Kind, path: &Path) -> Result<bool, EmbeddedError> {
    let tried = match kind {
        Kind::Shared => file.try_lock_shared(),
        Kind::Exclusive => file.try_lock(),
    };
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(at("lock", path)(error)),
    }
}

/// Waits for the lock, but not for ever, and logs what it waits for.
pub fn wait(file: &File, kind: Kind, path: &Path, patience: Duration) -> Result<(), EmbeddedError> {
    let started = Instant::now();
    let mut is_told = false;
    while !try_lock(file, kind, path)? {
        let waited = started.elapsed();
        if waited >= patience {
            let timed_out = io::Error::new(
                io::ErrorKind::TimedOut,
                format!("another process has held it for {}", text::seconds(patience)),
            );
            return Err(at("lock", path)(timed_out));
        }
        if waited >= QUIET && !is_told {
            is_told = true;
            tracing::warn!(
                "waiting for `{}`: another command is starting or stopping the server",
                text::path(path)
            );
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_a_lock_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let (one, other) = (open(&path).unwrap(), open(&path).unwrap());
        assert_eq!(one.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        wait(&one, Kind::Exclusive, &path, Duration::ZERO).unwrap();
        assert!(!try_lock(&other, Kind::Shared, &path).unwrap());
        match wait(&other, Kind::Shared, &path, Duration::from_millis(30)) {
            Err(EmbeddedError::File { doing: "lock", source, .. }) => {
                assert_eq!(source.kind(), io::ErrorKind::TimedOut);
            }
            other => panic!("{other:?}"),
        }
        drop(one);
        wait(&other, Kind::Shared, &path, Duration::ZERO).unwrap();
    }
}
