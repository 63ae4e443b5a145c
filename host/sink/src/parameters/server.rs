//! Servers, as the parameters describe them.

use std::net::IpAddr;
use std::path::Path;

use crate::parameters::tls::Tls;
use crate::session_attributes::SessionAttributes;

/// How to reach a server, possibly one of several.
pub struct ServerTarget {
    /// Everything except the host and the password.
    pub(crate) config: tokio_postgres::Config,
    /// At least one.
    pub(crate) hosts: Vec<ServerHost>,
    /// The kind of server that is wanted.
    pub(crate) attributes: SessionAttributes,
    /// Whether the hosts are tried in random order.
    pub(crate) is_shuffled: bool,
    /// The user that the server must run as; only on unix sockets.
    pub(crate) required_peer: Option<String>,
    pub(crate) tls: Tls,
}

/// A server to try.
#[derive(Clone)]
pub(crate) struct ServerHost {
    /// A name, an address, or a socket folder.
    pub name: String,
    /// Its address, if it is not to be looked up.
    pub address: Option<IpAddr>,
    pub port: u16,
    /// For this server only.
    pub password: Option<String>,
    /// Host, port and database for messages; without password.
    pub description: String,
}

impl ServerHost {
    /// The folder of its socket, if it is reached by one.
    pub fn socket_folder(&self) -> Option<&Path> {
        let is_socket = self.address.is_none() && self.name.starts_with('/');
        is_socket.then(|| Path::new(&self.name))
    }
}
