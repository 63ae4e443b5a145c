//! `host undo`: everything that a run wrote goes, exactly, and what it had replaced comes back.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Database, Files, Finished, finish, host, host_run, sample, succeed, summary};

/// The tables that runs write to.
const TABLES: [&str; 8] = [
    "transactions",
    "anomalies",
    "rejected_rows",
    "skipped_rows",
    "replaced_rows",
    "kept_columns",
    "detector_states",
    "ingest_files",
];

fn on(database: &Database, arguments: &[&str]) -> Finished {
    finish(host().args(arguments).args(["--database-url", &database.url()]))
}

fn undo(database: &Database, arguments: &[&str]) -> Finished {
    let mut all = vec!["undo", "--yes"];
    all.extend(arguments);
    on(database, &all)
}

fn undone(database: &Database, arguments: &[&str]) -> String {
    let finished = undo(database, arguments);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout
}

/// As people read it: without times and names that are others in every test.
fn told(database: &Database, finished: &Finished) -> String {
    let text = database.anonymous(&format!("{}{}", finished.stdout, finished.stderr));
    let mut shown = String::new();
    for line in text.lines() {
        // A time such as `2024-02-29 23:59:59Z` or with microseconds.
        let mut rest = line;
        while let Some(at) = rest.find(" 20") {
            let (before, time) = rest.split_at(at + 1);
            shown.push_str(before);
            let length = time.find('Z').filter(|end| (19..=26).contains(end)).map(|end| end + 1);
            let (time, after) = time.split_at(length.unwrap_or(2));
            shown.push_str(if length.is_some() { "[time]" } else { time });
            rest = after;
        }
        shown.push_str(rest);
        shown.push('\n');
    }
    shown
}

fn csv(files: &Files, name: &str, lines: &[&str]) -> PathBuf {
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    files.write(name, format!("transaction_id,user_id,amount,timestamp\n{lines}"))
}

fn replace(run: &mut Command) -> &mut Command {
    run.args(["--ids", "keep", "--on-conflict", "replace"])
}

