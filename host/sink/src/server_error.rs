//! What the server says when it refuses, and what that means to the user.

use std::fmt;
use std::sync::Arc;

use host_core::text::printable;
use tokio_postgres::error::SqlState;

/// What kind of error the server reported, as far as something can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "database_")]
#[non_exhaustive]
pub enum ErrorClass {
    /// The connection is gone, and the server did not say why.
    ConnectionLost,
    /// The server is stopping, or an administrator ended the session.
    Ended,
    /// The server is just starting or stopping.
    NotReady,
    /// `statement_timeout`, or the statement was cancelled by request.
    Cancelled,
    /// `idle_in_transaction_session_timeout`
    IdleTooLong,
    /// Other sessions held a lock for longer than we were to wait.
    LockTimeout,
    /// Another session waits for us while we wait for it.
    Deadlock,
    /// No room for the data.
    DiskFull,
    /// No memory, no connections left, or another limit of the server's.
    OutOfResources,
    /// A standby, or a database that is configured to be read-only.
    ReadOnly,
    /// A privilege is missing.
    NotAllowed,
    /// A table or column is missing or has another type, although it fitted before BEGIN.
    TableChanged,
    /// A constraint or trigger refuses what was to be written.
    RowRefused,
    /// A prepared statement is missing, or another has its name: the session is not the one it was.
    OtherSession,
    /// A pooler in between had no server session free for us in time.
    PoolExhausted,
    /// Anything else; the server's own words must suffice.
    Other,
}

impl ErrorClass {
    /// In a few words, to follow what was being done; `None` if the server's own words suffice.
    fn headline(self) -> Option<&'static str> {
        Some(match self {
            ErrorClass::ConnectionLost => "the connection was lost",
            ErrorClass::Ended => "the server is stopping, or an administrator ended the session",
            ErrorClass::NotReady => "the server is starting or stopping",
            ErrorClass::Cancelled => "the server cancelled it, because of statement_timeout or on request",
            ErrorClass::IdleTooLong => "the server ended the session because it waited for us too long",
            ErrorClass::LockTimeout => "another session holds a lock",
            ErrorClass::Deadlock => "a deadlock with another session",
            ErrorClass::DiskFull => "the server's disk is full",
            ErrorClass::OutOfResources => "the server has reached a limit of its own",
            ErrorClass::ReadOnly => "this server takes no writes",
            ErrorClass::NotAllowed => "a privilege is missing",
            ErrorClass::TableChanged => "the tables have changed meanwhile",
            ErrorClass::RowRefused => "a constraint or trigger refuses it",
            ErrorClass::OtherSession => "a connection pooler gave us another session",
            ErrorClass::PoolExhausted => "the connection pooler had no session of the server free in time",
            ErrorClass::Other => return None,
        })
    }

    /// What to do.
    pub fn help(self) -> Option<&'static str> {
        Some(match self {
            ErrorClass::ConnectionLost | ErrorClass::Ended | ErrorClass::NotReady => {
                "run again when the server is up; nothing has to be cleaned up before"
            }
            ErrorClass::Cancelled => {
                "see `SHOW statement_timeout`; for the host's role: ALTER ROLE … SET statement_timeout = 0"
            }
            ErrorClass::IdleTooLong => {
                "the input was slower than idle_in_transaction_session_timeout allows; raise it for the host's role, or let the input come from a file"
            }
            ErrorClass::LockTimeout => "wait longer, or end the session that holds the lock",
            ErrorClass::Deadlock => {
                "run again; other programs should lock `transactions` before the other tables"
            }
            ErrorClass::DiskFull => {
                "free space on the server, then run again; the space that this run used is freed by `VACUUM transactions, anomalies`"
            }
            ErrorClass::OutOfResources => "see the server's log",
            ErrorClass::ReadOnly => {
                "a standby takes none: name the primary, or list both with `target_session_attrs=read-write`; elsewhere see `SHOW default_transaction_read_only`"
            }
            ErrorClass::NotAllowed => {
                "the host needs to read and insert in its tables, to lock `transactions` (UPDATE or DELETE privilege), and, the first time, to create them"
            }
            ErrorClass::TableChanged => "run again; `host migrate` says whether the tables fit",
            ErrorClass::RowRefused => "the server's words above say which; correct it, then run again",
            ErrorClass::OtherSession => {
                "use the server's own port rather than the pooler's, or a pool in session mode"
            }
            ErrorClass::PoolExhausted => {
                "run again when fewer programs use the pool, enlarge it, or use the server's own port"
            }
            ErrorClass::Other => return None,
        })
    }
}

/// An error of tokio-postgres, with everything that the server said: its own text is only "db error".
#[derive(Debug)]
pub struct ServerError(pub Arc<tokio_postgres::Error>);

