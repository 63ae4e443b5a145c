//! What was in the database before us: adopted, or refused before the file is read with what to do
//! about it, and then the database is as it was.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Database, Files, Finished, OwnServer, finish, host, host_run, rows, succeed};

/// A table as somebody might make it by hand, but for some columns.
fn by_hand(id: &str, user: &str, amount: &str, timestamp: &str, is_anomalous: &str) -> String {
    format!(
        "CREATE TABLE transactions (transaction_id {id} PRIMARY KEY, user_id {user} NOT NULL, amount {amount} NOT NULL,
            transaction_timestamp {timestamp} NOT NULL, is_anomalous {is_anomalous})"
    )
}

const ANOMALIES: &str =
    "CREATE TABLE anomalies (anomaly_id SERIAL PRIMARY KEY, transaction_id INT UNIQUE NOT NULL,
    user_id INT NOT NULL, amount DECIMAL(10, 2) NOT NULL, transaction_timestamp TIMESTAMP NOT NULL)";

/// Three rows, of which the last is anomalous.
fn three_rows(files: &Files) -> PathBuf {
    files.csv(&[
        "1,7,5.00,2024-01-01 00:00:00",
        "2,8,6.00,2024-01-01 00:00:00.25",
        "3,9,900.00,2024-01-01 00:00:01",
    ])
}

/// All relations that are not PostgreSQL's own.
const RELATIONS: &str =
    "SELECT coalesce(string_agg(relname || relkind::text, ' ' ORDER BY relname), '') FROM pg_class
    WHERE relnamespace = 'public'::regnamespace";

/// As a role that has logged in by itself, without a password.
fn as_role(database: &Database, role: &str) -> String {
    let url = database.url();
    let (scheme, rest) = url.split_once("://").unwrap();
    let after = rest.split_once('@').map_or(rest, |(_, after)| after);
    format!("{scheme}://{role}@{after}")
}

/// A role of this test's own; dropped with all that it has.
struct Role<'a> {
    database: &'a Database,
    name: String,
}

impl<'a> Role<'a> {
    fn new(database: &'a Database) -> Role<'a> {
        // Roles are the whole server's, so they are named after the database.
        let name = database.text("SELECT current_database() || '_app'");
        database.execute(&format!("CREATE ROLE {name} LOGIN"));
        Role { database, name }
    }

    fn url(&self) -> String {
        as_role(self.database, &self.name)
    }

    fn run(&self, file: &std::path::Path) -> Command {
        let mut run = host();
        run.args(["run", "--plugin", "threshold", "--database-url", &self.url()]).arg(file);
        run
    }

    fn anonymous(&self, text: &str) -> String {
        text.replace(&self.url(), "URL").replace(&self.name, "app")
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        self.database.execute(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name));
    }
}

/// A run that must be refused, and must leave the database as it was; returns the message.
fn refused(database: &Database, run: &mut Command) -> String {
    let before = database.text(RELATIONS);
    let Finished { code, stdout, stderr } = finish(run);
    assert_eq!((code, stdout.as_str()), (5, ""), "{stderr}");
    assert_eq!(database.text(RELATIONS), before, "{stderr}");
    database.anonymous(&stderr)
}

/// The first statement that a message's help has.
fn proposed(message: &str) -> &str {
    let help = message.lines().find_map(|line| line.strip_prefix("help: "));
    help.and_then(|help| help.split('`').nth(1)).unwrap_or_else(|| panic!("{message}"))
}

