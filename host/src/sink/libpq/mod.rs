//! Connection parameters as libpq takes them: URLs and keyword strings, the `PG…` variables,
//! service files and password files. tokio-postgres knows only the first two, and of those not
//! the TLS files. (PostgreSQL documentation, "Database Connection Control Functions".)

mod texts;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, Config};

use self::texts::{parse_keywords, parse_url, pgpass_fields, read_service};
use super::target::ServerTarget;
use super::tls::{SslMode, Tls};
use crate::environment::{Environment, VariableError};
use crate::text::printable;

/// Why the parameters cannot be used.
#[derive(Debug, PartialEq)]
pub enum Unusable {
    /// A variable that stands in for one of them.
    Variable(VariableError),
    /// What is wrong with them; never contains a password.
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

/// Parameters and the variables that stand in for them.
const VARIABLES: [(&str, &str); 18] = [
    ("service", "PGSERVICE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("keepalives", ""),
    ("keepalives_idle", ""),
];

const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Where servers' sockets are by default, on Debian and as built from source.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Whether the environment chooses a server: a user name or a password alone does not.
pub fn names_a_server(environment: &Environment) -> bool {
    ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"].iter().any(|name| environment.has(name))
}

/// Parameters by name.
#[derive(Debug, Default, PartialEq)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// From a URL or a string of `keyword=value` pairs.
    ///
    /// # Errors
    /// What is wrong with it; never quotes a password.
    pub fn parse(text: &str) -> Result<Parameters, String> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let parameters = match rest {
            Some(rest) => parse_url(rest)?,
            None if text.contains("://") => return Err("it does not start with `postgres://`".into()),
            None => parse_keywords(text)?,
        };
        match parameters.keys().find(|name| !VARIABLES.iter().any(|(known, _)| known == name)) {
            Some(unknown) => Err(format!("unknown parameter `{}`", printable(unknown))),
            None => Ok(Parameters(parameters)),
        }
    }

