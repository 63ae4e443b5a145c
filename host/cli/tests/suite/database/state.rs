//! What detectors have learned, from one run to the next: one long run equals many short ones, however they are cut;
//! what is altered or does not fit is refused, and nothing is written.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::authors::conformance::faithless;
use crate::support::{Database, Files, Finished, finish, host, host_run, start, succeed, summary};

/// Rows of few users with amounts and times between which detectors find something.
type Row = (u8, u16, u8);

fn csv(files: &Files, name: &str, first: usize, rows: &[Row]) -> std::path::PathBuf {
    let mut text = String::from("transaction_id,user_id,amount,timestamp\n");
    for (id, (user_id, amount, second)) in (first..).zip(rows) {
        let at = id % 1_440;
        let _ = writeln!(
            text,
            "{id},{},{amount}.{:02},2024-01-01 {:02}:{:02}:{:02}",
            user_id % 12,
            second % 100,
            at / 60,
            at % 60,
            second % 60
        );
    }
    files.write(name, text)
}

/// What was written of a source, row by row, with scores to the last bit; and all that is known at its end.
fn written(database: &Database, source: &str) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let rows = format!(
        "SELECT t.source_id, t.user_id, t.amount, t.transaction_timestamp, is_anomalous,
                encode(float8send(score), 'hex'), reason
         FROM ingest_runs r JOIN transactions t ON t.transaction_id BETWEEN first_transaction_id AND last_transaction_id
         LEFT JOIN anomalies a USING (transaction_id)
         WHERE source = '{source}' ORDER BY t.source_id"
    );
    let known = format!(
        "SELECT DISTINCT ON (s.user_id) s.user_id, encode(value, 'hex')
         FROM ingest_runs r JOIN detector_states s USING (run_id)
         WHERE source = '{source}' ORDER BY s.user_id, s.run_id DESC"
    );
    (database.rows(&rows), database.rows(&known))
}

/// One run, and several over the same rows, cut anywhere, in batches of any size, with any number of instances.
#[test]
fn many_short_runs_equal_one_long_run() {
    const DETECTORS: [(&str, &[&str]); 2] = [
        ("zscore", &["--set", "deviations=1.5", "--set", "minimum-history=2"]),
        ("velocity", &["--set", "count=2", "--set", "seconds=300"]),
    ];
    let (database, files) = (Database::migrated(), Files::new());
    let case = std::cell::Cell::new(0);
    let anomalies = std::cell::Cell::new(0);
    let row = (any::<u8>(), 1_u16..900, any::<u8>());
    let cut = (any::<prop::sample::Index>(), 1_u32..40, 1_u8..5);
    let inputs = (0..DETECTORS.len(), prop::collection::vec(row, 1..160), prop::collection::vec(cut, 1..6));
    let mut runner = TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&inputs, |(detector, rows, mut cuts)| {
        case.set(case.get() + 1);
        let (plugin, settings) = DETECTORS[detector];
        let run = |source: &str, first: usize, rows: &[Row], (batch_rows, jobs): (u32, u8)| {
            let file = csv(&files, "rows.csv", first, rows);
            let mut run = host_run(&database, plugin, &file);
            run.args(settings).args(["--source", source, "--batch-rows", &batch_rows.to_string()]);
            summary(run.args(["--jobs", &jobs.to_string()]))
        };
        let (long, short) = (format!("long-{}", case.get()), format!("short-{}", case.get()));
        let whole = run(&long, 1, &rows, (8_192, 1));
        anomalies.set(anomalies.get() + whole["anomalies"].as_u64().unwrap());
        cuts.sort_by_key(|(at, ..)| at.index(rows.len() + 1));
        let mut begin = 0;
        for (i, (at, batch_rows, jobs)) in cuts.iter().enumerate() {
            let end = if i + 1 == cuts.len() { rows.len() } else { at.index(rows.len() + 1) };
            run(&short, begin + 1, &rows[begin..end], (*batch_rows, *jobs));
            begin = end;
        }
        let (expected, found) = (written(&database, &long), written(&database, &short));
        prop_assert_eq!(expected.0.len(), rows.len());
        prop_assert_eq!(found, expected);
        Ok(())
    });
    checked.unwrap();
    assert!(anomalies.get() > 50, "{} anomalies are too few to tell", anomalies.get());
}

