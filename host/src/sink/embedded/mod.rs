//! The embedded server: a private PostgreSQL cluster, made with the installed programs, for
//! those who have no server at hand. It listens on a unix socket in a folder that only its owner
//! can enter, writes as safely as any server (fsync is on), is started on demand and stopped when
//! nobody uses it any more.
//!
//! In the order of a start: [`paths`] makes the folders, [`locks`] keeps others from doing the same,
//! [`postmaster`] tells whether the server runs, [`server`] makes, starts and stops it with PostgreSQL's
//! [`programs`].
//!
//! Who uses it holds a shared lock on the file `users.lock`. Whoever starts the server also
//! starts a *guard*, this program in the background, which waits for an exclusive lock on that
//! file and then stops the server. The operating system frees locks when a process dies, however
//! it dies, so no server is left behind. `host db start` leaves the file `keep-running`, at which
//! the guard leaves the server alone.

mod locks;
mod paths;
mod postmaster;
mod programs;
mod server;

use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use host_core::environment::{Environment, VariableError};
use nix::unistd::{User, geteuid};

use self::locks::Kind;
use self::postmaster::{Phase, Postmaster};
use self::programs::{Programs, server_user};
use super::error::EmbeddedError;
use super::libpq::Parameters;
use super::target::wrong;
use super::{ServerTarget, SinkError};

/// The same names as in docker-compose.yml, so that queries work in both.
pub const DATABASE: &str = "ecomm_fraud_db";
const SUPERUSER: &str = "postgres";
/// The socket's name; nothing listens on a port of that number unless asked to.
const PORT: u16 = 5432;
/// How long a guard may take to find out whether it is needed.
const GUARD_PATIENCE: Duration = Duration::from_secs(2);
/// How long what is left of an earlier server may be in the way.
const LEFTOVERS_PATIENCE: Duration = Duration::from_secs(10);
/// How long a server may take to end that is stopping already: as long as pg_ctl waits.
const STOPPING_PATIENCE: Duration = Duration::from_secs(60);

/// The cluster of one folder.
#[derive(Clone, Debug)]
pub struct Cluster {
    folder: PathBuf,
    /// The user's folder for sockets and the like.
    runtime: Option<PathBuf>,
}

/// The server runs at least as long as this lives.
pub struct InUse {
    _users_lock: File,
}

/// Whether the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no cluster yet.
    Absent,
    /// The cluster is there, the server is not running.
    Stopped,
    /// It stops when nobody uses it.
    RunningOnDemand,
    /// It runs until `host db stop`.
    KeptRunning,
    /// Its process runs, but the file of its socket is gone: nobody can reach it.
    Unreachable,
}

/// What [`Cluster::stop`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It has stopped.
    Now,
    /// A run uses it; it stops after that.
    WhenUnused,
    /// There was nothing to stop.
    WasNotRunning,
}

impl Cluster {
    /// The user's own, in their data folder; not below root's home, which the server could not reach
    /// when it has dropped root's rights.
    ///
    /// # Errors
    /// [`VariableError`] where the variable that says where that is cannot be used.
    pub fn of_user(environment: &Environment) -> Result<Cluster, VariableError> {
        // Not set by our users, and there is a way without it.
        let runtime = environment.path("XDG_RUNTIME_DIR").ok().flatten();
        Ok(Cluster { folder: host_core::folders::data(environment)?.join("postgresql"), runtime })
    }

    /// The folder that everything is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How the server is reached.
    ///
    /// # Errors
    /// Where its user is not known.
    pub fn target(&self) -> Result<ServerTarget, SinkError> {
        let origin = "the embedded server";
        let parameters = Parameters::parse(&self.url()).map_err(|problem| wrong(origin, problem.into()))?;
        let mut target =
            parameters.complete(&Environment::default()).map_err(|problem| wrong(origin, problem))?;
        // Nobody but the server may be listening there.
        let server = server_user().map_err(|source| SinkError::Embedded { doing: "reach", source })?;
        let server = server.or_else(|| User::from_uid(geteuid()).ok().flatten());
        target.required_peer = server.map(|user| user.name);
        for host in &mut target.hosts {
            host.description = format!("the embedded server in `{}`", self.folder.display());
        }
        Ok(target)
    }

