//! Tables of what parameters mean, and a search for passwords in the messages about invalid ones.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;
use crate::parameters::known::Use;

fn values(text: &str) -> Result<Vec<(String, String)>, String> {
    let parameters = Parameters::parse(text)?;
    Ok(parameters.0.into_iter().map(|(name, given)| (name, given.value)).collect())
}

fn complete(text: &str) -> Result<ServerTarget, Unusable> {
    Parameters::parse(text)?.complete(&Environment::default())
}

fn problem(text: &str) -> Option<String> {
    match complete(text) {
        Err(Unusable::Parameters(problem)) => Some(problem),
        Err(Unusable::Variable(error)) => panic!("{text}: {error}"),
        Ok(_) => None,
    }
}

#[test]
fn urls_and_keywords_mean_the_same() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("postgres://", &[]),
        ("postgresql://localhost/db", &[("dbname", "db"), ("host", "localhost")]),
        (
            "postgres://me:p%40ss:w@h:5433/my%20db?sslmode=verify-full&sslrootcert=/ca.crt",
            &[
                ("dbname", "my db"),
                ("host", "h"),
                ("password", "p@ss:w"),
                ("port", "5433"),
                ("sslmode", "verify-full"),
                ("sslrootcert", "/ca.crt"),
                ("user", "me"),
            ],
        ),
        ("postgres://h1:1,h2/db\n", &[("dbname", "db"), ("host", "h1,h2"), ("port", "1,")]),
        ("postgres://[::1]:5433/", &[("host", "::1"), ("port", "5433")]),
        ("postgres://%2Ftmp%2Fx/db", &[("dbname", "db"), ("host", "/tmp/x")]),
        ("postgres:///db?host=/tmp/x", &[("dbname", "db"), ("host", "/tmp/x")]),
        ("postgres://h?ssl=true", &[("host", "h"), ("sslmode", "require")]),
        (
            r"host=h  dbname = 'my \'db\'' password=a\ b",
            &[("dbname", "my 'db'"), ("host", "h"), ("password", "a b")],
        ),
    ];
    for (text, expected) in cases {
        let expected = expected.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(values(text), Ok(expected), "{text}");
    }
}

