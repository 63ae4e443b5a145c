//! The ledger: what it lists, and whether a run can be reproduced from it.

use std::path::Path;

use crate::support::{Database, Files, Finished, finish, host, host_run, sample, succeed};

fn on(database: &Database, arguments: &[&str]) -> Finished {
    finish(host().args(arguments).args(["--database-url", &database.url()]))
}

/// A run of two files with rejected rows and settings, and one of the sample.
fn two_runs(database: &Database, files: &Files) -> (String, String) {
    let one = files.csv(&["1,7,1.00,2024-01-01 00:00:00", "2,7,none,2024-01-01 00:00:00"]);
    let one =
        std::fs::rename(&one, files.path().join("one.csv")).map(|()| files.path().join("one.csv")).unwrap();
    let two = files.csv(&["1,7,300.00,2024-01-01 00:00:00"]);
    let mut run = host_run(database, "threshold", &one);
    succeed(run.arg(&two).args(["--max-rejects", "1", "--set", "limit=250", "--timezone", "UTC"]));
    let sample = files.write("sample.csv", std::fs::read(sample()).unwrap());
    succeed(&mut host_run(database, "threshold", &sample));
    (one.to_str().unwrap().to_owned(), two.to_str().unwrap().to_owned())
}

#[test]
fn runs_are_listed_and_shown() {
    let (database, files) = (Database::migrated(), Files::new());
    assert_eq!(on(&database, &["runs"]).stdout, "no runs yet\n");
    two_runs(&database, &files);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?Z", "[time]");
    settings.add_filter(r"[0-9a-f]{64}", "[sha256]");
    settings.bind(|| {
        insta::assert_snapshot!("runs_table", files.anonymous(&on(&database, &["runs"]).stdout));
        insta::assert_snapshot!("runs_one", files.anonymous(&on(&database, &["runs", "1"]).stdout));
    });
    let json = on(&database, &["runs", "--format", "json", "--limit", "1"]).stdout;
    let latest: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&latest["run_id"], &latest["rows_written"]), (&2.into(), &1_800.into()));
    let absent = on(&database, &["runs", "3"]);
    assert_eq!((absent.code, absent.stdout.as_str()), (2, ""));
}

