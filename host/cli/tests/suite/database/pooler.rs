//! Through PgBouncer in transaction mode, as hosted databases offer it: one transaction has a session
//! to itself, the next may have another.

use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};

use tokio_postgres::config::Host;

use crate::support::{
    Database, Files, execute, finish, host, rows, sample, start, succeed, summary, with_client,
};

/// A PgBouncer in front of the server of these tests.
struct Pooler {
    process: Child,
    files: Files,
}

impl Pooler {
    /// With so many sessions at the server.
    fn start(pool_size: u32) -> Pooler {
        Pooler::configured(pool_size, "")
    }

    /// With these lines besides.
    fn configured(pool_size: u32, settings: &str) -> Pooler {
        let config: tokio_postgres::Config = crate::support::server_url().parse().unwrap();
        let [Host::Unix(socket)] = config.get_hosts() else { panic!("the server listens on a socket") };
        let port = config.get_ports()[0];
        let files = Files::new();
        let folder = files.path();
        files.write(
            "pgbouncer.ini",
            format!(
                "[databases]\n* = host={} port={port} user=postgres\n[pgbouncer]\npool_mode = transaction\n\
                 auth_type = any\nlisten_port = 6432\nunix_socket_dir = {}\ndefault_pool_size = {pool_size}\n\
                 ignore_startup_parameters = extra_float_digits\nlogfile = {}\n{settings}",
                socket.display(),
                folder.display(),
                folder.join("log").display(),
            ),
        );
        // It refuses to be root, and must get at the server's socket.
        let owner = std::fs::metadata(socket).unwrap().uid();
        std::os::unix::fs::chown(folder, Some(owner), None).unwrap();
        let mut command = Command::new("pgbouncer");
        if nix::unistd::Uid::effective().is_root() {
            let owner = nix::unistd::User::from_uid(owner.into()).unwrap().unwrap().name;
            command.args(["-u", &owner]);
        }
        let process = command.arg(folder.join("pgbouncer.ini")).stderr(Stdio::null()).spawn();
        let process = process.expect("install pgbouncer (on Debian or Ubuntu: apt-get install pgbouncer)");
        let pooler = Pooler { process, files };
        crate::support::wait_until("the pooler to listen", || {
            std::os::unix::net::UnixStream::connect(folder_socket(&pooler)).is_ok()
        });
        pooler
    }

    fn url(&self, database: &Database) -> String {
        let name = database.url().rsplit_once('/').unwrap().1.to_owned();
        format!("host={} port=6432 user=postgres dbname={name}", self.files.path().display())
    }
}

fn folder_socket(pooler: &Pooler) -> std::path::PathBuf {
    pooler.files.path().join(".s.PGSQL.6432")
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn on(url: &str, arguments: &[&str]) -> Command {
    let mut command = host();
    command.args(arguments).args(["--database-url", url]);
    command
}

#[test]
fn run_after_run_and_every_other_command() {
    let (database, pooler) = (Database::new(), Pooler::start(1));
    let url = pooler.url(&database);
    for run in 1..=4 {
        let summary = summary(on(&url, &["run", "--plugin", "threshold"]).arg(sample()));
        assert_eq!(summary["run_id"], run);
        succeed(on(&url, &["verify", &run.to_string()]).arg(sample()));
        succeed(&mut on(&url, &["runs"]));
        succeed(&mut on(&url, &["rejects", &run.to_string()]));
        succeed(&mut on(&url, &["migrate", "--status"]));
    }
    let kept = on(&url, &["run", "--plugin", "threshold", "--ids", "keep", "--on-conflict", "skip"])
        .arg(sample())
        .output()
        .unwrap();
    assert!(kept.status.success(), "{kept:?}");
    assert_eq!(database.counts(), (7_200, 152, 5));
}

/// Nobody meets another's statement, and all rows are there.
#[test]
fn many_at_once_through_few_sessions() {
    let (database, pooler) = (Database::migrated(), Pooler::start(3));
    let url = pooler.url(&database);
    for _ in 0..4 {
        let all: Vec<_> = (0..12)
            .map(|i| match i % 3 {
                0 => start(on(&url, &["run", "--plugin", "threshold"]).arg(sample())),
                1 => start(&mut on(&url, &["runs"])),
                _ => start(&mut on(&url, &["migrate", "--status"])),
            })
            .collect();
        for running in all {
            let finished = running.finish();
            assert_eq!(finished.code, 0, "{}", finished.stderr);
        }
    }
    assert_eq!(database.counts(), (16 * 1_800, 16 * 38, 16));
}

/// A run that fails leaves nothing in the session that the next one gets: no lock, no statement.
#[test]
fn a_run_that_fails_leaves_nothing_behind() {
    let (database, pooler) = (Database::migrated(), Pooler::start(1));
    let url = pooler.url(&database);
    let files = Files::new();
    let bad = files.csv(&["1,7,1.00,2024-01-01 00:00:00", "2,7,NaN,2024-01-01 00:00:00"]);
    for _ in 0..3 {
        assert_eq!(finish(on(&url, &["run", "--plugin", "threshold"]).arg(&bad)).code, 3);
        let crash = finish(on(&url, &["run", "--plugin", "hostile", "--set", "mode=panic"]).arg(sample()));
        assert_eq!(crash.code, 4, "{}", crash.stderr);
    }
    succeed(on(&url, &["run", "--plugin", "threshold"]).arg(sample()));
    assert_eq!(database.counts(), (1_800, 38, 1));
}

/// tokio-postgres names its statements s0, s1 and so on, as in every other program that uses it; a run
/// meets none of them, and leaves them as they were.
#[test]
fn statements_of_others_stay_theirs() {
    let (database, pooler) = (Database::migrated(), Pooler::start(1));
    let url = pooler.url(&database);
    for i in 0..20 {
        execute(&url, &format!("PREPARE s{i} AS SELECT {i}"));
    }
    let named = || rows(&url, "SELECT name, statement FROM pg_prepared_statements ORDER BY 1");
    let before = named();
    assert_eq!(before.len(), 20, "{before:?}");
    let files = Files::new();
    let bad = files.csv(&["1,7,1.00,2024-01-01 00:00:00", "2,7,NaN,2024-01-01 00:00:00"]);
    succeed(on(&url, &["run", "--plugin", "threshold"]).arg(sample()));
    assert_eq!(finish(on(&url, &["run", "--plugin", "threshold"]).arg(&bad)).code, 3);
    succeed(&mut on(&url, &["runs"]));
    assert_eq!(named(), before);
    assert_eq!(database.counts(), (1_800, 38, 1));
}

/// The only session is another program's for longer than the pooler lets anybody wait.
#[test]
fn a_pooler_without_a_free_session_is_told_as_that() {
    let (database, pooler) = (Database::migrated(), Pooler::configured(1, "query_wait_timeout = 1\n"));
    let url = pooler.url(&database);
    let refused = with_client(&url, async |client| {
        client.batch_execute("BEGIN").await.unwrap();
        let mut refused = None;
        std::thread::scope(|scope| {
            scope.spawn(|| refused = Some(finish(on(&url, &["run", "--plugin", "threshold"]).arg(sample()))));
        });
        client.batch_execute("COMMIT").await.unwrap();
        refused.unwrap()
    });
    assert_eq!((refused.code, refused.stdout.as_str()), (5, ""), "{}", refused.stderr);
    assert_eq!(database.counts(), (0, 0, 0));
    insta::assert_snapshot!(refused.stderr);
}
