//! The embedded server: a private PostgreSQL cluster, made with the installed programs, for
//! those who have no server at hand. It listens on a unix socket in a folder that only its owner
//! can enter, writes as safely as any server (fsync is on), is started on demand and stopped when
//! nobody uses it any more.
//!
//! Who uses it holds a shared lock on the file `users.lock`. Whoever starts the server also
//! starts a *guard*, this program in the background, which waits for an exclusive lock on that
//! file and then stops the server. The operating system frees locks when a process dies, however
//! it dies, so no server is left behind. `host db start` leaves the file `keep-running`, at which
//! the guard leaves the server alone.

mod programs;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use self::programs::{Programs, held, run, server_user, text};
use super::error::EmbeddedError;
use super::libpq::Parameters;
use super::target::wrong;
use super::{ServerTarget, SinkError};
use crate::digest::Sha256Digest;
use crate::environment::{Environment, VariableError};

/// The same names as in docker-compose.yml, so that queries work in both.
pub const DATABASE: &str = "ecomm_fraud_db";
const SUPERUSER: &str = "postgres";
/// The socket's name; nothing listens on a port of that number unless asked to.
const PORT: u16 = 5432;
/// A socket's path must fit into `sockaddr_un`: 108 bytes with the final NUL.
const MAX_SOCKET_PATH_BYTES: usize = 107;
/// Clusters are made in folders that begin like this, and renamed when they are complete.
const HALF_MADE: &str = "data.new.";
/// How long a guard may take to find out whether it is needed.
const GUARD_PATIENCE: Duration = Duration::from_secs(2);
/// How long the remains of a server that was killed may be in the way of a new one.
const LEFTOVERS_PATIENCE: Duration = Duration::from_secs(10);
/// How long a start may take: recovery after a crash included.
const START_SECONDS: &str = "60";