#[test]
fn what_is_in_the_way_is_told_and_nothing_is_made() {
    let other = |table: &str| format!("CREATE TABLE {table} (id SERIAL PRIMARY KEY, started TIMESTAMPTZ)");
    let view = format!(
        "{}; ALTER TABLE transactions RENAME TO tx; CREATE VIEW transactions AS SELECT * FROM tx",
        by_hand("INT", "INT", "NUMERIC(10,2)", "TIMESTAMP", "INT")
    );
    let instead_of = format!(
        "{view}; CREATE FUNCTION ins() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO tx VALUES (new.*); RETURN new; END $$;
        CREATE TRIGGER ins INSTEAD OF INSERT ON transactions FOR EACH ROW EXECUTE FUNCTION ins()"
    );
    let by_month = "CREATE TABLE transactions (transaction_id INT, user_id INT NOT NULL, amount DECIMAL(10, 2) NOT NULL,
        transaction_timestamp TIMESTAMP NOT NULL, is_anomalous INT, PRIMARY KEY (transaction_id, transaction_timestamp))
        PARTITION BY RANGE (transaction_timestamp)";
    let table = |user, amount, timestamp, is_anomalous| by_hand("INT", user, amount, timestamp, is_anomalous);
    let uncounted = format!(
        "{}; {}",
        table("INT", "NUMERIC(10,2)", "TIMESTAMP", "INT"),
        ANOMALIES.replace("SERIAL", "INT")
    );
    let generated = table("INT", "NUMERIC(10,2)", "TIMESTAMP", "INT GENERATED ALWAYS AS (0) STORED");
    let cases = [
        ("ingest_migrations", other("ingest_migrations")),
        ("ingest_runs", other("ingest_runs")),
        ("ingest_files", other("ingest_files")),
        ("rejected_rows", other("rejected_rows")),
        ("skipped_rows", other("skipped_rows")),
        ("anomalies", other("anomalies")),
        ("view", view),
        ("view_with_trigger", instead_of),
        ("sequence", "CREATE SEQUENCE anomalies".into()),
        ("partitioned_by_month", by_month.into()),
        ("amount_narrow", table("INT", "NUMERIC(9,2)", "TIMESTAMP", "INT")),
        ("amount_money", table("INT", "MONEY", "TIMESTAMP", "INT")),
        ("amount_float", table("INT", "DOUBLE PRECISION", "TIMESTAMP", "INT")),
        ("timestamp_with_zone", table("INT", "NUMERIC(10,2)", "TIMESTAMPTZ", "INT")),
        ("timestamp_of_seconds", table("INT", "NUMERIC(10,2)", "TIMESTAMP(0)", "INT")),
        ("flag_boolean", table("INT", "NUMERIC(10,2)", "TIMESTAMP", "BOOLEAN")),
        ("flag_smallint", table("INT", "NUMERIC(10,2)", "TIMESTAMP", "SMALLINT")),
        ("user_text", table("TEXT", "NUMERIC(10,2)", "TIMESTAMP", "INT")),
        ("anomaly_id_uncounted", uncounted),
        ("flag_generated", generated),
        (
            "ids_of_two_widths",
            by_hand("BIGINT", "INT", "NUMERIC(10,2)", "TIMESTAMP", "INT") + ";" + ANOMALIES,
        ),
    ];
    let files = Files::new();
    let file = three_rows(&files);
    for (name, before) in cases {
        let database = Database::new();
        database.execute(&before);
        let message = refused(&database, &mut host_run(&database, "threshold", &file));
        insta::assert_snapshot!(format!("in_the_way_{name}"), message);
    }
}

/// `ALTER …`, as the help has it, is all that it takes.
#[test]
fn the_help_for_a_column_helps() {
    let cases = [
        ("INT", "NUMERIC(9,2)", "TIMESTAMP", "INT"),
        ("INT", "DOUBLE PRECISION", "TIMESTAMP", "INT"),
        ("INT", "NUMERIC(10,2)", "TIMESTAMPTZ", "INT"),
        ("INT", "NUMERIC(10,2)", "TIMESTAMP(0)", "INT"),
        ("INT", "NUMERIC(10,2)", "TIMESTAMP", "BOOLEAN"),
        ("INT", "NUMERIC(10,2)", "TIMESTAMP", "SMALLINT"),
        ("TEXT", "NUMERIC(10,2)", "TIMESTAMP", "INT"),
        ("SMALLINT", "MONEY", "DATE", "TEXT"),
    ];
    let files = Files::new();
    let file = three_rows(&files);
    for (user, amount, timestamp, is_anomalous) in cases {
        let database = Database::new();
        database.execute(&by_hand("INT", user, amount, timestamp, is_anomalous));
        // One column after the other.
        let ended = (0..5).find_map(|_| {
            let finished = finish(&mut host_run(&database, "threshold", &file));
            if finished.code == 0 {
                return Some(finished);
            }
            database.execute(proposed(&finished.stderr));
            None
        });
        assert!(ended.is_some(), "{user} {amount} {timestamp} {is_anomalous}");
        assert_eq!(database.counts(), (3, 1, 1));
    }
}

