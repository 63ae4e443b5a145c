//! The embedded server's cluster: where its files are, how it is reached, and whether it is running.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use host_core::environment::{Environment, VariableError};
use nix::unistd::{User, geteuid};

use crate::error::SinkError;
use crate::local_server::paths;
use crate::local_server::paths::PORT;
use crate::local_server::postmaster::{Phase, Postmaster};
use crate::local_server::programs::server_user;
use crate::parameters::server::ServerTarget;
use crate::parameters::{Parameters, Unusable};

/// The same names as in docker-compose.yml, so that queries work in both.
pub const DATABASE: &str = "ecomm_fraud_db";
pub(crate) const SUPERUSER: &str = "postgres";
/// The PostgreSQL data folder, within the embedded server's folder.
pub(crate) const DATA: &str = "data";

/// The cluster of one folder.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(crate) folder: PathBuf,
    /// The user's runtime folder, for sockets and the like.
    pub(super) runtime: Option<PathBuf>,
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
    /// Its process is running, but its socket file is gone: nobody can reach it.
    Unreachable,
}

impl Cluster {
    /// The user's own, in their data folder; not in root's home, which the server could not reach once it
    /// has dropped root's privileges.
    ///
    /// # Errors
    /// [`VariableError`] if the variable that names the data folder cannot be used.
    pub fn of_user(environment: &Environment) -> Result<Cluster, VariableError> {
        // Users do not set this themselves, and there is a fallback, so a bad value is not an error.
        let runtime = environment.path("XDG_RUNTIME_DIR").ok().flatten();
        Ok(Cluster { folder: host_core::folders::data(environment)?.join("postgresql"), runtime })
    }

    /// The folder that holds everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How the server is reached.
    ///
    /// # Errors
    /// If the user that it runs as is not known.
    pub fn target(&self) -> Result<ServerTarget, SinkError> {
        let origin = "the embedded server";
        let parameters =
            Parameters::parse(&self.url()).map_err(|problem| Unusable::from(problem).into_error(origin))?;
        let mut target =
            parameters.complete(&Environment::default()).map_err(|problem| problem.into_error(origin))?;
        // No process but the server's may be listening there.
        let server = server_user().map_err(|source| SinkError::Embedded { doing: "reach", source })?;
        let server = server.or_else(|| User::from_uid(geteuid()).ok().flatten());
        target.required_peer = server.map(|user| user.name);
        for host in &mut target.hosts {
            host.description = format!("the embedded server in `{}`", self.folder.display());
        }
        Ok(target)
    }

    /// The same as a URL for psql and other programs.
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

    /// Whether its process is alive, or its socket answers: the process may be in another container.
    pub(crate) fn is_running(&self) -> bool {
        self.phase().is_some() || self.answers()
    }

    pub(crate) fn answers(&self) -> bool {
        UnixStream::connect(self.socket_folder().join(format!(".s.PGSQL.{PORT}"))).is_ok()
    }

    pub(crate) fn phase(&self) -> Option<Phase> {
        Postmaster::of(&self.data()).map(|postmaster| postmaster.phase)
    }

    pub(crate) fn lock_file(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("lock")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join(DATA)
    }

    pub(crate) fn keep_file(&self) -> PathBuf {
        self.folder.join("keep-running")
    }

    /// The folder with the socket, which libpq clients accept as a host. If a server is running, this is its
    /// own folder: whoever started it may have had another environment.
    #[must_use]
    pub fn socket_folder(&self) -> PathBuf {
        let of_running = Postmaster::of(&self.data()).and_then(|running| running.socket_folder);
        of_running.unwrap_or_else(|| paths::socket_folder(&self.folder, self.runtime.as_deref()))
    }
}