#[test]
fn nonsense_is_named_but_not_quoted() {
    let cases = [
        ("", "it is empty"),
        ("mysql://x", "it does not start with `postgres://`"),
        ("\"postgres://h/db\"", "it is in quotes; leave them out"),
        ("postgres://h/\ndb", "there is a line break in it"),
        (
            "just words",
            "it is neither a URL nor `keyword=value` pairs (a value with blanks must be in single quotes)",
        ),
        (
            "password=two words host=x",
            "it is neither a URL nor `keyword=value` pairs (a value with blanks must be in single quotes)",
        ),
        ("host='x", "a quote in it is not closed"),
        ("postgres://h?sslmod=require", "it has an unknown parameter; did you mean `sslmode`?"),
        ("postgres://h?nonsense=1", "it has an unknown parameter"),
        ("postgres://h?x", "a parameter after `?` has no `=`"),
        ("postgres://%ff", "a %-escape in it is not UTF-8"),
        (
            "postgres://u:%zz@h",
            "a `%` in it is not followed by two hexadecimal digits (other than 00); write `%` itself as `%25`",
        ),
        (
            "postgres://u:%00@h",
            "a `%` in it is not followed by two hexadecimal digits (other than 00); write `%` itself as `%25`",
        ),
        (
            "postgres://u:a@b@h/db",
            "a `@` or `#` is in the wrong place; in a user name, password or other part write `@` as `%40`, `/` as `%2F`, `?` as `%3F`, `#` as `%23`",
        ),
        (
            "postgres://u:a/b@h/db",
            "a `@` or `#` is in the wrong place; in a user name, password or other part write `@` as `%40`, `/` as `%2F`, `?` as `%3F`, `#` as `%23`",
        ),
        (
            "postgres://u:a#b",
            "a `@` or `#` is in the wrong place; in a user name, password or other part write `@` as `%40`, `/` as `%2F`, `?` as `%3F`, `#` as `%23`",
        ),
        (
            "postgres://h/a/b",
            "there is more than one `/` or `?`; in a user name, password or other part write `@` as `%40`, `/` as `%2F`, `?` as `%3F`, `#` as `%23`",
        ),
        ("postgres://[::1", "a `[` in it is not closed"),
        ("port=x", "`port` must be a number from 1 to 65535"),
        ("port=0", "`port` must be a number from 1 to 65535"),
        ("postgres://bob:secret", "`port` must be a number from 1 to 65535"),
        (
            "postgres://bob:secret:5432/db",
            "`host` is neither a name nor an address nor the folder of a socket",
        ),
        ("host=", "`host` is empty"),
        ("dbname=postgres://u:secret@h/db", "`dbname` must be a name, not a URL"),
        (
            "sslmode=maybe",
            "`sslmode` must be `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`",
        ),
        ("sslmode=require sslrootcert=system", "`sslrootcert=system` needs `sslmode=verify-full`"),
        ("sslcert=/c", "`sslcert` needs the key that belongs to it, as `sslkey`"),
        (
            "sslcrl=/c sslmode=require",
            "`sslcrl` needs `sslrootcert` and `sslmode=require` or more: without them no certificate is verified",
        ),
        ("sslnegotiation=direct", "`sslnegotiation=direct` needs `sslmode=require` or more"),
        (
            "ssl_max_protocol_version=TLSv1.1",
            "`ssl_max_protocol_version` must be `TLSv1.2` or `TLSv1.3`, and not below `ssl_min_protocol_version`",
        ),
        (
            "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
            "`ssl_max_protocol_version` must be `TLSv1.2` or `TLSv1.3`, and not below `ssl_min_protocol_version`",
        ),
        ("connect_timeout=soon", "`connect_timeout` must be a whole number from 0 to 2147483647"),
        (
            "connect_timeout=18446744073709551616",
            "`connect_timeout` must be a whole number from 0 to 2147483647",
        ),
        ("keepalives_idle=40000", "`keepalives_idle` must be a whole number from 0 to 32767"),
        ("host=a,b port=1,2,3", "`port` lists 3, but there are 2 hosts"),
        ("host=a,b hostaddr=127.0.0.1", "`hostaddr` lists 1, but there are 2 hosts"),
        ("hostaddr=localhost", "`hostaddr` must be a numeric address"),
        ("service=none", "there is no service `none` in the service files"),
        ("host=127.0.0.1 requirepeer=postgres", "`requirepeer` needs a unix socket as host"),
        (
            "require_auth=scram-sha-256",
            "`require_auth` cannot be used: the host cannot choose how the server asks for the password; to be sure of the server, use sslmode=verify-full or channel_binding=require",
        ),
        (
            "gssencmode=require",
            "`gssencmode` can only be `disable` or `prefer`: the host does not log in or encrypt by GSSAPI",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(problem(text).as_deref(), Some(message), "{text}");
    }
}

/// The parameters of libpq 15 (`PQconndefaults`), each with a value that psql accepts.
const OF_PSQL: [(&str, &str); 40] = [
    ("service", "mine"),
    ("user", "me"),
    ("password", "secret"),
    ("passfile", "/none"),
    ("channel_binding", "require"),
    ("connect_timeout", "5"),
    ("dbname", "db"),
    ("host", "h"),
    ("hostaddr", "127.0.0.1"),
    ("port", "5433"),
    ("client_encoding", "LATIN1"),
    ("options", "-c search_path=x"),
    ("application_name", "me"),
    ("fallback_application_name", "me"),
    ("keepalives", "0"),
    ("keepalives_idle", "60"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "2"),
    ("tcp_user_timeout", "4000"),
    ("sslmode", "require"),
    ("sslcompression", "1"),
    ("sslcert", "/c"),
    ("sslkey", "/k"),
    ("sslpassword", "secret"),
    ("sslrootcert", "/r"),
    ("sslcrl", "/l"),
    ("sslcrldir", "/l"),
    ("sslsni", "0"),
    ("requirepeer", "postgres"),
    ("ssl_min_protocol_version", "TLSv1.3"),
    ("ssl_max_protocol_version", "TLSv1.2"),
    ("gssencmode", "require"),
    ("krbsrvname", "postgres"),
    ("gsslib", "gssapi"),
    ("target_session_attrs", "standby"),
    ("replication", "database"),
    // New in 16 to 18.
    ("load_balance_hosts", "random"),
    ("sslnegotiation", "direct"),
    ("sslcertmode", "require"),
    ("require_auth", "scram-sha-256"),
];

/// Each has an effect, or is refused by name, both as a keyword and as a variable.
#[test]
fn no_parameter_of_psqls_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let services = folder.path().join("services");
    fs::write(&services, "[mine]\nhost=of.service\n").unwrap();
    let base = format!("servicefile='{}' user=u", services.display());
    // What some of them need in addition.
    let besides = |name: &str| match name {
        "passfile" | "service" => "host=h2",
        "sslcrl" | "sslcrldir" => "host=h2 sslmode=require sslrootcert=/r",
        "sslkey" => "host=h2 sslcert=/c",
        "sslcert" => "host=h2 sslkey=/k",
        "requirepeer" => "host=/tmp",
        "sslnegotiation" => "host=h2 sslmode=require",
        "host" | "hostaddr" => "",
        _ => "host=h2",
    };
    let shown = |target: &ServerTarget| {
        let hosts: Vec<_> = target
            .hosts
            .iter()
            .map(|host| (host.name.clone(), host.address, host.port, host.password.clone()))
            .collect();
        format!(
            "{:?} {hosts:?} {:?} {} {:?} {:?} {:?}",
            target.config,
            target.attributes,
            target.is_shuffled,
            target.required_peer,
            target.tls,
            target.config.get_channel_binding(),
        )
    };
    for (name, value) in OF_PSQL {
        let besides = besides(name);
        let without = complete(&format!("{base} {besides}")).map(|target| shown(&target));
        let with = complete(&format!("{base} {besides} {name}='{value}'")).map(|target| shown(&target));
        match (&with, known::find(name).unwrap().use_) {
            (Err(Unusable::Parameters(problem)), Use::Only(..) | Use::Refused(_)) => {
                assert!(problem.starts_with(&format!("`{name}` can")), "{problem}");
            }
            // The file has no line for it, and the service only has a host that is already given.
            (Ok(_), Use::Taken) if ["passfile", "service"].contains(&name) => {}
            (Ok(with), Use::Taken) => assert_ne!(Ok(with), without.as_ref(), "{name}"),
            (with, use_) => panic!("{name}: {with:?}, {use_:?}"),
        }
        let Some(variable) = known::find(name).unwrap().variable else { continue };
        let variables = [(variable, value), ("PGSERVICEFILE", services.to_str().unwrap())];
        let environment = variables.into_iter().collect();
        let by_variable = Parameters::parse(&format!("user=u {besides}"))
            .unwrap()
            .complete(&environment)
            .map(|target| shown(&target));
        match (with, by_variable) {
            (Ok(with), Ok(by_variable)) if name != "user" => assert_eq!(with, by_variable, "{variable}"),
            (Ok(_), Ok(_)) => {}
            (Err(_), Err(Unusable::Variable(error))) => assert_eq!(error.name(), variable),
            (with, by_variable) => panic!("{name}: {with:?}, {by_variable:?}"),
        }
    }
}