#[test]
fn a_run_is_reproduced_exactly_or_the_differences_are_listed() {
    let (database, files) = (Database::migrated(), Files::new());
    let (one, two) = two_runs(&database, &files);
    let verify = || on(&database, &["verify", "1", &one, &two]);
    let reproduced = verify();
    assert_eq!(reproduced.code, 0, "{}", reproduced.stderr);
    assert_eq!(reproduced.stdout, "run 1 is exactly reproduced: 2 rows, 1 anomaly, 1 rejected\n");
    assert_eq!(on(&database, &["verify", "2", files.path().join("sample.csv").to_str().unwrap()]).code, 0);
    // Each is found, and is no more when it is undone.
    let changes = [
        ("amount", "UPDATE transactions SET amount = 1.01 WHERE transaction_id = 1"),
        ("missing", "DELETE FROM anomalies WHERE transaction_id = 2; DELETE FROM transactions WHERE transaction_id = 2"),
        ("flag", "UPDATE transactions SET is_anomalous = 1 WHERE transaction_id = 1"),
        ("score", "UPDATE anomalies SET score = score + 1e-9 WHERE transaction_id = 2"),
        ("reason", "UPDATE anomalies SET reason = 'because' WHERE transaction_id = 2"),
        ("anomaly", "INSERT INTO anomalies (transaction_id, user_id, amount, transaction_timestamp, run_id)
            SELECT transaction_id, user_id, amount, transaction_timestamp, 1 FROM transactions WHERE transaction_id = 1"),
        ("rejected", "DELETE FROM rejected_rows"),
    ];
    for (name, change) in changes {
        database.execute(
            "CREATE SCHEMA saved; CREATE TABLE saved.t AS TABLE transactions;
            CREATE TABLE saved.a AS TABLE anomalies; CREATE TABLE saved.r AS TABLE rejected_rows",
        );
        database.execute(change);
        let differs = verify();
        assert_eq!(differs.code, 7, "{name}: {}", differs.stderr);
        let told = format!("{}---\n{}", differs.stdout, differs.stderr);
        insta::assert_snapshot!(format!("verify_{name}"), files.anonymous(&told));
        database.execute(
            "TRUNCATE transactions, anomalies, rejected_rows;
            INSERT INTO transactions TABLE saved.t; INSERT INTO anomalies TABLE saved.a;
            INSERT INTO rejected_rows TABLE saved.r; DROP SCHEMA saved CASCADE",
        );
        assert_eq!(verify().code, 0, "{name} was undone");
    }
}

#[test]
fn a_kept_and_partly_skipped_run_is_reproduced() {
    let (database, files) = (Database::migrated(), Files::new());
    let first = files.many_rows("first.csv", 0..150);
    let second = files.many_rows("second.csv", 50..350);
    for (run, file, code) in [("1", &first, 0), ("2", &second, 0)] {
        succeed(host_run(&database, "threshold", file).args(["--ids", "keep", "--on-conflict", "skip"]));
        let verified = on(&database, &["verify", run, file.to_str().unwrap()]);
        assert_eq!(verified.code, code, "{} {}", verified.stdout, verified.stderr);
    }
    assert_eq!(database.counts(), (350, 4, 2));
}

#[test]
fn another_file_another_plugin_and_an_altered_ledger_are_told_apart() {
    let (database, files) = (Database::migrated(), Files::new());
    let (one, two) = two_runs(&database, &files);
    let cases: &[(&str, i32, &[&str])] = &[
        ("other_file", 3, &["1", &one, &one]),
        ("other_order", 3, &["1", &two, &one]),
        ("too_few_files", 3, &["1", &one]),
        ("other_plugin", 4, &["1", &one, &two, "--plugin", "zscore"]),
        ("no_run", 2, &["7", &one]),
    ];
    let snapshot = |name: &str, message: &str| {
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"[0-9a-f]{64}", "[sha256]");
        settings.add_filter(r"`/\S+/plugins/", "`/bin/plugins/");
        settings.add_filter(r"--database-url [^\s`]+", "--database-url [url]");
        settings.bind(|| insta::assert_snapshot!(format!("verify_{name}"), files.anonymous(message)));
    };
    for (name, code, arguments) in cases {
        let refused = on(&database, &[&["verify"], *arguments].concat());
        assert_eq!((refused.code, refused.stdout.as_str()), (*code, ""), "{name}: {}", refused.stderr);
        snapshot(name, &refused.stderr);
    }
    let alterations = [
        "UPDATE ingest_runs SET anomalies = anomalies + 1",
        "UPDATE ingest_runs SET file_sha256 = repeat('0', 64)",
        "UPDATE ingest_runs SET settings = '{}'",
        "UPDATE ingest_runs SET committed_at = committed_at - interval '1 microsecond'",
        "UPDATE ingest_runs SET reading = jsonb_set(reading, '{timezone}', 'null')",
        "UPDATE ingest_files SET rows_read = rows_read + 1",
    ];
    for alteration in alterations {
        let (database, files) = (Database::migrated(), Files::new());
        let (one, two) = two_runs(&database, &files);
        database.execute(alteration);
        let refused = on(&database, &["verify", "1", &one, &two]);
        assert_eq!((refused.code, refused.stdout.as_str()), (5, ""), "{alteration}: {}", refused.stderr);
        assert!(refused.stderr.contains("were altered"), "{alteration}: {}", refused.stderr);
        assert!(on(&database, &["runs", "1"]).stdout.contains("ALTERED"), "{alteration}");
    }
    assert!(Path::new(&one).is_file());
}
