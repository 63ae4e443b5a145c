//! How the server is chosen and reached: the environment, URLs, keywords and service files, lists of
//! hosts, and what is told where none of it leads anywhere.

use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::{
    Database, Files, Finished, OwnServer, STANDBY_PORT, execute, finish, host, sample, server_url, start,
    succeed,
};

/// A variable that is set, but says nothing, must not lead the rows somewhere else.
#[test]
fn a_variable_that_cannot_be_used_is_a_usage_error() {
    let files = Files::new();
    let not_text = || OsString::from_vec(b"/tmp/\xff".to_vec());
    let variables = ["DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "HOST_DATA_DIR"];
    let variables = variables.into_iter().chain(["HOST_PLUGIN_PATH", "HOST_LOG"]);
    let mut cases: Vec<(&str, OsString)> =
        variables.flat_map(|name| [(name, OsString::new()), (name, not_text())]).collect();
    cases.extend([
        ("HOST_DATA_DIR", "relative".into()),
        ("HOST_PLUGIN_PATH", "/absolute:relative".into()),
        ("HOST_LOG", "host=loud".into()),
    ]);
    for (name, value) in cases {
        let mut run = host();
        run.env("HOST_DATA_DIR", files.path()).env(name, &value);
        let finished = finish(run.args(["run", "--plugin", "threshold"]).arg(sample()));
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""), "{name}={value:?}: {finished:?}");
        assert!(finished.stderr.contains(&format!("`{name}`")), "{value:?}: {}", finished.stderr);
    }
    // Nowhere was a server made.
    assert_eq!(std::fs::read_dir(files.path()).unwrap().count(), 0);
}

/// A variable that nobody asks for is nobody's business.
#[test]
fn a_variable_that_is_not_needed_may_be_anything() {
    let mut check = host();
    check.env("DATABASE_URL", "").env("PGHOST", OsStr::new(""));
    let finished = finish(check.args(["check", "--plugin", "threshold"]).arg(sample()));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
}

/// `host runs` on what these variables name.
fn runs(variables: &[(&str, &str)]) -> Finished {
    let files = Files::new();
    let mut runs = host();
    runs.env("HOME", files.path()).env("HOST_DATA_DIR", files.path()).arg("runs");
    finish(runs.envs(variables.iter().copied()))
}

/// A server that answers every login with an error, as a pooler or a server that is starting does.
struct Refusing {
    port: u16,
    /// What it was sent besides requests for TLS.
    received: Arc<Mutex<Vec<u8>>>,
}

impl Refusing {
    fn start(sqlstate: &str, message: &str) -> Refusing {
        let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0");
        Refusing::answering(b'E', fields.as_bytes())
    }

    /// Answers with this message of the protocol.
    fn answering(kind: u8, body: &[u8]) -> Refusing {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        let answer = [[kind].as_slice(), &length, body].concat();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::<Mutex<Vec<u8>>>::default();
        let log = received.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut packet = [0; 4096];
                // A request for TLS has eight bytes; there is none here.
                while let Ok(length @ 1..) = stream.read(&mut packet) {
                    if length == 8 {
                        stream.write_all(b"N").unwrap();
                    } else {
                        log.lock().unwrap().extend(&packet[..length]);
                        stream.write_all(&answer).unwrap();
                        break;
                    }
                }
            }
        });
        Refusing { port, received }
    }

    fn url(&self) -> String {
        format!("postgres://me:secret@127.0.0.1:{}/db", self.port)
    }
}