#[test]
fn what_is_not_given_comes_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let passfile = folder.path().join("pgpass");
    fs::write(&passfile, "# comment\nh:5432:*:other:no\nh:*:*:me:co:lon\\\\ed\n").unwrap();
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).unwrap();
    let servicefile = folder.path().join("service");
    fs::write(&servicefile, "[other]\nhost=x\n[mine]\nhost = h\nuser=me\n# c\n[third]\nport=9\n").unwrap();
    let variables = [
        ("PGSERVICEFILE", servicefile.to_str().unwrap()),
        ("PGPASSFILE", passfile.to_str().unwrap()),
        ("PGUSER", "not me: the service wins"),
        ("PGPORT", "6000"),
        ("PGSSLMODE", "disable"),
        ("PGTZ", "Europe/Berlin"),
        ("PGDATESTYLE", "SQL, DMY"),
    ];
    let environment = variables.into_iter().chain([("PGSERVICE", "mine")]).collect();
    assert!(names_a_server(&environment));
    let server = Parameters::default().complete(&environment).unwrap();
    assert_eq!(server.hosts[0].description, "the user's database on h:6000");
    assert_eq!(server.hosts[0].password.as_deref(), Some("co:lon\\ed"));
    assert_eq!(server.tls.mode, SslMode::Disable);
    assert_eq!(server.config.get_options(), Some(r"-c datestyle=SQL,\ DMY -c timezone=Europe/Berlin"));
    let given = Parameters::parse("postgres://you@g:1/db").unwrap();
    let server = given.complete(&variables.into_iter().collect()).unwrap();
    assert_eq!(server.hosts[0].description, "database `db` on g:1");
}

#[test]
fn a_service_is_held_to_the_same_rules() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("services");
    let cases = [
        ("nonsense=1", "in the service `s`: it has an unknown parameter"),
        ("service=t", "in the service `s`: it has an unknown parameter; did you mean `service`?"),
        (
            "sslmode=maybe",
            "in the service `s`: `sslmode` must be `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`",
        ),
    ];
    for (line, message) in cases {
        fs::write(&file, format!("[s]\n{line}\n")).unwrap();
        let text = format!("service=s servicefile='{}'", file.display());
        assert_eq!(problem(&text).as_deref(), Some(message), "{line}");
    }
    fs::write(&file, "[s]\nhost\n").unwrap();
    let text = format!("service=s servicefile='{}'", file.display());
    assert!(problem(&text).unwrap().starts_with("line 2 of the service file `"));
    let missing = format!("service=s servicefile='{}'", folder.path().join("none").display());
    assert!(problem(&missing).unwrap().starts_with("could not read the service file `"));
}

