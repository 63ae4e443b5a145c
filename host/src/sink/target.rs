//! Which database: what was given on the command line, else `DATABASE_URL`, else libpq's own
//! variables, else the embedded server.

use super::libpq::{self, Parameters};
use super::tls::Tls;
use super::{SinkError, embedded};

/// A database to write to.
pub enum Target {
    /// A server that somebody runs.
    Server(Box<ServerTarget>),
    /// The host's own.
    Embedded(embedded::Cluster),
}

/// How to reach a server.
pub struct ServerTarget {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: Tls,
    /// Host, port and database for messages; without password.
    pub description: String,
}

impl Target {
    /// Chooses, from the flag's value and the environment.
    ///
    /// # Errors
    /// [`SinkError::Target`] where what was given makes no sense.
    pub fn choose(
        database_url: Option<&str>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Target, SinkError> {
        let variable = environment("DATABASE_URL").filter(|url| !url.is_empty());
        let given = match (database_url, variable) {
            (Some(url), _) => Some(("--database-url", url.to_owned())),
            (None, Some(url)) => Some(("DATABASE_URL", url)),
            (None, None) => None,
        };
        let (origin, parameters) = match given {
            Some((origin, url)) => {
                (origin, Parameters::parse(&url).map_err(|problem| wrong(origin, problem))?)
            }
            None if libpq::names_a_server(environment) => ("the environment", Parameters::default()),
            None => return Ok(Target::Embedded(embedded::Cluster::of_user(environment))),
        };
        let server = parameters.complete(environment).map_err(|problem| wrong(origin, problem))?;
        Ok(Target::Server(Box::new(server)))
    }
}

fn wrong(origin: &str, problem: String) -> SinkError {
    SinkError::Target { origin: origin.to_owned(), problem }
}
