//! Connection parameters as libpq accepts them: URLs and keyword strings, the `PG…` variables,
//! service files and password files. tokio-postgres knows only the first two, and not their TLS files.
//! (PostgreSQL documentation, "Database Connection Control Functions".)
//!
//! Messages name parameters, never their values: with a separator in the wrong place, any part of a URL
//! or keyword string may be part of the password.

mod hosts;
pub(crate) mod known;
mod passfile;
pub(crate) mod server;
mod texts;
pub(crate) mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use host_core::environment::{Environment, VariableError};
use host_core::text::printable;
use tokio_postgres::config::{ChannelBinding, Config};

use crate::error::SinkError;
use crate::parameters::hosts::hosts;
use crate::parameters::known::{KNOWN, SETTINGS, either, unknown};
use crate::parameters::passfile::PasswordFile;
use crate::parameters::server::{ServerHost, ServerTarget};
use crate::parameters::texts::{parse_keywords, parse_url, read_service, system_service_file};
use crate::parameters::tls::{SslMode, Tls, TlsVersions};
use crate::session_attributes::SessionAttributes;

/// Why the parameters cannot be used.
#[derive(Debug, PartialEq)]
pub enum Unusable {
    /// A variable that stands in for one of them is at fault.
    Variable(VariableError),
    /// What is wrong with the parameters; never contains a password.
    Parameters(String),
}

impl From<VariableError> for Unusable {
    fn from(error: VariableError) -> Unusable {
        Unusable::Variable(error)
    }
}

impl From<String> for Unusable {
    fn from(problem: String) -> Unusable {
        Unusable::Parameters(problem)
    }
}

impl Unusable {
    /// The error for parameters from this origin, such as `--database-url`.
    pub fn into_error(self, origin: &str) -> SinkError {
        match self {
            Unusable::Variable(error) => SinkError::Variable(error),
            Unusable::Parameters(problem) => SinkError::Target { origin: origin.to_owned(), problem },
        }
    }
}

const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest number that libpq accepts.
const LARGEST: u64 = i32::MAX as u64;
/// The system's default idle time before keepalives, for when it is asked to use its defaults.
const SYSTEM_KEEPALIVES_IDLE: Duration = Duration::from_secs(7200);

/// Whether the environment selects a server: a user name or a password alone does not.
pub fn names_a_server(environment: &Environment) -> bool {
    ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"].iter().any(|name| environment.has(name))
}

/// Variables that are set for a server, although none of them names one.
pub fn pointless_variables(environment: &Environment) -> Vec<&'static str> {
    let variables = KNOWN.iter().filter_map(|known| known.variable);
    variables.filter(|name| *name != "PGSERVICEFILE" && environment.has(name)).collect()
}

/// A parameter's value, and where it comes from.
#[derive(PartialEq)]
struct Given {
    value: String,
    from: Origin,
}

#[derive(Clone, Copy, PartialEq)]
enum Origin {
    /// The URL or the keywords.
    Text,
    /// The service file.
    Service,
    /// This variable.
    Variable(&'static str),
}

/// Parameters by name.
#[derive(Default, PartialEq)]
pub struct Parameters(BTreeMap<String, Given>);

/// Leaves out the values: one of them is the password.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Parameters {
    /// From a URL or a string of `keyword=value` pairs.
    ///
    /// # Errors
    /// Says what is wrong with it, without quoting any of it.
    pub fn parse(text: &str) -> Result<Parameters, String> {
        let text = text.trim();
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let is_quoted = |quote| text.starts_with(quote) && text.ends_with(quote);
        let parameters = match rest {
            _ if text.is_empty() => return Err("it is empty".into()),
            _ if is_quoted('"') || is_quoted('\'') => {
                return Err("it is in quotes; leave them out".into());
            }
            _ if text.contains(['\n', '\r']) => return Err("there is a line break in it".into()),
            Some(rest) => parse_url(rest)?,
            None if has_scheme(text) => return Err("it does not start with `postgres://`".into()),
            None => parse_keywords(text)?,
        };
        match parameters.keys().find(|name| known::find(name).is_none()) {
            Some(name) => Err(unknown(name)),
            None => Ok(Parameters(
                parameters
                    .into_iter()
                    .map(|(name, value)| (name, Given { value, from: Origin::Text }))
                    .collect(),
            )),
        }
    }