#[test]
fn each_host_has_its_own_password() {
    let folder = tempfile::tempdir().unwrap();
    let passfile = folder.path().join("pgpass");
    fs::write(
        &passfile,
        "a:*:*:*:of a\nb:1:*:*:no\nb:2:*:*:of b\n/run/x:*:*:*:of x\nlocalhost:*:*:*:of localhost\n",
    )
    .unwrap();
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!("host=a,b,c,/run/x,/tmp port=1,2,3,4,5 user=u passfile='{}'", passfile.display());
    let passwords: Vec<_> = complete(&text).unwrap().hosts.into_iter().map(|host| host.password).collect();
    let expected = [Some("of a"), Some("of b"), None, Some("of x"), Some("of localhost")];
    assert_eq!(passwords, expected.map(|password| password.map(str::to_owned)));
}

#[test]
fn times_and_counts_are_as_libpq_has_them() {
    let config = |text: &str| complete(&format!("host=h user=u {text}")).unwrap().config;
    assert_eq!(config("").get_connect_timeout(), Some(&DEFAULT_CONNECT_TIMEOUT));
    assert_eq!(config("connect_timeout=0").get_connect_timeout(), None);
    assert_eq!(config("connect_timeout=7").get_connect_timeout(), Some(&Duration::from_secs(7)));
    assert!(!config("keepalives=0").get_keepalives());
    let asked = config(
        "keepalives=1 keepalives_idle=60 keepalives_interval=5 keepalives_count=2 tcp_user_timeout=4000",
    );
    assert!(asked.get_keepalives());
    assert_eq!(asked.get_keepalives_idle(), Duration::from_secs(60));
    assert_eq!(asked.get_keepalives_interval(), Some(Duration::from_secs(5)));
    assert_eq!(asked.get_keepalives_retries(), Some(2));
    assert_eq!(asked.get_tcp_user_timeout(), Some(&Duration::from_secs(4)));
    let left = config("keepalives_idle=0 keepalives_interval=0 keepalives_count=0 tcp_user_timeout=0");
    assert_eq!(left.get_keepalives_idle(), SYSTEM_KEEPALIVES_IDLE);
    assert_eq!((left.get_keepalives_interval(), left.get_keepalives_retries()), (None, None));
    assert_eq!(left.get_tcp_user_timeout(), None);
}

/// What every mutation has in its password.
const MARKER: &str = "Zq7xKw2pVt";

/// URLs and keywords with one to three changes at separators.
fn mutated() -> impl Strategy<Value = String> {
    let texts = [
        format!("postgres://bob:{MARKER}@127.0.0.1:5432/db"),
        format!("postgresql://bob:{MARKER}@127.0.0.1:5432,h2/db?sslmode=require&connect_timeout=5"),
        format!("postgres://127.0.0.1/db?user=bob&password={MARKER}&sslmode=prefer"),
        format!("host=127.0.0.1 user=bob password={MARKER} dbname=db"),
        format!("host=127.0.0.1 password='{MARKER}' dbname=db sslmode=require"),
    ];
    let change = (
        any::<prop::sample::Index>(),
        0..4_u8,
        prop::sample::select("@:/?#%&=' ,[]\"\\".chars().collect::<Vec<_>>()),
    );
    (prop::sample::select(texts.to_vec()), prop::collection::vec(change, 1..4)).prop_map(|(text, changes)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (at, what, character) in changes {
            if characters.is_empty() {
                break;
            }
            let at = at.index(characters.len());
            match what {
                0 => characters.insert(at, character),
                1 => characters[at] = character,
                2 => drop(characters.remove(at)),
                _ => characters.truncate(at),
            }
        }
        characters.into_iter().collect()
    })
}

/// Whether any four consecutive letters of the password are in it.
fn leaks(text: &str) -> bool {
    MARKER.as_bytes().windows(4).any(|piece| text.as_bytes().windows(4).any(|found| found == piece))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_message_has_a_piece_of_the_password(text in mutated()) {
        let said = match complete(&text) {
            Ok(target) => target.hosts.iter().map(|host| host.description.clone()).collect(),
            Err(problem) => format!("{problem:?}"),
        };
        // A changed URL may still be one, with that as its database or host.
        let is_lawful = values(&text).is_ok_and(|values| {
            values.iter().any(|(name, value)| ["dbname", "host"].contains(&name.as_str()) && leaks(value))
        });
        prop_assert!(is_lawful || !leaks(&said), "{text}: {said}");
        let debugged = format!("{:?}", Parameters::parse(&text));
        prop_assert!(!leaks(&debugged), "{debugged}");
    }

    #[test]
    fn no_text_makes_it_panic(text: String) {
        let _ = complete(&text);
    }
}