#[test]
fn wider_columns_are_adopted() {
    let files = Files::new();
    let file = three_rows(&files);
    for (user, amount, is_anomalous) in [
        ("BIGINT", "NUMERIC(12,2)", "BIGINT"),
        ("INT", "NUMERIC(19,4)", "INT"),
        ("user_no", "money2", "INT"),
        ("BIGINT", "NUMERIC", "INT"),
    ] {
        let database = Database::new();
        database.execute("CREATE DOMAIN money1 AS NUMERIC(10,2); CREATE DOMAIN money2 AS money1 CHECK (value >= 0); CREATE DOMAIN user_no AS BIGINT");
        database.execute(&by_hand("INT", user, amount, "TIMESTAMP", is_anomalous));
        let run = succeed(&mut host_run(&database, "threshold", &file));
        let stored = "SELECT transaction_id, user_id, amount::numeric(10,2), transaction_timestamp, is_anomalous FROM transactions ORDER BY 1";
        assert_eq!(
            database.rows(stored),
            [
                ["1", "7", "5.00", "2024-01-01 00:00:00", "0"],
                ["2", "8", "6.00", "2024-01-01 00:00:00.25", "0"],
                ["3", "9", "900.00", "2024-01-01 00:00:01", "1"],
            ],
            "{user} {amount}: {run}"
        );
        succeed(host().args(["verify", "1"]).arg(&file).args(["--database-url", &database.url()]));
        let mut again = host_run(&database, "threshold", &file);
        succeed(again.args(["--ids", "keep", "--on-conflict", "replace"]));
        assert_eq!(
            database.rows(stored)[2],
            ["3", "9", "900.00", "2024-01-01 00:00:01", "1"],
            "{user} {amount}"
        );
        for run in ["1", "2"] {
            succeed(host().args(["verify", run]).arg(&file).args(["--database-url", &database.url()]));
        }
    }
}

#[test]
fn replacing_needs_more_privileges_and_says_which() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = three_rows(&files);
    let role = Role::new(&database);
    database.execute(&format!(
        "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {0}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {0};
        GRANT TRUNCATE ON transactions TO {0}; REVOKE INSERT ON replaced_rows FROM {0}",
        role.name
    ));
    succeed(role.run(&file).args(["--ids", "keep"]));
    let message = refused(&database, role.run(&file).args(["--ids", "keep", "--on-conflict", "replace"]));
    let grants = proposed(&message).to_owned();
    for needed in ["UPDATE ON transactions", "DELETE ON anomalies", "INSERT ON replaced_rows"] {
        assert!(grants.contains(&format!("GRANT {needed} TO ")), "{message}");
    }
    database.execute(&grants);
    succeed(role.run(&file).args(["--ids", "keep", "--on-conflict", "replace"]));
    assert_eq!(database.number("SELECT count(*) FROM replaced_rows"), 3);
}

#[test]
fn recording_feedback_needs_more_privileges_and_says_which() {
    let (database, files) = (Database::migrated(), Files::new());
    succeed(&mut host_run(&database, "threshold", &three_rows(&files)));
    let known = files.write("known.csv", "transaction_id,label\n1,1\n");
    let role = Role::new(&database);
    database.execute(&format!(
        "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {0}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {0};
        GRANT TRUNCATE ON transactions TO {0}; REVOKE ALL ON feedback FROM {0}",
        role.name
    ));
    let record = || {
        let mut command = host();
        command.args(["feedback", "--database-url", &role.url()]).arg(&known);
        command
    };
    let message = refused(&database, &mut record());
    assert!(message.contains("GRANT SELECT, INSERT, UPDATE ON feedback TO "), "{message}");
    database.execute(proposed(&message));
    succeed(&mut record());
}

