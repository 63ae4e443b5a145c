//! Whatever the database does to a run: nothing of it stays, and what happened is told as what it
//! is. (What happens on the way to it is for the fault suite.)

use std::path::Path;
use std::process::Command;

use crate::database::waiting::Waiting;
use crate::support::{
    Database, Files, Finished, OwnServer, STANDBY_PORT, finish, host, host_run, is_root, leave_out, sample,
    start, succeed, wait_until,
};

/// A run that has begun its transaction, and has no rows yet.
fn waiting(database: &Database, files: &Files) -> Waiting {
    let waiting = Waiting::with_header(&mut run_on(&database.url()), files);
    let locked = "SELECT count(*) FROM pg_locks
        WHERE relation = 'transactions'::regclass AND mode = 'ShareRowExclusiveLock' AND granted";
    database.wait_for(locked, 1);
    waiting
}

/// `host run` without a file.
fn run_on(url: &str) -> Command {
    let mut run = host();
    run.args(["run", "--plugin", "threshold", "--database-url", url]);
    run
}

/// For a message of a run whose session is ended at a moment that cannot be chosen to the statement:
/// on a busy machine the host may still have something to ask before it comes to its rows.
fn wherever_it_was() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"could not [^:]+:", "could not [do something]:");
    settings.add_filter(r"note: nothing was written.*", "note: nothing was written");
    settings
}

/// What must hold after any of them; returns the message.
fn failed(database: &Database, files: &Files, finished: &Finished) -> String {
    assert_eq!((finished.code, finished.stdout.as_str()), (5, ""), "{}", finished.stderr);
    assert_eq!(database.counts(), (0, 0, 0));
    files.anonymous(&finished.stderr)
}

#[test]
fn a_session_that_the_administrator_ends() {
    let (database, files) = (Database::migrated(), Files::new());
    let run = waiting(&database, &files);
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'host run %'",
    );
    let message = failed(&database, &files, &run.go_on());
    wherever_it_was().bind(|| insta::assert_snapshot!(message));
}

#[test]
fn a_session_that_was_idle_for_too_long() {
    let (database, files) = (Database::migrated(), Files::new());
    let url = format!("{}?options=-c%20idle_in_transaction_session_timeout%3D50", database.url());
    let mut run = Waiting::with_header(&mut run_on(&url), &files);
    // It has begun (a number that was allotted stays so when the transaction is gone), and is gone.
    let begun = "SELECT count(*) FROM pg_sequences
        WHERE sequencename = 'ingest_runs_run_id_seq' AND last_value IS NOT NULL";
    let sessions = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'host run %'";
    wait_until("the session to be begun and ended", || {
        let is_over = database.number(begun) == 1 && database.number(sessions) == 0;
        is_over || run.running.has_ended()
    });
    let message = failed(&database, &files, &run.go_on());
    wherever_it_was().bind(|| insta::assert_snapshot!(message));
}

#[test]
fn a_statement_that_takes_too_long() {
    let (database, files) = (Database::migrated(), Files::new());
    database.execute(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_sleep(60); RETURN NEW; END $$;
        CREATE TRIGGER dawdle BEFORE INSERT ON anomalies FOR EACH ROW EXECUTE FUNCTION dawdle()",
    );
    // The others take no time at all, or, on a busy machine, less than this.
    let url = format!("{}?options=-c%20statement_timeout%3D5000", database.url());
    let mut run = host();
    run.args(["run", "--plugin", "threshold", "--database-url", &url]).arg(sample());
    insta::assert_snapshot!(failed(&database, &files, &finish(&mut run)));
}

/// Another session locks the tables the other way round.
#[test]
fn a_deadlock() {
    let (database, files) = (Database::migrated(), Files::new());
    let run = Waiting::start(&database, &mut run_on(&database.url()), &files);
    let psql = Path::new(succeed(host().args(["db", "programs"])).trim()).join("psql");
    let mut other = Command::new(psql);
    // It is patient, so that it is the run that is found to be in the way.
    other.args([
        "-XAtq",
        "-c",
        "SET deadlock_timeout = '10min'",
        "-c",
        "BEGIN",
        "-c",
        "LOCK TABLE ingest_files",
    ]);
    let other = start(other.args(["-c", "LOCK TABLE transactions", &database.url()]));
    database.wait_for(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'psql'
            AND query = 'LOCK TABLE transactions' AND wait_event_type = 'Lock'",
        1,
    );
    let finished = run.go_on();
    assert_eq!(other.finish().code, 0);
    let mut settings = insta::Settings::clone_current();
    // Its length depends on the numbers in it.
    settings.add_filter(r"deadlock detected \(.*\); See", "deadlock detected ([who waits for whom]); See");
    settings.bind(|| insta::assert_snapshot!(failed(&database, &files, &finished)));
}

