//! `host status`, for cron and monitoring, and the sources of files.

use serde_json::Value;

use crate::support::{Database, Files, Finished, finish, host, host_run, succeed, summary};

fn status(database: &Database, arguments: &[&str]) -> Finished {
    finish(host().arg("status").args(arguments).args(["--database-url", &database.url()]))
}

/// A day with so many rows, of which so many are anomalous.
fn day(files: &Files, name: &str, rows: i64, anomalies: i64) -> std::path::PathBuf {
    let row = |id| {
        let amount = if id <= anomalies { "900.00" } else { "1.00" };
        format!("{id},7,{amount},2024-01-01 00:00:00\n")
    };
    let rows: String = (1..=rows).map(row).collect();
    files.write(name, format!("transaction_id,user_id,amount,timestamp\n{rows}"))
}

#[test]
fn the_latest_run_is_as_expected_or_it_is_said_why_not() {
    let (database, files) = (Database::new(), Files::new());
    let limits = ["--max-age", "26h", "--min-rows", "90", "--anomaly-change", "50%"];
    let without_tables = status(&database, &limits);
    assert_eq!(
        (without_tables.code, without_tables.stdout.as_str()),
        (8, "NOT AS EXPECTED: there is no such run\n")
    );
    assert_eq!(database.text("SELECT to_regclass('ingest_runs') IS NULL"), "t", "it only reads");
    for (name, anomalies) in [("1.csv", 4), ("2.csv", 2), ("3.csv", 3)] {
        succeed(&mut host_run(&database, "threshold", &day(&files, name, 100, anomalies)));
    }
    let fine = status(&database, &limits);
    assert_eq!((fine.code, fine.stderr.as_str()), (0, ""), "{}", fine.stdout);
    assert_eq!(fine.stdout, "ok: run 3, 0 min ago: 100 rows, 3 anomalies (3.00 %), 0 rejected\n");

    // 1.5 to 4.5 in 100 rows are expected.
    succeed(&mut host_run(&database, "threshold", &day(&files, "4.csv", 80, 4)));
    database.execute("UPDATE ingest_runs SET committed_at = now() - interval '27 hours' WHERE run_id = 4");
    let wrong = status(&database, &limits);
    assert_eq!((wrong.code, wrong.stderr.as_str()), (8, ""));
    insta::assert_snapshot!(wrong.stdout);
    assert_eq!(
        status(&database, &["--max-age", "2d", "--min-rows", "80", "--anomaly-change", "67%"]).code,
        0
    );
    assert_eq!(status(&database, &["--file", "3.csv", "--max-age", "1h"]).code, 0);
    assert_eq!(status(&database, &["--plugin", "absent"]).code, 8);
    for wrong in [["--max-age", "26"], ["--anomaly-change", "50"], ["--min-rows", "-1"]] {
        assert_eq!(status(&database, &wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn runs_without_rows_have_no_share_of_anomalies() {
    let (database, files) = (Database::new(), Files::new());
    succeed(&mut host_run(&database, "threshold", &day(&files, "1.csv", 0, 0)));
    let changed = status(&database, &["--anomaly-change", "0%"]);
    assert_eq!(changed.stdout, "ok: run 1, 0 min ago: 0 rows, 0 anomalies, 0 rejected\n");
    succeed(&mut host_run(&database, "threshold", &day(&files, "2.csv", 10, 1)));
    assert_eq!(status(&database, &["--anomaly-change", "0%"]).code, 0, "there is nothing to compare it with");
    succeed(&mut host_run(&database, "threshold", &day(&files, "3.csv", 10, 2)));
    assert_eq!(status(&database, &["--anomaly-change", "99%"]).code, 8);
}

#[test]
fn sources_are_told_apart() {
    let (database, files) = (Database::new(), Files::new());
    let mut north = host_run(&database, "threshold", &day(&files, "n.csv", 10, 1));
    assert_eq!(summary(north.args(["--source", "north"]))["source"], "north");
    let south =
        host_run(&database, "threshold", &day(&files, "s.csv", 20, 1)).args(["--source", "south"]).output();
    assert!(south.unwrap().status.success());
    assert_eq!(
        summary(&mut host_run(&database, "threshold", &day(&files, "x.csv", 30, 1)))["source"],
        Value::Null
    );
    assert!(status(&database, &["--source", "north"]).stdout.contains("run 1, "));
    assert!(status(&database, &["--source", "south"]).stdout.contains("run 2, "));
    assert_eq!(status(&database, &["--source", "east"]).code, 8);
    let on = |arguments: &[&str]| succeed(host().args(arguments).args(["--database-url", &database.url()]));
    let listed = on(&["runs", "--source", "south", "--format", "json"]);
    let ids: Vec<Value> = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    assert_eq!((&ids[0]["run_id"], &ids[0]["source"], ids.len()), (&2.into(), &"south".into(), 2));
    assert!(on(&["runs", "1"]).contains("  source     north\n"));
    // What is in the ledger cannot be altered unnoticed.
    database.execute("UPDATE ingest_runs SET source = 'west' WHERE run_id = 1");
    assert!(on(&["runs", "1"]).contains("ALTERED"));
    for wrong in ["", " x", "a\nb"] {
        let refused =
            finish(host_run(&database, "threshold", &files.path().join("n.csv")).args(["--source", wrong]));
        assert_eq!(refused.code, 2, "{wrong:?}");
    }
}

#[test]
fn a_file_with_other_columns_than_the_last_is_remarked_upon() {
    let (database, files) = (Database::new(), Files::new());
    let run = |name: &str, columns: &str, source: &[&str]| {
        let values = columns.replace(|c: char| c != ',', "");
        let file = files.write(
            name,
            format!(
                "transaction_id,user_id,amount,timestamp{columns}\n1,7,1.00,2024-01-01 00:00:00{values}\n"
            ),
        );
        let finished = finish(host_run(&database, "threshold", &file).args(source));
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        let note = finished.stderr.lines().find(|line| line.contains("the columns of")).map(str::to_owned);
        note.map(|note| files.anonymous(&note))
    };
    let north = ["--source", "north"];
    assert_eq!(run("1.csv", ",channel", &north), None, "the first of its source");
    assert_eq!(run("2.csv", ", Channel ", &north), None, "the same columns");
    assert_eq!(run("2.csv", ",shop", &[]), Some("note: the columns of `/files/2.csv` are not those that run 2 found; new: `shop`; missing: `channel`".into()));
    assert_eq!(run("3.csv", ",channel", &["--source", "south"]), None, "another source");
    assert_eq!(
        run("4.csv", ",channel,shop", &north),
        Some("note: the columns of `/files/4.csv` are not those that run 2 found; new: `shop`".into())
    );
    assert_eq!(run("5.csv", ",shop,channel", &north), None, "the order does not matter");
}