fn verify(database: &Database, run: i64, file: &Path) {
    let verified = on(database, &["verify", &run.to_string(), file.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "run {run}: {}{}", verified.stdout, verified.stderr);
}

/// All rows of the tables, in an order of their own, without what the server numbers.
fn contents(database: &Database) -> Vec<Vec<Vec<String>>> {
    let rows = |table: &&str| {
        let columns = match *table {
            "anomalies" => "transaction_id, user_id, amount, transaction_timestamp, score, reason, run_id",
            _ => "*",
        };
        database.rows(&format!("SELECT {columns} FROM {table} x ORDER BY (x.*)::text"))
    };
    // What an undone run had replaced says who wrote the rows that were put back.
    TABLES.iter().filter(|table| **table != "replaced_rows").map(rows).collect()
}

fn count(database: &Database, table: &str) -> i64 {
    database.number(&format!("SELECT count(*) FROM {table}"))
}

#[test]
fn all_that_a_run_wrote_goes_and_nothing_else() {
    let (database, files) = (Database::migrated(), Files::new());
    let first = files.write("first.csv", std::fs::read(sample()).unwrap());
    succeed(&mut host_run(&database, "threshold", &first));
    let before = contents(&database);
    let lines =
        ["1,7,1.00,2024-01-01 00:00:00", "2,7,900.00,2024-01-01 00:00:00", "3,7,x,2024-01-01 00:00:00"];
    let second = csv(&files, "second.csv", &lines);
    succeed(host_run(&database, "threshold", &second).args(["--max-rejects", "1"]));
    assert_eq!(database.counts(), (1802, 39, 2));

    let finished = undo(&database, &["2"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    insta::assert_snapshot!("undone", told(&database, &finished));
    let mut after = contents(&database);
    // The files stay with the row in the ledger.
    after.last_mut().unwrap().truncate(before.last().unwrap().len());
    assert_eq!(after, before);
    assert_eq!(database.counts(), (1800, 38, 2));
    verify(&database, 1, &first);
    let runs = told(&database, &on(&database, &["runs"]));
    insta::assert_snapshot!("runs", files.anonymous(&runs));
    let page = told(&database, &on(&database, &["runs", "2"]));
    assert!(page.contains("\n  undone     at [time]: nothing of it is there\n"), "{page}");
    let verified = on(&database, &["verify", "2", second.to_str().unwrap()]);
    assert_eq!(verified.code, 5, "{}", verified.stderr);
    insta::assert_snapshot!("verify_undone", told(&database, &verified));
    let again = undo(&database, &["2"]);
    assert_eq!(again.code, 5);
    insta::assert_snapshot!("undone_again", told(&database, &again));
    for listing in ["rejects", "skipped"] {
        assert_eq!(told(&database, &on(&database, &[listing, "2"])), "run 2 was undone at [time]\n");
    }
    assert_eq!(undo(&database, &["7"]).code, 2);
}

/// `--once`, the notice about known files and `host status` take no notice of it.
#[test]
fn it_is_as_if_the_files_had_never_been_ingested() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = csv(&files, "day.csv", &["1,7,1.00,2024-01-01 00:00:00"]);
    let next = csv(&files, "next.csv", &["2,7,1.00,2024-01-02 00:00:00", "3,7,1.00,2024-01-02 00:00:00"]);
    for file in [&day, &next] {
        succeed(&mut host_run(&database, "threshold", file));
    }
    undone(&database, &["2"]);
    let status = on(&database, &["status"]);
    assert!(status.stdout.starts_with("ok: run 1, "), "{}", status.stdout);
    let again = finish(&mut host_run(&database, "threshold", &next));
    assert_eq!((again.code, again.stderr.as_str()), (0, ""));
    undone(&database, &["3"]);
    for once in ["--once=file", "--once=all"] {
        let run = summary(host_run(&database, "threshold", &next).arg(once));
        assert_eq!((&run["already_ingested"], &run["rows_written"]), (&false.into(), &2.into()));
        let run = summary(host_run(&database, "threshold", &next).arg(once));
        assert_eq!(run["already_ingested"], true);
        undone(&database, &[&run["run_id"].to_string()]);
    }
}

/// The ids of an undone run, with and without anomalies; after TRUNCATE … RESTART IDENTITY they begin anew, and
/// only then.
#[test]
fn ids_are_not_given_again_unless_they_are_restarted() {
    let lines = ["1,7,AMOUNT,2024-01-01 00:00:00", "2,7,1.00,2024-01-01 00:00:00"];
    let by_hand = "CREATE TABLE transactions (transaction_id INT PRIMARY KEY, user_id INT NOT NULL,
            amount DECIMAL(10, 2) NOT NULL, transaction_timestamp TIMESTAMP WITHOUT TIME ZONE NOT NULL, is_anomalous INT);
        CREATE TABLE anomalies (ANOMALY_ID, transaction_id INT UNIQUE NOT NULL, user_id INT NOT NULL,
            amount DECIMAL(10, 2) NOT NULL, transaction_timestamp TIMESTAMP WITHOUT TIME ZONE NOT NULL,
            FOREIGN KEY (transaction_id) REFERENCES transactions(transaction_id))";
    let tables = [
        None,
        Some(by_hand.replace("ANOMALY_ID", "anomaly_id SERIAL PRIMARY KEY")),
        Some(by_hand.replace("ANOMALY_ID", "anomaly_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")),
        Some(
            by_hand
                .replace("transaction_id INT PRIMARY", "transaction_id SERIAL PRIMARY")
                .replace("ANOMALY_ID", "anomaly_id INT DEFAULT random() * 1e9"),
        ),
    ];
    for (sql, amount) in tables.iter().flat_map(|sql| [(sql, "1.00"), (sql, "900.00")]) {
        let (database, files) = (Database::new(), Files::new());
        if let Some(sql) = sql {
            database.execute(sql);
        }
        let file = csv(
            &files,
            "day.csv",
            &lines.map(|line| line.replace("AMOUNT", amount)).each_ref().map(String::as_str),
        );
        let run = || {
            let run = summary(&mut host_run(&database, "threshold", &file));
            (run["run_id"].as_i64().unwrap(), run["first_transaction_id"].as_i64().unwrap())
        };
        let told = format!("{sql:?} {amount}");
        assert_eq!(run(), (1, 1), "{told}");
        undone(&database, &["1"]);
        assert_eq!(run(), (2, 3), "nothing is left: {told}");
        assert_eq!(run(), (3, 5), "{told}");
        undone(&database, &["3"]);
        assert_eq!(run(), (4, 7), "something is left: {told}");
        database.execute("DELETE FROM anomalies; DELETE FROM transactions");
        assert!(run().1 >= 7, "{told}");
        undone(&database, &["5"]);
        database.execute("TRUNCATE transactions, anomalies RESTART IDENTITY CASCADE");
        assert_eq!(run(), (6, 1), "emptied: {told}");
        assert_eq!(run().1, 3, "emptied before: {told}");
    }
}

/// Kept ids are the file's own.
#[test]
fn kept_ids_may_come_again() {
    let (database, files) = (Database::migrated(), Files::new());
    let day =
        csv(&files, "day.csv", &["2147483647,7,900.00,2024-01-01 00:00:00", "5,7,1.00,2024-01-01 00:00:00"]);
    for run in ["1", "2"] {
        succeed(host_run(&database, "threshold", &day).args(["--ids", "keep"]));
        undone(&database, &[run]);
        assert_eq!((count(&database, "transactions"), count(&database, "anomalies")), (0, 0));
    }
    let run = summary(&mut host_run(&database, "threshold", &day));
    assert_eq!(run["first_transaction_id"], 1);
    database.execute("TRUNCATE transactions, anomalies RESTART IDENTITY CASCADE");
    let run = summary(&mut host_run(&database, "threshold", &day));
    assert_eq!(run["first_transaction_id"], 1);
}

/// Three runs that replace each other's rows, undone one by one: after each, everything is as it was before that run.
#[test]
fn replaced_rows_are_put_back() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = csv(
        &files,
        "day.csv",
        &["1,7,1.00,2024-01-01 00:00:00", "2,7,900.00,2024-01-01 00:00:01", "3,8,2.00,2024-01-01 00:00:02.5"],
    );
    let first = csv(
        &files,
        "first.csv",
        &["2,7,9.00,2024-01-01 00:00:01", "3,8,800.25,2024-01-01 00:00:02", "4,9,950.00,2024-01-02 00:00:00"],
    );
    let second = csv(&files, "second.csv", &["3,8,3.00,2024-01-01 00:00:02", "4,9,1.00,2024-01-02 00:00:00"]);
    succeed(host_run(&database, "threshold", &day).args(["--ids", "keep"]));
    let of_day = contents(&database);
    succeed(replace(&mut host_run(&database, "threshold", &first)));
    let of_first = contents(&database);
    succeed(replace(&mut host_run(&database, "threshold", &second)));

    let refused = undo(&database, &["1"]);
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("replaced_since", told(&database, &refused));
    let finished = undo(&database, &["3"]);
    insta::assert_snapshot!("put_back", told(&database, &finished));
    let is = |expected: &Vec<Vec<Vec<String>>>| {
        let mut now = contents(&database);
        now.last_mut().unwrap().truncate(expected.last().unwrap().len());
        assert_eq!(now, *expected);
    };
    is(&of_first);
    verify(&database, 2, &first);
    verify(&database, 1, &day);
    // Who wrote what is known again: a later run says so, and what it replaces is told apart.
    let taken = finish(host_run(&database, "threshold", &second).args(["--ids", "keep"]));
    assert!(taken.stderr.contains("is taken: run 2 wrote it"), "{}", taken.stderr);
    succeed(replace(&mut host_run(&database, "threshold", &second)));
    assert_eq!(
        database.rows("SELECT DISTINCT written_by FROM replaced_rows WHERE run_id = (SELECT max(run_id) FROM ingest_runs)"),
        [["2"]]
    );
    verify(&database, 1, &day);
    verify(&database, 2, &first);
    let last = database.text("SELECT max(run_id) FROM ingest_runs");
    undone(&database, &[&last]);
    is(&of_first);
    undone(&database, &["2"]);
    is(&of_day);
    verify(&database, 1, &day);
    undone(&database, &["1"]);
    assert_eq!((count(&database, "transactions"), count(&database, "anomalies")), (0, 0));
}