/// A server that is stopped in the middle, in an orderly way; it is up again for the next run.
#[test]
fn a_server_that_is_stopped() {
    let server = OwnServer::new();
    let (database, files) = (Database::on(server.start()), Files::new());
    succeed(host().args(["migrate", "--database-url", &database.url()]));
    let run = waiting(&database, &files);
    server.pg_ctl(&["stop", "--mode", "fast"]);
    let finished = run.go_on();
    server.start();
    let message = failed(&database, &files, &finished);
    // Whether it was up again soon enough to confirm it is of no matter.
    let told = message.split_once("note: ").unwrap();
    assert!(told.1.starts_with("nothing was written"), "{message}");
    wherever_it_was().bind(|| insta::assert_snapshot!(told.0));
    succeed(&mut host_run(&database, "threshold", &sample()));
}

/// A real standby, made by pg_basebackup and kept up to date by its primary.
#[test]
fn a_standby() {
    let primary = OwnServer::new();
    let files = Files::new();
    let database = Database::on(primary.start());
    succeed(host().args(["migrate", "--database-url", &database.url()]));
    let _standby = primary.standby();
    let name = database.url().rsplit_once('/').unwrap().1.to_owned();
    let socket = primary.socket();
    let url = format!("host={} port={STANDBY_PORT} user=postgres dbname={name}", socket.display());
    let mut run = host();
    run.args(["run", "--plugin", "threshold", "--database-url", &url]).arg(sample());
    let refused = finish(&mut run);
    insta::assert_snapshot!(failed(&database, &files, &refused));
}

/// A tablespace on a file system of 4 MiB.
#[test]
fn a_disk_that_is_full() {
    if !is_root() {
        return leave_out("only root can mount a file system of 4 MiB");
    }
    let server = OwnServer::new();
    let url = server.start();
    let disk = server.files.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&disk).output();
    let mounted = mounted.expect("install mount (of util-linux)");
    if !mounted.status.success() {
        // A container's root may not.
        let refusal = String::from_utf8_lossy(&mounted.stderr);
        return leave_out(&format!("a file system of 4 MiB cannot be mounted here: {}", refusal.trim()));
    }
    server.hand_over(&disk);
    let ballast = disk.join("ballast");
    let (database, files) = (Database::on(url), Files::new());
    database.execute(&format!("CREATE TABLESPACE small LOCATION '{}'", disk.display()));
    std::fs::write(&ballast, vec![0; 512 * 1024]).unwrap();
    succeed(host().args(["migrate", "--database-url", &database.url()]));
    database.execute("ALTER TABLE transactions SET TABLESPACE small");
    let file = files.many_rows("many.csv", 0..100_000);
    let refused = finish(&mut host_run(&database, "threshold", &file));
    let message = failed(&database, &files, &refused);
    // What the help says helps: a little space, and then what the run took is given back.
    std::fs::remove_file(&ballast).unwrap();
    database.execute("VACUUM transactions, anomalies");
    succeed(&mut host_run(&database, "threshold", &sample()));
    drop((database, server));
    assert!(Command::new("umount").arg(&disk).status().unwrap().success());
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"pg_tblspc/\S+", "pg_tblspc/[file]");
    settings.add_filter(r"line \d+ \[", "line [n] [");
    settings.bind(|| insta::assert_snapshot!(message));
}

/// Each refuses one row of the sample, or all; the message says which row, where the server does.
#[test]
fn rows_that_the_database_refuses() {
    let trigger = |when: &str| {
        format!(
            "CREATE FUNCTION guard_dog() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF NEW.transaction_id = 1234 THEN RAISE EXCEPTION 'row 1234 is not welcome'; END IF;
                RETURN NEW; END $$;
            CREATE TRIGGER bouncer {when} INSERT ON transactions FOR EACH ROW EXECUTE FUNCTION guard_dog()"
        )
    };
    let at_commit = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'not today'; END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON ingest_runs DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse()";
    let cases = [
        ("check", "ALTER TABLE transactions ADD CONSTRAINT known_users CHECK (transaction_id <> 777)".into()),
        (
            "check_of_anomalies",
            "ALTER TABLE anomalies ADD CONSTRAINT few CHECK (transaction_id < 1700)".into(),
        ),
        (
            "unique",
            "CREATE UNIQUE INDEX one_a_minute ON transactions (transaction_timestamp, user_id);
            ALTER TABLE transactions ADD UNIQUE (amount)"
                .into(),
        ),
        ("trigger_before", trigger("BEFORE")),
        ("trigger_after", trigger("AFTER")),
        ("at_commit", at_commit.into()),
    ];
    for (name, spoil) in cases {
        let (database, files) = (Database::migrated(), Files::new());
        database.execute(&spoil);
        let file = files.write("sample.csv", std::fs::read(sample()).unwrap());
        let refused = finish(&mut host_run(&database, "threshold", &file));
        insta::assert_snapshot!(format!("refused_by_{name}"), failed(&database, &files, &refused));
    }
}

/// A server that takes the connection, and then says nothing.
#[test]
fn a_server_that_does_not_answer() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://me@127.0.0.1:{port}/db");
    let mut run = host();
    run.args(["run", "--plugin", "threshold", "--connect-timeout", "200ms", "--database-url", &url])
        .arg(sample());
    let refused = finish(&mut run);
    assert_eq!((refused.code, refused.stdout.as_str()), (5, ""));
    insta::assert_snapshot!(refused.stderr.replace(&port.to_string(), "[port]"));
}
