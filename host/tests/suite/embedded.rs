//! The embedded server: nothing but the program and PostgreSQL's own programs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Files, finish, host, is_root, sample, succeed, wait_until};

/// A data folder that also the user that the server runs as can reach.
fn data_folder() -> Files {
    let files = Files::new();
    std::fs::set_permissions(files.path(), PermissionsExt::from_mode(0o755)).unwrap();
    files
}

fn host_in(folder: &Files, arguments: &[&str]) -> Command {
    let mut command = host();
    command.env("HOST_DATA_DIR", folder.path()).args(arguments);
    command
}

fn count(folder: &Files, table: &str) -> String {
    let query = format!("SELECT count(*) FROM {table}");
    succeed(&mut host_in(folder, &["db", "psql", "-XAtc", &query])).trim().to_owned()
}

/// What it says, which is 3 as an exit code where the server does not run.
fn status(folder: &Files) -> String {
    let finished = finish(&mut host_in(folder, &["db", "status"]));
    let is_running = finished.stdout.starts_with("running");
    assert_eq!(finished.code, if is_running { 0 } else { 3 }, "{finished:?}");
    finished.stdout
}

/// Waits for the process that stops the server.
fn wait_until_stopped(folder: &Files) {
    wait_until("the server to be stopped", || status(folder).starts_with("stopped\n"));
}

fn run(folder: &Files) -> String {
    let file = sample();
    succeed(&mut host_in(folder, &["run", "--plugin", "threshold.wasm", file.to_str().unwrap()]))
}

#[test]
fn a_run_without_a_server_makes_one_and_leaves_none() {
    let folder = data_folder();
    assert!(status(&folder).starts_with("not created yet\n"));
    run(&folder);
    wait_until_stopped(&folder);
    run(&folder);
    assert_eq!(
        (count(&folder, "transactions").as_str(), count(&folder, "anomalies").as_str()),
        ("3600", "76")
    );
    // As safe as any server.
    assert_eq!(succeed(&mut host_in(&folder, &["db", "psql", "-XAtc", "SHOW fsync"])), "on\n");
    wait_until_stopped(&folder);
}

#[test]
fn a_server_that_was_started_stays_until_it_is_stopped() {
    let folder = data_folder();
    let url = succeed(&mut host_in(&folder, &["db", "start"]));
    assert_eq!(succeed(&mut host_in(&folder, &["db", "url"])), url);
    run(&folder);
    let status = status(&folder);
    assert!(status.starts_with("running, until `host db stop`\n"), "{status}");
    // Any client can use the URL, and so can the host itself.
    let file = sample();
    let mut by_url = host();
    by_url.args(["run", "--database-url", url.trim(), "--plugin", "threshold", file.to_str().unwrap()]);
    succeed(&mut by_url);
    assert_eq!(count(&folder, "transactions"), "3600");
    assert_eq!(succeed(&mut host_in(&folder, &["db", "stop"])), "stopped\n");
    assert_eq!(succeed(&mut host_in(&folder, &["db", "stop"])), "it was not running\n");
    wait_until_stopped(&folder);
}

#[test]
fn a_server_that_is_in_use_is_stopped_afterwards() {
    let folder = data_folder();
    succeed(&mut host_in(&folder, &["db", "start"]));
    let pipe = folder.pipe();
    let child = host_in(&folder, &["run", "--plugin", "threshold", pipe.to_str().unwrap()])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut file = std::fs::File::options().write(true).open(&pipe).unwrap();
    std::io::Write::write_all(
        &mut file,
        b"transaction_id,user_id,amount,timestamp\n1,7,1.00,2024-01-01 00:00:00\n",
    )
    .unwrap();
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'host run %'";
    wait_until("the run's session", || {
        succeed(&mut host_in(&folder, &["db", "psql", "-XAtc", sessions])) == "1\n"
    });
    assert_eq!(
        succeed(&mut host_in(&folder, &["db", "stop"])),
        "a run uses it; it stops when that has ended\n"
    );
    drop(file);
    assert!(child.wait_with_output().unwrap().status.success());
    wait_until_stopped(&folder);
    assert_eq!(count(&folder, "transactions"), "1");
}

