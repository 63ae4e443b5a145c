//! `--on-conflict replace`: a row of a file takes the place of the stored one, and what that was is kept.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Database, Files, Finished, finish, host, host_run, succeed, summary};

fn on(database: &Database, arguments: &[&str]) -> Finished {
    finish(host().args(arguments).args(["--database-url", &database.url()]))
}

fn csv(files: &Files, name: &str, lines: &[&str]) -> PathBuf {
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    files.write(name, format!("transaction_id,user_id,amount,timestamp\n{lines}"))
}

fn replace(database: &Database, file: &Path) -> Value {
    summary(host_run(database, "threshold", file).args(["--ids", "keep", "--on-conflict", "replace"]))
}

fn verify(database: &Database, run: &str, file: &Path) -> Finished {
    on(database, &["verify", run, file.to_str().unwrap()])
}

/// Three rows, of which the second is an anomaly, and a correction of the last two, with a new one.
fn corrected(database: &Database, files: &Files) -> (PathBuf, PathBuf) {
    let day = csv(
        files,
        "day.csv",
        &["1,7,1.00,2024-01-01 00:00:00", "2,7,900.00,2024-01-01 00:00:01", "3,8,2.00,2024-01-01 00:00:02"],
    );
    succeed(host_run(database, "threshold", &day).args(["--ids", "keep"]));
    let correction = csv(
        files,
        "correction.csv",
        &["2,7,9.00,2024-01-01 00:00:01", "3,8,800.25,2024-01-01 00:00:02.5", "4,9,1.00,2024-01-02 00:00:00"],
    );
    (day, correction)
}

#[test]
fn a_correction_takes_the_place_of_what_is_stored() {
    let (database, files) = (Database::migrated(), Files::new());
    let (day, correction) = corrected(&database, &files);
    let run = replace(&database, &correction);
    for (field, count) in [
        ("rows_read", 3),
        ("rows_written", 3),
        ("rows_replaced", 2),
        ("rows_replaced_differing", 2),
        ("rows_skipped", 0),
        ("anomalies", 1),
    ] {
        assert_eq!(run[field], count, "{field}");
    }
    assert_eq!(
        database.rows(
            "SELECT transaction_id, user_id, amount, transaction_timestamp, is_anomalous, source_id
            FROM transactions ORDER BY 1"
        ),
        [
            ["1", "7", "1.00", "2024-01-01 00:00:00", "0", "1"],
            ["2", "7", "9.00", "2024-01-01 00:00:01", "0", "2"],
            ["3", "8", "800.25", "2024-01-01 00:00:02.5", "1", "3"],
            ["4", "9", "1.00", "2024-01-02 00:00:00", "0", "4"],
        ]
    );
    assert_eq!(database.rows("SELECT transaction_id, run_id FROM anomalies"), [["3", "2"]]);
    assert_eq!(
        database.rows(
            "SELECT run_id, position, line, transaction_id, differs, written_by, user_id, amount,
                transaction_timestamp, is_anomalous, source_id, had_anomaly, anomaly_run_id, score
            FROM replaced_rows ORDER BY line"
        ),
        [
            ["2", "1", "2", "2", "t", "1", "7", "900.00", "2024-01-01 00:00:01", "1", "2", "t", "1", "400"],
            ["2", "1", "3", "3", "t", "1", "8", "2.00", "2024-01-01 00:00:02", "0", "3", "f", "null", "null"],
        ]
    );
    insta::assert_snapshot!("replaced", files.anonymous(&on(&database, &["replaced", "2"]).stdout));
    assert_eq!(on(&database, &["replaced", "1"]).stdout, "run 1 replaced nothing\n");

    // Both can still be verified, and a difference is still found.
    let of_day = verify(&database, "1", &day);
    assert_eq!(of_day.code, 0, "{}{}", of_day.stdout, of_day.stderr);
    insta::assert_snapshot!("verify_replaced", of_day.stdout);
    let of_correction = verify(&database, "2", &correction);
    assert_eq!(of_correction.code, 0, "{}{}", of_correction.stdout, of_correction.stderr);
    assert_eq!(of_correction.stdout, "run 2 is exactly reproduced: 3 rows, 1 anomaly, 0 rejected\n");
}

