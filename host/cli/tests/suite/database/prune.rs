//! `host prune`: what old runs have recorded beside their rows is removed, and nobody takes it for lost.

use crate::support::{Database, Files, Finished, finish, host, host_run, succeed};

fn on(database: &Database, arguments: &[&str]) -> Finished {
    finish(host().args(arguments).args(["--database-url", &database.url()]))
}

fn count(database: &Database, table: &str) -> i64 {
    database.number(&format!("SELECT count(*) FROM {table}"))
}

#[test]
fn rejects_of_old_runs_are_removed_and_not_missed() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = files.csv(&["1,7,1.00,2024-01-01 00:00:00", "2,7,x,2024-01-01 00:00:00", "3,7"]);
    for _ in 0..2 {
        succeed(host_run(&database, "threshold", &file).args(["--max-rejects", "2"]));
    }
    // A run that is older than this is at hand only with a ledger row that was altered.
    assert_eq!(
        on(&database, &["prune", "--rejects", "--older", "1h"]).stdout,
        "there is nothing to remove\n"
    );
    let dry = on(&database, &["prune", "--rejects", "--run", "1", "--dry-run"]);
    assert_eq!(dry.stdout, "would remove 2 rows of run 1 from rejected_rows\n");
    assert_eq!((count(&database, "rejected_rows"), count(&database, "ingest_prunes")), (4, 0));
    let done = on(&database, &["prune", "--rejects", "--skipped", "--run", "1"]);
    assert_eq!(done.stdout, "removed 2 rows of run 1 from rejected_rows\n", "{}", done.stderr);
    assert_eq!((count(&database, "rejected_rows"), count(&database, "ingest_prunes")), (2, 1));
    assert_eq!(on(&database, &["prune", "--rejects", "--run", "1"]).stdout, "there is nothing to remove\n");

    let verified = on(&database, &["verify", "1", file.to_str().unwrap()]);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "[time]");
    settings.bind(|| insta::assert_snapshot!("verify_pruned", verified.stdout));
    // What others remove is missed.
    database.execute("DELETE FROM rejected_rows");
    assert_eq!(on(&database, &["verify", "2", file.to_str().unwrap()]).code, 7);

    database.execute("UPDATE ingest_runs SET committed_at = now() - interval '91 days' WHERE run_id = 2");
    database.execute(
        "INSERT INTO rejected_rows SELECT 2, 'x', 1, 1, NULL, 'r', 'm', '' FROM generate_series(1, 3)",
    );
    let done = on(&database, &["prune", "--rejects", "--older", "90d"]);
    assert_eq!(done.stdout, "removed 3 rows of run 2 from rejected_rows\n", "{}", done.stderr);
}

#[test]
fn what_a_verification_needs_is_named_if_it_was_removed() {
    let (database, files) = (Database::migrated(), Files::new());
    let first = files.many_rows("first.csv", 1..201);
    let second = files.many_rows("second.csv", 101..301);
    let third = files.many_rows("third.csv", 151..401);
    succeed(host_run(&database, "threshold", &first).args(["--ids", "keep"]));
    succeed(host_run(&database, "threshold", &second).args(["--ids", "keep", "--on-conflict", "skip"]));
    succeed(host_run(&database, "threshold", &third).args(["--ids", "keep", "--on-conflict", "replace"]));
    let verify = |run: &str, file: &std::path::Path| on(&database, &["verify", run, file.to_str().unwrap()]);
    for (run, file) in [("1", &first), ("2", &second), ("3", &third)] {
        assert_eq!(verify(run, file).code, 0, "{run}");
    }
    let removed = on(&database, &["prune", "--skipped", "--run", "2"]);
    assert_eq!(removed.stdout, "removed 100 rows of run 2 from skipped_rows\n", "{}", removed.stderr);
    let refused = verify("2", &second);
    assert_eq!(refused.code, 5, "{}", refused.stdout);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "[time]");
    settings.bind(|| insta::assert_snapshot!("verify_without_skips", refused.stderr));
}

#[test]
fn rows_whose_old_values_were_removed_are_told() {
    let (database, files) = (Database::migrated(), Files::new());
    let row = |amount: u16| {
        files.write(&format!("{amount}.csv"), format!("transaction_id,user_id,amount,timestamp\n1,7,{amount},2024-01-01 00:00:00\n2,7,1,2024-01-01 00:00:00\n"))
    };
    let (first, second, third) = (row(900), row(5), row(800));
    succeed(host_run(&database, "threshold", &first).args(["--ids", "keep"]));
    for file in [&second, &third] {
        succeed(host_run(&database, "threshold", file).args(["--ids", "keep", "--on-conflict", "replace"]));
    }
    let removed = on(&database, &["prune", "--replaced", "--run", "2"]);
    assert_eq!(removed.stdout, "removed 2 rows of run 2 from replaced_rows\n", "{}", removed.stderr);
    for (run, file, said) in [
        ("1", &first, "2 of its rows were replaced since, by run 2"),
        ("2", &second, "2 of its rows were replaced since, by run 3"),
        ("3", &third, "run 3 is exactly reproduced"),
    ] {
        let verified = on(&database, &["verify", run, file.to_str().unwrap()]);
        assert_eq!(verified.code, 0, "run {run}: {}{}", verified.stdout, verified.stderr);
        assert!(verified.stdout.contains(said), "{}", verified.stdout);
    }
    // What somebody else altered is still found.
    database.execute("UPDATE transactions SET amount = 7 WHERE transaction_id = 2");
    assert_eq!(on(&database, &["verify", "3", third.to_str().unwrap()]).code, 7);
}

#[test]
fn what_and_which_must_be_said() {
    for arguments in
        [&["--rejects"][..], &["--older", "90d"], &["--run", "3"], &["--rejects", "--older", "3 months"]]
    {
        assert_eq!(finish(host().arg("prune").args(arguments)).code, 2, "{arguments:?}");
    }
}
