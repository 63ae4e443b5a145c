//! Connecting to the server, and waiting for its answers, but not for ever.

use std::error::Error;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use host_core::threads::in_thread;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Config, SslMode, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connection::encoding::Encoding;
use crate::connection::target::{Server, Target};
use crate::error::SinkError;
use crate::local_server::InUse;
use crate::parameters::known::DEFAULT_NAME;
use crate::parameters::server::{ServerHost, ServerTarget};
use crate::server_error::ServerError;
use crate::session_attributes::SessionAttributes;
use crate::turned_away::TurnedAway;

/// How long to keep starting an embedded server that stops just as it is needed.
const EMBEDDED_PATIENCE: Duration = Duration::from_secs(10);
const EMBEDDED_INTERVAL: Duration = Duration::from_millis(50);

/// A logged-in connection. Dropping it ends the session, which rolls back an open transaction.
pub struct Connection {
    pub(crate) client: Client,
    /// Host, port and database for messages.
    pub server: String,
    /// Which texts the database can hold.
    pub encoding: Encoding,
    /// For asking again over another connection.
    pub(crate) target: Target,
    /// For requests to cancel, each of which needs a connection of its own.
    tls: MakeRustlsConnect,
    /// Why the connection ended, if it has.
    ended: Arc<OnceLock<Arc<tokio_postgres::Error>>>,
    /// Moves the bytes; ends when the client is dropped.
    task: JoinHandle<()>,
    /// Keeps the embedded server running.
    _embedded: Option<InUse>,
}

/// Connects, starting the embedded server if that is the target.
///
/// # Errors
/// If the server cannot be reached or does not let us in.
pub async fn connect(target: &Target) -> Result<Connection, SinkError> {
    match &target.server {
        Server::Given(server) => connect_to(server, target, None).await,
        Server::Embedded(cluster) => {
            let give_up = Instant::now() + EMBEDDED_PATIENCE;
            loop {
                let starting = cluster.clone();
                let in_use = in_thread(move || starting.ensure_running()).await??;
                match connect_to(&cluster.target()?, target, Some(in_use)).await {
                    // It began to stop after we had checked; start it again.
                    Err(error) if is_going(&error) && Instant::now() < give_up => {
                        tokio::time::sleep(EMBEDDED_INTERVAL).await;
                    }
                    other => return other,
                }
            }
        }
    }
}

/// Whether the server is stopping or starting right now, or was until a moment ago.
fn is_going(error: &SinkError) -> bool {
    match error {
        SinkError::TurnedAway { reason, .. } => *reason == TurnedAway::NotReady,
        SinkError::Connect { source, .. } => {
            source.code().is_none_or(|code| *code == SqlState::ADMIN_SHUTDOWN)
        }
        SinkError::LookUp { .. } => true,
        _ => false,
    }
}

/// Connects to the first host that lets us in and is the kind of server that is wanted.
async fn connect_to(
    server_target: &ServerTarget,
    target: &Target,
    embedded: Option<InUse>,
) -> Result<Connection, SinkError> {
    let server = &server_target.hosts[0].description;
    let tls =
        server_target.tls.connector().map_err(|source| SinkError::Tls { server: server.clone(), source })?;
    let attempt = Attempt::new(server_target, target, tls);
    let mut failures = Vec::new();
    let (first, then) = match server_target.attributes {
        SessionAttributes::PreferStandby => (SessionAttributes::Standby, Some(SessionAttributes::Any)),
        wanted => (wanted, None),
    };
    for wanted in [Some(first), then].into_iter().flatten() {
        // The failures of an earlier round only say that no host is a standby.
        failures.clear();
        for index in order(server_target, target.reached) {
            match attempt.host(&server_target.hosts[index], wanted).await {
                Ok(Reached { client, encoding, ended, task }) => {
                    let server = server_target.hosts[index].description.clone();
                    let target = Target { reached: Some(index), ..target.clone() };
                    let tls = attempt.tls;
                    return Ok(Connection {
                        client,
                        server,
                        encoding,
                        target,
                        tls,
                        ended,
                        task,
                        _embedded: embedded,
                    });
                }
                Err(failure) => {
                    let is_final = !is_worth_another_host(&failure);
                    failures.push(failure);
                    if is_final {
                        return Err(all_of(failures));
                    }
                }
            }
        }
    }
    Err(all_of(failures))
}

fn all_of(mut failures: Vec<SinkError>) -> SinkError {
    match failures.pop() {
        Some(only) if failures.is_empty() => only,
        Some(last) => {
            failures.push(last);
            SinkError::NoneOfSeveral { failures }
        }
        // There is at least one host.
        None => SinkError::StrangeAnswer("connecting"),
    }
}

/// Whether to try the next host. As with libpq, not if one has answered and refused: that does not
/// depend on which server is up.
fn is_worth_another_host(failure: &SinkError) -> bool {
    match failure {
        SinkError::Connect { .. }
        | SinkError::LookUp { .. }
        | SinkError::ConnectTimeout { .. }
        | SinkError::WrongKind { .. } => true,
        SinkError::TurnedAway { reason, .. } => *reason == TurnedAway::NotReady,
        _ => false,
    }
}

