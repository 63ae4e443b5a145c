//! What has become known of rows reaches detectors that learn from it: exactly that, once, in the order in which it
//! became known, whoever of several instances needs it; and a replay is told the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::command_line::json::lines;
use crate::support::{Database, Files, finish, host, host_run, plugin, succeed};

/// A copy of the guest that repeats what it is told, with this ordering.
fn attentive(files: &Files, ordering: &str) -> String {
    const FACE: &[u8; 32] = b"face:per-user                   ";
    let mut bytes = std::fs::read(plugin("attentive")).unwrap();
    let at = bytes.windows(FACE.len()).position(|window| window == FACE).expect("it has a face");
    let face = format!("{:width$}", format!("face:{ordering}"), width = FACE.len());
    bytes[at..at + FACE.len()].copy_from_slice(face.as_bytes());
    files.write(&format!("{ordering}.wasm"), bytes).to_str().unwrap().to_owned()
}

/// A run that knows nothing of earlier ones.
fn run_alone(database: &Database, plugin: &str, file: &Path) -> std::process::Command {
    let mut run = host_run(database, plugin, file);
    run.args(["--state", "none"]);
    run
}

fn record(database: &Database, files: &Files, labels: &str) {
    let file = files.write("labels.csv", format!("transaction_id,is_fraud,known_at\n{labels}"));
    succeed(host().args(["feedback", "--database-url", &database.url()]).arg(file));
}

fn verify(database: &Database, run: i64, plugin: &str, file: &Path) -> crate::support::Finished {
    let url = database.url();
    finish(host().args(["verify", &run.to_string(), "--plugin", plugin, "--database-url", &url]).arg(file))
}

/// What the detector of a run had heard of each user.
fn heard(database: &Database, run: i64) -> BTreeMap<String, String> {
    let rows = database.rows(&format!("SELECT DISTINCT user_id, reason FROM anomalies WHERE run_id = {run}"));
    let heard: BTreeMap<_, _> = rows.iter().map(|row| (row[0].clone(), row[1].trim().to_owned())).collect();
    assert_eq!(heard.len(), rows.len(), "one user, one reason: {rows:?}");
    heard
}

fn all(expected: &[(&str, &str)]) -> BTreeMap<String, String> {
    expected.iter().map(|(user, heard)| ((*user).to_owned(), (*heard).to_owned())).collect()
}

/// Six rows of three users; with the database's ids, 1 to 6.
fn first_day(files: &Files) -> PathBuf {
    files.csv(&[
        "101,1,1.00,1970-01-01 00:00:01",
        "102,2,2.00,1970-01-01 00:00:02",
        "103,3,3.00,1970-01-01 00:00:03",
        "104,1,4.00,1970-01-01 00:00:04",
        "105,2,-5.00,1970-01-01 00:00:05",
        "106,1,6.00,1970-01-01 00:00:06",
    ])
}

/// One row of each of the three users, and of one who is new.
fn second_day(files: &Files) -> PathBuf {
    let rows: String = (1..5).map(|user| format!("20{user},{user},9.00,1970-01-02 00:00:00\n")).collect();
    files.write("second.csv", format!("transaction_id,user_id,amount,timestamp\n{rows}"))
}

