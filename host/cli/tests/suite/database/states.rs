//! `host state list` and `show`: what is stored of the states of detectors. The ledger says what there is; so these
//! tests write into it what runs of several plugins would have left.

use crate::support::{Database, Files, finish, host, host_run, succeed};

/// Four runs: three of one state, the last of which was undone, and one of another.
fn with_states() -> Database {
    let (database, files) = (Database::migrated(), Files::new());
    let file = files.csv(&["1,7,1.00,2024-01-01 00:00:00"]);
    for _ in 0..4 {
        succeed(&mut host_run(&database, "threshold", &file));
    }
    database.execute(
        "UPDATE ingest_runs SET state = 'zscore', state_entries = 2, state_sha256 = repeat('ab', 32) WHERE run_id < 4;
         UPDATE ingest_runs SET state_predecessor = run_id - 1 WHERE run_id IN (2, 3);
         UPDATE ingest_runs SET undone_at = '2024-02-29 00:00:00Z' WHERE run_id = 3;
         UPDATE ingest_runs SET state = E'north\\u202e', state_entries = 1, state_sha256 = '' WHERE run_id = 4;
         INSERT INTO detector_states VALUES (1, 7, '\\x0102'), (2, 7, '\\x010203'), (2, 8, '\\x01'), (4, NULL, '\\x')",
    );
    database
}

/// What it says, without the times of commits.
fn said(database: &Database, arguments: &[&str]) -> String {
    let finished = finish(host().arg("state").args(arguments).args(["--database-url", &database.url()]));
    format!(
        "{}\n{}---\n{}",
        finished.code,
        finished.stdout,
        finished.stderr.replace(&database.url(), "[url]")
    )
}

fn assert_said(name: &str, database: &Database, arguments: &[&str]) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"20[2-9][0-9]-\d\d-\d\d \d\d:\d\d:\d\dZ", "[time]");
    settings.bind(|| insta::assert_snapshot!(name, said(database, arguments)));
}

#[test]
fn states_are_listed_with_what_is_stored_of_them() {
    assert_said("states_none", &Database::new(), &["list"]);
    let database = with_states();
    assert_said("states_list", &database, &["list"]);
    // A state of which all runs were undone is none that a run could continue.
    database.execute("UPDATE ingest_runs SET undone_at = now() WHERE state = 'zscore'");
    let listed = said(&database, &["list"]);
    assert!(listed.contains("north") && !listed.contains("zscore"), "{listed}");
}

#[test]
fn a_state_is_shown_run_by_run() {
    let database = with_states();
    assert_said("states_show", &database, &["show", "zscore"]);
    database.execute("DELETE FROM detector_states WHERE run_id = 1");
    database.execute("INSERT INTO detector_state_bases VALUES (2, 2, repeat('0', 64), now())");
    assert_said("states_show_merged", &database, &["show", "zscore", "--limit", "2"]);
    assert_said("states_show_none", &database, &["show", "zscores"]);
}