/// The indexes of the hosts, in the order in which they are tried.
fn order(server: &ServerTarget, reached: Option<usize>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..server.hosts.len()).collect();
    if server.is_shuffled {
        shuffle(&mut order);
    }
    if let Some(reached) = reached {
        order.sort_by_key(|index| *index != reached);
    }
    order
}

/// The standard library's random seeds balance the load well enough.
fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let random = RandomState::new().hash_one(last) as usize;
        items.swap(last, random % (last + 1));
    }
}

/// What all attempts have in common.
struct Attempt<'a> {
    server: &'a ServerTarget,
    config: Config,
    tls: MakeRustlsConnect,
    /// For one address; `None` means as long as it takes.
    patience: Option<Duration>,
}

/// A client, and the task that moves its bytes.
struct Reached {
    client: Client,
    encoding: Encoding,
    ended: Arc<OnceLock<Arc<tokio_postgres::Error>>>,
    task: JoinHandle<()>,
}

impl<'a> Attempt<'a> {
    fn new(server: &'a ServerTarget, target: &Target, tls: MakeRustlsConnect) -> Attempt<'a> {
        let mut config = server.config.clone();
        let patience = target.patience.connect.or(config.get_connect_timeout().copied());
        if let Some(patience) = patience {
            config.connect_timeout(patience);
        }
        if let Some(label) =
            target.label.as_deref().filter(|_| config.get_application_name() == Some(DEFAULT_NAME))
        {
            config.application_name(label);
        }
        Attempt { server, config, tls, patience }
    }

    /// Tries each of a host's addresses.
    async fn host(&self, host: &ServerHost, wanted: SessionAttributes) -> Result<Reached, SinkError> {
        let mut config = self.config.clone();
        config.host(&host.name).port(host.port);
        if let Some(password) = &host.password {
            config.password(password);
        }
        let tls = &self.server.tls;
        config.ssl_mode(if host.socket_folder().is_some() { SslMode::Disable } else { tls.negotiation() });
        if tls.is_direct {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        let mut failure = None;
        for address in self.addresses(host).await? {
            let mut config = config.clone();
            if let Some(address) = address {
                config.hostaddr(address);
            }
            match self.within(host, self.address(&config, host, wanted)).await {
                Err(failed) if is_worth_another_host(&failed) => failure = Some(failed),
                result => return result,
            }
        }
        Err(failure.unwrap_or(SinkError::StrangeAnswer("the look-up of its name")))
    }

    /// `None` for a socket.
    async fn addresses(&self, host: &ServerHost) -> Result<Vec<Option<IpAddr>>, SinkError> {
        if host.socket_folder().is_some() {
            return Ok(vec![None]);
        }
        if let Some(address) = host.address {
            return Ok(vec![Some(address)]);
        }
        let (name, port) = (host.name.clone(), host.port);
        let look_up = in_thread(move || (name, port).to_socket_addrs());
        let found = self
            .within(host, async {
                look_up
                    .await?
                    .map_err(|source| SinkError::LookUp { server: host.description.clone(), source })
            })
            .await?;
        let mut addresses: Vec<_> = found.map(|address| Some(address.ip())).collect();
        if self.server.is_shuffled {
            shuffle(&mut addresses);
        }
        Ok(addresses)
    }

    async fn within<T>(
        &self,
        host: &ServerHost,
        work: impl Future<Output = Result<T, SinkError>>,
    ) -> Result<T, SinkError> {
        let Some(patience) = self.patience else { return work.await };
        timeout(patience, work).await.unwrap_or_else(|_| {
            Err(SinkError::ConnectTimeout {
                server: host.description.clone(),
                seconds: patience.as_secs_f64(),
            })
        })
    }

    async fn address(
        &self,
        config: &Config,
        host: &ServerHost,
        wanted: SessionAttributes,
    ) -> Result<Reached, SinkError> {
        let server = || host.description.clone();
        let reached = match (&self.server.required_peer, host.socket_folder()) {
            (Some(user), Some(folder)) => {
                let stream = peer(folder, user, host).await?;
                let (client, connection) =
                    config.connect_raw(stream, NoTls).await.map_err(|error| refused(server(), error))?;
                spawn(client, connection)
            }
            _ => {
                let connected = config.connect(self.tls.clone()).await;
                let (client, connection) = connected.map_err(|error| refused(server(), error))?;
                spawn(client, connection)
            }
        };
        if wanted == SessionAttributes::Any {
            return Ok(reached);
        }
        let question = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')";
        let answer = reached.client.simple_query(question).await.map_err(|error| refused(server(), error))?;
        let answer = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0)? == "t", row.get(1)? == "on")),
            _ => None,
        });
        let (is_standby, is_read_only) =
            answer.ok_or(SinkError::StrangeAnswer("what kind of server it is"))?;
        let fits = match wanted {
            SessionAttributes::Any | SessionAttributes::PreferStandby => true,
            SessionAttributes::ReadWrite => !is_read_only,
            SessionAttributes::ReadOnly => is_read_only,
            SessionAttributes::Primary => !is_standby,
            SessionAttributes::Standby => is_standby,
        };
        if fits { Ok(reached) } else { Err(SinkError::WrongKind { server: server(), wanted }) }
    }
}

