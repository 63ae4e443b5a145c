//! The embedded server: a private PostgreSQL cluster, created with the installed programs, for users
//! who have no server at hand. It listens on a unix socket in a folder that only its owner can enter, is
//! as durable as any server (fsync is on), is started on demand and stopped when nobody uses it any
//! more.
//!
//! In the order of a start: [`paths`] creates the folders, [`locks`] keeps others from doing the same at
//! the same time, [`postmaster`] tells whether the server is running, [`server`] creates, starts and
//! stops it with PostgreSQL's [`programs`].
//!
//! Each process that uses it holds a shared lock on the file `users.lock`. The one that starts the server
//! also starts a *guard*, this program in the background, which waits for an exclusive lock on that
//! file and then stops the server. The operating system frees locks when a process dies, however
//! it dies, so no server is left behind. `host db start` creates the file `keep-running`, which tells the
//! guard to leave the server alone.

pub(crate) mod cluster;
pub(crate) mod error;
mod locks;
mod paths;
mod postmaster;
mod programs;
mod server;

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::SinkError;
use crate::local_server::cluster::Cluster;
use crate::local_server::error::{EmbeddedError, at};
use crate::local_server::locks::Kind;
use crate::local_server::postmaster::Phase;
use crate::local_server::programs::Programs;

/// How long a guard may take to find out whether it is needed.
const GUARD_PATIENCE: Duration = Duration::from_secs(2);
/// How long a server that is already stopping may take to end: as long as pg_ctl waits.
const STOPPING_PATIENCE: Duration = Duration::from_secs(60);

/// Keeps the server running for as long as this value lives.
pub struct InUse {
    _users_lock: File,
}

/// What [`Cluster::stop`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It has stopped.
    Now,
    /// A run is using it; it stops after that run.
    WhenUnused,
    /// There was nothing to stop.
    WasNotRunning,
}

impl Cluster {
    /// Starts the server if it is not running, creating the cluster the first time; it stays up
    /// while the result lives.
    ///
    /// # Errors
    /// [`SinkError::Embedded`].
    pub fn ensure_running(&self) -> Result<InUse, SinkError> {
        self.start().map_err(|source| SinkError::Embedded { doing: "start", source })
    }

    /// Starts the server and keeps it running until [`stop`](Self::stop).
    ///
    /// # Errors
    /// [`SinkError::Embedded`].
    pub fn start_and_keep(&self) -> Result<(), SinkError> {
        let keep = || {
            let in_use = self.start()?;
            File::create(self.keep_file()).map_err(at("create", &self.keep_file()))?;
            drop(in_use);
            Ok(())
        };
        keep().map_err(|source| SinkError::Embedded { doing: "start", source })
    }

    /// Stops the server, at once or when the last run that uses it has ended.
    ///
    /// # Errors
    /// [`SinkError::Embedded`].
    pub fn stop(&self) -> Result<Stopped, SinkError> {
        let stop = || {
            if !self.data().is_dir() {
                return Ok(Stopped::WasNotRunning);
            }
            let programs = Programs::find()?;
            let control = self.lock_control()?;
            remove_if_there(&self.keep_file())?;
            let was_running = self.is_running();
            let users = locks::open(&self.lock_file("users"))?;
            // A guard holds the lock for a moment while it checks whether it is needed.
            let give_up = Instant::now() + GUARD_PATIENCE;
            while !locks::try_lock(&users, Kind::Exclusive, &self.lock_file("users"))? {
                if Instant::now() > give_up {
                    self.start_guard()?;
                    return Ok(Stopped::WhenUnused);
                }
                thread::sleep(Duration::from_millis(10));
            }
            if self.is_running() {
                self.stop_now(&programs, &control)?;
            }
            Ok(if was_running { Stopped::Now } else { Stopped::WasNotRunning })
        };
        stop().map_err(|source| SinkError::Embedded { doing: "stop", source })
    }