/// The same in one transaction.
#[test]
fn runs_that_replaced_rows_go_along_with_cascade() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = |name: &str, amount: &str| {
        csv(
            &files,
            name,
            &[&format!("1,7,{amount},2024-01-01 00:00:00"), &format!("2,8,{amount},2024-01-01 00:00:00")],
        )
    };
    let [a, b, c] =
        [("a", "900.00"), ("b", "2.00"), ("c", "901.00")].map(|(name, amount)| file(name, amount));
    succeed(host_run(&database, "threshold", &a).args(["--ids", "keep"]));
    let of_first = contents(&database);
    succeed(replace(&mut host_run(&database, "threshold", &b)));
    succeed(replace(&mut host_run(&database, "threshold", &c)));
    let json: Value =
        serde_json::from_str(&undone(&database, &["2", "--cascade", "--format", "json"])).unwrap();
    let runs: Vec<i64> =
        json["runs"].as_array().unwrap().iter().map(|run| run["run_id"].as_i64().unwrap()).collect();
    assert_eq!(runs, [3, 2]);
    assert_eq!(json["runs"][1]["transactions_put_back"], 2);
    let mut now = contents(&database);
    now.last_mut().unwrap().truncate(1);
    assert_eq!(now, of_first);
    verify(&database, 1, &a);
    // They are the first run's again, so it can be undone, too.
    undone(&database, &["1"]);
    assert_eq!((count(&database, "transactions"), count(&database, "anomalies")), (0, 0));
}