#[test]
fn an_application_that_counts_ids_itself_goes_on_after_ours() {
    let files = Files::new();
    let file = three_rows(&files);
    let insert = "INSERT INTO transactions (user_id, amount, transaction_timestamp) VALUES (3, 7, now()) RETURNING transaction_id";
    for id in
        ["SERIAL", "INT GENERATED ALWAYS AS IDENTITY", "INT GENERATED BY DEFAULT AS IDENTITY", "BIGSERIAL"]
    {
        let database = Database::new();
        database.execute(&by_hand(id, "INT", "NUMERIC(10,2)", "TIMESTAMP", "INT"));
        if id == "BIGSERIAL" {
            database.execute(&ANOMALIES.replace("transaction_id INT", "transaction_id BIGINT"));
        }
        assert_eq!(database.text(insert), "1", "{id}");
        succeed(&mut host_run(&database, "threshold", &file));
        assert_eq!(database.text(insert), "5", "{id}");
        // Ids that were given away are not ours, whether or not there is a row yet.
        database.execute("SELECT setval(pg_get_serial_sequence('transactions', 'transaction_id'), 100)");
        succeed(&mut host_run(&database, "threshold", &file));
        assert_eq!(database.text(insert), "104", "{id}");
        succeed(
            host_run(&database, "threshold", &files.many_rows("kept.csv", 500..503)).args(["--ids", "keep"]),
        );
        assert_eq!(database.text(insert), "503", "{id}");
        database.execute("TRUNCATE transactions, anomalies RESTART IDENTITY CASCADE");
        succeed(&mut host_run(&database, "threshold", &file));
        assert_eq!(database.text(insert), "4", "{id}");
    }
}

#[test]
fn a_sequence_that_is_behind_after_a_restore_is_moved() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = three_rows(&files);
    succeed(&mut host_run(&database, "threshold", &file));
    database.execute("SELECT setval('anomalies_anomaly_id_seq', 1, false); SELECT setval('ingest_runs_run_id_seq', 1, false)");
    succeed(&mut host_run(&database, "threshold", &file));
    assert_eq!(
        database.rows("SELECT anomaly_id, run_id FROM anomalies ORDER BY 1"),
        [["1", "1"], ["2", "2"]]
    );
}

#[test]
fn an_administrator_grants_what_the_messages_ask_for() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = three_rows(&files);
    let role = Role::new(&database);
    let message = refused(&database, &mut role.run(&file));
    insta::assert_snapshot!("granted", role.anonymous(&message));
    database.execute(proposed(&message));
    succeed(&mut role.run(&file));
    // And each by itself is missed.
    for (what, table) in [
        ("SELECT", "transactions"),
        ("INSERT", "transactions"),
        ("UPDATE", "transactions"),
        ("SELECT", "anomalies"),
        ("INSERT", "anomalies"),
        ("SELECT", "ingest_runs"),
        ("INSERT", "ingest_runs"),
        ("SELECT", "ingest_files"),
        ("INSERT", "ingest_files"),
        ("INSERT", "rejected_rows"),
        ("INSERT", "skipped_rows"),
        ("SELECT", "ingest_migrations"),
        ("USAGE", "SEQUENCE anomalies_anomaly_id_seq"),
        ("USAGE", "SEQUENCE ingest_runs_run_id_seq"),
    ] {
        database.execute(&format!("REVOKE {what} ON {table} FROM {}", role.name));
        let message = refused(&database, &mut role.run(&file));
        assert!(message.contains(&format!("GRANT {what} ON {table} TO")), "{message}");
        database.execute(&format!("GRANT {what} ON {table} TO {}", role.name));
    }
}