/// Connects to a socket, and checks that the process behind it runs as this user.
async fn peer(folder: &Path, user: &str, host: &ServerHost) -> Result<UnixStream, SinkError> {
    let failed = |source| SinkError::LookUp { server: host.description.clone(), source };
    let stream = UnixStream::connect(folder.join(format!(".s.PGSQL.{}", host.port))).await.map_err(failed)?;
    let uid = stream.peer_cred().map_err(failed)?.uid();
    let found = nix::unistd::User::from_uid(uid.into()).ok().flatten();
    let name = found.map_or_else(|| uid.to_string(), |found| found.name);
    if name == user {
        return Ok(stream);
    }
    Err(SinkError::WrongPeer { server: host.description.clone(), user: name })
}

fn spawn<S, T>(client: Client, connection: tokio_postgres::Connection<S, T>) -> Reached
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let encoding = Encoding::named(connection.parameter("server_encoding"));
    let ended = Arc::<OnceLock<_>>::default();
    let task = tokio::spawn({
        let ended = ended.clone();
        async move {
            if let Err(error) = connection.await {
                // It is only set here.
                let _ = ended.set(Arc::new(error));
            }
        }
    });
    Reached { client, encoding, ended, task }
}

impl Connection {
    /// Waits for the answer to a request on this connection, as long as the target's patience lasts. `doing`
    /// is a verb with its object, such as "write the transactions".
    pub(crate) async fn answer<T>(
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

    /// The error of a request on this connection. If the connection is gone, the request's own error does
    /// not say why.
    pub(crate) fn failed(&self, doing: &'static str, error: tokio_postgres::Error) -> SinkError {
        SinkError::Statement { doing, source: self.server_error(error) }
    }

    pub(crate) fn server_error(&self, error: tokio_postgres::Error) -> ServerError {
        match self.ended.get() {
            Some(ended) if error.is_closed() => ServerError(ended.clone()),
            _ => ServerError(Arc::new(error)),
        }
    }

    /// Another connection, within this time: to the same server, or, if that is gone, to another of those
    /// that were given.
    pub(crate) async fn another(&self, within: Duration) -> Result<Connection, SinkError> {
        let mut target = self.target.clone();
        target.patience.answer = within;
        target.patience.connect = Some(target.patience.connect.map_or(within, |given| given.min(within)));
        connect(&target).await
    }

    /// Asks the server to cancel what it is doing for this connection, and waits until it has received the
    /// request. This needs no login, so it works even if no further connection is allowed.
    pub(crate) async fn cancel(&self, within: Duration) {
        let token = self.client.cancel_token();
        match timeout(within, token.cancel_query(self.tls.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("could not cancel: {error}"),
            Err(_) => tracing::debug!("could not cancel: no answer"),
        }
    }

    /// Ends the session and waits until the last byte is sent, or until it is clear that nobody receives it.
    pub async fn close(self) {
        drop(self.client);
        // Every request has been answered; there is nothing left to lose.
        let _ = timeout(CLOSE_PATIENCE, self.task).await;
    }
}

/// How long a server may take to hear that we are leaving.
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);

/// Distinguishes "nothing answers" from "not the right server" and "not allowed".
fn refused(server: String, error: tokio_postgres::Error) -> SinkError {
    let is_login = match error.code() {
        Some(code) => {
            [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code)
        }
        // The server asks for a password, but none was given.
        None => error.source().is_some_and(|cause| cause.to_string() == "password missing"),
    };
    let is_certificate = is_tls(&error);
    let source = ServerError(Arc::new(error));
    if is_login {
        SinkError::Login { server, source }
    } else if is_certificate {
        SinkError::Certificate { server, source }
    } else if let Some(reason) = TurnedAway::of(&source) {
        SinkError::TurnedAway { server, reason, source }
    } else {
        SinkError::Connect { server, source }
    }
}

/// Whether TLS failed: rustls says so in an error wrapped in an I/O error, which has no other way to
/// name its cause.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>()
        || inner.is_some_and(|inner| inner.is::<rustls::Error>())
        || error.source().is_some_and(is_tls)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use host_core::environment::Environment;

    use super::*;
    use crate::parameters::Parameters;

    fn target(text: &str) -> ServerTarget {
        Parameters::parse(text).unwrap().complete(&Environment::default()).unwrap()
    }

    #[test]
    fn the_host_that_was_reached_before_comes_first() {
        let listed = target("host=a,b,c user=u");
        assert_eq!(order(&listed, None), [0, 1, 2]);
        assert_eq!(order(&listed, Some(2)), [2, 0, 1]);
    }

    #[test]
    fn load_is_spread_where_that_is_wanted() {
        let spread = target("host=a,b,c user=u load_balance_hosts=random");
        let orders: BTreeSet<_> = (0..1_000).map(|_| order(&spread, None)).collect();
        assert_eq!(orders.len(), 6);
        assert!((0..100).all(|_| order(&spread, Some(1))[0] == 1));
    }
}
