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
        "a run is using it; it stops when that has ended\n"
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

fn postmaster(folder: &Files) -> String {
    let pid = std::fs::read_to_string(folder.path().join("postgresql/data/postmaster.pid")).unwrap();
    pid.lines().next().unwrap().to_owned()
}

/// As if whoever asked it to stop had been killed after that.
#[test]
fn a_server_that_is_stopping_is_waited_for_and_started_again() {
    let folder = data_folder();
    succeed(&mut host_in(&folder, &["db", "start"]));
    for signal in ["-TERM", "-INT"] {
        // A session that lasts keeps it in that state: a smart shutdown waits for it.
        let mut session = host_in(&folder, &["db", "psql", "-XAtc", "SELECT pg_sleep(1)"]).spawn().unwrap();
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1)'";
        wait_until("the session to begin", || {
            succeed(&mut host_in(&folder, &["db", "psql", "-XAtc", sessions])) != "0\n"
        });
        succeed(Command::new("kill").args([signal, &postmaster(&folder)]));
        run(&folder);
        session.wait().unwrap();
    }
    assert_eq!(count(&folder, "transactions"), "3600");
    succeed(&mut host_in(&folder, &["db", "stop"]));
}

#[test]
fn a_socket_that_is_gone_is_told_and_made_again() {
    let folder = data_folder();
    let socket = folder.path().join("postgresql/socket/.s.PGSQL.5432");
    succeed(&mut host_in(&folder, &["db", "start"]));
    std::fs::remove_file(&socket).unwrap();
    let status = finish(&mut host_in(&folder, &["db", "status"]));
    assert_eq!(status.code, 0);
    assert!(status.stdout.starts_with("running, but its socket is gone"), "{}", status.stdout);
    run(&folder);
    // It still is one that stays.
    let status = succeed(&mut host_in(&folder, &["db", "status"]));
    assert!(status.starts_with("running, until `host db stop`\n"), "{status}");
    std::fs::remove_file(&socket).unwrap();
    assert_eq!(succeed(&mut host_in(&folder, &["db", "stop"])), "stopped\n");
    wait_until_stopped(&folder);
}

#[test]
fn a_folder_may_have_any_name() {
    let folder = data_folder();
    for name in ["it's", "a,b", "$HOME", "with blanks", "\"quoted\"", "`x`", "back\\slash", "ünï"] {
        let data = folder.path().join(name);
        let host_in = |arguments: &[&str]| {
            let mut command = host();
            command.env("HOST_DATA_DIR", &data).args(arguments);
            command
        };
        let query = ["db", "psql", "-XAtc", "SELECT 1"];
        assert_eq!(succeed(&mut host_in(&query)), "1\n", "{name}");
        succeed(host_in(&["run", "--plugin", "threshold"]).arg(sample()));
        wait_until("the server to be stopped", || finish(&mut host_in(&["db", "status"])).code != 0);
    }
}

#[test]
fn only_the_owner_can_lock_its_files() {
    let folder = data_folder();
    let own = folder.path().join("postgresql");
    std::fs::create_dir(&own).unwrap();
    // As an earlier version left it.
    std::fs::set_permissions(&own, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(own.join("control.lock"), "").unwrap();
    run(&folder);
    wait_until_stopped(&folder);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let is_root = nix::unistd::geteuid().is_root();
    assert_eq!(mode(&own), if is_root { 0o711 } else { 0o700 });
    assert_eq!((mode(&own.join("control.lock")), mode(&own.join("users.lock"))), (0o600, 0o600));
}

/// In the temporary folder anybody can be first.
#[test]
fn a_folder_that_somebody_else_made_is_not_used_for_the_socket() {
    let folder = data_folder();
    let deep = folder.path().join("d".repeat(100));
    let db = |what: &str| {
        let mut command = host();
        command.env_remove("XDG_RUNTIME_DIR").env("HOST_DATA_DIR", &deep).args(["db", what]);
        finish(&mut command)
    };
    let status = db("status").stdout;
    let socket =
        status.lines().find_map(|line| line.trim().strip_prefix("socket")).unwrap().trim().to_owned();
    assert!(socket.starts_with("/tmp/host-"), "{socket}");
    let socket = Path::new(&socket);
    let refused = || {
        let finished = db("start");
        assert_eq!(finished.code, 5, "{}", finished.stderr);
        finished.stderr
    };
    // Open to others.
    std::fs::create_dir(socket).unwrap();
    std::fs::set_permissions(socket, PermissionsExt::from_mode(0o777)).unwrap();
    assert!(refused().contains("others may enter it"));
    assert_eq!(std::fs::metadata(socket).unwrap().permissions().mode() & 0o777, 0o777);
    // Somebody else's.
    if nix::unistd::geteuid().is_root() {
        std::fs::set_permissions(socket, PermissionsExt::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(socket, Some(12_345), None).unwrap();
        assert!(refused().contains("it belongs to another user"));
    }
    // A link to a folder that would do.
    std::fs::remove_dir(socket).unwrap();
    let precious = folder.path().join("precious");
    std::fs::create_dir(&precious).unwrap();
    std::fs::set_permissions(&precious, PermissionsExt::from_mode(0o700)).unwrap();
    let owner = |path: &Path| std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(path).unwrap());
    let before = owner(&precious);
    std::os::unix::fs::symlink(&precious, socket).unwrap();
    refused();
    assert_eq!(owner(&precious), before);
    std::fs::remove_file(socket).unwrap();
    assert_eq!(db("start").code, 0);
    assert_eq!(db("stop").code, 0);
    std::fs::remove_dir(socket).unwrap();
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
        refused.stderr.contains("is from PostgreSQL 9, but the installed version is"),
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