/// The first of two is a standby: what asks for another kind of server gets it, however it asks.
#[test]
fn a_server_of_the_kind_that_is_wanted_is_found() {
    let primary = OwnServer::new();
    let database = Database::on(primary.start());
    succeed(host().args(["migrate", "--database-url", &database.url()]));
    let _standby = primary.standby();
    let (socket, files) = (primary.socket(), Files::new());
    let socket = socket.to_str().unwrap();
    let name = database.url().rsplit_once('/').unwrap().1.to_owned();
    let both = format!("host={socket},{socket}\nport={STANDBY_PORT},5432\nuser=postgres\ndbname={name}\n");
    let escaped = socket.replace('/', "%2F");
    let services = files.write("services", format!("[both]\n{both}target_session_attrs=read-write\n"));
    let url = format!("postgres://postgres@{escaped}:{STANDBY_PORT},{escaped}:5432/{name}");
    let run = |variables: &[(&str, &str)]| {
        let mut run = host();
        run.envs(variables.iter().copied());
        finish(run.args(["run", "--plugin", "threshold"]).arg(sample()))
    };
    let primary_names = format!("into     database `{name}` on {socket}:5432\n");
    for variables in [
        [("DATABASE_URL", format!("{url}?target_session_attrs=read-write"))].as_slice(),
        &[("DATABASE_URL", format!("{url}?target_session_attrs=primary"))],
        &[("DATABASE_URL", format!("{} target_session_attrs=read-write", both.replace('\n', " ")))],
        &[("DATABASE_URL", url.clone()), ("PGTARGETSESSIONATTRS", "read-write".into())],
        &[("PGSERVICE", "both".into()), ("PGSERVICEFILE", services.to_str().unwrap().into())],
    ] {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let finished = run(&variables);
        assert_eq!(finished.code, 0, "{variables:?}: {}", finished.stderr);
        assert!(finished.stdout.contains(&primary_names), "{variables:?}: {}", finished.stdout);
    }
    assert_eq!(database.counts().2, 5);
    // A standby shows the ledger, too; it is asked first here in any case.
    for wanted in ["standby", "read-only", "prefer-standby", "any"] {
        let finished = run(&[("DATABASE_URL", &url), ("PGTARGETSESSIONATTRS", wanted)]);
        assert_eq!(finished.code, 5, "{wanted}");
        assert!(finished.stderr.contains("it is a standby"), "{wanted}: {}", finished.stderr);
    }
    let only_primary = database.url();
    let unfit = run(&[("DATABASE_URL", &only_primary), ("PGTARGETSESSIONATTRS", "standby")]);
    assert_eq!(unfit.code, 5, "{}", unfit.stderr);
    assert!(unfit.stderr.contains("is not a standby"), "{}", unfit.stderr);
    let preferred = run(&[("DATABASE_URL", &only_primary), ("PGTARGETSESSIONATTRS", "prefer-standby")]);
    assert_eq!(preferred.code, 0, "{}", preferred.stderr);
}

/// What is said names the server that was reached, and all that were not.
#[test]
fn the_server_that_was_reached_is_named() {
    let database = Database::new();
    let (server, name) =
        database.url().rsplit_once('/').map(|(server, name)| (server.to_owned(), name.to_owned())).unwrap();
    let (_, address) = server.rsplit_once('@').unwrap();
    let refusing = Refusing::start("57P03", "the database system is starting up");
    let url = |hosts: &str| format!("postgres://postgres@{hosts}/{name}?connect_timeout=5");
    let unreachable = format!("127.0.0.1:1,no-such-host.invalid,127.0.0.1:{}", refusing.port);
    let mut run = host();
    run.args(["run", "--plugin", "threshold", "--database-url", &url(&format!("{unreachable},{address}"))]);
    let summary = succeed(run.arg(sample()));
    let shown = address.replace("%2F", "/").replace("%2E", ".").replace("%2D", "-");
    let shown =
        if shown.contains(":5432") || !shown.starts_with('/') { shown } else { format!("{shown}:5432") };
    assert!(summary.contains(&format!("into     database `{name}` on {shown}\n")), "{summary}");
    let failed = runs(&[("DATABASE_URL", &url(&unreachable))]);
    assert_eq!(failed.code, 5, "{}", failed.stderr);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"test_\d+_\d+", "[test]");
    settings.add_filter(&refusing.port.to_string(), "[port]");
    settings.add_filter("failed to lookup address information: [^;\n]*", "[not found]");
    settings.bind(|| insta::assert_snapshot!(failed.stderr));
}