    /// The same as a URL that psql and others take.
    #[must_use]
    pub fn url(&self) -> String {
        let socket = percent_encoding::utf8_percent_encode(
            &self.socket_folder().to_string_lossy(),
            percent_encoding::NON_ALPHANUMERIC,
        )
        .to_string();
        format!("postgres://{SUPERUSER}@{socket}/{DATABASE}")
    }

    /// Whether the server runs.
    #[must_use]
    pub fn state(&self) -> State {
        if !self.data().join("PG_VERSION").is_file() {
            return State::Absent;
        }
        match (self.is_running(), self.keep_file().exists()) {
            (true, _) if !self.answers() && self.phase() == Some(Phase::Ready) => State::Unreachable,
            (false, _) => State::Stopped,
            (true, false) => State::RunningOnDemand,
            (true, true) => State::KeptRunning,
        }
    }

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
            // A guard holds the lock for the moment in which it looks whether it is needed.
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

    /// Waits until nobody uses the server, starts it or stops it; none of that happens while the
    /// result lives. Who starts it takes these locks the other way round, so neither is waited for
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
    /// Where PostgreSQL is not installed.
    pub fn programs_folder() -> Result<PathBuf, SinkError> {
        let found = Programs::find().map_err(|source| SinkError::Embedded { doing: "find", source })?;
        Ok(found.folder)
    }

    fn start(&self) -> Result<InUse, EmbeddedError> {
        let programs = Programs::find()?;
        paths::make_folder(&self.folder)?;
        let control = self.lock_control()?;
        // Waits for a guard that is just stopping the server.
        let (users, users_file) = (locks::open(&self.lock_file("users"))?, self.lock_file("users"));
        locks::wait(&users, Kind::Shared, &users_file, locks::PATIENCE)?;
        self.wait_for_the_other()?;
        let is_unreachable = self.is_running() && !self.answers();
        if is_unreachable {
            // No run can have lasted without its socket but those that were connected before.
            locks::wait(&users, Kind::Exclusive, &users_file, locks::PATIENCE)?;
            tracing::warn!("the server's socket is gone; the server is started again");
            self.stop_now(&programs, &control)?;
            locks::wait(&users, Kind::Shared, &users_file, locks::PATIENCE)?;
        }
        if !self.is_running() {
            if !is_unreachable {
                remove_if_there(&self.keep_file())?;
            }
            // First, so that no server is left behind where we are killed in between. It waits for us.
            self.start_guard()?;
            self.create(&programs, &control)?;
            self.start_now(&programs, &control)?;
        }
        Ok(InUse { _users_lock: users })
    }

    /// Waits for a server that is starting or stopping without anybody who holds the lock: who began
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

    /// Whether its process lives, or somebody answers: the process may be in another container.
    fn is_running(&self) -> bool {
        self.phase().is_some() || self.answers()
    }

    fn answers(&self) -> bool {
        UnixStream::connect(self.socket_folder().join(format!(".s.PGSQL.{PORT}"))).is_ok()
    }

    fn phase(&self) -> Option<Phase> {
        Postmaster::of(&self.data()).map(|postmaster| postmaster.phase)
    }

    /// Held while the server is started or stopped, so that only one process does so.
    fn lock_control(&self) -> Result<File, EmbeddedError> {
        let file = self.lock_file("control");
        let control = locks::open(&file)?;
        locks::wait(&control, Kind::Exclusive, &file, locks::PATIENCE)?;
        Ok(control)
    }

    fn lock_file(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("lock")
    }

    fn data(&self) -> PathBuf {
        self.folder.join(server::DATA)
    }

    fn keep_file(&self) -> PathBuf {
        self.folder.join("keep-running")
    }

    /// The folder with the socket; clients of libpq take it as host. Where a server runs, it is its
    /// own: who started it may have had another environment.
    #[must_use]
    pub fn socket_folder(&self) -> PathBuf {
        let of_running = Postmaster::of(&self.data()).and_then(|running| running.socket_folder);
        of_running.unwrap_or_else(|| paths::socket_folder(&self.folder, self.runtime.as_deref()))
    }
}

fn remove_if_there(path: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError + use<> {
    let path = path.to_owned();
    move |source| EmbeddedError::File { doing, path, source }
}
