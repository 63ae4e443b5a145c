//! Trial runs stay out of the books: `host check` writes anomalies and rejected records to files, and needs no
//! database.

use std::fs;

use crate::support::{Database, Files, Finished, finish, host, sample};

fn check(files: &Files, arguments: &[&str]) -> Finished {
    let mut check = host();
    // Any use of a database would fail.
    check.current_dir(files.path()).env("DATABASE_URL", "postgres://127.0.0.1:1/absent");
    finish(check.args(["check", "--plugin", "threshold"]).args(arguments))
}

const ROWS: [&str; 5] = [
    "5,7,900.00,2024-01-01 00:00:00",
    "4,7,1.00,2024-01-01 00:00:00",
    "3,7,x,2024-01-01 00:00:00",
    "2,7,\"800.50\",2024-01-01 00:00:00",
    "1,8,700.00,2024-01-01 00:00:00",
];

#[test]
fn anomalies_go_to_a_file_in_the_order_of_the_rows() {
    let files = Files::new();
    files.csv(&ROWS);
    files.write("found.csv", "what was there before");
    let arguments =
        ["file.csv", "file.csv", "--max-rejects", "2", "--anomalies", "found.csv", "--rejects", "bad.csv"];
    let checked = check(&files, &[&arguments[..], &["--batch-rows", "1"]].concat());
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    insta::assert_snapshot!("anomalies_file", fs::read_to_string(files.path().join("found.csv")).unwrap());
    assert!(fs::read_to_string(files.path().join("bad.csv")).unwrap().contains("3,7,x,"));
    // Nothing else is left behind.
    let mut names: Vec<_> =
        fs::read_dir(files.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["bad.csv", "file.csv", "found.csv"]);
    // With many instances, it is the same file.
    let first = fs::read(files.path().join("found.csv")).unwrap();
    assert_eq!(check(&files, &[&arguments[..], &["--jobs", "4"]].concat()).code, 0);
    assert_eq!(fs::read(files.path().join("found.csv")).unwrap(), first);
}

/// It has the anomalies that a run writes, with their very scores and reasons.
#[test]
fn the_file_has_what_a_run_would_write() {
    let (database, files) = (Database::migrated(), Files::new());
    let path = files.path().join("found.csv");
    let mut check = host();
    check.args(["check", "-p", "zscore", "--set", "deviations=3", "--anomalies"]).arg(&path).arg(sample());
    let checked = finish(&mut check);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    let mut run = crate::support::host_run(&database, "zscore", &sample());
    crate::support::succeed(run.args(["--set", "deviations=3"]));
    let stored = database.rows(
        "SELECT t.source_id, a.score, a.reason FROM anomalies a JOIN transactions t USING (transaction_id)
        ORDER BY transaction_id",
    );
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let found: Vec<Vec<String>> =
        reader.records().map(|record| record.unwrap().iter().skip(2).map(str::to_owned).collect()).collect();
    assert!(!found.is_empty());
    assert_eq!(found, stored);
}

#[test]
fn a_check_that_fails_leaves_the_file_as_it_was() {
    let files = Files::new();
    files.csv(&ROWS);
    files.write("cut.csv", "transaction_id,user_id,amount,timestamp\n1,7,900.00,2024-01-01 00:00:00\n\"2,7");
    files.write("found.csv", "yesterday's");
    assert_eq!(check(&files, &["cut.csv", "--anomalies", "found.csv"]).code, 3);
    assert_eq!(fs::read_to_string(files.path().join("found.csv")).unwrap(), "yesterday's");
    let cases: [(&[&str], i32, &str); 4] = [
        (
            &["file.csv", "--anomalies", "file.csv"],
            3,
            "anomalies cannot go to `file.csv`: the check reads it, as `file.csv`",
        ),
        (
            &["file.csv", "--anomalies", "absent/found.csv"],
            3,
            "could not write the anomalies to `absent/found.csv`",
        ),
        (&["file.csv", "--anomalies", "x.csv", "--rejects", "x.csv"], 2, "name the same file"),
        (&["file.csv", "--anomalies", "."], 3, "could not write the anomalies to `.`"),
    ];
    for (arguments, code, said) in cases {
        let refused = check(&files, arguments);
        assert_eq!(refused.code, code, "{arguments:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(said), "{arguments:?}: {}", refused.stderr);
    }
    assert_eq!(fs::read_dir(files.path()).unwrap().count(), 3);
    assert!(fs::read_to_string(files.path().join("file.csv")).unwrap().starts_with("transaction_id"));
}

/// A result can go into a pipe, too.
#[test]
fn a_stream_is_written_to_directly() {
    let files = Files::new();
    files.csv(&["1,7,900.00,2024-01-01 00:00:00"]);
    let checked = check(&files, &["file.csv", "--anomalies", "/dev/stderr"]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    assert!(checked.stderr.contains("file.csv,2,1,"), "{}", checked.stderr);
}
