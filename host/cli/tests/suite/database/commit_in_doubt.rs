//! "Committed" is true: whose ledger row it is, what a crash leaves, and which settings of others must
//! not matter.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::{Database, Files, OwnServer, finish, host, host_run, sample, start, succeed};

/// COMMIT waits for an advisory lock, but only that of our runs.
const SLOW_COMMIT: &str = "
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.file_name <> 'another' THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN NEW; END $$;
    CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON ingest_runs DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION dawdle()";
const COMMITTING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'COMMIT%' AND wait_event_type = 'Lock'";
/// Of another host, after a restore for instance, with the number that our run has.
const ANOTHER: &str = "
    INSERT INTO ingest_runs (run_id, file_name, file_bytes, file_sha256, plugin_name, plugin_version, plugin_sha256,
        contract_version, settings, rows_read, rows_written, rows_rejected, anomalies, host_version, started_at,
        committed_at, sha256)
    VALUES (1, 'another', 0, '', '', '', '', '', '{}', 0, 0, 0, 0, '', now(), now(), 'another')";

#[test]
fn another_runs_ledger_row_is_not_ours() {
    let database = Database::migrated();
    database.execute(SLOW_COMMIT);
    let mut run = None;
    crate::support::with_client(&database.url(), async |client| {
        client.batch_execute("SELECT pg_advisory_lock(7)").await.unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                run = Some(start(&mut host_run(&database, "threshold", &sample())));
                database.wait_for(COMMITTING, 1);
                // It waits for what becomes of the row with the same number.
                let another = scope.spawn(|| database.execute(ANOTHER));
                database.wait_for("SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted AND pid <> pg_backend_pid()", 1);
                database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'host run%' AND datname = current_database()");
                another.join().unwrap();
            });
        });
    });
    let finished = run.unwrap().finish();
    assert_eq!(database.text("SELECT file_name FROM ingest_runs WHERE run_id = 1"), "another");
    assert_eq!(database.counts(), (0, 0, 1));
    assert_eq!((finished.code, finished.stdout.as_str()), (5, ""), "{}", finished.stderr);
    assert!(finished.stderr.contains("note: nothing was written"), "{}", finished.stderr);
}

/// The server's default for many: what is lost in a crash had been acknowledged.
#[test]
fn what_was_committed_survives_a_crash_whatever_the_default() {
    let server = OwnServer::new();
    let database = Database::on(server.start());
    succeed(host().args(["migrate", "--database-url", &database.url()]));
    // The server's own writer would save it soon.
    database.execute("ALTER SYSTEM SET wal_writer_delay = '10s'");
    let name = database.text("SELECT current_database()");
    database.execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off; SELECT pg_reload_conf()"));
    for runs in 1..=3 {
        succeed(&mut host_run(&database, "threshold", &sample()));
        server.pg_ctl(&["stop", "--mode", "immediate"]);
        server.start();
        assert_eq!(database.counts(), (runs * 1_800, runs * 38, runs));
    }
}

/// Limits and levels that an administrator has chosen for other programs.
#[test]
fn defaults_of_the_database_do_not_matter() {
    let database = Database::migrated();
    let name = database.text("SELECT current_database()");
    database.execute(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_sleep(0.5); RETURN NULL; END $$;
        CREATE TRIGGER dawdle AFTER INSERT ON anomalies FOR EACH STATEMENT EXECUTE FUNCTION dawdle()",
    );
    for setting in [
        "statement_timeout = '400ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "lock_timeout = '1ms'",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_isolation = 'repeatable read'",
        "\"DateStyle\" = 'SQL, DMY'",
        "\"TimeZone\" = 'Asia/Kolkata'",
        "quote_all_identifiers = on",
    ] {
        let (database, url) = (&database, database.url());
        database.execute(&format!("ALTER DATABASE {name} SET {setting}"));
        let before = database.counts().2;
        let finished = finish(&mut host_run(database, "threshold", &sample()));
        assert_eq!(finished.code, 0, "{setting}: {}", finished.stderr);
        assert_eq!(database.counts().2, before + 1, "{setting}");
        succeed(host().args(["verify", &(before + 1).to_string(), "--database-url", &url]).arg(sample()));
        database.execute(&format!("ALTER DATABASE {name} RESET ALL"));
    }
}

#[test]
fn unlogged_tables_are_named() {
    let database = Database::migrated();
    database.execute("ALTER TABLE anomalies SET UNLOGGED");
    let finished = finish(&mut host_run(&database, "threshold", &sample()));
    assert_eq!(finished.code, 0);
    assert!(
        finished.stderr.contains("what is written to anomalies is lost if the server crashes"),
        "{}",
        finished.stderr
    );
}

