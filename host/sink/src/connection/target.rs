//! Which database: what was given on the command line, else `DATABASE_URL`, else libpq's own
//! variables, else the embedded server. And how patient to be with it.

use std::sync::Arc;
use std::time::Duration;

use host_core::environment::Environment;

use crate::error::SinkError;
use crate::local_server;
use crate::local_server::cluster::Cluster;
use crate::parameters;
use crate::parameters::server::ServerTarget;
use crate::parameters::{Parameters, Unusable};

/// A database to write to. Can be connected to again and again.
#[derive(Clone)]
pub struct Target {
    pub(crate) server: Server,
    pub(crate) patience: Patience,
    /// What this program calls itself at the server, unless the URL has a name for it.
    pub(crate) label: Option<String>,
    /// The host that was reached before, among several: it is tried first.
    pub(crate) reached: Option<usize>,
}

/// Whose server.
#[derive(Clone)]
pub(crate) enum Server {
    /// One that somebody runs.
    Given(Arc<ServerTarget>),
    /// The host's own.
    Embedded(Cluster),
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
                        "the embedded server is used, without {}: none of PGHOST, PGHOSTADDR, PGSERVICE and PGDATABASE names another server",
                        pointless.join(", ")
                    );
                }
                Server::Embedded(Cluster::of_user(environment)?)
            }
        };
        Ok(Target { server, patience, label: None, reached: None })
    }

    /// Whether there can be anything in it: the embedded server is made by the first run.
    pub(crate) fn is_there(&self) -> bool {
        match &self.server {
            Server::Given(_) => true,
            Server::Embedded(cluster) => cluster.state() != local_server::cluster::State::Absent,
        }
    }

    /// With a name by which others can see at the server what this connection is for.
    #[must_use]
    pub fn labelled(self, label: &str) -> Target {
        Target { label: Some(label.to_owned()), ..self }
    }
}