#[test]
fn a_role_that_may_make_nothing_is_told_so() {
    let (database, files) = (Database::new(), Files::new());
    let file = three_rows(&files);
    database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let role = Role::new(&database);
    insta::assert_snapshot!("may_not_create", role.anonymous(&refused(&database, &mut role.run(&file))));
    database.execute(&format!("GRANT CREATE ON SCHEMA public TO {}", role.name));
    database.execute(&by_hand("INT", "INT", "NUMERIC(10,2)", "TIMESTAMP", "INT"));
    database.execute(&format!("GRANT ALL ON transactions TO {}", role.name));
    insta::assert_snapshot!("not_the_owner", role.anonymous(&refused(&database, &mut role.run(&file))));
    let nowhere = format!("{}?options=-csearch_path%3Dnowhere", database.url());
    let mut run = host();
    run.args(["run", "--plugin", "threshold", "--database-url", &nowhere]).arg(&file);
    insta::assert_snapshot!("no_schema", refused(&database, &mut run));
}

#[test]
fn row_level_security_is_told() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = three_rows(&files);
    let role = Role::new(&database);
    database.execute(&format!(
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO {0}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {0};
        ALTER TABLE transactions ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON transactions USING (true) WITH CHECK (true)",
        role.name
    ));
    insta::assert_snapshot!("row_security", role.anonymous(&refused(&database, &mut role.run(&file))));
    // Nor is a part of the ledger taken for all of it.
    succeed(&mut host_run(&database, "threshold", &file));
    database.execute("ALTER TABLE ingest_runs ENABLE ROW LEVEL SECURITY");
    let runs = finish(host().args(["runs", "--database-url", &role.url()]));
    assert_eq!((runs.code, runs.stdout.as_str()), (5, ""), "{}", runs.stderr);
    database.execute(&format!("ALTER ROLE {} BYPASSRLS", role.name));
    succeed(&mut role.run(&file));
}

#[test]
fn a_trigger_that_leaves_rows_out_is_found_out_at_the_first_batch() {
    let (database, files) = (Database::migrated(), Files::new());
    database.execute(
        "CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
        CREATE TRIGGER leave_out BEFORE INSERT ON transactions FOR EACH ROW WHEN (new.transaction_id = 2)
            EXECUTE FUNCTION leave_out()",
    );
    // The end of this file is never read.
    let mut text = std::fs::read(files.many_rows("many.csv", 1..500_000)).unwrap();
    text.extend(b"no row\n");
    let file = files.write("many.csv", text);
    let message = refused(&database, host_run(&database, "threshold", &file).args(["--batch-rows", "100"]));
    assert_eq!(database.counts(), (0, 0, 0));
    insta::assert_snapshot!(message);
}

#[test]
fn rules_that_copy_passes_by_are_told_and_others_refused() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = three_rows(&files);
    database.execute("CREATE RULE audit AS ON INSERT TO transactions DO ALSO NOTHING");
    let run = finish(&mut host_run(&database, "threshold", &file));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let (_time, warning) = run.stderr.lines().next().unwrap().split_once("WARN").unwrap();
    insta::assert_snapshot!("rule_on_transactions", warning);
    database.execute("CREATE RULE closed AS ON INSERT TO ingest_runs DO INSTEAD NOTHING");
    insta::assert_snapshot!(
        "rule_on_the_ledger",
        refused(&database, &mut host_run(&database, "threshold", &file))
    );
}

#[test]
fn a_database_of_a_later_host_is_not_touched() {
    let (database, files) = (Database::migrated(), Files::new());
    database
        .execute("INSERT INTO ingest_migrations VALUES (9001, 'wonders', 'abc', '2030-01-01 00:00:00+00')");
    let url = database.url();
    let message = refused(&database, &mut host_run(&database, "threshold", &three_rows(&files)));
    insta::assert_snapshot!("later_migration", message);
    for command in [["runs"].as_slice(), &["rejects", "1"], &["verify", "1", "x.csv"], &["migrate"]] {
        let finished = finish(host().args(command).args(["--database-url", &url]));
        assert_eq!((finished.code, finished.stdout.as_str()), (5, ""), "{command:?}: {}", finished.stderr);
    }
    let status = succeed(host().args(["migrate", "--status", "--database-url", &url]));
    assert!(
        status.ends_with("9001 wonders      applied 2030-01-01 00:00:00+00, by a later host\n"),
        "{status}"
    );
}