    /// Fills in what was not given: from the service file, the variables, the password file and libpq's
    /// defaults.
    ///
    /// # Errors
    /// Says what is wrong with the parameters, a variable or a file.
    pub fn complete(mut self, environment: &Environment) -> Result<ServerTarget, Unusable> {
        let home = environment.path("HOME")?;
        self.add_service(home.as_deref(), environment)?;
        for known in KNOWN {
            let Some(variable) = known.variable else { continue };
            if self.0.contains_key(known.name) {
                continue;
            }
            if let Some(value) = environment.text(variable)? {
                let given = Given { value: value.to_owned(), from: Origin::Variable(variable) };
                self.0.insert(known.name.to_owned(), given);
            }
        }
        for known in KNOWN {
            if let Some(given) = self.0.get(known.name) {
                known.check(&given.value).map_err(|problem| self.wrong(known.name, problem))?;
            }
        }
        let user = match self.text("user") {
            Some(user) => user.to_owned(),
            None => nix::unistd::User::from_uid(nix::unistd::geteuid())
                .ok()
                .flatten()
                .map(|user| user.name)
                .ok_or("no user was given, and the system has no name for the current one".to_owned())?,
        };
        let database = self.text("dbname").unwrap_or(&user).to_owned();
        if database.contains("://") {
            return Err(self.wrong("dbname", "`dbname` must be a name, not a URL".into()));
        }
        let mut tls = self.tls(home.as_deref())?;
        let config = self.config(&user, &database, environment)?;
        let hosts = self.hosts(&database, &user, home.as_deref())?;
        let required_peer = self.text("requirepeer").map(str::to_owned);
        let is_local = |host: &ServerHost| host.socket_folder().is_some();
        if required_peer.is_some() && !hosts.iter().all(is_local) {
            return Err(self.wrong("requirepeer", "`requirepeer` needs a unix socket as host".into()));
        }
        if hosts.iter().all(is_local) {
            // libpq does not encrypt unix sockets, whatever the mode.
            tls = Tls::default();
        }
        let attributes = self.choice(
            "target_session_attrs",
            &[
                ("any", SessionAttributes::Any),
                ("read-write", SessionAttributes::ReadWrite),
                ("read-only", SessionAttributes::ReadOnly),
                ("primary", SessionAttributes::Primary),
                ("standby", SessionAttributes::Standby),
                ("prefer-standby", SessionAttributes::PreferStandby),
            ],
        )?;
        let is_shuffled = self.choice("load_balance_hosts", &[("disable", false), ("random", true)])?;
        Ok(ServerTarget {
            config,
            hosts,
            attributes: attributes.unwrap_or(SessionAttributes::Any),
            is_shuffled: is_shuffled.unwrap_or(false),
            required_peer,
            tls,
        })
    }

    /// Takes parameters that were not given from the named service.
    fn add_service(&mut self, home: Option<&Path>, environment: &Environment) -> Result<(), Unusable> {
        let service = match self.text("service") {
            Some(service) => service.to_owned(),
            None => match environment.text("PGSERVICE")? {
                Some(service) => service.to_owned(),
                None => return Ok(()),
            },
        };
        let named = match self.text("servicefile") {
            Some(file) => Some(file),
            None => environment.text("PGSERVICEFILE")?,
        };
        let user_file = named.map(PathBuf::from).or_else(|| home.map(|home| home.join(".pg_service.conf")));
        let system_file = system_service_file(environment.text("PGSYSCONFDIR")?);
        for (name, value) in read_service(&service, user_file.as_deref(), named.is_some(), &system_file)? {
            if known::find(&name).is_none() || name == "service" || name == "servicefile" {
                return Err(in_service(&service, unknown(&name)));
            }
            self.0.entry(name).or_insert(Given { value, from: Origin::Service });
        }
        self.0.insert("service".into(), Given { value: service, from: Origin::Text });
        Ok(())
    }

