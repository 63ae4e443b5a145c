//! ^C and `kill`: the run ends in order, says what is in the database, and that is true.

use std::process::Command;
use std::time::Instant;

use crate::database::waiting::Waiting;
use crate::support::{Database, Files, Finished, finish, host, host_run, sample, start, succeed, wait_until};

#[test]
fn a_signal_rolls_back_and_says_so() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (database, files) = (Database::migrated(), Files::new());
        let mut run = host();
        run.args(["run", "--plugin", "threshold", "--database-url", &database.url()]);
        let run = Waiting::start(&database, &mut run, &files);
        run.running.signal(signal);
        let finished = run.running.finish();
        assert_eq!((finished.code, finished.stdout.as_str()), (code, ""), "{}", finished.stderr);
        assert_eq!(database.counts(), (0, 0, 0));
        let mut settings = insta::Settings::clone_current();
        // Whoever interrupts is not kept waiting for a server that is slow to confirm it: then we
        // only say that it will be so.
        settings.add_filter(
            "nothing was written: the transaction was never committed, and the server rolls it back",
            "nothing was written; the transaction was rolled back",
        );
        settings.bind(|| insta::assert_snapshot!(format!("signal_{signal}"), finished.stderr));
        // It is in nobody's way.
        succeed(&mut host_run(&database, "threshold", &sample()));
        assert_eq!(database.counts(), (1_800, 38, 1));
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
            wait_until("the end of a run that is interrupted again and again", || {
                run.signal("INT");
                run.has_ended()
            });
            let finished = run.finish();
            assert_eq!((finished.code, finished.stdout.as_str()), (6, ""), "{}", finished.stderr);
            let mut settings = insta::Settings::clone_current();
            settings.add_filter("'[0-9a-f]{64}'", "'[sha256]'");
            settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "[time]");
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

/// Whenever the signal comes while the embedded server is made, started, used and stopped: no
/// process of it stays behind, and the next run works. The moments are parts of the time that an
/// undisturbed run takes on this machine.
#[test]
fn an_interrupted_embedded_server_leaves_nothing_behind() {
    let run = |files: &Files, mut command: Command| {
        std::fs::set_permissions(files.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        command.args(["run", "--plugin", "threshold"]).arg(sample()).env("HOST_DATA_DIR", files.path());
        Finished::of(command.output().unwrap())
    };
    let undisturbed = Files::new();
    let started = Instant::now();
    let finished = run(&undisturbed, host());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let whole = started.elapsed();
    let mut in_time = 0;
    for (signal, percent) in [
        ("TERM", 2),
        ("KILL", 4),
        ("TERM", 20),
        ("KILL", 40),
        ("TERM", 60),
        ("KILL", 75),
        ("KILL", 90),
        ("TERM", 100),
    ] {
        let files = Files::new();
        let seconds = whole.as_secs_f64() * f64::from(percent) / 100.0;
        let mut timeout = Command::new("timeout");
        timeout.args(["--signal", signal, &seconds.to_string()]).arg(host().get_program());
        timeout.env_remove("DATABASE_URL").env_remove("PGHOST");
        in_time += u32::from(run(&files, timeout).code != 0);
        let again = run(&files, host());
        assert_eq!(again.code, 0, "{signal} after {percent} %: {}", again.stderr);
        // What is left of the server works in its folder.
        let folder = files.path().to_str().unwrap();
        wait_until("the end of all processes of the server", || processes_of(folder).is_empty());
    }
    assert!(in_time > 0, "no signal came in time");
    let folder = undisturbed.path().to_str().unwrap();
    wait_until("the end of all processes of the server", || processes_of(folder).is_empty());
}

/// Processes that were started with this folder, or work in it.
fn processes_of(folder: &str) -> Vec<String> {
    let is_of = |path: std::path::PathBuf| {
        let command = std::fs::read(path.join("cmdline")).ok()?;
        let text = String::from_utf8_lossy(&command).into_owned();
        // One that has ended, but was not waited for yet, works nowhere.
        let works_in = std::fs::read_link(path.join("cwd")).unwrap_or_default();
        (text.contains(folder) || works_in.to_string_lossy().contains(folder)).then_some(text)
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| is_of(entry.path())).collect()
}