#[test]
fn looking_makes_nothing() {
    let (database, files) = (Database::new(), Files::new());
    let url = database.url();
    let looks: [&[&str]; 5] =
        [&["runs"], &["runs", "1"], &["rejects", "1"], &["verify", "1", "x.csv"], &["migrate", "--status"]];
    for look in looks {
        let finished = finish(host().args(look).args(["--database-url", &url]));
        assert_eq!(finished.code, if look.contains(&"1") { 2 } else { 0 }, "{look:?}: {}", finished.stderr);
        assert_eq!(database.text(RELATIONS), "", "{look:?}");
        // Nor is an embedded server.
        let data = files.path().join("data");
        let finished = finish(host().args(look).env("HOST_DATA_DIR", &data));
        assert_eq!(finished.code, if look.contains(&"1") { 2 } else { 0 }, "{look:?}: {}", finished.stderr);
        assert!(!data.join("postgresql").exists(), "{look:?}");
    }
}

#[test]
fn a_role_that_may_only_select_can_look() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = three_rows(&files);
    succeed(&mut host_run(&database, "threshold", &file));
    let role = Role::new(&database);
    database.execute(&format!(
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {0}; ALTER ROLE {0} SET default_transaction_read_only = on",
        role.name
    ));
    for look in
        [["runs"].as_slice(), &["runs", "1"], &["rejects", "1"], &["verify", "1", file.to_str().unwrap()]]
    {
        succeed(host().args(look).args(["--database-url", &role.url()]));
    }
    // What an earlier host has made is not altered by looking.
    database.execute("DELETE FROM ingest_migrations WHERE version = 5");
    let runs = finish(host().args(["runs", "--database-url", &role.url()]));
    assert_eq!(runs.code, 5);
    insta::assert_snapshot!("not_migrated", role.anonymous(&runs.stderr));
}

#[test]
fn a_partition_that_is_not_there_is_told_with_the_row() {
    let (database, files) = (Database::new(), Files::new());
    database.execute(
        "CREATE TABLE transactions (transaction_id INT, user_id INT NOT NULL, amount DECIMAL(10, 2) NOT NULL,
            transaction_timestamp TIMESTAMP NOT NULL, is_anomalous INT, PRIMARY KEY (transaction_id, transaction_timestamp))
            PARTITION BY RANGE (transaction_timestamp);
        CREATE TABLE january PARTITION OF transactions FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
    );
    database.execute(ANOMALIES);
    let file = three_rows(&files);
    succeed(&mut host_run(&database, "threshold", &file));
    succeed(host().args(["verify", "1"]).arg(&file).args(["--database-url", &database.url()]));
    let file = files.csv(&["1,7,5.00,2024-01-31 23:59:59", "2,8,6.00,2024-02-01 00:00:00"]);
    let message = refused(&database, &mut host_run(&database, "threshold", &file));
    assert!(message.contains("file.csv` line 3"), "{message}");
    assert_eq!(database.counts(), (3, 1, 1));
}

/// Where an event trigger forbids a step on the way there or back, the keys stay as they are.
#[test]
fn keys_stay_where_altering_tables_is_forbidden() {
    let cases = [
        "CREATE EVENT TRIGGER no ON ddl_command_start WHEN tag IN ('ALTER TABLE') EXECUTE FUNCTION no()",
        "CREATE EVENT TRIGGER no ON sql_drop EXECUTE FUNCTION no()",
        "CREATE EVENT TRIGGER no ON ddl_command_end EXECUTE FUNCTION no_constraints()",
    ];
    let files = Files::new();
    let file = three_rows(&files);
    for event_trigger in cases {
        let database = Database::migrated();
        database.execute(
            "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no DDL in production'; END $$;
            CREATE FUNCTION no_constraints() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
                IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table constraint')
                    OR current_query() ILIKE '%add constraint%'
                THEN RAISE 'constraints are added by migrations only'; END IF; END $$",
        );
        database.execute(event_trigger);
        succeed(host_run(&database, "threshold", &file).args(["--defer-keys", "always"]));
        assert_eq!(database.counts(), (3, 1, 1), "{event_trigger}");
        assert_eq!(database.number("SELECT count(*) FROM pg_constraint WHERE contype IN ('p', 'u', 'f') AND conrelid IN ('transactions'::regclass, 'anomalies'::regclass)"), 4);
    }
}

