//! Why a server turns clients away, other than for a wrong login. It answers, so it is neither down nor
//! out of reach, and asking the user whether it is running would be misleading.

use tokio_postgres::error::SqlState;

use crate::server_error::ServerError;

/// What kind of reason it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "database_")]
#[non_exhaustive]
pub enum TurnedAway {
    /// All connections that the server, the database or the role may have are in use.
    NoConnectionsLeft,
    /// It is just starting, stopping or recovering.
    NotReady,
    /// The database takes no connections.
    Closed,
    /// There is no such database.
    NoDatabase,
    /// The role may not connect to the database.
    NotAllowed,
    /// TLS is wanted, and it has none.
    NoTls,
    /// It asks for a way of logging in that the host does not support, or that was ruled out.
    Login,
    /// It does not know a setting that the connection asks for; usually a pooler is in between.
    Setting,
    /// Anything else; the server's own words must suffice.
    Other,
}

impl TurnedAway {
    /// From the server's answer; `None` if the server did not answer.
    pub(crate) fn of(error: &ServerError) -> Option<TurnedAway> {
        let Some(code) = error.code() else { return TurnedAway::without_words(error) };
        let is_setting = |message: &str| {
            message.contains("startup parameter") || message.contains("startup packet parameter")
        };
        let message = error.0.as_db_error().map(|said| said.message()).unwrap_or_default();
        Some(match *code {
            SqlState::TOO_MANY_CONNECTIONS => TurnedAway::NoConnectionsLeft,
            SqlState::CANNOT_CONNECT_NOW => TurnedAway::NotReady,
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => TurnedAway::Closed,
            SqlState::INVALID_CATALOG_NAME => TurnedAway::NoDatabase,
            SqlState::INSUFFICIENT_PRIVILEGE => TurnedAway::NotAllowed,
            SqlState::UNDEFINED_OBJECT
            | SqlState::INVALID_PARAMETER_VALUE
            | SqlState::CANT_CHANGE_RUNTIME_PARAM => TurnedAway::Setting,
            // Only the pooler's message tells this case: the code stands for any protocol violation.
            SqlState::PROTOCOL_VIOLATION if is_setting(message) => TurnedAway::Setting,
            _ => TurnedAway::Other,
        })
    }

    /// Cases in which the client ends the connection. tokio-postgres has these as text only; a test against
    /// servers that behave like this holds them in place.
    fn without_words(error: &ServerError) -> Option<TurnedAway> {
        match std::error::Error::source(error.0.as_ref())?.to_string().as_str() {
            "server does not support TLS" => Some(TurnedAway::NoTls),
            "unsupported authentication method"
            | "unsupported SASL mechanism"
            | "server did not use channel binding" => Some(TurnedAway::Login),
            _ => None,
        }
    }

    /// As the end of a headline.
    pub(crate) fn headline(self) -> &'static str {
        match self {
            TurnedAway::NoConnectionsLeft => ": no connections are left",
            TurnedAway::NotReady => ": it is starting or stopping",
            TurnedAway::Closed => ": the database takes no connections",
            TurnedAway::NoDatabase => ": there is no such database",
            TurnedAway::NoTls => ": it does not support TLS",
            TurnedAway::Login => ": there is no way to log in that both sides accept",
            TurnedAway::NotAllowed => ": the role may not connect to the database",
            TurnedAway::Setting => {
                ": a connection setting is refused by the server or by a pooler in front of it"
            }
            TurnedAway::Other => "",
        }
    }

    /// What to do.
    pub(crate) fn help(self) -> Option<&'static str> {
        Some(match self {
            TurnedAway::NoConnectionsLeft => {
                "run again when others have closed theirs (see pg_stat_activity), or raise the limit that the server names: max_connections, or CONNECTION LIMIT of the role or database"
            }
            TurnedAway::NotReady => "run again when the server is up; nothing has to be cleaned up before",
            TurnedAway::Closed => {
                "choose another database, or let it take connections: ALTER DATABASE … ALLOW_CONNECTIONS true"
            }
            TurnedAway::NoDatabase => "create it (CREATE DATABASE …), or name another one",
            TurnedAway::NoTls => "turn on `ssl` on the server, or do not require it: sslmode=prefer",
            TurnedAway::Login => {
                "the host logs in by password or client certificate; see the server's pg_hba.conf, and channel_binding"
            }
            TurnedAway::NotAllowed => "GRANT CONNECT ON DATABASE … TO …, or log in as another role",
            TurnedAway::Setting => {
                "leave it out of `options`, PGOPTIONS, PGTZ, PGDATESTYLE or PGGEQO, set it for the role (ALTER ROLE … SET …), or connect to the server directly rather than through the pooler"
            }
            TurnedAway::Other => return None,
        })
    }
}