/// Users without a pattern that any number of instances would divide in a special way.
fn many_users(files: &Files, name: &str) -> std::path::PathBuf {
    let mut text = String::from("transaction_id,user_id,amount,timestamp\n");
    for id in 0..3_000_i64 {
        let user_id = (id * id) % 701 - 350;
        let _ = writeln!(text, "{id},{user_id},{}.00,2024-01-01 00:00:00", 1 + (id * 7_919) % 997);
    }
    files.write(name, text)
}

#[test]
fn any_number_of_instances_learns_the_same() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = many_users(&files, "users.csv");
    let learned = |jobs: &str| {
        let run = || {
            let mut run = host_run(&database, "zscore", &file);
            run.args(["--state", &format!("with {jobs}"), "--jobs", jobs]);
            summary(&mut run)
        };
        let (one, two) = (run(), run());
        assert_eq!(two["state"]["predecessor"], one["run_id"]);
        assert_eq!(two["state_entries_restored"], one["state"]["entries"]);
        [&one, &two].map(|run| {
            let state = &run["state"];
            (state["entries"].clone(), state["sha256"].clone(), run["anomalies"].clone())
        })
    };
    let single = learned("1");
    assert!(single[0].0.as_u64() > Some(300), "{single:?}");
    for jobs in ["2", "3", "16"] {
        assert_eq!(learned(jobs), single, "{jobs}");
    }
}

/// Both want the same state: the second continues what the first has written, whichever that is.
#[test]
fn two_runs_with_the_same_state_wait_for_each_other() {
    let (database, files) = (Database::migrated(), Files::new());
    let halves = [("one.csv", 1), ("two.csv", 1_000)].map(|(name, first)| {
        let rows: Vec<Row> = (0..500_u16).map(|i| (i as u8, 1 + i * 7 % 600, 0)).collect();
        csv(&files, name, first, &rows)
    });
    let ended = [&halves[0], &halves[1]]
        .map(|file| start(&mut host_run(&database, "zscore", file)))
        .map(|run| run.finish());
    for run in &ended {
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let chain = database.rows("SELECT state, state_predecessor FROM ingest_runs ORDER BY run_id");
    let first = database.text("SELECT min(run_id) FROM ingest_runs");
    assert_eq!(chain, [["zscore", "null"], ["zscore", &first]]);
    for run_id in database.rows("SELECT run_id, file_name FROM ingest_runs ORDER BY run_id") {
        let verified = verify(&database, run_id[0].parse().unwrap(), Path::new(&run_id[1]));
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    }
}

/// Of all but the last ten runs only the newest entries stay, and nothing else changes.
#[test]
fn what_many_runs_have_written_is_merged() {
    let (database, files) = (Database::migrated(), Files::new());
    let rows: Vec<Row> = (0..150_u16).map(|i| ((i % 7) as u8, 1 + i * 37 % 400, i as u8)).collect();
    let settings = ["--set", "deviations=1.5", "--set", "minimum-history=2"];
    let run = |source: &str, first: usize, rows: &[Row]| {
        let file = csv(&files, &format!("{source}-{first}.csv"), first, rows);
        succeed(host_run(&database, "zscore", &file).args(settings).args(["--source", source]));
        file
    };
    run("long", 1, &rows);
    let mut days = Vec::new();
    for (day, rows) in rows.chunks(5).enumerate() {
        days.push(run("short", 1 + 5 * day, rows));
    }
    assert_eq!(written(&database, "short"), written(&database, "long"));
    // Runs 2 to 31; merged up to 11 in run 21, and up to 21 in run 31.
    let bases = database.rows("SELECT run_id, entries FROM detector_state_bases ORDER BY run_id");
    assert_eq!(bases, [["11", "7"], ["21", "7"]]);
    assert_eq!(database.number("SELECT count(*) FROM detector_states WHERE run_id BETWEEN 2 AND 21"), 7);
    assert_eq!(database.number("SELECT count(*) FROM detector_states WHERE run_id > 21"), 50);
    let verified = |run: i64| verify(&database, run, &days[run as usize - 2]);
    for run in [22, 31] {
        let Finished { code, stdout, stderr } = verified(run);
        assert_eq!(code, 0, "{run}: {stdout}{stderr}");
    }
    let too_old = verified(21);
    assert_eq!(too_old.code, 5, "{}{}", too_old.stdout, too_old.stderr);
    insta::assert_snapshot!("verify_merged", too_old.stderr);
    // What was merged is protected as what was not.
    let newest = "SELECT ctid FROM detector_states WHERE run_id BETWEEN 2 AND 21 LIMIT 1";
    database.execute(&format!("UPDATE detector_states SET value = value || value WHERE ctid = ({newest})"));
    let altered = finish(host_run(&database, "zscore", &days[0]).args(settings).args(["--source", "short"]));
    assert_eq!(altered.code, 5, "{}", altered.stderr);
    insta::assert_snapshot!("refused_merged", files.anonymous(&altered.stderr));
}

fn verify(database: &Database, run: i64, file: &Path) -> Finished {
    let mut verify = host();
    verify.args(["verify", &run.to_string(), "--database-url", &database.url()]).arg(file);
    finish(&mut verify)
}

/// A day's rows, of which none is anomalous to a detector that knows nothing.
fn a_day(files: &Files) -> std::path::PathBuf {
    let rows: Vec<Row> = (0..60_u16).map(|i| (i as u8 % 5, 100 + i % 7, 0)).collect();
    csv(files, "day.csv", 1, &rows)
}

#[test]
fn a_state_has_the_name_that_was_given_or_the_plugins() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = a_day(&files);
    let run = |arguments: &[&str]| summary(host_run(&database, "zscore", &day).args(arguments));
    let cases: [(&[&str], Option<&str>, Option<i64>); 9] = [
        (&[], Some("zscore"), None),
        (&[], Some("zscore"), Some(1)),
        (&["--source", "bank"], Some("zscore@bank"), None),
        (&["--state", "mine"], Some("mine"), None),
        (&["--state", "none"], None, None),
        (&["--source", "bank"], Some("zscore@bank"), Some(3)),
        (&["--state", "new"], Some("zscore"), None),
        (&["--state", "zscore"], Some("zscore"), Some(7)),
        (&["--state", "mine"], Some("mine"), Some(4)),
    ];
    for (run_id, (arguments, name, predecessor)) in (1..).zip(cases) {
        let summary = run(arguments);
        assert_eq!(summary["run_id"], run_id);
        assert_eq!(summary["state"]["name"].as_str(), name, "{arguments:?}");
        assert_eq!(summary["state"]["predecessor"].as_i64(), predecessor, "{arguments:?}");
    }
    assert_eq!(database.number("SELECT count(*) FROM detector_states WHERE run_id = 5"), 0);
    // One that learns nothing has no state, and says so only if it was asked for one.
    let without = summary(&mut host_run(&database, "threshold", &day));
    assert_eq!(
        (&without["state"], &without["state_entries_restored"]),
        (&serde_json::Value::Null, &0.into())
    );
}