#[test]
fn a_database_in_another_encoding_takes_a_good_run() {
    let (server, files) = (OwnServer::new(), Files::new());
    let url = server.start();
    let rows_of_file = std::fs::read_to_string(three_rows(&files)).unwrap();
    for (encoding, stored) in [
        ("LATIN1", "Umsätze <U+2013> <U+20AC> <U+4EA4>.csv"),
        ("WIN1252", "Umsätze <U+2013> <U+20AC> <U+4EA4>.csv"),
        ("EUC_JP", "Ums<U+00E4>tze <U+2013> <U+20AC> <U+4EA4>.csv"),
        ("SQL_ASCII", "Umsätze – € 交.csv"),
    ] {
        let name = format!("in_{}", encoding.to_lowercase());
        crate::support::execute(
            &url,
            &format!(
                "CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            ),
        );
        let url = format!("{}/{name}", url.rsplit_once('/').unwrap().0);
        let file =
            files.write("Umsätze – € 交.csv", format!("{rows_of_file}4,7,€5.00,2024-01-01 00:00:00\n"));
        let mut run = host();
        run.args(["run", "--plugin", "threshold", "--database-url", &url, "--max-rejects", "1"]).arg(&file);
        let finished = finish(&mut run);
        assert_eq!(finished.code, 0, "{encoding}: {}", finished.stderr);
        assert_eq!(
            finished.stderr.contains(&format!("the database is encoded in {encoding}")),
            encoding != "SQL_ASCII",
            "{}",
            finished.stderr
        );
        let names = rows(&url, "SELECT f.name, r.file FROM ingest_files f, rejected_rows r");
        let ends_well = |name: &String| name.ends_with(stored);
        assert!(names.len() == 1 && names[0].iter().all(ends_well), "{encoding}: {names:?}");
        // What is recorded is found again, and is what the digest says.
        succeed(host().args(["verify", "1", "--database-url", &url]).arg(&file));
        succeed(host().args(["runs", "--file", "– €", "--database-url", &url]));
        let again = succeed(
            host()
                .args([
                    "run",
                    "--plugin",
                    "threshold",
                    "--database-url",
                    &url,
                    "--once=all",
                    "--max-rejects",
                    "1",
                ])
                .arg(&file),
        );
        assert!(again.contains("run 1"), "{encoding}: {again}");
    }
}

/// Whatever is left out of the host's own tables is noticed before COMMIT.
#[test]
fn triggers_that_leave_out_rows_of_the_account_are_noticed() {
    let files = Files::new();
    let file = files.csv(&[
        "1,7,5.00,2024-01-01 00:00:00",
        "1,7,5.00,2024-01-01 00:00:00",
        "3,x,9.00,2024-01-01 00:00:01",
    ]);
    for table in ["anomalies", "rejected_rows", "skipped_rows", "ingest_runs", "ingest_files"] {
        let database = Database::migrated();
        database.execute(&format!(
            "CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
            CREATE TRIGGER leave_out BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION leave_out()"
        ));
        let mut run = host_run(&database, "threshold", &file);
        run.args(["--max-rejects", "1", "--ids", "keep", "--on-conflict", "skip", "--set", "limit=1"]);
        let message = refused(&database, &mut run);
        assert!(message.lines().next().unwrap().contains(&format!("`{table}`")), "{message}");
        assert_eq!(database.counts(), (0, 0, 0), "{table}");
    }
}
