//! `host watch`: every file is ingested once and moved to where it belongs, whatever happens meanwhile.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::command_line::json::described;
use crate::support::{Database, Files, Finished, OwnServer, finish, host, host_run, succeed, wait_until};

/// A watch that runs while the test goes on. What it says goes to files, so that the test can wait for it.
pub struct Watch {
    child: Child,
    said: Files,
}

impl Watch {
    /// Starts it on a folder, with files that are complete as soon as they have been the same in two looks.
    pub fn start(url: &str, folder: &Path, arguments: &[&str]) -> Watch {
        let said = Files::new();
        let output = |name: &str| Stdio::from(fs::File::create(said.path().join(name)).unwrap());
        let mut command = host();
        command.args(["watch", "--plugin", "threshold", "--database-url", url]).args(arguments).arg(folder);
        if !arguments.contains(&"--done-file") {
            command.args(["--settle", "20ms"]);
        }
        command.stdin(Stdio::null()).stdout(output("stdout")).stderr(output("stderr")).process_group(0);
        Watch { child: command.spawn().unwrap(), said }
    }

    pub fn said(&self, name: &str) -> String {
        fs::read_to_string(self.said.path().join(name)).unwrap()
    }

    pub fn wait_for_stderr(&mut self, text: &str) {
        wait_until(&format!("`{text}` on stderr"), || self.said("stderr").contains(text) || self.has_ended());
        assert!(self.said("stderr").contains(text), "{}", self.said("stderr"));
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn signal(&self, name: &str) {
        succeed(Command::new("kill").args(["-s", name, &self.child.id().to_string()]));
    }

    /// Asks it to end, and waits for that.
    pub fn end(self) -> Finished {
        self.signal("TERM");
        self.finish()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Finished {
        let code = self.child.wait().unwrap().code().unwrap_or(crate::support::KILLED);
        Finished { code, stdout: self.said("stdout"), stderr: self.said("stderr") }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The files below a folder, by name; those that the watch hides are left out.
fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if !entry.file_name().unwrap().to_str().unwrap().starts_with('.') {
                found.push(entry.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn wait_for(folder: &Path, files: &[&str]) {
    wait_until(&format!("{files:?}"), || tree(folder) == files);
}

const HEADER: &str = "transaction_id,user_id,amount,timestamp\n";

fn row(id: u32) -> String {
    format!("{HEADER}{id},7,1.00,2024-01-01 00:00:00\n")
}

#[test]
fn files_go_where_they_belong() {
    let (database, files) = (Database::migrated(), Files::new());
    let inbox = files.path();
    files.write("b-bad.csv", format!("{HEADER}1,7,x,2024-01-01 00:00:00\n"));
    files.many_rows("a.csv", 1..201);
    // The same content as another, and as one that a run has ingested, which was killed before it moved it.
    fs::copy(inbox.join("a.csv"), inbox.join("c-same.csv")).unwrap();
    let ingested = files.gzip("d.csv.gz", row(300).as_bytes());
    succeed(&mut host_run(&database, "threshold", &ingested));
    for other in ["e.csv.tmp", ".f.csv", "notes.txt"] {
        files.write(other, row(400));
    }
    fs::create_dir_all(inbox.join("done")).unwrap();
    files.write("done/a.csv", "of yesterday");
    let mut watch = Watch::start(&database.url(), inbox, &[]);
    let expected = [
        "done/a.1.csv",
        "done/a.csv",
        "done/c-same.csv",
        "done/d.csv.gz",
        "e.csv.tmp",
        "failed/b-bad.csv",
        "failed/b-bad.csv.error.json",
        "failed/b-bad.csv.error.txt",
        "notes.txt",
    ];
    wait_for(inbox, &expected);
    // A file is renamed when it is complete; one that failed is put right and tried again.
    fs::rename(inbox.join("e.csv.tmp"), inbox.join("e.csv")).unwrap();
    wait_until("the renamed file", || inbox.join("done/e.csv").exists());
    fs::remove_file(inbox.join("failed/b-bad.csv")).unwrap();
    files.write("b-bad.csv", row(500));
    wait_until("the one that failed", || inbox.join("done/b-bad.csv").exists());
    assert!(!watch.has_ended());
    let why = fs::read_to_string(inbox.join("failed/b-bad.csv.error.txt")).unwrap();
    let object = described(&fs::read_to_string(inbox.join("failed/b-bad.csv.error.json")).unwrap());
    assert_eq!((&object[0]["run_exit_code"], &object[0]["error"]["kind"]), (&3.into(), &"input_row".into()));
    let finished = watch.end();
    let text = format!("exit code {}\n{}{}", finished.code, finished.stdout, finished.stderr);
    insta::assert_snapshot!("watch", database.anonymous(&files.anonymous(&text)));
    insta::assert_snapshot!("watch_error", files.anonymous(&why));
    assert_eq!(database.counts(), (203, 2, 4));
    assert_eq!(tree(inbox).len(), 9);
}

#[test]
fn a_folder_has_one_watch_and_must_be_one() {
    let (database, files) = (Database::migrated(), Files::new());
    let mut first = Watch::start(&database.url(), files.path(), &[]);
    first.wait_for_stderr("watching");
    let told = |folder: PathBuf, arguments: &[&str]| {
        let finished = Watch::start(&database.url(), &folder, arguments).finish();
        format!("exit code {}\n{}", finished.code, files.anonymous(&finished.stderr))
    };
    let file = files.write("file", "");
    let rejects = files.path().join("rejects");
    let refused = [
        told(files.path().to_owned(), &[]),
        told(files.path().join("absent"), &[]),
        told(file, &[]),
        told(files.path().to_owned(), &["--rejects", rejects.to_str().unwrap()]),
        told(files.path().to_owned(), &["--once=all"]),
        told(files.path().to_owned(), &["--set", "nonsense=1"]),
    ];
    let mut settings = insta::Settings::clone_current();
    settings
        .add_filter(r"process \d+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "process [process] since [time]");
    settings.bind(|| insta::assert_snapshot!("watch_refused", refused.join("\n")));
    // The lock goes with the process, however that ends.
    first.signal("KILL");
    drop(first);
    let second = Watch::start(&database.url(), files.path(), &[]);
    files.write("a.csv", row(1));
    wait_until("the file", || files.path().join("done/a.csv").exists());
    assert_eq!(second.end().code, 0);
}

/// The file stays until the server is there; it is not the file's fault.
#[test]
fn a_server_that_goes_away_is_waited_for() {
    let server = OwnServer::new();
    let url = server.start();
    let files = Files::new();
    let mut watch = Watch::start(&url, files.path(), &["--log-format", "json", "--format", "json"]);
    files.write("a.csv", row(1));
    wait_until("the first file", || files.path().join("done/a.csv").exists());
    server.pg_ctl(&["stop", "--mode", "immediate"]);
    files.write("b.csv", row(2));
    watch.wait_for_stderr("stays, and is tried again in");
    assert!(files.path().join("b.csv").exists());
    server.start();
    wait_until("the second file", || files.path().join("done/b.csv").exists());
    let finished = watch.end();
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let lines = described(&finished.stdout);
    let outcomes: Vec<&Value> = lines.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, [&Value::from("committed"), &"committed".into(), &Value::Null]);
    assert_eq!((&lines[2]["command"], &lines[2]["files_committed"]), (&"watch".into(), &2.into()));
    // Everything on stderr is JSON, too.
    for line in finished.stderr.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for name in ["time", "level", "source", "message"] {
            assert!(line[name].is_string(), "{line}");
        }
    }
}

/// The first request lets the run end, the second does not.
#[test]
fn it_ends_after_the_current_run_or_at_the_second_request() {
    for requests in [1, 2] {
        let (database, files) = (Database::migrated(), Files::new());
        files.write("a.csv", row(1));
        files.write("b.csv", row(2));
        let mut watch = Watch::start(&database.url(), files.path(), &[]);
        let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'transactions'::regclass AND NOT granted
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        database.while_locked(|| {
            database.wait_for(waits, 1);
            watch.signal("TERM");
            watch.wait_for_stderr("will end after this run");
            if requests == 2 {
                watch.signal("TERM");
                wait_until("its end", || watch.has_ended());
            }
        });
        let finished = watch.finish();
        let found = tree(files.path());
        if requests == 1 {
            assert_eq!((finished.code, database.counts()), (0, (1, 0, 1)), "{}", finished.stderr);
            assert_eq!(found, ["b.csv", "done/a.csv"]);
            assert!(
                finished.stdout.ends_with("ended as asked: 1 committed (1 row, 0 anomalies, 0 rejected)\n")
            );
        } else {
            assert_eq!((finished.code, database.counts()), (143, (0, 0, 0)), "{}", finished.stderr);
            assert_eq!(found, ["a.csv", "b.csv"]);
            assert!(finished.stderr.contains("nothing of it was written"), "{}", finished.stderr);
        }
    }
}

/// A sender that is not done although the file seemed complete: what is missing is said, and not taken for a file of
/// its own.
#[test]
fn a_file_that_grows_after_it_was_read_has_failed() {
    const SLOW: &str = "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            LOCK TABLE held; RETURN NEW; END $$;
        CREATE TABLE held (); CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON ingest_runs
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()";
    const COMMITTING: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'COMMIT%' AND wait_event_type = 'Lock'";
    let (database, files) = (Database::migrated(), Files::new());
    database.execute(SLOW);
    let file = files.write("a.csv", row(1));
    let watch = crate::support::with_client(&database.url(), async |client| {
        client.batch_execute("BEGIN; LOCK TABLE held").await.unwrap();
        let watch = Watch::start(&database.url(), files.path(), &[]);
        std::thread::scope(|scope| {
            let grow = scope.spawn(|| {
                database.wait_for(COMMITTING, 1);
                let mut file = fs::File::options().append(true).open(&file).unwrap();
                file.write_all(b"2,7,1.00,2024-01-01 00:00:00\n").unwrap();
            });
            grow.join().unwrap();
        });
        client.batch_execute("ROLLBACK").await.unwrap();
        watch
    });
    wait_for(files.path(), &["failed/a.csv", "failed/a.csv.error.json", "failed/a.csv.error.txt"]);
    let why = fs::read_to_string(files.path().join("failed/a.csv.error.txt")).unwrap();
    insta::assert_snapshot!("watch_grown", files.anonymous(&why));
    assert_eq!((watch.end().code, database.counts()), (0, (1, 0, 1)));
}

#[test]
fn a_mark_says_that_a_file_is_complete() {
    let (database, files) = (Database::migrated(), Files::new());
    files.write("a.csv", row(1));
    files.write("b.csv", row(2));
    files.write("b.csv.done", "");
    let watch = Watch::start(&database.url(), files.path(), &["--done-file", "--poll=20ms"]);
    wait_for(files.path(), &["a.csv", "done/b.csv", "done/b.csv.done"]);
    files.write("a.csv.done", "");
    wait_for(files.path(), &["done/a.csv", "done/a.csv.done", "done/b.csv", "done/b.csv.done"]);
    assert_eq!((watch.end().code, database.counts()), (0, (2, 0, 2)));
}

#[test]
fn prometheus_and_a_hook_are_told() {
    let (database, files) = (Database::migrated(), Files::new());
    let told = files.path().join("told.txt");
    let hook = files.write(
        "hook",
        format!("#!/bin/sh\ncat >> '{}'\n[ ! -e '{}.fail' ]\n", told.display(), told.display()),
    );
    fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
    let inbox = files.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    let arguments = ["--metrics", "127.0.0.1:0", "--hook", hook.to_str().unwrap(), "--max-rejects", "1"];
    let mut watch = Watch::start(&database.url(), &inbox, &arguments);
    watch.wait_for_stderr("watching");
    let stderr = watch.said("stderr");
    let address = stderr.split_once("http://").unwrap().1.split_once('/').unwrap().0.to_owned();
    let get = |path: &str| get(&address, path);
    assert!(get("/healthz").ends_with("\r\n\r\nok\n"), "{}", get("/healthz"));
    let rows = "1,7,900.00,2024-01-01 00:00:00\n2,7,x,2024-01-01 00:00:00\n3,7,1.00,2024-01-01 00:00:00\n";
    fs::write(inbox.join("a.csv"), format!("{HEADER}{rows}")).unwrap();
    wait_until("the first file", || inbox.join("done/a.csv").exists());
    files.write("told.txt.fail", "");
    fs::write(inbox.join("b.csv"), "nothing of use\n").unwrap();
    wait_until("the second file", || inbox.join("failed/b.csv").exists());
    let metric = |name: &str| {
        let text = get("/metrics");
        let line =
            text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    for (name, expected) in [
        ("host_runs_total{outcome=\"committed\"}", 1.0),
        ("host_runs_total{outcome=\"failed\"}", 1.0),
        ("host_rows_total", 2.0),
        ("host_anomalies_total", 1.0),
        ("host_rejected_rows_total", 1.0),
        ("host_files_waiting", 0.0),
        ("host_hook_failures_total", 1.0),
        ("host_run_duration_seconds_count", 2.0),
    ] {
        wait_until(name, || metric(name) == expected);
    }
    assert!(metric("host_last_success_timestamp_seconds") > 1.7e9);
    assert!(get("/").starts_with("HTTP/1.1 404 "));
    // Whoever says nothing or too much does not keep others from an answer.
    let silent = TcpStream::connect(&address).unwrap();
    let mut endless = TcpStream::connect(&address).unwrap();
    let _ = endless.write_all(&vec![b'x'; 100_000]);
    assert!(get("/healthz").starts_with("HTTP/1.1 200 "));
    drop(silent);
    let objects = described(&fs::read_to_string(&told).unwrap());
    let outcomes: Vec<&Value> = objects.iter().map(|object| &object["outcome"]).collect();
    assert_eq!(outcomes, ["committed", "failed"]);
    assert_eq!((&objects[0]["run_id"], &objects[0]["rows_rejected"]), (&1.into(), &1.into()));
    let finished = watch.end();
    assert_eq!(finished.code, 0);
    assert!(finished.stderr.contains("the hook `"), "{}", finished.stderr);
    // An address that is taken is said.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let mut refused = host();
    refused.args(["watch", "--plugin", "threshold", "--metrics", &taken]).arg(&inbox);
    let refused = finish(refused.args(["--database-url", &database.url()]));
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}

/// Also while there is nothing to write.
#[test]
fn a_database_that_goes_away_is_noticed() {
    let (server, files) = (OwnServer::new(), Files::new());
    let url = server.start();
    let mut watch = Watch::start(&url, files.path(), &["--metrics", "127.0.0.1:0", "--poll=20ms"]);
    watch.wait_for_stderr("watching");
    let stderr = watch.said("stderr");
    let address = stderr.split_once("http://").unwrap().1.split_once('/').unwrap().0.to_owned();
    let troubles = || {
        let text = get(&address, "/metrics");
        text.lines().find(|line| line.starts_with("host_troubles ")).unwrap().to_owned()
    };
    server.pg_ctl(&["stop", "--mode", "immediate"]);
    wait_until("the trouble", || troubles() == "host_troubles 1");
    server.start();
    wait_until("the end of it", || troubles() == "host_troubles 0");
    files.write("a.csv", row(1));
    wait_for(files.path(), &["done/a.csv"]);
    let finished = watch.end();
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    // Once, however often it was asked.
    for said in ["nothing has to be written at the moment", "the database answers again"] {
        assert_eq!(finished.stderr.matches(said).count(), 1, "{}", finished.stderr);
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// One that somebody else deletes and makes again is watched again.
#[test]
fn a_folder_that_goes_away_is_waited_for() {
    let (database, files) = (Database::migrated(), Files::new());
    let (inbox, away) = (files.path().join("inbox"), files.path().join("away"));
    fs::create_dir(&inbox).unwrap();
    let mut watch = Watch::start(&database.url(), &inbox, &["--poll=20ms"]);
    watch.wait_for_stderr("watching");
    fs::rename(&inbox, &away).unwrap();
    watch.wait_for_stderr("cannot be listed");
    fs::rename(&away, &inbox).unwrap();
    fs::write(inbox.join("a.csv"), row(1)).unwrap();
    wait_for(&inbox, &["done/a.csv"]);
    assert_eq!(watch.end().code, 0);
}