/// A row is replaced with all that the host has written of it, and all of that is kept.
#[test]
fn currencies_and_textual_ids_are_replaced_too() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = |name: &str, line: &str| {
        files.write(name, format!("transaction_id,user_id,amount,timestamp,ccy\n{line}\n"))
    };
    let day = file("day.csv", "a,7,1.00,2024-01-01 00:00:00,EUR\nb,8,2.00,2024-01-01 00:00:01,EUR");
    let currency = ["--currency", "ccy"];
    succeed(host_run(&database, "threshold", &day).args(["--transaction-ids", "text"]).args(currency));
    let keep = ["--ids", "keep", "--on-conflict", "replace"];
    let first = file("first.csv", "1,7,1.50,2024-01-01 00:00:00,USD");
    succeed(host_run(&database, "threshold", &first).args(keep).args(currency));
    let second = file("second.csv", "2,8,2.50,2024-01-01 00:00:01,GBP");
    succeed(host_run(&database, "threshold", &second).args(keep));
    assert_eq!(
        database.rows("SELECT transaction_id, source_id, source_key, currency FROM transactions ORDER BY 1"),
        [["1", "1", "null", "USD"], ["2", "2", "null", "null"]]
    );
    assert_eq!(
        database.rows("SELECT transaction_id, source_id, source_key, currency FROM replaced_rows ORDER BY 1"),
        [["1", "null", "a", "EUR"], ["2", "null", "b", "EUR"]]
    );
    for (run, file) in [("1", &day), ("2", &first), ("3", &second)] {
        let verified = verify(&database, run, file);
        assert_eq!(verified.code, 0, "{run}: {}{}", verified.stdout, verified.stderr);
    }
    database.execute("UPDATE replaced_rows SET currency = 'CHF' WHERE transaction_id = 1");
    assert_eq!(verify(&database, "1", &day).code, 7);
}

#[test]
fn what_was_kept_of_replaced_rows_cannot_be_altered_unnoticed() {
    let changes = [
        "UPDATE replaced_rows SET amount = 901 WHERE transaction_id = 2",
        "UPDATE replaced_rows SET reason = 'x' WHERE transaction_id = 2",
        "UPDATE replaced_rows SET score = score + 1e-9 WHERE transaction_id = 2",
        "UPDATE replaced_rows SET line = 9 WHERE transaction_id = 2",
        "UPDATE replaced_rows SET differs = false WHERE transaction_id = 2",
        "UPDATE replaced_rows SET written_by = NULL WHERE transaction_id = 3",
        "DELETE FROM replaced_rows WHERE transaction_id = 3",
        "INSERT INTO replaced_rows (run_id, position, file, line, transaction_id, differs, user_id, amount,
                transaction_timestamp, is_anomalous, source_id, had_anomaly)
            SELECT 2, 1, file, 4, 4, differs, 9, 1, transaction_timestamp, 0, 4, false
            FROM replaced_rows WHERE transaction_id = 3",
    ];
    for change in changes {
        let (database, files) = (Database::migrated(), Files::new());
        let (day, correction) = corrected(&database, &files);
        replace(&database, &correction);
        database.execute(change);
        let of_correction = verify(&database, "2", &correction);
        assert_eq!(of_correction.code, 7, "{change}: {}", of_correction.stdout);
        assert!(of_correction.stdout.contains("replaced_rows: "), "{change}: {}", of_correction.stdout);
        if !change.starts_with("INSERT") {
            let of_day = verify(&database, "1", &day);
            assert_eq!(of_day.code, 7, "{change}: {}", of_day.stdout);
        }
    }
}

#[test]
fn an_id_twice_in_the_file_is_an_error_wherever_the_first_is() {
    for stored in ["1", "2"] {
        let (database, files) = (Database::migrated(), Files::new());
        let row = |id: &str| format!("{id},7,1.00,2024-01-01 00:00:00");
        succeed(
            host_run(&database, "threshold", &csv(&files, "a.csv", &[&row(stored)])).args(["--ids", "keep"]),
        );
        let twice = csv(&files, "b.csv", &[&row("3"), &row("2"), &row("2")]);
        let mut run = host_run(&database, "threshold", &twice);
        let refused = finish(run.args(["--ids", "keep", "--on-conflict", "replace", "--batch-rows", "1"]));
        assert_eq!(refused.code, 5, "{}", refused.stderr);
        assert!(refused.stderr.contains("b.csv` at line 4"), "{}", refused.stderr);
        assert_eq!(database.counts(), (1, 0, 1));
        assert_eq!(database.number("SELECT count(*) FROM replaced_rows"), 0);
    }
}