    /// Everything that tokio-postgres needs to know, except for the hosts.
    fn config(&self, user: &str, database: &str, environment: &Environment) -> Result<Config, Unusable> {
        let mut config = Config::new();
        config.user(user).dbname(database);
        let name = self.text("application_name").or(self.text("fallback_application_name"));
        config.application_name(name.unwrap_or(known::DEFAULT_NAME));
        match self.seconds("connect_timeout", 0..=LARGEST)? {
            None => config.connect_timeout(DEFAULT_CONNECT_TIMEOUT),
            // Zero means as long as it takes.
            Some(Duration::ZERO) => &mut config,
            Some(time) => config.connect_timeout(time),
        };
        self.keep_alive(&mut config)?;
        let mut options = self.text("options").unwrap_or_default().to_owned();
        for (variable, setting) in SETTINGS {
            if let Some(value) = environment.text(variable)? {
                let escaped: String = value
                    .chars()
                    .flat_map(|character| {
                        let escape = (character == '\\' || character.is_whitespace()).then_some('\\');
                        escape.into_iter().chain([character])
                    })
                    .collect();
                options.push_str(&format!(" -c {setting}={escaped}"));
            }
        }
        if !options.is_empty() {
            config.options(options.trim_start());
        }
        let bindings = [
            ("disable", ChannelBinding::Disable),
            ("prefer", ChannelBinding::Prefer),
            ("require", ChannelBinding::Require),
        ];
        if let Some(binding) = self.choice("channel_binding", &bindings)? {
            config.channel_binding(binding);
        }
        Ok(config)
    }

    /// How a server that is gone is noticed: by default within about a minute, not after hours.
    fn keep_alive(&self, config: &mut Config) -> Result<(), Unusable> {
        // Linux accepts no more than these.
        let (longest, most) = (0..=32_767, 0..=127);
        config.keepalives(self.number("keepalives", 0..=LARGEST)? != Some(0));
        config.keepalives_idle(match self.seconds("keepalives_idle", longest.clone())? {
            None => Duration::from_secs(30),
            Some(Duration::ZERO) => SYSTEM_KEEPALIVES_IDLE,
            Some(idle) => idle,
        });
        match self.seconds("keepalives_interval", longest)? {
            None => config.keepalives_interval(Duration::from_secs(10)),
            Some(Duration::ZERO) => config,
            Some(interval) => config.keepalives_interval(interval),
        };
        match self.number("keepalives_count", most)? {
            None => config.keepalives_retries(3),
            Some(0) => config,
            Some(count) => config.keepalives_retries(u32::try_from(count).unwrap_or(u32::MAX)),
        };
        match self.number("tcp_user_timeout", 0..=LARGEST)? {
            None | Some(0) => {}
            Some(millis) => {
                config.tcp_user_timeout(Duration::from_millis(millis));
            }
        }
        Ok(())
    }

    /// The servers to try, each with its own password.
    fn hosts(&self, database: &str, user: &str, home: Option<&Path>) -> Result<Vec<ServerHost>, Unusable> {
        let hosts = hosts(self.text("host"), self.text("hostaddr"), self.text("port"))
            .map_err(|(name, problem)| self.wrong(name, format!("`{name}` {problem}")))?;
        let password = self.text("password").filter(|password| !password.is_empty());
        let passwords = match (password, self.text("passfile"), home) {
            (Some(_), ..) | (None, None, None) => PasswordFile::default(),
            (None, Some(file), _) => PasswordFile::read(Path::new(file), true),
            (None, None, Some(home)) => PasswordFile::read(&home.join(".pgpass"), false),
        };
        // What does not look like a name may be a misplaced part of a URL; the same goes for the user name.
        let is_name = |name: &str| {
            name.chars().all(|character| character.is_alphanumeric() || " $'\"-._".contains(character))
        };
        let shown = match self.text("dbname") {
            Some(name) if is_name(name) => format!("database `{name}`"),
            Some(_) => "the given database".into(),
            None => "the user's database".into(),
        };
        Ok(hosts
            .into_iter()
            .map(|host| ServerHost {
                password: password
                    .map(str::to_owned)
                    .or_else(|| passwords.password(&host.name, host.port, database, user)),
                description: format!("{shown} on {}:{}", printable(&host.name), host.port),
                name: host.name,
                address: host.address,
                port: host.port,
            })
            .collect())
    }