#[test]
fn people_are_told_what_became_of_the_state() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = a_day(&files);
    let state_line =
        |text: &str| text.lines().find(|line| line.trim_start().starts_with("state")).map(str::to_owned);
    let run = || state_line(&succeed(&mut host_run(&database, "zscore", &day)));
    assert_eq!(run().as_deref(), Some("  state    began `zscore`, wrote 5 entries"));
    assert_eq!(run().as_deref(), Some("  state    continued `zscore` of run 1 (5 entries), wrote 5 entries"));
    let page = succeed(host().args(["runs", "2", "--database-url", &database.url()]));
    assert_eq!(
        state_line(&page).as_deref(),
        Some("  state      `zscore`, continued from run 1, wrote 5 entries")
    );
    // A check judges as the first run did, and says so.
    let mut check = host();
    let checked = finish(check.args(["check", "--plugin", "zscore"]).arg(&day));
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    let note = checked.stderr.lines().find(|line| line.starts_with("note: ")).unwrap();
    insta::assert_snapshot!(note);
}

/// What a run with a state that does not fit says; nothing is written, and the state is as it was.
#[test]
fn a_state_that_does_not_fit_is_refused() {
    let (database, files) = (Database::migrated(), Files::new());
    let (day, faithless) = (a_day(&files), faithless(&files, "file"));
    succeed(&mut host_run(&database, "zscore", &day));
    succeed(host_run(&database, &faithless, &day).args(["--set", "fault=counts-rows"]));
    let altered = "UPDATE detector_states SET value = set_byte(value, 1, 1 - get_byte(value, 1)) WHERE run_id = 1 AND user_id = 3";
    let cases: [(&str, &str, &[&str], &str, i32); 9] = [
        ("not_stateful", "threshold", &["--state", "x"], "", 2),
        ("not_stateful_new", "threshold", &["--state", "new"], "", 2),
        ("other_plugin", "zscore", &["--state", "faithless"], "", 2),
        ("refused", &faithless, &["--set", "fault=state-refused"], "", 4),
        ("altered", "zscore", &[], altered, 5),
        ("removed", "zscore", &[], "DELETE FROM detector_states WHERE run_id = 1 AND user_id = 3", 5),
        (
            "added",
            "zscore",
            &[],
            "INSERT INTO detector_states SELECT 1, 77, value FROM detector_states WHERE run_id = 1 AND user_id = 3",
            5,
        ),
        ("all_removed", "zscore", &[], "DELETE FROM detector_states WHERE run_id = 1", 5),
        (
            "shared",
            "zscore",
            &[],
            "UPDATE detector_states SET user_id = NULL WHERE run_id = 1 AND user_id = 3",
            5,
        ),
    ];
    for (name, plugin, arguments, change, code) in cases {
        database.execute("CREATE TABLE saved AS TABLE detector_states");
        database.execute(change);
        let before = (database.counts(), database.number("SELECT count(*) FROM detector_states"));
        let refused = finish(host_run(&database, plugin, &day).args(arguments));
        assert_eq!(refused.code, code, "{name}: {}", refused.stderr);
        assert_eq!(
            (database.counts(), database.number("SELECT count(*) FROM detector_states")),
            before,
            "{name}"
        );
        insta::assert_snapshot!(format!("refused_{name}"), files.anonymous(&refused.stderr));
        database
            .execute("TRUNCATE detector_states; INSERT INTO detector_states TABLE saved; DROP TABLE saved");
    }
    // What the advice says helps.
    for arguments in [["--state", "new"], ["--state", "faithless-2"]] {
        succeed(host_run(&database, &faithless, &day).args(["--set", "fault=state-refused"]).args(arguments));
    }
    // The run that it continues is gone.
    succeed(&mut host_run(&database, "zscore", &day));
    database.execute("DELETE FROM ingest_runs WHERE run_id = 1");
    let gone = finish(&mut host_run(&database, "zscore", &day));
    assert_eq!(gone.code, 5, "{}", gone.stderr);
    insta::assert_snapshot!("refused_run_gone", files.anonymous(&gone.stderr));
}