/// A server that answers is there: what it says is told, and what to do about it.
#[test]
fn a_server_that_turns_us_away_is_not_said_to_be_down() {
    let database = Database::new();
    let (server, name) =
        database.url().rsplit_once('/').map(|(server, name)| (server.to_owned(), name.to_owned())).unwrap();
    let role = format!("turned_away_{}", std::process::id());
    database.execute(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0"));
    let as_role = database.url().replace("//postgres@", &format!("//{role}@"));
    let told = |name: &str, url: &str| {
        let finished = runs(&[("DATABASE_URL", url)]);
        assert_eq!((finished.code, finished.stdout.as_str()), (5, ""), "{name}: {}", finished.stderr);
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"test_\d+_\d+", "[test]");
        settings.add_filter(&role, "[role]");
        settings.add_filter(r"on \S+:\d+", "on [server]");
        settings.bind(|| insta::assert_snapshot!(format!("turned_away_{name}"), finished.stderr));
    };
    told("no_connections_left", &as_role);
    database.execute(&format!(
        "ALTER ROLE {role} CONNECTION LIMIT -1; REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"
    ));
    told("may_not_connect", &as_role);
    database.execute(&format!("DROP ROLE {role}"));
    execute(&server_url(), &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    told("closed", &database.url());
    execute(&server_url(), &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    told("no_database", &format!("{server}/{name}_not"));
    told("setting", &format!("{}?options=-c%20nonsense%3D1", database.url()));
    let pooler = Refusing::start("08P01", "unsupported startup parameter in options: search_path");
    told("setting_at_pooler", &pooler.url());
    told("not_ready", &Refusing::start("57P03", "the database system is starting up").url());
    told("no_tls", &format!("{}?sslmode=require", pooler.url()));
    // It asks for Kerberos 5, or, as one that wants to know the password would, for it in clear.
    told("other_login", &Refusing::answering(b'R', &[0, 0, 0, 2]).url());
    let in_clear = Refusing::answering(b'R', &[0, 0, 0, 3]);
    told("no_channel_binding", &format!("{}?channel_binding=require", in_clear.url()));
    assert!(!String::from_utf8_lossy(&in_clear.received.lock().unwrap()).contains("secret"));
    told("other", &Refusing::start("XX000", "Tenant or user not found").url());
}

/// Where one server of several has refused the login, no other is sent the password.
#[test]
fn a_refused_login_ends_the_search() {
    let first = Refusing::start("28P01", "password authentication failed for user \"me\"");
    let second = Refusing::start("28P01", "not reached");
    let url = format!("postgres://me:secret@127.0.0.1:{},127.0.0.1:{}/db", first.port, second.port);
    assert_eq!(runs(&[("DATABASE_URL", &url)]).code, 5);
    assert!(!first.received.lock().unwrap().is_empty());
    assert!(second.received.lock().unwrap().is_empty());
}

/// Who may be behind a socket.
#[test]
fn the_peer_that_is_required_is_checked() {
    let server = OwnServer::new();
    let url = server.start();
    let owner = nix::unistd::User::from_uid(std::fs::metadata(server.socket()).unwrap().uid().into())
        .unwrap()
        .unwrap()
        .name;
    let right = runs(&[("DATABASE_URL", &url), ("PGREQUIREPEER", &owner)]);
    assert_eq!(right.code, 0, "{}", right.stderr);
    let wrong = runs(&[("DATABASE_URL", &url), ("PGREQUIREPEER", "nobody-else")]);
    assert_eq!(wrong.code, 5, "{}", wrong.stderr);
    assert!(wrong.stderr.contains(&format!("but as `{owner}`")), "{}", wrong.stderr);
}

/// A variable that restricts is never ignored: nothing was sent to the server.
#[test]
fn a_restriction_that_cannot_be_kept_is_refused() {
    let server = Refusing::start("28P01", "not to be reached");
    for (name, value) in [
        ("PGREQUIREAUTH", "scram-sha-256"),
        ("PGGSSENCMODE", "require"),
        ("PGSSLCRL", "/none"),
        ("PGSSLCERTMODE", "require"),
        ("PGREQUIREPEER", "postgres"),
        ("PGSSLNEGOTIATION", "direct"),
        ("PGCHANNELBINDING", "sometimes"),
        ("PGMINPROTOCOLVERSION", "3.2"),
        ("PGCLIENTENCODING", "LATIN1"),
        ("PGSSLMAXPROTOCOLVERSION", "TLSv1"),
    ] {
        let finished = runs(&[("DATABASE_URL", &server.url()), (name, value)]);
        assert_eq!(finished.code, 2, "{name}: {}", finished.stderr);
        assert!(finished.stderr.contains(&format!("`{name}`")), "{}", finished.stderr);
    }
    assert!(server.received.lock().unwrap().is_empty());
}

/// Neither zero nor more than there is time.
#[test]
fn limits_on_connecting_may_be_extreme() {
    let database = Database::migrated();
    let url = |timeout: &str| format!("{}?connect_timeout={timeout}", database.url());
    assert_eq!(runs(&[("DATABASE_URL", &url("0"))]).code, 0);
    assert_eq!(runs(&[("DATABASE_URL", &url("2147483647"))]).code, 0);
    assert_eq!(runs(&[("DATABASE_URL", &url("18446744073709551616"))]).code, 2);
    let several = url("2147483647").replace('@', "@127.0.0.1:1,");
    assert_eq!(runs(&[("DATABASE_URL", &several)]).code, 0);
    // As many hosts, as many times that.
    let beyond = several.replace("2147483647", "18446744073709551615");
    assert_eq!(runs(&[("DATABASE_URL", &beyond)]).code, 2);
    let mut longest = host();
    longest.args(["runs", "--connect-timeout", "9223372036854775807s", "--database-url", &database.url()]);
    assert_eq!(finish(&mut longest).code, 0);
}

/// What every password here is.
const MARKER: &str = "Zq7xKw2pVt";

/// Whether any four letters of the password are in it.
fn leaks(text: &[u8]) -> bool {
    MARKER.as_bytes().windows(4).any(|piece| text.windows(4).any(|found| found == piece))
}

/// The mistakes that people make with URLs, and those of tools that put them together.
fn broken_urls() -> Vec<String> {
    let (head, tail) = MARKER.split_at(5);
    let mut urls: Vec<String> = "/?#@%:,&=[ \"'\\\n"
        .chars()
        .map(|separator| format!("postgres://bob:{head}{separator}{tail}@127.0.0.1:1/db"))
        .collect();
    urls.extend(
        [
            "postgres://bob:MARKER",
            "postgres://bob:MARKER@",
            "postgres://bob:MARKER:127.0.0.1:1/db",
            "postgres://bob:MARKER/127.0.0.1:1/db",
            "postgres://bob:12345/MARKER@127.0.0.1:1/db",
            "postgres://bob@MARKER@127.0.0.1:1/db",
            "postgres://bob:MARKER@127.0.0.1:one/db",
            "postgres://bob:MARKER@127.0.0.1:1:2/db",
            "postgres://bob:MARKER@[::1/db",
            "postgres://bob:MARKER@127.0.0.1:1/db?sslmodus=require",
            "postgres://bob:MARKER@127.0.0.1:1/db?sslmode=MARKER",
            "postgres://bob:MARKER@127.0.0.1:1/db?MARKER",
            "postgres://bob:MARKER@127.0.0.1:1/db?MARKER=1",
            "postgres://bob:MARKER@127.0.0.1:1/db?connect_timeout=MARKER",
            "postgres://bob:MARKER%zz@127.0.0.1:1/db",
            "postgres:/bob:MARKER@127.0.0.1:1/db",
            "postgres//bob:MARKER@127.0.0.1:1/db",
            "postgers://bob:MARKER@127.0.0.1:1/db",
            "\"postgres://bob:MARKER@127.0.0.1:1/db\"",
            "bob:MARKER@127.0.0.1:1/db",
            "host=127.0.0.1 port=1 user=bob password=MARKER",
            "host=127.0.0.1 password=my MARKER port=1",
            "host=127.0.0.1 password='MARKER port=1",
            "host=127.0.0.1 password MARKER",
            "host=127.0.0.1 pasword=MARKER",
            "host=127.0.0.1 port=1 sslmode=MARKER",
            "MARKER",
        ]
        .map(|url| url.replace("MARKER", MARKER)),
    );
    urls
}

/// No piece of a password is printed, whatever is wrong, however much is logged.
#[test]
fn a_password_is_never_printed() {
    let files = Files::new();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = host();
        command.env("HOME", files.path()).env("HOST_LOG", "trace").env("RUST_LOG", "trace");
        command.env("PGCONNECT_TIMEOUT", "2").env("HOST_DATA_DIR", files.path());
        finish(command.envs(variables.iter().copied()).args(arguments))
    };
    let sample = sample();
    let sample = sample.to_str().unwrap();
    let json = ["run", "--plugin", "threshold", "--format", "json", sample];
    for url in broken_urls() {
        let by_flag = ["run", "--plugin", "threshold", sample, "--database-url", &url];
        // Among them URLs in the wrong place, or of a mistyped flag.
        let mistyped = format!("--database-ur={url}");
        for (arguments, variables) in [
            (by_flag.as_slice(), [].as_slice()),
            (&json, &[("DATABASE_URL", url.as_str())]),
            (&["migrate"], &[("PGDATABASE", &url), ("PGHOST", "127.0.0.1"), ("PGPORT", "1")]),
            (&["runs"], &[("PGHOST", &url)]),
            (&["runs", &mistyped], &[]),
        ] {
            // Such a word is a name, too.
            if url == MARKER && variables.iter().any(|(name, _)| name.starts_with("PG")) {
                continue;
            }
            let finished = run(arguments, variables);
            assert!([2, 5].contains(&finished.code), "{arguments:?} {variables:?}: {finished:?}");
            let said = finished.stdout + &finished.stderr;
            assert!(!leaks(said.as_bytes()), "{arguments:?} {variables:?}: {said}");
        }
    }
    // A whole URL in the place of something else.
    let url = format!("postgres://bob:{MARKER}@127.0.0.1:1/db");
    for arguments in [
        ["run", "--plugin", "threshold", &url].as_slice(),
        &["run", "--plugin", "threshold", "--format", "json", &url],
        &["run", "--plugin", &url, sample],
        &["run", "--plugin", "threshold", "--rejects", &url, sample],
        &["check", "--plugin", "threshold", &url],
        &["runs", &url],
        &["migrate", &url],
        &["verify", "1", &url],
        &["rejects", &url],
        &["plugin", "inspect", &url],
        &[&url],
    ] {
        let finished = run(arguments, &[("DATABASE_URL", "postgres://127.0.0.1:1/db")]);
        assert_ne!(finished.code, 0, "{arguments:?}: {finished:?}");
        let said = finished.stdout + &finished.stderr;
        assert!(!leaks(said.as_bytes()), "{arguments:?}: {said}");
    }
}

/// Nor does it go anywhere else: not into the server's list of sessions, the ledger, or the arguments
/// of the programs that are started.
#[test]
fn a_password_goes_nowhere_else() {
    let database = Database::migrated();
    let files = Files::new();
    // The test server asks for none, so any will do.
    let url = database.url().replace("//postgres@", &format!("//postgres:{MARKER}@"));
    let pipe = files.pipe();
    let mut run = host();
    run.env("HOST_LOG", "trace").args(["run", "--plugin", "threshold", "--database-url", &url]);
    let running = start(run.arg(&pipe));
    let mut input = std::fs::File::options().write(true).open(&pipe).unwrap();
    input.write_all(b"transaction_id,user_id,amount,timestamp\n1,7,900.00,2024-01-01 00:00:00\n").unwrap();
    let ours = "datname = current_database() AND application_name LIKE 'host run%'";
    database.wait_for(&format!("SELECT least(count(*), 1) FROM pg_stat_activity WHERE {ours}"), 1);
    let sessions = database.rows(&format!("SELECT a::text FROM pg_stat_activity a WHERE {ours}"));
    assert!(!leaks(format!("{sessions:?}").as_bytes()), "{sessions:?}");
    let children = std::fs::read_dir("/proc").unwrap().flatten().filter(|process| {
        let status = std::fs::read_to_string(process.path().join("status")).unwrap_or_default();
        status.contains(&format!("\nPPid:\t{}\n", running.id()))
    });
    for child in children {
        let arguments = std::fs::read(child.path().join("cmdline")).unwrap_or_default();
        assert!(!leaks(&arguments), "{}", String::from_utf8_lossy(&arguments));
    }
    drop(input);
    let finished = running.finish();
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(!leaks((finished.stdout + &finished.stderr).as_bytes()));
    for table in ["ingest_runs", "ingest_files", "transactions", "anomalies", "ingest_migrations"] {
        let rows = database.rows(&format!("SELECT t::text FROM {table} t"));
        assert!(!leaks(format!("{rows:?}").as_bytes()), "{table}: {rows:?}");
    }
}
