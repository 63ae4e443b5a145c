//! Which database: the one given on the command line, else `DATABASE_URL`, else libpq's own variables,
//! else the embedded server. And how long to wait for it.

use std::sync::Arc;
use std::time::Duration;

use host_core::environment::Environment;

use crate::error::SinkError;
use crate::local_server::cluster::Cluster;
use crate::local_server::{self, InUse};
use crate::parameters;
use crate::parameters::server::ServerTarget;
use crate::parameters::{Parameters, Unusable};

/// A database to write to. It can be connected to repeatedly.
#[derive(Clone)]
pub struct Target {
    pub(crate) server: Server,
    pub(crate) patience: Patience,
    /// The name under which the server lists this program, unless the URL gives one.
    pub(crate) label: Option<String>,
    /// Which of several hosts was reached before: it is tried first.
    pub(crate) reached: Option<usize>,
}

/// Whose server.
#[derive(Clone)]
pub(crate) enum Server {
    /// One that was given.
    Given(Arc<ServerTarget>),
    /// The host's own.
    Embedded(Cluster),
}

/// How long to wait for the server.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection; `None` leaves it to the connection's parameters.
    pub connect: Option<Duration>,
    /// For an answer.
    pub answer: Duration,
}

impl Target {
    /// Chooses the target, from the flag's value and the environment.
    ///
    /// # Errors
    /// [`SinkError::Target`] if what was given is invalid, [`SinkError::Variable`] if a variable that is
    /// needed cannot be used.
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
            Some((origin, url)) => (
                origin,
                Some(Parameters::parse(url).map_err(|problem| Unusable::from(problem).into_error(origin))?),
            ),
            None => (
                "connection parameters in the environment",
                parameters::names_a_server(environment).then(Parameters::default),
            ),
        };
        let server = match parameters {
            Some(parameters) => Server::Given(Arc::new(
                parameters.complete(environment).map_err(|problem| problem.into_error(origin))?,
            )),
            None => {
                let pointless = parameters::pointless_variables(environment);
                if !pointless.is_empty() {
                    tracing::warn!(
                        "the embedded server is used, ignoring {}: none of PGHOST, PGHOSTADDR, PGSERVICE and PGDATABASE names another server",
                        pointless.join(", ")
                    );
                }
                Server::Embedded(Cluster::of_user(environment)?)
            }
        };
        Ok(Target { server, patience, label: None, reached: None })
    }

    /// Whether there can be anything in it: the embedded server is created by the first run.
    pub(crate) fn is_there(&self) -> bool {
        match &self.server {
            Server::Given(_) => true,
            Server::Embedded(cluster) => cluster.state() != local_server::cluster::State::Absent,
        }
    }

    /// Starts the embedded server, if it is meant, and keeps it running for as long as the result lives; otherwise every
    /// run would start and stop it. `None` for other servers.
    ///
    /// # Errors
    /// [`SinkError::Embedded`].
    pub fn keep_running(&self) -> Result<Option<InUse>, SinkError> {
        match &self.server {
            Server::Given(_) => Ok(None),
            Server::Embedded(cluster) => cluster.ensure_running().map(Some),
        }
    }

    /// With a name by which others can see on the server what this connection is for.
    #[must_use]
    pub fn labelled(self, label: &str) -> Target {
        Target { label: Some(label.to_owned()), ..self }
    }
}