/// The cluster of one folder.
#[derive(Clone, Debug)]
pub struct Cluster {
    folder: PathBuf,
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
        Ok(Cluster { folder: crate::folders::data(environment)?.join("postgresql") })
    }

    /// The folder that everything is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How the server is reached.
    ///
    /// # Errors
    /// Where the socket's folder cannot be made.
    pub fn target(&self) -> Result<ServerTarget, SinkError> {
        let origin = "the embedded server";
        let parameters = Parameters::parse(&self.url()).map_err(|problem| wrong(origin, problem.into()))?;
        let mut target =
            parameters.complete(&Environment::default()).map_err(|problem| wrong(origin, problem))?;
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
            let _control = self.lock_control()?;
            remove_if_there(&self.keep_file())?;
            let was_running = self.is_running();
            let users = self.open_lock("users.lock")?;
            // A guard holds the lock for the moment in which it looks whether it is needed.
            let give_up = Instant::now() + GUARD_PATIENCE;
            while users.try_lock().is_err() {
                if Instant::now() > give_up {
                    self.start_guard()?;
                    return Ok(Stopped::WhenUnused);
                }
                thread::sleep(Duration::from_millis(10));
            }
            if self.is_running() {
                self.stop_now(&programs)?;
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
            let _alone = self.wait_until_unused()?;
            let programs = Programs::find()?;
            if self.keep_file().exists() || !self.is_running() {
                return Ok(());
            }
            self.stop_now(&programs)
        };
        guard().map_err(|source| SinkError::Embedded { doing: "stop", source })
    }

    /// Waits until nobody uses the server, starts it or stops it; none of that happens while the
    /// result lives. Who starts it takes these locks the other way round, so neither is waited for
    /// while the other is held.
    fn wait_until_unused(&self) -> Result<(File, File), EmbeddedError> {
        loop {
            let users = self.open_lock("users.lock")?;
            users.lock().map_err(at("lock", &self.folder))?;
            let control = self.open_lock("control.lock")?;
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
        make_folder(&self.folder, 0o755)?;
        let control = self.lock_control()?;
        // Waits for a guard that is just stopping the server.
        let users = self.open_lock("users.lock")?;
        users.lock_shared().map_err(at("lock", &self.folder))?;
        if !self.is_running() {
            remove_if_there(&self.keep_file())?;
            // First, so that no server is left behind where we are killed in between. It waits for us.
            self.start_guard()?;
            self.create(&programs, &control)?;
            self.start_now(&programs, &control)?;
        }
        Ok(InUse { _users_lock: users })
    }

    /// initdb into a folder of another name first, so that half a cluster is never taken for one.
    fn create(&self, programs: &Programs, control: &File) -> Result<(), EmbeddedError> {
        let data = self.data();
        if let Ok(version) = fs::read_to_string(data.join("PG_VERSION")) {
            return programs.check_version(&data, version.trim());
        }
        self.remove_half_made();
        let fresh = self.folder.join(format!("{HALF_MADE}{}", std::process::id()));
        self.own_folder(&fresh)?;
        let mut initdb = programs.command("initdb")?;
        initdb.arg("--pgdata").arg(&fresh).args([
            "--username",
            SUPERUSER,
            "--auth-local",
            "trust",
            "--auth-host",
            "reject",
            "--encoding",
            "UTF8",
            "--no-locale",
        ]);
        run("initdb", &mut initdb, held(control)?)?;
        let mut single = programs.command("postgres")?;
        single.arg("--single").arg("-D").arg(&fresh).arg("postgres");
        run("postgres", &mut single, text(&format!("CREATE DATABASE {DATABASE}\n"))?)?;
        fs::rename(&fresh, &data).map_err(at("rename", &fresh))
    }

    /// Removes what is left of clusters whose making was interrupted. Where one of PostgreSQL's
    /// programs is still about to notice that, something stays, for the next time.
    fn remove_half_made(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(HALF_MADE)) {
            if let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::debug!("remove `{}`: {error}", entry.path().display());
            }
        }
    }

    fn start_now(&self, programs: &Programs, control: &File) -> Result<(), EmbeddedError> {
        let socket_folder = self.socket_folder();
        self.own_folder(&socket_folder)?;
        let log = self.data().join("server.log");
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c unix_socket_permissions=0700 -c port={PORT}",
            socket_folder.display()
        );
        let mut pg_ctl = programs.command("pg_ctl")?;
        pg_ctl.args(["start", "--wait", "--silent", "--timeout", START_SECONDS, "--pgdata"]).arg(self.data());
        pg_ctl.arg("--log").arg(&log).arg("--options").arg(options);
        // What is left of a server that was killed takes a moment to go, and is in the way until then.
        let give_up = Instant::now() + LEFTOVERS_PATIENCE;
        let had_predecessor = self.data().join("postmaster.pid").exists();
        loop {
            match run("pg_ctl", &mut pg_ctl, held(control)?) {
                Err(EmbeddedError::Program { .. }) if had_predecessor && Instant::now() < give_up => {
                    thread::sleep(Duration::from_millis(100));
                }
                // pg_ctl itself only says to look at the log.
                Err(EmbeddedError::Program { program, .. }) => {
                    return Err(EmbeddedError::Program { program, output: last_complaint(&log) });
                }
                other => return other,
            }
        }
    }

    fn stop_now(&self, programs: &Programs) -> Result<(), EmbeddedError> {
        let mut pg_ctl = programs.command("pg_ctl")?;
        pg_ctl.args(["stop", "--wait", "--silent", "--mode", "fast", "--pgdata"]).arg(self.data());
        run("pg_ctl", &mut pg_ctl, text("")?)
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

    /// Whether somebody answers. A process number in a file would not tell: after a crash it may
    /// be that of a process which is just going, or of another one.
    fn is_running(&self) -> bool {
        UnixStream::connect(self.socket_folder().join(format!(".s.PGSQL.{PORT}"))).is_ok()
    }

    /// Held while the server is started or stopped, so that only one process does so.
    fn lock_control(&self) -> Result<File, EmbeddedError> {
        let control = self.open_lock("control.lock")?;
        control.lock().map_err(at("lock", &self.folder))?;
        Ok(control)
    }

    fn open_lock(&self, name: &str) -> Result<File, EmbeddedError> {
        let path = self.folder.join(name);
        File::options().create(true).truncate(false).write(true).open(&path).map_err(at("open", &path))
    }

    /// A folder that belongs to the user that the server runs as, and that nobody else can enter.
    fn own_folder(&self, path: &Path) -> Result<(), EmbeddedError> {
        make_folder(path, 0o700)?;
        if let Some(user) = server_user()? {
            std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                .map_err(at("hand over", path))?;
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn keep_file(&self) -> PathBuf {
        self.folder.join("keep-running")
    }

    /// The folder with the socket: in the cluster's, or, where that makes too long a path, in the
    /// temporary folder. Clients of libpq take it as host.
    #[must_use]
    pub fn socket_folder(&self) -> PathBuf {
        let beside = self.folder.join("socket");
        let longest = beside.join(format!(".s.PGSQL.{PORT}.lock"));
        if longest.as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
            return beside;
        }
        let digest = Sha256Digest::of(self.folder.as_os_str().as_encoded_bytes()).to_string();
        PathBuf::from("/tmp").join(format!("host-{}", &digest[..16]))
    }
}

/// The last error in a server's log, or else its last line.
fn last_complaint(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let complaint = text.lines().rev().find(|line| line.contains("FATAL") || line.contains("ERROR"));
    complaint.or(text.lines().last()).unwrap_or_default().to_owned()
}

/// Makes a folder with exactly this mode, whatever the umask, and those above it.
fn make_folder(path: &Path, mode: u32) -> Result<(), EmbeddedError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(at("create", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at("set the mode of", path))
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