/// A run by a detector with a state, as the ledger has it.
fn continue_state(database: &Database, run: i64, predecessor: &str) {
    database.execute(&format!(
        "UPDATE ingest_runs SET state = 's', state_predecessor = {predecessor}, state_entries = 2, sha256 = NULL WHERE run_id = {run};
        INSERT INTO detector_states VALUES ({run}, NULL, 'x'), ({run}, {run}, 'y')"
    ));
    // The ledger row has another xmin now, as if nobody had written the rows.
    database.execute(&format!(
        "UPDATE anomalies SET run_id = run_id WHERE run_id = {run};
        WITH r AS (UPDATE ingest_runs SET source = source WHERE run_id = {run} RETURNING *),
            a AS (UPDATE anomalies SET run_id = run_id WHERE run_id = {run})
        UPDATE transactions SET user_id = user_id FROM r WHERE transaction_id BETWEEN first_transaction_id AND last_transaction_id"
    ));
}

#[test]
fn runs_that_continued_its_state_go_along_with_cascade() {
    let (database, files) = (Database::migrated(), Files::new());
    for run in 1..=4 {
        let file = csv(&files, &format!("{run}.csv"), &[&format!("{run},7,900.00,2024-01-01 00:00:00")]);
        succeed(&mut host_run(&database, "threshold", &file));
        let predecessor = match run {
            1 | 4 => "NULL".into(),
            run => (run - 1).to_string(),
        };
        continue_state(&database, run, &predecessor);
    }
    let refused = undo(&database, &["1"]);
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("continued", told(&database, &refused));
    assert_eq!(database.counts(), (4, 4, 4));
    let finished = undo(&database, &["2", "--cascade"]);
    insta::assert_snapshot!("cascade", told(&database, &finished));
    assert_eq!(database.rows("SELECT DISTINCT run_id FROM detector_states ORDER BY 1"), [["1"], ["4"]]);
    assert_eq!(database.rows("SELECT transaction_id FROM transactions ORDER BY 1"), [["1"], ["4"]]);
    assert_eq!(
        database.rows("SELECT run_id FROM ingest_runs WHERE undone_at IS NULL ORDER BY 1"),
        [["1"], ["4"]]
    );
}