    /// Fills in what was not given: from the service file, from the variables, from the password
    /// file, from libpq's defaults.
    ///
    /// # Errors
    /// What is wrong with the parameters, a variable or a file.
    pub fn complete(mut self, environment: &Environment) -> Result<ServerTarget, Unusable> {
        let service = match self.0.remove("service") {
            Some(service) => Some(service),
            None => environment.text("PGSERVICE")?.map(str::to_owned),
        };
        if let Some(service) = service {
            for (name, value) in read_service(&service, environment)? {
                self.0.entry(name).or_insert(value);
            }
        }
        for (name, from) in VARIABLES {
            if let (false, Some(value)) = (self.0.contains_key(name), environment.text(from)?) {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
        let user = match self.0.get("user") {
            Some(user) => user.clone(),
            None => nix::unistd::User::from_uid(nix::unistd::geteuid())
                .ok()
                .flatten()
                .map(|user| user.name)
                .ok_or("no user was given, and the system knows no name for the current one".to_owned())?,
        };
        let database = self.0.get("dbname").unwrap_or(&user).clone();
        let hosts = self.hosts()?;

        let mut config = Config::new();
        config.user(&user).dbname(&database).connect_timeout(self.connect_timeout()?);
        config.application_name(
            self.0.get("application_name").map_or(super::connect::DEFAULT_NAME, String::as_str),
        );
        // A server that is gone is noticed within about a minute, not after hours.
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(10)).keepalives_retries(3);
        for (host, address, port) in &hosts {
            config.host(host).port(*port);
            if let Some(address) = address {
                config.hostaddr(*address);
            }
        }
        if let Some(options) = self.0.get("options") {
            config.options(options);
        }
        if let Some(binding) = self.0.get("channel_binding") {
            config.channel_binding(match binding.as_str() {
                "disable" => ChannelBinding::Disable,
                "prefer" => ChannelBinding::Prefer,
                "require" => ChannelBinding::Require,
                other => return Err(format!("`{}` is no channel_binding", printable(other)).into()),
            });
        }
        let password = match self.0.get("password") {
            Some(password) => Some(password.clone()),
            None => {
                let passfile = match self.0.get("passfile") {
                    Some(file) => Some(PathBuf::from(file)),
                    None => home(environment)?.map(|home| home.join(".pgpass")),
                };
                passfile.and_then(|passfile| {
                    hosts
                        .iter()
                        .find_map(|(host, _, port)| password_of(host, *port, &database, &user, &passfile))
                })
            }
        };
        if let Some(password) = password {
            config.password(password);
        }
        let tls = self.tls(environment, hosts.iter().all(|(host, ..)| host.starts_with('/')))?;
        config.ssl_mode(tls.negotiation());
        let (host, _, port) = &hosts[0];
        let description = format!("database `{}` on {}:{port}", printable(&database), printable(host));
        Ok(ServerTarget { config, tls, description })
    }

    /// Host, address and port of every server to try; at least one.
    fn hosts(&self) -> Result<Vec<(String, Option<std::net::IpAddr>, u16)>, String> {
        let list = |name| {
            self.0.get(name).map(|text: &String| text.split(',').map(str::to_owned).collect::<Vec<_>>())
        };
        let addresses = list("hostaddr").unwrap_or_default();
        let names = match list("host") {
            Some(names) => names,
            None if !addresses.is_empty() => addresses.clone(),
            None => vec![String::new()],
        };
        let ports = list("port").unwrap_or_default();
        if !addresses.is_empty() && addresses.len() != names.len()
            || ports.len() > 1 && ports.len() != names.len()
        {
            return Err("the lists of hosts, addresses and ports differ in length".into());
        }
        let port = |i: usize| match ports.get(i).or(ports.first()).map(String::as_str) {
            None | Some("") => Ok(5432),
            Some(text) => text.parse().map_err(|_| format!("`{}` is no port", printable(text))),
        };
        names
            .into_iter()
            .enumerate()
            .map(|(i, name)| {
                let port = port(i)?;
                let address = match addresses.get(i).map(String::as_str) {
                    None | Some("") => None,
                    Some(text) => {
                        Some(text.parse().map_err(|_| format!("`{}` is no address", printable(text)))?)
                    }
                };
                let name = if name.is_empty() { default_host(port) } else { name };
                Ok((name, address, port))
            })
            .collect()
    }

    fn connect_timeout(&self) -> Result<Duration, String> {
        match self.0.get("connect_timeout").map(|text| (text, text.parse::<u64>())) {
            None | Some((_, Ok(0))) => Ok(DEFAULT_CONNECT_TIMEOUT),
            Some((_, Ok(seconds))) => Ok(Duration::from_secs(seconds)),
            Some((text, Err(_))) => Err(format!("`{}` is no number of seconds", printable(text))),
        }
    }

    fn tls(&self, environment: &Environment, local: bool) -> Result<Tls, Unusable> {
        let home = home(environment)?.map(|home| home.join(".postgresql"));
        let file = |name: &str, default: &str| {
            let given = self.0.get(name).map(PathBuf::from);
            given.or_else(|| home.as_ref().map(|home| home.join(default)).filter(|path| path.is_file()))
        };
        let mode = self.0.get("sslmode").map_or(Ok(SslMode::Prefer), |text| {
            SslMode::parse(text).ok_or_else(|| format!("`{}` is no sslmode", printable(text)))
        })?;
        Ok(Tls {
            // libpq does not encrypt unix sockets, whatever the mode.
            mode: if local { SslMode::Disable } else { mode },
            root_certificates: file("sslrootcert", "root.crt"),
            certificate: file("sslcert", "postgresql.crt"),
            key: file("sslkey", "postgresql.key"),
        })
    }
}

/// The first line of the password file that fits.
fn password_of(host: &str, port: u16, database: &str, user: &str, file: &Path) -> Option<String> {
    let metadata = fs::metadata(file).ok()?;
    if metadata.mode() & 0o077 != 0 {
        tracing::warn!("`{}` is ignored: others can read it; chmod it to 0600", file.display());
        return None;
    }
    let host = if host.starts_with('/') { "localhost" } else { host };
    let wanted = [host, &port.to_string(), database, user];
    fs::read_to_string(file).ok()?.lines().find_map(|line| {
        let fields = pgpass_fields(line);
        let (password, keys) = fields.split_last()?;
        let fits =
            keys.len() == 4 && keys.iter().zip(wanted).all(|(key, wanted)| key == "*" || key == wanted);
        fits.then(|| password.clone())
    })
}

/// A local server's socket where there is one, as libpq does it, else localhost.
fn default_host(port: u16) -> String {
    let socket =
        SOCKET_FOLDERS.iter().find(|folder| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists());
    socket.copied().unwrap_or("localhost").to_owned()
}

fn home(environment: &Environment) -> Result<Option<PathBuf>, VariableError> {
    environment.path("HOME")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        Parameters(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn urls_and_keywords_mean_the_same() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("postgres://", &[]),
            ("postgresql://localhost/db", &[("host", "localhost"), ("dbname", "db")]),
            (
                "postgres://me:p%40ss:w@h:5433/my%20db?sslmode=verify-full&sslrootcert=/ca.crt",
                &[
                    ("user", "me"),
                    ("password", "p@ss:w"),
                    ("host", "h"),
                    ("port", "5433"),
                    ("dbname", "my db"),
                    ("sslmode", "verify-full"),
                    ("sslrootcert", "/ca.crt"),
                ],
            ),
            ("postgres://h1:1,h2/db", &[("host", "h1,h2"), ("port", "1,"), ("dbname", "db")]),
            ("postgres://[::1]:5433/", &[("host", "::1"), ("port", "5433")]),
            ("postgres://%2Ftmp%2Fx/db", &[("host", "/tmp/x"), ("dbname", "db")]),
            ("postgres:///db?host=/tmp/x", &[("host", "/tmp/x"), ("dbname", "db")]),
            (
                r"host=h  dbname = 'my \'db\'' password=a\ b",
                &[("host", "h"), ("dbname", "my 'db'"), ("password", "a b")],
            ),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(Parameters::parse(text), Ok(parameters(expected)), "{text}");
        }
        for wrong in [
            "mysql://x",
            "just words",
            "host='x",
            "postgres://h?nonsense=1",
            "postgres://h?x",
            "postgres://%ff",
        ] {
            assert!(Parameters::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_given_comes_from_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let passfile = folder.path().join("pgpass");
        fs::write(&passfile, "# comment\nh:5432:*:other:no\nh:*:*:me:co:lon\\\\ed\n").unwrap();
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&passfile, permissions).unwrap();
        let servicefile = folder.path().join("service");
        fs::write(&servicefile, "[other]\nhost=x\n[mine]\nhost = h\nuser=me\n# c\n[third]\nport=9\n")
            .unwrap();
        let variables = [
            ("PGSERVICEFILE", servicefile.to_str().unwrap()),
            ("PGPASSFILE", passfile.to_str().unwrap()),
            ("PGUSER", "not me: the service wins"),
            ("PGPORT", "6000"),
            ("PGSSLMODE", "disable"),
        ];
        let environment = variables.into_iter().chain([("PGSERVICE", "mine")]).collect();
        assert!(names_a_server(&environment));
        let server = Parameters::default().complete(&environment).unwrap();
        assert_eq!(server.description, "database `me` on h:6000");
        assert_eq!(server.config.get_password(), Some(&b"co:lon\\ed"[..]));
        assert_eq!(server.tls.mode, SslMode::Disable);
        let given = Parameters::parse("postgres://you@g:1/db").unwrap();
        let server = given.complete(&variables.into_iter().collect()).unwrap();
        assert_eq!(server.description, "database `db` on g:1");
    }

    #[test]
    fn nonsense_is_named() {
        let nothing = Environment::default();
        for (text, message) in [
            ("port=x", "`x` is no port"),
            ("sslmode=maybe", "`maybe` is no sslmode"),
            ("connect_timeout=soon", "`soon` is no number of seconds"),
            ("host=a,b port=1,2,3", "the lists of hosts, addresses and ports differ in length"),
            ("hostaddr=localhost", "`localhost` is no address"),
            ("service=none", "there is no service `none` in the service files"),
        ] {
            let problem = Parameters::parse(text).unwrap().complete(&nothing).err();
            assert_eq!(problem, Some(Unusable::Parameters(message.into())), "{text}");
        }
    }
}