/// Replaced over and over, also with the same values, also rows to which the host allotted their ids.
#[test]
fn every_version_of_a_row_is_kept() {
    let (database, files) = (Database::migrated(), Files::new());
    let versions: Vec<PathBuf> = (1..)
        .zip([900, 900, 1, 600])
        .map(|(i, amount)| {
            let row = format!("1,7,{amount}.00,2024-01-01 00:00:00");
            // Empty lines, so that each has a content of its own.
            let lines = [&[row.as_str()], &vec![""; i][..]].concat();
            csv(&files, &format!("{i}.csv"), &lines)
        })
        .collect();
    succeed(&mut host_run(&database, "threshold", &versions[0]));
    for file in &versions[1..] {
        replace(&database, file);
    }
    assert_eq!(
        database.rows("SELECT run_id, written_by, differs, amount FROM replaced_rows ORDER BY run_id"),
        [["2", "1", "f", "900.00"], ["3", "2", "t", "900.00"], ["4", "3", "t", "1.00"]]
    );
    for (run, file) in (1..).zip(&versions) {
        let verified = verify(&database, &run.to_string(), file);
        assert_eq!(verified.code, 0, "run {run}: {}{}", verified.stdout, verified.stderr);
        assert_eq!(verified.stdout.contains("replaced since"), run < 4, "{}", verified.stdout);
    }
    // An older file that comes once more does not undo a correction.
    for (run, file) in (1..).zip(&versions) {
        let again = succeed(host_run(&database, "threshold", file).arg("--once"));
        assert!(again.starts_with(&format!("already ingested by run {run}")), "{again}");
    }
}

/// More rows than are compared at a time, some of them new, with anomalies in both.
#[test]
fn many_rows_are_replaced() {
    let (database, files) = (Database::migrated(), Files::new());
    let first = files.many_rows("first.csv", 1..100_001);
    let second = files.many_rows("second.csv", 50_001..150_001);
    succeed(host_run(&database, "threshold", &first).args(["--ids", "keep"]));
    let run = replace(&database, &second);
    assert_eq!((&run["rows_written"], &run["rows_replaced"]), (&100_000.into(), &50_000.into()));
    assert_eq!(run["rows_replaced_differing"], 0);
    assert_eq!(database.counts(), (150_000, 1_500, 2));
    for (run, file) in [("1", &first), ("2", &second)] {
        let verified = verify(&database, run, file);
        assert_eq!(verified.code, 0, "run {run}: {}{}", verified.stdout, verified.stderr);
    }
}

/// Columns that the operator added keep their values, and other tables may refer to the rows.
#[test]
fn what_belongs_to_the_operator_stays() {
    let (database, files) = (Database::migrated(), Files::new());
    let (_, correction) = corrected(&database, &files);
    database.execute(
        "ALTER TABLE transactions ADD COLUMN note TEXT; UPDATE transactions SET note = 'seen' WHERE transaction_id = 3;
        CREATE TABLE cases (transaction_id INT REFERENCES transactions ON DELETE CASCADE); INSERT INTO cases VALUES (3)",
    );
    replace(&database, &correction);
    assert_eq!(
        database.rows("SELECT amount, note FROM transactions WHERE transaction_id = 3"),
        [["800.25", "seen"]]
    );
    assert_eq!(database.number("SELECT count(*) FROM cases"), 1);
}

#[test]
fn a_trigger_that_leaves_rows_out_fails_the_run() {
    let (database, files) = (Database::migrated(), Files::new());
    let (_, correction) = corrected(&database, &files);
    database.execute(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER no BEFORE UPDATE ON transactions FOR EACH ROW EXECUTE FUNCTION no()",
    );
    let mut run = host_run(&database, "threshold", &correction);
    let refused = finish(run.args(["--ids", "keep", "--on-conflict", "replace"]));
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains("may: no\n"), "{}", refused.stderr);
    assert_eq!(database.text("SELECT amount FROM transactions WHERE transaction_id = 3"), "2.00");
    assert_eq!(database.counts(), (3, 1, 1));
}