#[test]
fn a_state_that_was_merged_stays() {
    let (database, files) = (Database::migrated(), Files::new());
    for run in 1..=3 {
        let file = csv(&files, &format!("{run}.csv"), &[&format!("{run},7,900.00,2024-01-01 00:00:00")]);
        succeed(&mut host_run(&database, "threshold", &file));
        let predecessor = if run == 1 { "NULL".into() } else { (run - 1).to_string() };
        continue_state(&database, run, &predecessor);
    }
    database.execute("INSERT INTO detector_state_bases VALUES (2, 4, 'x', now()); DELETE FROM detector_states WHERE run_id = 1 AND user_id IS NULL");
    let refused = undo(&database, &["2", "--cascade"]);
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("merged", told(&database, &refused));
    // Later ones can be undone, and all of them, since the first began anew.
    undone(&database, &["3"]);
    undone(&database, &["1", "--cascade"]);
    assert_eq!((count(&database, "detector_states"), count(&database, "detector_state_bases")), (0, 0));
}

/// Two rows of a run with three rows and two anomalies, of which something was altered.
#[test]
fn what_is_not_as_the_run_wrote_it_is_named_and_stays() {
    let cases = [
        ("altered", "UPDATE transactions SET amount = 7 WHERE transaction_id = 2"),
        ("missing", "DELETE FROM transactions WHERE transaction_id = 3"),
        (
            "both",
            "UPDATE transactions SET is_anomalous = 1 WHERE transaction_id = 3; DELETE FROM anomalies WHERE transaction_id = 1;
            DELETE FROM transactions WHERE transaction_id = 1",
        ),
        ("anomaly_altered", "UPDATE anomalies SET score = 5 WHERE transaction_id = 2"),
        ("anomaly_missing", "DELETE FROM anomalies WHERE transaction_id = 2"),
        (
            "anomaly_of_others",
            "INSERT INTO anomalies (transaction_id, user_id, amount, transaction_timestamp) VALUES (3, 7, 1, now())",
        ),
        ("reject_missing", "DELETE FROM rejected_rows"),
        ("state_surplus", "INSERT INTO detector_states VALUES (1, 7, 'x')"),
        ("ledger", "UPDATE ingest_runs SET source = 'x'"),
        ("rewritten", "ALTER TABLE transactions ALTER transaction_id TYPE BIGINT"),
    ];
    for (name, change) in cases {
        let (database, files) = (Database::migrated(), Files::new());
        let lines = [
            "1,7,900.00,2024-01-01 00:00:00",
            "2,7,900.00,2024-01-01 00:00:00",
            "3,7,1.00,2024-01-01 00:00:00",
            "4",
        ];
        succeed(
            host_run(&database, "threshold", &csv(&files, "day.csv", &lines)).args(["--max-rejects", "1"]),
        );
        succeed(&mut host_run(&database, "threshold", &csv(&files, "next.csv", &lines[..1])));
        database.execute(change);
        let before = contents(&database);
        let refused = undo(&database, &["1"]);
        assert_eq!(refused.code, 5, "{name}: {}", refused.stdout);
        insta::assert_snapshot!(format!("differs_{name}"), told(&database, &refused));
        assert_eq!(contents(&database), before, "{name}");
        let forced = undo(&database, &["1", "--force"]);
        assert_eq!(forced.code, 0, "{name}: {}", forced.stderr);
        insta::assert_snapshot!(format!("forced_{name}"), told(&database, &forced));
        let left = TABLES.map(|table| count(&database, table));
        assert_eq!(left, [1, 1, 0, 0, 0, 0, 0, 2], "{name}");
    }
}