#[test]
fn a_detector_is_told_what_is_known_in_the_order_in_which_it_became_known() {
    let (database, files) = (Database::migrated(), Files::new());
    let (first, second) = (first_day(&files), second_day(&files));
    succeed(&mut host_run(&database, "threshold", &first));
    record(
        &database,
        &files,
        "6,0,1970-03-03 00:00:00\n1,1,1970-03-02 00:00:00\n5,1,1970-03-01 00:00:00\n4,0,1970-03-02 00:00:00\n2,0,1970-03-01 00:00:00\n",
    );
    // Of several labels of a row the last one counts, although it may have been known before.
    record(&database, &files, "5,0,1970-02-01 00:00:00\n");
    let expected = all(&[
        ("1", "100@1=fraud 400@4=genuine 600@6=genuine"),
        ("2", "-500@5=genuine 200@2=genuine"),
        ("3", "nothing"),
        ("4", "nothing"),
    ]);
    let mut run_id = 1;
    for ordering in ["per-user", "any", "file"] {
        let plugin = attentive(&files, ordering);
        for (jobs, batch_rows) in [("1", "8192"), ("3", "8192"), ("2", "1")] {
            let mut run = run_alone(&database, &plugin, &second);
            let (_, end) = lines(run.args(["--jobs", jobs, "--batch-rows", batch_rows]));
            run_id += 1;
            assert_eq!(end["run_id"], run_id);
            assert_eq!(end["feedback"], serde_json::json!({ "after": 0, "through": 6 }));
            assert_eq!((&end["feedback_rows"], &end["feedback_rows_left_out"]), (&5.into(), &0.into()));
            assert_eq!(heard(&database, run_id), expected, "{ordering} {jobs} {batch_rows}");
            let verified = verify(&database, run_id, &plugin, &second);
            assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
        }
    }
    // What becomes known later does not change what a replay is told.
    record(&database, &files, "1,0,1970-05-05 00:00:00\n");
    let plugin = attentive(&files, "file");
    assert_eq!(verify(&database, run_id, &plugin, &second).code, 0);
    succeed(&mut run_alone(&database, &plugin, &second));
    assert_eq!(heard(&database, run_id + 1)["1"], "400@4=genuine 600@6=genuine 100@1=genuine");
    // Other detectors are not told anything.
    let (_, end) = lines(&mut host_run(&database, "threshold", &second));
    assert_eq!(
        (&end["feedback"], &end["feedback_rows"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
}

#[test]
fn columns_are_kept_so_that_they_can_be_handed_over() {
    let (database, files) = (Database::migrated(), Files::new());
    let plugin = attentive(&files, "per-user");
    let header = "transaction_id,user_id,amount,timestamp";
    let with = files.write(
        "with.csv",
        format!("{header},City,risk\n1,1,1.00,1970-01-01 00:00:01,\"Köln, Süd\",0.1\n2,1,2.00,1970-01-01 00:00:02,,\n"),
    );
    let without = files.write("without.csv", format!("{header},risk\n3,1,3.00,1970-01-01 00:00:03,1e300\n"));
    let learn = |file: &Path| {
        let mut run = run_alone(&database, &plugin, file);
        run.args(["--set", "text=city", "--set", "number=Risk"]);
        run
    };
    succeed(learn(&with).arg(&without));
    let kept = database.rows("SELECT transaction_id, run_id, texts::text FROM kept_columns ORDER BY 1");
    assert_eq!(
        kept,
        [["1", "1", "{\"Köln, Süd\",0.1}"], ["2", "1", "{\"\",\"\"}"], ["3", "1", "{NULL,1e300}"]]
    );
    assert_eq!(database.text("SELECT kept_columns::text FROM ingest_runs"), "{city,Risk}");
    // Of these rows, no columns are kept.
    succeed(&mut host_run(&database, "threshold", &with));
    record(
        &database,
        &files,
        "1,1,1970-02-01 00:00:00\n2,0,1970-02-02 00:00:00\n3,1,1970-02-03 00:00:00\n4,1,1970-02-04 00:00:00\n",
    );
    let second = files.write("second.csv", format!("{header},city,risk\n9,1,1.00,1970-01-02 00:00:00,x,1\n"));
    succeed(&mut learn(&second));
    let large = 1e300.to_string();
    assert_eq!(
        heard(&database, 3)["1"],
        format!("100@1,Köln, Süd,0.1=fraud 200@2,,NaN=genuine 300@3,{large}=fraud 100@1=fraud")
    );
    assert_eq!(verify(&database, 3, &plugin, &second).code, 0);

    let finished = finish(learn(&second).args(["--set", "required=true"]));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(heard(&database, 4)["1"], "100@1,Köln, Süd,0.1=fraud 200@2,,NaN=genuine");
    let notes: Vec<_> = finished.stderr.lines().filter(|line| line.contains("told")).collect();
    insta::assert_snapshot!("feedback_without_columns", notes.join("\n"));
    assert!(finished.stdout.contains("feedback on 2 rows, before the first one"), "{}", finished.stdout);
    assert_eq!(verify(&database, 4, &plugin, &second).code, 0);

    // A column that was kept as text may be wanted as a number: where it is none, there is no number.
    succeed(run_alone(&database, &plugin, &second).args(["--set", "number=city", "--column", "city=risk"]));
    assert_eq!(heard(&database, 5)["1"], "100@1=fraud 200@2,NaN=genuine 300@3=fraud 100@1=fraud");
}

#[test]
fn rows_that_were_undone_or_whose_ids_were_given_again_are_not_told_of() {
    let (database, files) = (Database::migrated(), Files::new());
    let plugin = attentive(&files, "per-user");
    let (first, second) = (first_day(&files), second_day(&files));
    succeed(&mut host_run(&database, "threshold", &first));
    succeed(&mut host_run(&database, "threshold", &first));
    record(&database, &files, "1,1,1970-02-01 00:00:00\n8,1,1970-02-02 00:00:00\n");
    succeed(&mut run_alone(&database, &plugin, &second));
    let before = all(&[("1", "100@1=fraud"), ("2", "200@2=fraud"), ("3", "nothing"), ("4", "nothing")]);
    assert_eq!(heard(&database, 3), before);

    succeed(host().args(["undo", "2", "--yes", "--database-url", &database.url()]));
    succeed(&mut run_alone(&database, &plugin, &second));
    assert_eq!(heard(&database, 4)["2"], "nothing");
    assert_eq!(verify(&database, 4, &plugin, &second).code, 0);
    let refused = verify(&database, 3, &plugin, &second);
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("feedback_undone_since", refused.stderr);
    assert_eq!(database.number("SELECT count(*) FROM feedback"), 2);

    database.execute("TRUNCATE transactions, anomalies RESTART IDENTITY CASCADE");
    succeed(&mut host_run(&database, "threshold", &second));
    let (_, end) = lines(&mut run_alone(&database, &plugin, &second));
    assert_eq!((&end["feedback_rows"], &end["feedback_rows_left_out"]), (&0.into(), &0.into()));
    assert_eq!(heard(&database, 6)["1"], "nothing", "row 1 is another one now");
}

#[test]
fn a_row_is_told_of_as_it_is_then() {
    let (database, files) = (Database::migrated(), Files::new());
    let plugin = attentive(&files, "per-user");
    let (first, second) = (first_day(&files), second_day(&files));
    succeed(host_run(&database, "threshold", &first).args(["--ids", "keep"]));
    record(&database, &files, "101,1,1970-02-01 00:00:00\n104,0,1970-02-02 00:00:00\n");
    succeed(&mut run_alone(&database, &plugin, &second));
    let corrected = files
        .write("corrected.csv", "transaction_id,user_id,amount,timestamp\n101,1,77.00,1970-01-01 00:00:01\n");
    succeed(host_run(&database, "threshold", &corrected).args(["--ids", "keep", "--on-conflict", "replace"]));
    succeed(&mut run_alone(&database, &plugin, &second));
    assert_eq!(heard(&database, 2)["1"], "100@1=fraud 400@4=genuine");
    assert_eq!(heard(&database, 4)["1"], "7700@1=fraud 400@4=genuine");
    for run in [2, 4] {
        let verified = verify(&database, run, &plugin, &second);
        assert_eq!(verified.code, 0, "{run}: {}{}", verified.stdout, verified.stderr);
    }
    // What somebody has removed cannot be told of.
    database.execute("DELETE FROM transactions WHERE transaction_id = 104");
    let (_, end) = lines(&mut run_alone(&database, &plugin, &second));
    assert_eq!((&end["feedback_rows"], &end["feedback_rows_left_out"]), (&1.into(), &1.into()));
    assert!(end["remarks"].to_string().contains("known of 1 row no longer there"), "{end}");
}

#[test]
fn what_a_detector_refuses_to_be_told_ends_the_run_and_is_told_again() {
    let (database, files) = (Database::migrated(), Files::new());
    let plugin = attentive(&files, "per-user");
    let (first, second) = (first_day(&files), second_day(&files));
    succeed(&mut host_run(&database, "threshold", &first));
    record(&database, &files, "1,1,1970-02-01 00:00:00\n");
    let refused = finish(host_run(&database, &plugin, &second).args(["--set", "refuse=true"]));
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    insta::assert_snapshot!("feedback_refused", refused.stderr);
    assert_eq!(database.counts(), (6, 0, 1));
    succeed(&mut host_run(&database, &plugin, &second));
    assert_eq!(heard(&database, 3)["1"], "100@1=fraud");
}

#[test]
fn many_rows_are_handed_over_in_parts() {
    let (database, files) = (Database::migrated(), Files::new());
    let plugin = attentive(&files, "file");
    let rows = files.many_rows("rows.csv", 0..20_000);
    succeed(&mut host_run(&database, "threshold", &rows));
    let labels: String = (1..=20_000).map(|id| format!("{id},0,1970-02-01 00:00:00\n")).collect();
    record(&database, &files, &labels);
    let one = files.csv(&["1,70000,1.00,1970-01-01 00:00:00"]);
    let (_, end) = lines(&mut run_alone(&database, &plugin, &one));
    assert_eq!(end["feedback_rows"], 20_000);
}

/// A state has what was known when it was written; what became known since then is told to whoever continues it.
#[test]
fn who_continues_a_state_is_told_what_has_become_known_since() {
    let (database, files) = (Database::migrated(), Files::new());
    let plugin = attentive(&files, "per-user");
    let (first, second) = (first_day(&files), second_day(&files));
    let run = |jobs: &str, file: &Path| {
        let (_, end) = lines(host_run(&database, &plugin, file).args(["--jobs", jobs]));
        let number = |name: &str| end["feedback"][name].as_i64().unwrap();
        (number("after"), number("through"), end["feedback_rows"].as_i64().unwrap())
    };
    assert_eq!(run("1", &first), (0, 0, 0));
    record(&database, &files, "1,1,1970-02-01 00:00:00\n2,0,1970-02-02 00:00:00\n");
    assert_eq!(run("2", &second), (0, 2, 2));
    record(&database, &files, "1,0,1970-02-03 00:00:00\n3,1,1970-02-03 00:00:00\n");
    assert_eq!(run("3", &second), (2, 4, 2));
    assert_eq!(run("1", &second), (4, 4, 0));
    // Three labels of two users were told, one of them twice; a state that begins anew, or none, is told all.
    let told = "100@1=fraud 100@1=genuine";
    let expected = all(&[("1", told), ("2", "200@2=genuine"), ("3", "300@3=fraud"), ("4", "nothing")]);
    assert_eq!((heard(&database, 3), heard(&database, 4)), (expected.clone(), expected));
    for state in ["new", "none", "another"] {
        let (_, end) = lines(host_run(&database, &plugin, &second).args(["--state", state]));
        assert_eq!(end["feedback"], serde_json::json!({ "after": 0, "through": 4 }), "{state}");
        assert_eq!(end["feedback_rows"], 3, "{state}");
    }
    for run in 2..8 {
        let verified = verify(&database, run, &plugin, &second);
        assert_eq!(verified.code, 0, "{run}: {}{}", verified.stdout, verified.stderr);
    }
    // A run that fails has seen nothing.
    record(&database, &files, "4,1,1970-02-04 00:00:00\n");
    assert_eq!(finish(host_run(&database, &plugin, &second).args(["--set", "refuse=true"])).code, 4);
    assert_eq!(run("1", &second), (4, 5, 1));
    // Once it was dropped, the state begins anew, and its next run is told all.
    succeed(host().args(["state", "drop", "attentive", "--yes", "--database-url", &database.url()]));
    assert_eq!(run("1", &second), (0, 5, 4));
    assert_eq!(run("1", &second), (5, 5, 0));
}