    fn tls(&self, home: Option<&Path>) -> Result<Tls, Unusable> {
        let home = home.map(|home| home.join(".postgresql"));
        let file = |name: &str, default: &str| {
            let given = self.text(name).map(PathBuf::from);
            given.or_else(|| home.as_ref().map(|home| home.join(default)).filter(|path| path.is_file()))
        };
        let mode = self.choice("sslmode", &SslMode::ALL)?;
        let trusts_system = self.text("sslrootcert") == Some("system");
        if trusts_system && mode.is_some_and(|mode| mode != SslMode::VerifyFull) {
            // Anybody can get a certificate from one of the system's authorities.
            return Err(self.wrong("sslrootcert", "`sslrootcert=system` needs `sslmode=verify-full`".into()));
        }
        let default = if trusts_system { SslMode::VerifyFull } else { SslMode::Prefer };
        let mode = mode.unwrap_or(default);
        let certificate =
            file("sslcert", "postgresql.crt").filter(|_| self.text("sslcertmode") != Some("disable"));
        let key = file("sslkey", "postgresql.key");
        if certificate.is_some() && key.is_none() {
            return Err(
                self.wrong("sslcert", "`sslcert` needs the key that belongs to it, as `sslkey`".into())
            );
        }
        let tls = Tls {
            mode,
            root_certificates: file("sslrootcert", "root.crt"),
            certificate,
            key,
            revoked: file("sslcrl", "root.crl"),
            revoked_folder: self.text("sslcrldir").map(PathBuf::from),
            versions: self.tls_versions()?,
            sends_name: self.choice("sslsni", &[("1", true), ("0", false)])?.unwrap_or(true),
            is_direct: self
                .choice("sslnegotiation", &[("postgres", false), ("direct", true)])?
                .unwrap_or(false),
        };
        let is_required = !matches!(mode, SslMode::Disable | SslMode::Prefer);
        if tls.is_direct && !is_required {
            return Err(self
                .wrong("sslnegotiation", "`sslnegotiation=direct` needs `sslmode=require` or more".into()));
        }
        for name in ["sslcrl", "sslcrldir"] {
            if self.text(name).is_some() && !(is_required && tls.root_certificates.is_some()) {
                let problem = format!(
                    "`{name}` needs `sslrootcert` and `sslmode=require` or more: without them no certificate is verified"
                );
                return Err(self.wrong(name, problem));
            }
        }
        Ok(tls)
    }

    /// The versions between the lowest and the highest that were given. Nothing below 1.2 is supported here,
    /// so any lower version means 1.2 as the lowest, and is refused as the highest.
    fn tls_versions(&self) -> Result<TlsVersions, Unusable> {
        let (old, current, latest) = (1, 2, 3);
        let versions = [("TLSv1", old), ("TLSv1.1", old), ("TLSv1.2", current), ("TLSv1.3", latest)];
        let lowest = self.choice("ssl_min_protocol_version", &versions)?.unwrap_or(current);
        let highest = self.choice("ssl_max_protocol_version", &versions)?.unwrap_or(latest);
        if highest == old || highest < lowest {
            let problem = "`ssl_max_protocol_version` must be `TLSv1.2` or `TLSv1.3`, and not below `ssl_min_protocol_version`";
            return Err(self.wrong("ssl_max_protocol_version", problem.into()));
        }
        Ok(match (lowest == latest, highest == latest) {
            (true, _) => TlsVersions::Only13,
            (false, true) => TlsVersions::All,
            (false, false) => TlsVersions::Only12,
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|given| given.value.as_str())
    }

    fn number(&self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, Unusable> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| {
            let (least, most) = range.into_inner();
            self.wrong(name, format!("`{name}` must be a whole number from {least} to {most}"))
        })
    }

    fn seconds(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<Duration>, Unusable> {
        Ok(self.number(name, range)?.map(Duration::from_secs))
    }

    fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, Unusable> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let chosen = choices.iter().find(|(choice, _)| *choice == text);
        chosen.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.wrong(name, format!("`{name}` must be {}", either(&names)))
        })
    }

    /// A problem with this parameter, reported together with where its value comes from.
    fn wrong(&self, name: &str, problem: String) -> Unusable {
        match self.0.get(name).map(|given| given.from) {
            Some(Origin::Variable(variable)) => {
                VariableError::Invalid { name: variable.to_owned(), problem }.into()
            }
            Some(Origin::Service) => in_service(self.text("service").unwrap_or_default(), problem),
            Some(Origin::Text) | None => Unusable::Parameters(problem),
        }
    }
}

/// Whether it looks like a URL of another kind.
fn has_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| !scheme.contains('='))
}

fn in_service(service: &str, problem: String) -> Unusable {
    Unusable::Parameters(format!("in the service `{}`: {problem}", printable(service)))
}

#[cfg(test)]
mod tests;