/// With kept ids, rows of others may be between those of the run.
#[test]
fn rows_that_may_be_of_others_stay() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = csv(&files, "day.csv", &["1,7,900.00,2024-01-01 00:00:00", "9,7,1.00,2024-01-01 00:00:00"]);
    succeed(host_run(&database, "threshold", &day).args(["--ids", "keep"]));
    database.execute(
        "INSERT INTO transactions (transaction_id, user_id, amount, transaction_timestamp) VALUES (5, 1, 1, now()), (6, 1, 1, now());
        UPDATE transactions SET amount = 2 WHERE transaction_id = 9",
    );
    let refused = undo(&database, &["1"]);
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("kept_among_others", told(&database, &refused));
    undone(&database, &["1", "--force"]);
    assert_eq!(database.rows("SELECT transaction_id FROM transactions ORDER BY 1"), [["5"], ["6"], ["9"]]);
    assert_eq!(count(&database, "anomalies"), 0);
}

#[test]
fn rows_that_others_refer_to_stay() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = csv(&files, "day.csv", &["1,7,900.00,2024-01-01 00:00:00"]);
    succeed(&mut host_run(&database, "threshold", &day));
    database.execute(
        "CREATE TABLE cases (transaction_id INT CONSTRAINT cases_refer REFERENCES transactions); INSERT INTO cases VALUES (1)",
    );
    let refused = undo(&database, &["1"]);
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("referred", told(&database, &refused));
    assert_eq!(database.counts(), (1, 1, 1));
    database.execute("ALTER TABLE cases DROP CONSTRAINT cases_refer,
        ADD CONSTRAINT cases_refer FOREIGN KEY (transaction_id) REFERENCES transactions DEFERRABLE INITIALLY DEFERRED");
    let refused = undo(&database, &["1"]);
    assert_eq!(refused.code, 5);
    assert!(
        refused.stderr.contains("cases_refer") && refused.stderr.contains("nothing was removed"),
        "{}",
        refused.stderr
    );
    assert_eq!(database.counts(), (1, 1, 1));
}

#[test]
fn a_trigger_that_keeps_rows_is_named() {
    let (database, files) = (Database::migrated(), Files::new());
    succeed(&mut host_run(
        &database,
        "threshold",
        &csv(&files, "day.csv", &["1,7,1.00,2024-01-01 00:00:00"]),
    ));
    database.execute(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER no BEFORE DELETE ON transactions FOR EACH ROW EXECUTE FUNCTION no()",
    );
    let refused = undo(&database, &["1"]);
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("kept_by_trigger", told(&database, &refused));
}

/// What was removed by `host prune` is not missed, except for what is needed to put rows back.
#[test]
fn what_was_pruned_is_not_missed() {
    let (database, files) = (Database::migrated(), Files::new());
    let lines = ["1,7,1.00,2024-01-01 00:00:00", "2", "3,7,1.00,2024-01-01 00:00:00"];
    let day = csv(&files, "day.csv", &lines);
    let keep = ["--ids", "keep", "--max-rejects", "1", "--on-conflict"];
    succeed(host_run(&database, "threshold", &day).args(keep).arg("skip"));
    succeed(host_run(&database, "threshold", &day).args(keep).arg("skip"));
    succeed(host_run(&database, "threshold", &day).args(keep).arg("replace"));
    for run in ["2", "3"] {
        succeed(host().args([
            "prune",
            "--rejects",
            "--skipped",
            "--replaced",
            "--run",
            run,
            "--database-url",
            &database.url(),
        ]));
    }
    let refused = undo(&database, &["3"]);
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("pruned", told(&database, &refused));
    undone(&database, &["2"]);
    undone(&database, &["3", "--force"]);
    assert_eq!(count(&database, "transactions"), 0);
    // What says who wrote a row is not pruned.
    succeed(host_run(&database, "threshold", &day).args(keep).arg("skip"));
    succeed(host_run(&database, "threshold", &day).args(keep).arg("replace"));
    undone(&database, &["5"]);
    let nothing = on(&database, &["prune", "--replaced", "--run", "5"]);
    assert_eq!(nothing.stdout, "there is nothing to remove\n");
    undone(&database, &["4"]);
}

