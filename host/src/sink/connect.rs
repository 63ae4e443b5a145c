//! Reaching the server.

use std::error::Error;

use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::error::ServerError;
use super::{ServerTarget, SinkError, Target};

/// A connection that is logged in. Dropping it ends the session, which rolls back what is open.
pub struct Connection {
    pub(super) client: Client,
    /// Host, port and database for messages.
    pub server: String,
    /// Moves the bytes; ends when the client is dropped.
    task: JoinHandle<()>,
    /// Keeps the embedded server running.
    _embedded: Option<super::embedded::InUse>,
}

/// Connects, starting the embedded server where that is the target.
///
/// # Errors
/// Where the server is not to be reached or does not let us in.
pub async fn connect(target: &Target) -> Result<Connection, SinkError> {
    match target {
        Target::Server(server) => connect_to(server, None).await,
        Target::Embedded(cluster) => {
            let in_use = cluster.ensure_running()?;
            connect_to(&cluster.target()?, Some(in_use)).await
        }
    }
}

async fn connect_to(
    target: &ServerTarget,
    embedded: Option<super::embedded::InUse>,
) -> Result<Connection, SinkError> {
    let server = target.description.clone();
    let tls = target.tls.connector().map_err(|source| SinkError::Tls { server: server.clone(), source })?;
    let timeout = target.config.get_connect_timeout().copied().unwrap_or_default();
    // tokio-postgres bounds the connecting, not what comes after it.
    let attempt = tokio::time::timeout(timeout * 2, target.config.connect(tls)).await;
    let (client, connection) = match attempt {
        Err(_) => return Err(SinkError::ConnectTimeout { server, seconds: (timeout * 2).as_secs() }),
        Ok(Err(error)) => return Err(refused(server, error)),
        Ok(Ok(connected)) => connected,
    };
    let task = tokio::spawn(async move {
        // Whoever uses the client is told of the same error.
        if let Err(error) = connection.await {
            tracing::debug!("connection ended: {}", ServerError(error));
        }
    });
    Ok(Connection { client, server, task, _embedded: embedded })
}

impl Connection {
    /// Says goodbye and waits until the last byte is out.
    pub async fn close(self) {
        drop(self.client);
        // The task does not panic; and if it did, there is nothing left to save.
        let _ = self.task.await;
    }
}

/// Telling "nobody there" from "not whom you want" and "you may not".
fn refused(server: String, error: tokio_postgres::Error) -> SinkError {
    const LOGIN: [SqlState; 4] = [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    let is_login = match error.code() {
        Some(code) => LOGIN.contains(code),
        // The server asks for a password and none was given.
        None => error.source().is_some_and(|cause| cause.to_string() == "password missing"),
    };
    let is_certificate = is_tls(&error);
    let source = ServerError(error);
    if is_login {
        SinkError::Login { server, source }
    } else if is_certificate {
        SinkError::Certificate { server, source }
    } else {
        SinkError::Connect { server, source }
    }
}

/// Whether TLS is what failed: rustls says so, wrapped in an I/O error, which has no other way to
/// name its cause.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>()
        || inner.is_some_and(|inner| inner.is::<rustls::Error>())
        || error.source().is_some_and(is_tls)
}