/// A guest that says twice what belongs to a user, or to nobody.
#[test]
fn what_is_passed_on_twice_is_refused() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = a_day(&files);
    for face in ["file", "per-user"] {
        let plugin = faithless(&files, face);
        let refused = finish(host_run(&database, &plugin, &day).args(["--set", "fault=state-endless"]));
        assert_eq!(refused.code, 5, "{face}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("the same entry of its state `faithless` twice"),
            "{}",
            refused.stderr
        );
        assert_eq!(database.counts(), (0, 0, 0));
    }
}

#[test]
fn a_run_is_verified_with_the_state_as_it_was() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = a_day(&files);
    let odd = csv(&files, "odd.csv", 100, &[(0, 800, 0), (1, 100, 0), (9, 1, 0)]);
    for file in [&day, &odd, &day] {
        succeed(&mut host_run(&database, "zscore", file));
    }
    assert_eq!(database.counts().1, 1, "known only from the first run");
    let verified = |run: i64, file: &Path| {
        let Finished { code, stdout, stderr } = verify(&database, run, file);
        (code, files.anonymous(&stdout), files.anonymous(&stderr))
    };
    for (run, file) in [(1, &day), (2, &odd), (3, &day)] {
        let (code, stdout, stderr) = verified(run, file);
        assert_eq!(code, 0, "{run}: {stdout}{stderr}");
    }
    let change = |run: i64| {
        database.execute(&format!(
            "UPDATE detector_states SET value = set_byte(value, 1, 255 - get_byte(value, 1)) WHERE run_id = {run} AND user_id = 1"
        ));
    };
    // Its own entries differ, and with them the state from which the next run went on.
    change(2);
    let (code, stdout, stderr) = verified(2, &odd);
    assert_eq!(code, 7, "{stdout}{stderr}");
    insta::assert_snapshot!("verify_altered_entry", format!("{stdout}---\n{stderr}"));
    let (code, _, stderr) = verified(3, &day);
    assert_eq!(code, 5, "{stderr}");
    insta::assert_snapshot!("verify_altered_predecessor", stderr);
    assert_eq!(verified(1, &day).0, 0);
    change(2);
    assert_eq!(verified(2, &odd).0, 0);
}