/// Users with textual ids keep their numbers.
#[test]
fn users_keep_their_numbers() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = csv(&files, "day.csv", &["1,anna,1.00,2024-01-01 00:00:00"]);
    let next =
        csv(&files, "next.csv", &["2,bert,1.00,2024-01-01 00:00:00", "3,anna,1.00,2024-01-01 00:00:00"]);
    for file in [&day, &next] {
        succeed(host_run(&database, "threshold", file).args(["--user-ids", "text"]));
    }
    undone(&database, &["1"]);
    assert_eq!(database.rows("SELECT * FROM users ORDER BY 1"), [["-2", "bert"], ["-1", "anna"]]);
    verify(&database, 2, &next);
}

/// A question on a terminal; without one, the line to copy.
#[test]
fn it_asks_before() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = csv(&files, "day.csv", &["1,7,900.00,2024-01-01 00:00:00"]);
    succeed(&mut host_run(&database, "threshold", &day));
    let refused = on(&database, &["undo", "1", "--force"]);
    assert_eq!(refused.code, 2);
    insta::assert_snapshot!("nobody_to_ask", files.anonymous(&told(&database, &refused)));
    for (answer, code, left) in [("n", 2, 1), ("", 2, 1), ("yes", 0, 0)] {
        let mut terminal = Command::new("script");
        let undo = format!("{} undo 1 --database-url {}", env!("CARGO_BIN_EXE_host"), database.url());
        for (name, value) in host().get_envs() {
            match value {
                Some(value) => terminal.env(name, value),
                None => terminal.env_remove(name),
            };
        }
        terminal.args(["--quiet", "--return", "--command", &undo, "/dev/null"]);
        let line = files.write("answer", format!("{answer}\n"));
        let finished = finish(terminal.stdin(std::fs::File::open(line).unwrap()));
        assert_eq!(finished.code, code, "{answer}: {finished:?}");
        assert!(finished.stdout.contains("1 row, 1 anomaly\r\nremove it? [y/N] "), "{finished:?}");
        assert_eq!(count(&database, "transactions"), left, "{answer}");
    }
}

/// Exactly the privileges that OPERATIONS.md names are enough, and all that are missing are told.
#[test]
fn missing_privileges_are_named() {
    let (database, files) = (Database::migrated(), Files::new());
    let role = database.url().rsplit_once('/').unwrap().1.to_owned();
    let day = csv(&files, "day.csv", &["1,7,900.00,2024-01-01 00:00:00"]);
    succeed(&mut host_run(&database, "threshold", &day));
    database.execute(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
        GRANT INSERT ON transactions, anomalies TO {role}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    ));
    let url = database.url().replace("postgres@", &format!("{role}@"));
    let undo = || finish(host().args(["undo", "1", "--yes", "--database-url", &url]));
    let refused = undo();
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    insta::assert_snapshot!("privileges", refused.stderr.replace(&role, "ROLE").replace(&url, "URL"));
    let grants = refused.stderr.split('`').find(|text| text.starts_with("GRANT ")).unwrap();
    database.execute(grants);
    let finished = undo();
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// Somebody who waits for the lock is undone after whom he waits for; two undos of the same run do it once.
#[test]
fn undos_at_once_do_it_once() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = csv(&files, "day.csv", &["1,7,900.00,2024-01-01 00:00:00"]);
    succeed(&mut host_run(&database, "threshold", &day));
    let command = || {
        let mut command = host();
        command.args(["undo", "1", "--yes", "--database-url", &database.url()]);
        command
    };
    let mut running = Vec::new();
    database.while_locked(|| {
        running.extend([crate::support::start(&mut command()), crate::support::start(&mut command())]);
        const WAITING: &str =
            "SELECT count(*) FROM pg_locks WHERE relation = 'transactions'::regclass AND NOT granted";
        database.wait_for(WAITING, 2);
    });
    let mut codes: Vec<i32> = running.into_iter().map(|running| running.finish().code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 5]);
    assert_eq!(database.counts(), (0, 0, 1));
}
