//! Every parameter that libpq 15 to 18 knows, the variable that stands in for it, and how it is treated
//! here. No request is silently ignored: what the host cannot do is refused, with the reason, because
//! most of these parameters restrict which servers it may talk to, and how.

use host_core::text::did_you_mean;

/// This program's name in libpq's parameters, if no other is given.
pub(crate) const DEFAULT_NAME: &str = "host";

/// How a parameter is treated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Use {
    /// It is honoured.
    Taken,
    /// Only these values are allowed, which ask for what the host does anyway; and why no others.
    Only(&'static [&'static str], &'static str),
    /// It is refused, for this reason.
    Refused(&'static str),
}

use Use::{Only, Refused, Taken};

/// One of libpq's parameters.
pub struct Known {
    pub name: &'static str,
    /// The variable that stands in for it, if there is one.
    pub variable: Option<&'static str>,
    pub use_: Use,
}

const fn known(name: &'static str, variable: &'static str, use_: Use) -> Known {
    Known { name, variable: if variable.is_empty() { None } else { Some(variable) }, use_ }
}

const NO_GSS: &str = "the host does not log in or encrypt by GSSAPI";
const NO_OAUTH: &str = "the host does not log in by OAuth";
const NO_KEYS: &str = "the host logs in with the password, not with keys derived from it";
const PROTOCOL: &str = "the host speaks version 3.0 of the protocol";

/// The parameters.
pub const KNOWN: &[Known] = &[
    known("service", "PGSERVICE", Taken),
    known("servicefile", "PGSERVICEFILE", Taken),
    known("host", "PGHOST", Taken),
    known("hostaddr", "PGHOSTADDR", Taken),
    known("port", "PGPORT", Taken),
    known("dbname", "PGDATABASE", Taken),
    known("user", "PGUSER", Taken),
    known("password", "PGPASSWORD", Taken),
    known("passfile", "PGPASSFILE", Taken),
    known("options", "PGOPTIONS", Taken),
    known("application_name", "PGAPPNAME", Taken),
    known("fallback_application_name", "", Taken),
    known("connect_timeout", "PGCONNECT_TIMEOUT", Taken),
    known("target_session_attrs", "PGTARGETSESSIONATTRS", Taken),
    known("load_balance_hosts", "PGLOADBALANCEHOSTS", Taken),
    known("requirepeer", "PGREQUIREPEER", Taken),
    known("channel_binding", "PGCHANNELBINDING", Taken),
    known("keepalives", "", Taken),
    known("keepalives_idle", "", Taken),
    known("keepalives_interval", "", Taken),
    known("keepalives_count", "", Taken),
    known("tcp_user_timeout", "", Taken),
    known("sslmode", "PGSSLMODE", Taken),
    known("sslnegotiation", "PGSSLNEGOTIATION", Taken),
    known("sslrootcert", "PGSSLROOTCERT", Taken),
    known("sslcert", "PGSSLCERT", Taken),
    known("sslkey", "PGSSLKEY", Taken),
    known("sslcrl", "PGSSLCRL", Taken),
    known("sslcrldir", "PGSSLCRLDIR", Taken),
    known("sslsni", "PGSSLSNI", Taken),
    known("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Taken),
    known("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Taken),
    known(
        "sslcertmode",
        "PGSSLCERTMODE",
        Only(&["allow", "disable"], "the host cannot insist on being asked for its certificate"),
    ),
    known("sslcompression", "PGSSLCOMPRESSION", Only(&["0"], "the host does not compress what it encrypts")),
    known(
        "sslpassword",
        "",
        Refused("the host cannot decrypt keys; decrypt it, and name the decrypted file as sslkey"),
    ),
    known("sslkeylogfile", "", Refused("the host does not write keys to files")),
    known(
        "require_auth",
        "PGREQUIREAUTH",
        Refused(
            "the host cannot choose how the server asks for the password; to be sure of the server, use sslmode=verify-full or channel_binding=require",
        ),
    ),
    known("requiressl", "PGREQUIRESSL", Only(&["0"], "use sslmode=require instead")),
    known("gssencmode", "PGGSSENCMODE", Only(&["disable", "prefer"], NO_GSS)),
    known("krbsrvname", "PGKRBSRVNAME", Refused(NO_GSS)),
    known("gsslib", "PGGSSLIB", Refused(NO_GSS)),
    known("gssdelegation", "PGGSSDELEGATION", Only(&["0"], NO_GSS)),
    known(
        "client_encoding",
        "PGCLIENTENCODING",
        Only(
            &["auto", "UTF8", "UTF-8", "unicode"],
            "the host exchanges UTF-8 with the server, whatever the database's encoding is",
        ),
    ),
    known(
        "replication",
        "",
        Only(&["false", "off", "no", "0"], "the host needs a connection on which it can run queries"),
    ),
    known("min_protocol_version", "PGMINPROTOCOLVERSION", Only(&["3.0"], PROTOCOL)),
    known("max_protocol_version", "PGMAXPROTOCOLVERSION", Only(&["3.0", "3.2", "latest"], PROTOCOL)),
    known("oauth_issuer", "", Refused(NO_OAUTH)),
    known("oauth_client_id", "", Refused(NO_OAUTH)),
    known("oauth_client_secret", "", Refused(NO_OAUTH)),
    known("oauth_scope", "", Refused(NO_OAUTH)),
    known("scram_client_key", "", Refused(NO_KEYS)),
    known("scram_server_key", "", Refused(NO_KEYS)),
];

/// Variables that stand for server settings.
pub const SETTINGS: [(&str, &str); 3] =
    [("PGDATESTYLE", "datestyle"), ("PGTZ", "timezone"), ("PGGEQO", "geqo")];

/// The parameter of this name.
pub fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// What to say about an unknown parameter. Its name is not repeated: it may be part of a password.
pub fn unknown(name: &str) -> String {
    format!("it has an unknown parameter{}", did_you_mean(name, KNOWN.iter().map(|known| known.name)))
}

impl Known {
    /// Whether this value is possible.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let name = self.name;
        match self.use_ {
            Taken if value.is_empty() && name != "password" => Err(format!("`{name}` is empty")),
            Taken => Ok(()),
            Only(values, _) if values.iter().any(|possible| possible.eq_ignore_ascii_case(value)) => Ok(()),
            Only(values, why) => Err(format!("`{name}` can only be {}: {why}", either(values))),
            Refused(why) => Err(format!("`{name}` cannot be used: {why}")),
        }
    }
}

/// `a`, `b` or `c`
pub fn either(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