    /// What the guard does: waits until nobody uses the server, then stops it.
    ///
    /// # Errors
    /// [`SinkError::Embedded`].
    pub fn guard(&self) -> Result<(), SinkError> {
        let guard = || {
            let (_users, control) = self.wait_until_unused()?;
            let programs = Programs::find()?;
            if self.keep_file().exists() || !self.is_running() {
                return Ok(());
            }
            self.stop_now(&programs, &control)
        };
        guard().map_err(|source| SinkError::Embedded { doing: "stop", source })
    }

    /// Waits until nobody uses, starts or stops the server; none of that can happen while the result lives.
    /// A process that starts the server takes these locks in the opposite order, so neither is waited for
    /// while the other is held.
    fn wait_until_unused(&self) -> Result<(File, File), EmbeddedError> {
        loop {
            let users = locks::open(&self.lock_file("users"))?;
            users.lock().map_err(at("lock", &self.folder))?;
            let control = locks::open(&self.lock_file("control"))?;
            if control.try_lock().is_ok() {
                return Ok((users, control));
            }
            drop(users);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The folder with psql and the other clients.
    ///
    /// # Errors
    /// If PostgreSQL is not installed.
    pub fn programs_folder() -> Result<PathBuf, SinkError> {
        let found = Programs::find().map_err(|source| SinkError::Embedded { doing: "find", source })?;
        Ok(found.folder)
    }

    fn start(&self) -> Result<InUse, EmbeddedError> {
        let programs = Programs::find()?;
        paths::make_folder(&self.folder)?;
        let control = self.lock_control()?;
        // Waits for a guard that is stopping the server right now.
        let (users, users_file) = (locks::open(&self.lock_file("users"))?, self.lock_file("users"));
        locks::wait(&users, Kind::Shared, &users_file, locks::PATIENCE)?;
        self.wait_for_the_other()?;
        let is_unreachable = self.is_running() && !self.answers();
        if is_unreachable {
            // The only runs still going are those that connected before its socket was gone.
            locks::wait(&users, Kind::Exclusive, &users_file, locks::PATIENCE)?;
            tracing::warn!("the server's socket is gone; starting the server again");
            self.stop_now(&programs, &control)?;
            locks::wait(&users, Kind::Shared, &users_file, locks::PATIENCE)?;
        }
        if !self.is_running() {
            if !is_unreachable {
                remove_if_there(&self.keep_file())?;
            }
            // First, so that no server is left behind if we are killed in between. The guard waits for us.
            self.start_guard()?;
            self.create(&programs, &control)?;
            self.start_now(&programs, &control)?;
        }
        Ok(InUse { _users_lock: users })
    }

    /// Waits for a server that is starting or stopping although nobody holds the lock: the process that began
    /// that was killed.
    fn wait_for_the_other(&self) -> Result<(), EmbeddedError> {
        let give_up = Instant::now() + STOPPING_PATIENCE;
        while self.phase().is_some_and(|phase| phase != Phase::Ready) {
            if Instant::now() > give_up {
                let slow = io::Error::new(io::ErrorKind::TimedOut, "its server neither gets ready nor stops");
                return Err(at("use", &self.data())(slow));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// In a process group of its own, so that ^C at the terminal does not reach it.
    fn start_guard(&self) -> Result<(), EmbeddedError> {
        let program = std::env::current_exe().map_err(at("find", Path::new("/proc/self/exe")))?;
        Command::new(&program)
            .args(["db", "guard"])
            .env("HOST_DATA_DIR", self.folder.parent().unwrap_or(&self.folder))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()
            .map(drop)
            .map_err(at("start", &program))
    }

    /// Held while the server is started or stopped, so that only one process does so.
    fn lock_control(&self) -> Result<File, EmbeddedError> {
        let file = self.lock_file("control");
        let control = locks::open(&file)?;
        locks::wait(&control, Kind::Exclusive, &file, locks::PATIENCE)?;
        Ok(control)
    }
}

fn remove_if_there(path: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}