#[test]
fn ids_of_64_bits_do_not_wrap() {
    let (database, files) = (Database::migrated(), Files::new());
    database.execute(
        "ALTER TABLE transactions ALTER transaction_id TYPE BIGINT; ALTER TABLE anomalies ALTER transaction_id TYPE BIGINT;
        INSERT INTO transactions VALUES (9223372036854775806, 7, 1, '2024-01-01')",
    );
    let run = |rows: i64| {
        let content = std::fs::read(files.many_rows("rows.csv", 1..rows + 1)).unwrap();
        let mut run = host_run(&database, "threshold", std::path::Path::new("-"));
        let mut run =
            run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut run.stdin.take().unwrap(), &content).unwrap();
        run.wait_with_output().unwrap()
    };
    for rows in [2, 3] {
        let refused = run(rows);
        assert_eq!(refused.status.code(), Some(5), "{refused:?}");
        assert_eq!(database.counts(), (1, 0, 0));
    }
    assert!(run(1).status.success());
    assert_eq!(database.number("SELECT max(transaction_id) FROM transactions"), i64::MAX);
    // And when there is none left at all.
    assert_eq!(run(1).status.code(), Some(5));
    assert_eq!(database.number("SELECT min(transaction_id) FROM transactions"), i64::MAX - 1);
}

/// Whatever times look like there: the session is ended, so that nobody waits for its lock.
#[test]
fn a_statement_that_is_given_up_is_ended() {
    let database = Database::migrated();
    database.execute(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_sleep(600); RETURN NEW; END $$;
        CREATE TRIGGER dawdle BEFORE INSERT ON anomalies FOR EACH ROW EXECUTE FUNCTION dawdle()",
    );
    let url = format!("{}?options=-c%20DateStyle%3DSQL,DMY%20-c%20TimeZone%3DAsia/Kolkata", database.url());
    let mut run = host();
    run.args(["run", "--plugin", "threshold", "--server-timeout", "1s", "--database-url", &url])
        .arg(sample());
    let finished = finish(&mut run);
    assert_eq!(finished.code, 5, "{}", finished.stderr);
    database.wait_for("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'host run%' AND datname = current_database()", 0);
    assert_eq!(database.counts(), (0, 0, 0));
}

/// A role that may connect once cannot ask who holds the lock; that is no reason to give up.
#[test]
fn a_lawful_wait_is_not_a_dead_server() {
    let (database, files) = (Database::migrated(), Files::new());
    let role = format!("only_one_{}", std::process::id());
    database.execute(&format!(
        "CREATE ROLE {role} LOGIN CONNECTION LIMIT 1;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"
    ));
    let url = database.url().replace("postgres@", &format!("{role}@"));
    let file = files.many_rows("rows.csv", 0..10);
    let mut child = None;
    database.while_locked(|| {
        let mut run = host();
        run.args(["-v", "run", "--plugin", "threshold", "--server-timeout", "1s", "--database-url", &url])
            .arg(&file);
        let mut run = run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Each time at least a second passes.
        let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
        let refusals =
            lines.by_ref().map(Result::unwrap).filter(|line| line.contains("could not ask who holds it"));
        assert_eq!(refusals.take(3).count(), 3, "it has given up");
        child = Some((run, lines));
    });
    let (mut run, lines) = child.unwrap();
    let rest: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(run.wait().unwrap().success(), "{rest:?}");
    assert_eq!(database.counts(), (10, 1, 1));
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// As for shared ownership: what a session is, is hidden from the role that it has become.
#[test]
fn a_login_that_becomes_another_role() {
    let database = Database::new();
    let (owner, login) = (format!("owner_{}", std::process::id()), format!("login_{}", std::process::id()));
    let name = database.text("SELECT current_database()");
    database.execute(&format!(
        "CREATE ROLE {owner}; CREATE ROLE {login} LOGIN IN ROLE {owner}; ALTER ROLE {login} SET role = {owner};
        GRANT ALL ON SCHEMA public TO {owner}; GRANT CREATE ON DATABASE {name} TO {owner}"
    ));
    let url = database.url().replace("postgres@", &format!("{login}@"));
    let mut run = host();
    run.args(["run", "--plugin", "threshold", "--defer-keys", "always", "--database-url", &url])
        .arg(sample());
    let finished = finish(&mut run);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.rows(owners), [[owner.clone()]]);
    assert_eq!(database.counts(), (1_800, 38, 1));
    database.execute(&format!(
        "DROP OWNED BY {owner}; DROP OWNED BY {login}; DROP ROLE {login}; DROP ROLE {owner}"
    ));
}
