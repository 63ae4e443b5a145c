//! Reaching the server, and waiting for its answers, but not for ever.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::embedded::InUse;
use super::server_error::ServerError;
use super::target::Server;
use super::{ServerTarget, SinkError, Target};
use crate::in_thread::in_thread;

/// What libpq's parameters call this program where nobody has given it another name.
pub(super) const DEFAULT_NAME: &str = "host";

/// A connection that is logged in. Dropping it ends the session, which rolls back what is open.
pub struct Connection {
    pub(super) client: Client,
    /// Host, port and database for messages.
    pub server: String,
    /// To ask once more, over another connection.
    pub(super) target: Target,
    /// For requests to cancel, which are connections of their own.
    tls: MakeRustlsConnect,
    /// Why the connection ended, once it has.
    ended: Arc<OnceLock<Arc<tokio_postgres::Error>>>,
    /// Moves the bytes; ends when the client is dropped.
    task: JoinHandle<()>,
    /// Keeps the embedded server running.
    _embedded: Option<InUse>,
}

/// Connects, starting the embedded server where that is the target.
///
/// # Errors
/// Where the server is not to be reached or does not let us in.
pub async fn connect(target: &Target) -> Result<Connection, SinkError> {
    match &target.server {
        Server::Given(server) => connect_to(server, target, None).await,
        Server::Embedded(cluster) => {
            let starting = cluster.clone();
            let in_use = in_thread(move || starting.ensure_running()).await.ok_or(SinkError::StartDied)??;
            connect_to(&cluster.target()?, target, Some(in_use)).await
        }
    }
}

async fn connect_to(
    server_target: &ServerTarget,
    target: &Target,
    embedded: Option<InUse>,
) -> Result<Connection, SinkError> {
    let server = server_target.description.clone();
    let tls =
        server_target.tls.connector().map_err(|source| SinkError::Tls { server: server.clone(), source })?;
    let mut config = server_target.config.clone();
    if let Some(timeout) = target.patience.connect {
        config.connect_timeout(timeout);
    }
    if let Some(label) =
        target.label.as_deref().filter(|_| config.get_application_name() == Some(DEFAULT_NAME))
    {
        config.application_name(label);
    }
    // tokio-postgres bounds the connecting to each server, not what comes after it.
    let each = config.get_connect_timeout().copied().unwrap_or_default();
    let all = each * u32::try_from(config.get_hosts().len().max(1)).unwrap_or(u32::MAX);
    let (client, connection) = match timeout(all, config.connect(tls.clone())).await {
        Err(_) => return Err(SinkError::ConnectTimeout { server, seconds: all.as_secs_f64() }),
        Ok(Err(error)) => return Err(refused(server, error)),
        Ok(Ok(connected)) => connected,
    };
    let ended = Arc::<OnceLock<_>>::default();
    let task = tokio::spawn({
        let ended = ended.clone();
        async move {
            if let Err(error) = connection.await {
                // Only set here.
                let _ = ended.set(Arc::new(error));
            }
        }
    });
    Ok(Connection { client, server, target: target.clone(), tls, ended, task, _embedded: embedded })
}

impl Connection {
    /// Waits for the answer to a request on this connection, as long as patience lasts. `doing` is
    /// a verb with its object, such as "write the transactions".
    pub(super) async fn answer<T>(
        &self,
        doing: &'static str,
        request: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, SinkError> {
        let patience = self.target.patience.answer;
        match timeout(patience, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed(doing, error)),
            Err(_) => Err(SinkError::ServerSilent { doing, patience }),
        }
    }

    /// The error of a request on this connection. Where the connection is gone, the request's own
    /// error does not say why.
    pub(super) fn failed(&self, doing: &'static str, error: tokio_postgres::Error) -> SinkError {
        SinkError::Statement { doing, source: self.server_error(error) }
    }

    pub(super) fn server_error(&self, error: tokio_postgres::Error) -> ServerError {
        match self.ended.get() {
            Some(ended) if error.is_closed() => ServerError(ended.clone()),
            _ => ServerError(Arc::new(error)),
        }
    }

    /// Another connection to the same server, within this time.
    pub(super) async fn another(&self, within: Duration) -> Result<Connection, SinkError> {
        let mut target = self.target.clone();
        target.patience.answer = within;
        target.patience.connect = Some(target.patience.connect.map_or(within, |given| given.min(within)));
        connect(&target).await
    }

    /// Asks the server to stop what it does for this connection, and waits until it has heard of it.
    /// This needs no login, so it is possible where no further connection is allowed.
    pub(super) async fn cancel(&self, within: Duration) {
        let token = self.client.cancel_token();
        match timeout(within, token.cancel_query(self.tls.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("could not cancel: {error}"),
            Err(_) => tracing::debug!("could not cancel: no answer"),
        }
    }

    /// Says goodbye and waits until the last byte is out, or until it is clear that nobody takes it.
    pub async fn close(self) {
        drop(self.client);
        // What was asked for has been answered; there is nothing left to save.
        let _ = timeout(GOODBYE, self.task).await;
    }
}

/// How long a server may take to hear that we are leaving.
const GOODBYE: Duration = Duration::from_millis(500);

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
    let source = ServerError(Arc::new(error));
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
