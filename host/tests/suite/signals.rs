//! ^C and `kill`: the run ends in order, says what is in the database, and that is true.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use crate::support::{Database, Files, Running, finish, host, host_run, sample, start, succeed};

/// A run in the middle of its transaction.
fn begun(database: &Database, files: &Files) -> (Running, File) {
    let pipe = files.pipe();
    let run = start(&mut host_run(database, "threshold", &pipe));
    let mut input = File::options().write(true).open(&pipe).unwrap();
    input.write_all(b"transaction_id,user_id,amount,timestamp\n").unwrap();
    for id in 0..50_000 {
        writeln!(input, "{id},7,900.00,2024-01-01 00:00:00").unwrap();
    }
    let copying = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'COPY%' AND state <> 'idle'";
    database.wait_for(copying, 1);
    (run, input)
}

#[test]
fn a_signal_rolls_back_and_says_so() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (database, files) = (Database::migrated(), Files::new());
        let (run, _input) = begun(&database, &files);
        run.signal(signal);
        let finished = run.finish();
        assert_eq!((finished.code, finished.stdout.as_str()), (code, ""), "{}", finished.stderr);
        assert_eq!(database.counts(), (0, 0, 0));
        insta::assert_snapshot!(format!("signal_{signal}"), finished.stderr);
    }
}

/// A COMMIT that takes its time: the first ^C waits for the server's word, the second leaves
/// without it, and says how to ask.
#[test]
fn a_signal_during_commit_does_not_lie() {
    const SLOW: &str = "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_advisory_xact_lock(7); RETURN NEW; END $$;
        CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON ingest_runs DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION dawdle()";
    const COMMITTING: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'COMMIT%' AND wait_event_type = 'Lock'";
    for signals in [1, 2] {
        let database = Database::migrated();
        database.execute(SLOW);
        // Held by a session that sleeps until it is ended.
        let holder = std::thread::spawn({
            let url = database.url();
            move || {
                let mut psql = Command::new(psql());
                let hold = "SELECT pg_advisory_lock(7); SELECT pg_sleep(600)";
                psql.args(["-XAtq", "-c", hold, &url]).output()
            }
        });
        database.wait_for("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted", 1);
        let mut run = start(&mut host_run(&database, "threshold", &sample()));
        database.wait_for(COMMITTING, 1);
        run.signal("INT");
        let release = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE '%pg_sleep(600)' AND pid <> pg_backend_pid()";
        if signals == 1 {
            database.execute(release);
            let finished = run.finish();
            assert_eq!((finished.code, database.counts()), (0, (1_800, 38, 1)), "{}", finished.stderr);
            assert!(finished.stdout.starts_with("committed run 1: "), "{}", finished.stdout);
        } else {
            // Until it ends: signals that come at the same time count as one.
            while !run.has_ended() {
                run.signal("INT");
            }
            let finished = run.finish();
            assert_eq!((finished.code, finished.stdout.as_str()), (6, ""), "{}", finished.stderr);
            let mut settings = insta::Settings::clone_current();
            settings.add_filter("'[0-9a-f]{64}'", "'[sha256]'");
            settings.add_filter(r"'\d+'", "'[transaction]'");
            settings.bind(|| insta::assert_snapshot!("signal_twice_during_commit", finished.stderr));
            // What the message says to ask tells the truth at every moment.
            let query =
                finished.stderr.split_once("ask the database: `").unwrap().1.split_once('`').unwrap().0;
            assert_eq!(database.text(query), "in progress: ask again");
            database.execute(release);
            // The server goes on with what it was told.
            database.wait_for("SELECT count(*) FROM ingest_runs WHERE run_id = 1", 1);
            assert_eq!(database.text(query), "committed");
            // And so does the command that it says to give again.
            let again = finish(host_run(&database, "threshold", &sample()).arg("--once"));
            assert!(again.stdout.starts_with("already ingested by run 1,"), "{again:?}");
            assert_eq!(database.counts(), (1_800, 38, 1));
        }
        holder.join().unwrap().unwrap();
    }
}

fn psql() -> std::path::PathBuf {
    std::path::Path::new(succeed(host().args(["db", "programs"])).trim()).join("psql")
}

/// Whenever the signal comes while the embedded server is made, started and used: no process of
/// it stays behind, and the next run works.
#[test]
fn an_interrupted_embedded_server_leaves_nothing_behind() {
    let mut ended = [0, 0];
    for (signal, hundredths) in [
        ("TERM", 2),
        ("KILL", 4),
        ("TERM", 20),
        ("KILL", 50),
        ("TERM", 90),
        ("KILL", 120),
        ("KILL", 160),
        ("TERM", 200),
    ] {
        let files = Files::new();
        std::fs::set_permissions(files.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut run = Command::new("timeout");
        run.args(["--signal", signal, &format!("{}", f64::from(hundredths) / 100.0)]);
        run.arg(host().get_program()).args(["run", "--plugin", "threshold"]).arg(sample());
        run.env("HOST_DATA_DIR", files.path()).env_remove("DATABASE_URL");
        let code = run.output().unwrap().status.code();
        ended[usize::from(code != Some(0))] += 1;
        let mut again = host();
        again.env("HOST_DATA_DIR", files.path()).args(["run", "--plugin", "threshold"]).arg(sample());
        let finished = finish(&mut again);
        assert_eq!(finished.code, 0, "{signal} after {hundredths} hundredths: {}", finished.stderr);
        // What is left of the server has the folder's name on its command line.
        let folder = files.path().to_str().unwrap();
        while !processes_of(folder).is_empty() {
            std::thread::yield_now();
        }
    }
    assert!(ended[1] > 0, "no signal came in time");
}

/// Processes that were started with this folder.
fn processes_of(folder: &str) -> Vec<String> {
    let is_of = |path: std::path::PathBuf| {
        let command = std::fs::read(path.join("cmdline")).ok()?;
        let text = String::from_utf8_lossy(&command).into_owned();
        text.contains(folder).then_some(text)
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| is_of(entry.path())).collect()
}