#[test]
fn a_server_that_was_killed_is_started_again() {
    let folder = data_folder();
    succeed(&mut host_in(&folder, &["db", "start"]));
    run(&folder);
    let pid_file = folder.path().join("postgresql/data/postmaster.pid");
    let pid = std::fs::read_to_string(&pid_file).unwrap().lines().next().unwrap().to_owned();
    succeed(Command::new("kill").args(["-KILL", &pid]));
    run(&folder);
    assert_eq!(count(&folder, "transactions"), "3600");
    wait_until_stopped(&folder);
}

#[test]
fn psql_takes_what_psql_takes_but_other_servers() {
    let folder = data_folder();
    let database = |arguments: &[&str]| {
        let query = ["-XAtc", "SELECT current_database() || ' ' || current_user"];
        succeed(&mut host_in(&folder, &[&["db", "psql"], arguments, query.as_slice()].concat()))
    };
    assert_eq!(database(&[]), "ecomm_fraud_db postgres\n");
    database(&["-c", "CREATE DATABASE other", "-c", "CREATE ROLE someone LOGIN"]);
    assert_eq!(database(&["-d", "other"]), "other postgres\n");
    let query = "SELECT current_database() || ' ' || current_user";
    let mut named = host_in(&folder, &["db", "psql", "other", "someone", "-XAtc", query]);
    named.env("PGHOST", "absent.invalid").env("PGDATABASE", "absent").env("PGPORT", "1");
    assert_eq!(succeed(&mut named), "other someone\n");
    for elsewhere in [["-h", "127.0.0.1"], ["-d", "postgres://127.0.0.1:1/x"], ["host=127.0.0.1", "-X"]] {
        let refused = finish(&mut host_in(&folder, &[["db", "psql"], elsewhere].concat()));
        assert_eq!(refused.code, 2, "{elsewhere:?}: {}", refused.stderr);
    }
    let failed = finish(&mut host_in(&folder, &["db", "psql", "-XAtc", "nonsense"]));
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("syntax error"), "{}", failed.stderr);
    wait_until_stopped(&folder);
}

#[test]
fn a_long_path_gets_a_short_socket() {
    let folder = data_folder();
    let deep = folder.path().join("d".repeat(100));
    let mut start = host();
    start.env("HOST_DATA_DIR", &deep).args(["db", "start"]);
    let url = succeed(&mut start);
    assert!(url.contains("%2Ftmp%2Fhost%2D"), "{url}");
    let mut stop = host();
    succeed(stop.env("HOST_DATA_DIR", &deep).args(["db", "stop"]));
}

#[test]
fn data_of_another_version_is_refused_by_name() {
    let folder = data_folder();
    succeed(&mut host_in(&folder, &["db", "psql", "-XAtc", "SELECT 1"]));
    wait_until_stopped(&folder);
    std::fs::write(folder.path().join("postgresql/data/PG_VERSION"), "9\n").unwrap();
    let refused = finish(&mut host_in(&folder, &["db", "start"]));
    assert_eq!(refused.code, 5);
    assert!(
        refused.stderr.contains("is of PostgreSQL 9, but the installed version is"),
        "{}",
        refused.stderr
    );
}

/// In the folder that is the user's own where nothing else is said. Root has another, so where the
/// tests run as root, it is somebody else who uses it here.
#[test]
fn not_only_root_can_use_it() {
    use std::os::unix::process::CommandExt as _;

    const NOBODY: u32 = 65_534;
    let folder = data_folder();
    // The build's folder may be closed to others; what the user needs is copied.
    let program = Path::new(env!("CARGO_BIN_EXE_host"));
    std::fs::copy(program, folder.path().join("host")).unwrap();
    std::fs::copy(
        program.with_file_name("plugins").join("threshold.wasm"),
        folder.path().join("threshold.wasm"),
    )
    .unwrap();
    std::fs::copy(sample(), folder.path().join("sample.csv")).unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    if is_root() {
        std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let as_user = |arguments: &[&str]| {
        let mut command = Command::new(folder.path().join("host"));
        command.env_clear().env("PATH", &path).env("HOME", &home).current_dir(folder.path());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        finish(command.args(arguments)).stdout
    };
    let status = as_user(&["db", "status"]);
    assert!(status.contains("/home/.local/share/host/postgresql"), "{status}");
    as_user(&["run", "--plugin", "threshold.wasm", "sample.csv"]);
    assert_eq!(as_user(&["db", "psql", "-XAtc", "SELECT count(*) FROM anomalies"]), "38\n");
    wait_until("the server to be stopped", || as_user(&["db", "status"]).starts_with("stopped\n"));
}