impl ServerError {
    /// The SQLSTATE, if the server answered at all.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        self.0.code()
    }

    /// Whether nothing answered, rather than a server that refused.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.code().is_none() && self.class() == ErrorClass::ConnectionLost
    }

    /// What kind of error it is (PostgreSQL documentation, appendix "PostgreSQL Error Codes").
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        let Some(code) = self.code() else {
            let cause = std::error::Error::source(self.0.as_ref());
            let is_lost = self.0.is_closed() || cause.is_some_and(|cause| cause.is::<std::io::Error>());
            return if is_lost { ErrorClass::ConnectionLost } else { ErrorClass::Other };
        };
        match (code.code(), &code.code()[..2]) {
            ("57P01" | "57P02" | "57P04", _) => ErrorClass::Ended,
            ("57P03", _) => ErrorClass::NotReady,
            ("57014", _) => ErrorClass::Cancelled,
            ("25P03" | "57P05", _) => ErrorClass::IdleTooLong,
            ("55P03", _) => ErrorClass::LockTimeout,
            ("40P01", _) => ErrorClass::Deadlock,
            ("53100", _) => ErrorClass::DiskFull,
            ("25006", _) => ErrorClass::ReadOnly,
            ("42501", _) => ErrorClass::NotAllowed,
            ("42P01" | "42703" | "42804" | "22P03", _) => ErrorClass::TableChanged,
            // PgBouncer has one code for all its own errors; this message is a fixed name, not a sentence.
            ("08P01", _)
                if self.0.as_db_error().is_some_and(|said| said.message() == "query_wait_timeout") =>
            {
                ErrorClass::PoolExhausted
            }
            ("42P05" | "26000" | "08P01", _) => ErrorClass::OtherSession,
            ("P0001", _) | (_, "23") => ErrorClass::RowRefused,
            (_, "53") => ErrorClass::OutOfResources,
            (_, "08") => ErrorClass::ConnectionLost,
            _ if self.tuple_of_copy().is_some() => ErrorClass::RowRefused,
            _ => ErrorClass::Other,
        }
    }

    /// The tuple, from 1, at which a COPY failed, if the server says so.
    #[must_use]
    pub fn tuple_of_copy(&self) -> Option<u64> {
        tuple_of_copy(self.0.as_db_error()?.where_()?)
    }

    /// As the end of a headline.
    pub(crate) fn headline(&self) -> String {
        self.class().headline().map(|headline| format!(": {headline}")).unwrap_or_default()
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(said) = self.0.as_db_error() else {
            // The cause says more than the outer text, which the chain would repeat.
            return match std::error::Error::source(self.0.as_ref()) {
                Some(cause) => write!(f, "{}", printable(&chain(cause))),
                None => write!(f, "{}", printable(&self.0.to_string())),
            };
        };
        write!(f, "{}", printable(said.message()))?;
        if let Some(detail) = said.detail() {
            write!(f, " ({})", printable(detail))?;
        }
        if let Some(hint) = said.hint() {
            write!(f, "; {}", printable(hint))?;
        }
        if let Some(context) = said.where_() {
            write!(f, "; {}", printable(&context.replace('\n', "; ")))?;
        }
        write!(f, " [SQLSTATE {}]", said.code().code())
    }
}

impl std::error::Error for ServerError {}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Taken from an error's context: it has a line such as `COPY transactions, line 5, column amount`, in
/// whatever language the server speaks, after the lines of the functions that were called.
fn tuple_of_copy(context: &str) -> Option<u64> {
    let copy = context.lines().find_map(|line| line.split_once("COPY "))?.1;
    let (_table, after_table) = copy.split_once(',')?;
    let digits = after_table.trim_start_matches(|character: char| !character.is_ascii_digit());
    digits.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::server_error::tuple_of_copy;

    #[test]
    fn the_tuple_is_found_in_every_language() {
        let cases = [
            ("COPY transactions, line 5", Some(5)),
            ("COPY transactions, line 777, column amount", Some(777)),
            ("PL/pgSQL function refuse() line 2 at RAISE\nCOPY transactions, line 1234", Some(1234)),
            ("COPY transactions, Zeile 12, Spalte amount", Some(12)),
            ("COPY table2, línea 3", Some(3)),
            ("COPY transactions", None),
            ("PL/pgSQL function refuse() line 2 at RAISE", None),
            ("COPY transactions, line 99999999999999999999", None),
            ("", None),
        ];
        for (context, tuple) in cases {
            assert_eq!(tuple_of_copy(context), tuple, "{context:?}");
        }
    }

    proptest! {
        #[test]
        fn no_context_makes_it_panic(context: String) {
            let _ = tuple_of_copy(&context);
        }
    }
}
