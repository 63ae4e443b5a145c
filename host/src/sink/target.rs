//! Which database: what was given on the command line, else `DATABASE_URL`, else libpq's own
//! variables, else the embedded server. And how patient to be with it.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host_core::environment::Environment;

use super::libpq::{self, Parameters, Unusable};
use super::tls::Tls;
use super::{SinkError, embedded};

/// A database to write to. Can be connected to again and again.
#[derive(Clone)]
pub struct Target {
    pub(super) server: Server,
    pub(super) patience: Patience,
    /// What this program calls itself at the server, unless the URL has a name for it.
    pub(super) label: Option<String>,
    /// The host that was reached before, among several: it is tried first.
    pub(super) reached: Option<usize>,
}

/// Whose server.
#[derive(Clone)]
pub(super) enum Server {
    /// One that somebody runs.
    Given(Arc<ServerTarget>),
    /// The host's own.
    Embedded(embedded::Cluster),
}

/// How to reach a server: one of several, perhaps.
pub struct ServerTarget {
    /// All but the host and the password.
    pub(super) config: tokio_postgres::Config,
    /// At least one.
    pub(super) hosts: Vec<ServerHost>,
    /// What the server must be.
    pub(super) attributes: SessionAttributes,
    /// Whether the hosts are tried in any order.
    pub(super) is_shuffled: bool,
    /// The user that the server must run as; only on unix sockets.
    pub(super) required_peer: Option<String>,
    pub(super) tls: Tls,
}

/// A server to try.
#[derive(Clone)]
pub(super) struct ServerHost {
    /// A name, an address, or the folder of a socket.
    pub name: String,
    /// Its address, where it is not to be looked up.
    pub address: Option<IpAddr>,
    pub port: u16,
    /// For this server only.
    pub password: Option<String>,
    /// Host, port and database for messages; without password.
    pub description: String,
}

impl ServerHost {
    /// Where its socket is, if it has one.
    pub fn socket_folder(&self) -> Option<&Path> {
        let is_socket = self.address.is_none() && self.name.starts_with('/');
        is_socket.then(|| Path::new(&self.name))
    }
}

/// What a server must be: libpq's `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAttributes {
    /// Anything.
    Any,
    /// It takes writes.
    ReadWrite,
    /// It takes none.
    ReadOnly,
    /// It is not a standby.
    Primary,
    /// It is one.
    Standby,
    /// A standby, or any if there is none.
    PreferStandby,
}

/// How long to wait for the server.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection; none leaves it to the connection's parameters.
    pub connect: Option<Duration>,
    /// For an answer.
    pub answer: Duration,
}

impl Target {
    /// Chooses, from the flag's value and the environment.
    ///
    /// # Errors
    /// [`SinkError::Target`] where what was given makes no sense, [`SinkError::Variable`] where a
    /// variable that is asked cannot be used.
    pub fn choose(
        database_url: Option<&str>,
        patience: Patience,
        environment: &Environment,
    ) -> Result<Target, SinkError> {
        let given = match database_url {
            Some(url) => Some(("--database-url", url)),
            None => environment.text("DATABASE_URL")?.map(|url| ("DATABASE_URL", url)),
        };
        let (origin, parameters) = match given {
            Some((origin, url)) => {
                (origin, Some(Parameters::parse(url).map_err(|problem| wrong(origin, problem.into()))?))
            }
            None => (
                "connection parameters in the environment",
                libpq::names_a_server(environment).then(Parameters::default),
            ),
        };
        let server = match parameters {
            Some(parameters) => Server::Given(Arc::new(
                parameters.complete(environment).map_err(|problem| wrong(origin, problem))?,
            )),
            None => {
                let pointless = libpq::pointless_variables(environment);
                if !pointless.is_empty() {
                    tracing::warn!(
                        "the embedded server is used, without {}: none of PGHOST, PGHOSTADDR, PGSERVICE and PGDATABASE names another server",
                        pointless.join(", ")
                    );
                }
                Server::Embedded(embedded::Cluster::of_user(environment)?)
            }
        };
        Ok(Target { server, patience, label: None, reached: None })
    }

    /// Whether there can be anything in it: the embedded server is made by the first run.
    pub(super) fn is_there(&self) -> bool {
        match &self.server {
            Server::Given(_) => true,
            Server::Embedded(cluster) => cluster.state() != embedded::State::Absent,
        }
    }

    /// With a name by which others can see at the server what this connection is for.
    #[must_use]
    pub fn labelled(self, label: &str) -> Target {
        Target { label: Some(label.to_owned()), ..self }
    }
}

pub(super) fn wrong(origin: &str, problem: Unusable) -> SinkError {
    match problem {
        Unusable::Variable(error) => SinkError::Variable(error),
        Unusable::Parameters(problem) => SinkError::Target { origin: origin.to_owned(), problem },
    }
}
