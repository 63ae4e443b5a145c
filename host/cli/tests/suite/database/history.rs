//! Earlier files from which a detector learns before the first row: it then judges as if it had been given their rows,
//! nothing of them is written, and a replay needs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Database, Files, finish, host, host_run, succeed, summary};

const HEADER: &str = "transaction_id,user_id,amount,timestamp\n";

/// Rows of three users on a day; the third day has amounts that stand out.
fn day(files: &Files, day: u32) -> PathBuf {
    let row = |i: u32| {
        let amount = if day == 3 && i % 10 == 7 { 90 + i } else { 10 + i % 4 };
        format!("{day}{i:02},{},{amount}.50,2024-01-{day:02} 00:{i:02}:00\n", i % 3)
    };
    let rows: String = (0..40).map(row).collect();
    files.write(&format!("day-{day}.csv"), format!("{HEADER}{rows}"))
}

fn zscore(database: &Database, file: &Path) -> Command {
    let mut run = host_run(database, "zscore", file);
    run.args(["--set", "deviations=3"]);
    run
}

/// The anomalies of a run: the files' ids, with scores to the last bit.
fn anomalies(database: &Database, run: i64) -> Vec<Vec<String>> {
    database.rows(&format!(
        "SELECT source_id, encode(float8send(score), 'hex'), reason
         FROM anomalies JOIN transactions USING (transaction_id) WHERE run_id = {run} AND source_id >= 300
         ORDER BY source_id"
    ))
}

/// The newest entry of each user of a state.
fn known(database: &Database, state: &str) -> Vec<Vec<String>> {
    database.rows(&format!(
        "SELECT DISTINCT ON (s.user_id) s.user_id, encode(value, 'hex')
         FROM ingest_runs r JOIN detector_states s USING (run_id)
         WHERE state = '{state}' ORDER BY s.user_id, s.run_id DESC"
    ))
}

fn notes(stderr: &str) -> String {
    stderr.lines().filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_run_judges_as_if_it_had_been_given_the_rows_before() {
    let (database, files) = (Database::migrated(), Files::new());
    let days = [1, 2, 3].map(|number| day(&files, number));
    let all = summary(zscore(&database, &days[0]).args(&days[1..]).args(["--state", "all"]));
    let expected = anomalies(&database, 1);
    assert!(expected.len() >= 3, "{expected:?}");
    let mut learned = 0;
    for (state, jobs, batch_rows) in [("one", "1", "8192"), ("several", "3", "7"), ("none", "1", "8192")] {
        let mut run = zscore(&database, &days[2]);
        run.args(["--jobs", jobs, "--batch-rows", batch_rows, "--state", state]);
        for file in &days[..2] {
            run.arg("--history").arg(file);
        }
        let run = summary(&mut run);
        let run_id = run["run_id"].as_i64().unwrap();
        assert_eq!(anomalies(&database, run_id), expected, "{state}");
        assert_eq!((&run["rows_written"], &run["rows_read"]), (&40.into(), &40.into()));
        assert_eq!(run["history"].as_array().unwrap().len(), 2);
        assert_eq!(run["history"][1]["rows_read"], 40);
        // Each file has its own digest, as if it had been ingested.
        for i in 0..2 {
            assert_eq!(run["history"][i]["sha256"], all["files"][i]["sha256"]);
        }
        if state != "none" {
            assert_eq!(known(&database, state), known(&database, "all"), "{state}");
            learned += 1;
        }
    }
    assert_eq!(learned, 2);
    // Without it, nothing of this is known.
    let alone = summary(zscore(&database, &days[2]).args(["--state", "alone"]));
    assert_ne!(anomalies(&database, alone["run_id"].as_i64().unwrap()), expected);
}

#[test]
fn people_are_told_of_the_history() {
    let (database, files) = (Database::migrated(), Files::new());
    day(&files, 1);
    let folder = files.path().join("earlier");
    std::fs::create_dir(&folder).unwrap();
    std::fs::rename(files.path().join("day-1.csv"), folder.join("day-1.csv")).unwrap();
    std::fs::write(folder.join("day-2.csv"), format!("{HEADER}1,1,5.00,2024-01-02 00:00:00\n2,x,1.00,?\n"))
        .unwrap();
    let (three, mut lines) = (day(&files, 3), Vec::new());
    let mut run = |arguments: &[&str]| {
        let mut run = zscore(&database, &three);
        let run = finish(run.arg("--history").arg(&folder).args(arguments));
        let line = run.stdout.lines().find(|line| line.starts_with("  history")).unwrap_or("").to_owned();
        let said = notes(&files.anonymous(&run.stderr));
        lines.push(format!("{arguments:?}: {}\n{line}\n{said}", run.code));
    };
    // As many rejected rows as the run may have; then what the state knows already; then anew.
    run(&[]);
    run(&["--max-rejects", "1"]);
    run(&["--max-rejects", "1"]);
    run(&["--max-rejects", "1", "--state", "new"]);
    insta::assert_snapshot!("history_told", lines.join("\n"));
    let page = succeed(host().args(["runs", "2", "--database-url", &database.url()]));
    let lines: Vec<&str> = page.lines().skip_while(|line| !line.starts_with("  history")).take(4).collect();
    insta::assert_snapshot!("history_page", files.anonymous(&lines.join("\n")));
}

#[test]
fn a_history_that_makes_no_sense_is_refused() {
    let (database, files) = (Database::migrated(), Files::new());
    let [one, three] = [1, 3].map(|number| day(&files, number));
    let copy = files.gzip("copy.csv.gz", &std::fs::read(&three).unwrap());
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let cases = [
        ("of_each_row", "threshold", text(&one), 2),
        ("of_itself", "zscore", text(&three), 2),
        ("same_content", "zscore", text(&copy), 2),
        ("missing", "zscore", text(&files.path().join("missing.csv")), 3),
        ("no_columns", "zscore", text(&files.write("other.csv", "a,b\n1,2\n")), 3),
    ];
    for (name, plugin, history, code) in cases {
        let refused = finish(host_run(&database, plugin, &three).args(["--history", &history]));
        assert_eq!(refused.code, code, "{name}: {}", refused.stderr);
        insta::assert_snapshot!(format!("history_{name}"), files.anonymous(&refused.stderr));
        let checked = finish(host().args(["check", "--plugin", plugin, "--history", &history]).arg(&three));
        assert_eq!(checked.code, code, "{name}: {}", checked.stderr);
    }
    assert_eq!(database.counts(), (0, 0, 0));
    assert_eq!(database.number("SELECT count(*) FROM detector_states"), 0);
}

#[test]
fn a_replay_needs_the_same_history() {
    let (database, files) = (Database::migrated(), Files::new());
    let [one, two, three] = [1, 2, 3].map(|number| day(&files, number));
    succeed(zscore(&database, &three).arg("--history").arg(&one).arg("--history").arg(&two));
    succeed(zscore(&database, &one).args(["--state", "none"]));
    let verify = |run: &str, file: &Path, history: &[&Path]| {
        let mut verify = host();
        verify.args(["verify", run, "--plugin", "zscore", "--database-url", &database.url()]).arg(file);
        history.iter().for_each(|file| {
            verify.arg("--history").arg(file);
        });
        let verified = finish(&mut verify);
        (verified.code, database.anonymous(&files.anonymous(&verified.stderr)))
    };
    assert_eq!(verify("1", &three, &[&one, &two]), (0, String::new()));
    let (code, stderr) = verify("1", &three, &[]);
    insta::assert_snapshot!("history_verify_without", stderr);
    assert_eq!(code, 3);
    for (run, file, history) in [("1", &three, vec![&*two, &*one]), ("2", &one, vec![&*two])] {
        let (code, stderr) = verify(run, file, &history);
        assert_eq!(code, 3, "{stderr}");
        assert!(stderr.contains("these are not the files from which run"), "{stderr}");
    }
}

/// With a run for each file, only the first learns from the history: the others continue what it has learned.
#[test]
fn several_runs_learn_from_it_once() {
    let (database, files) = (Database::migrated(), Files::new());
    let days = [1, 2, 3].map(|number| day(&files, number));
    succeed(zscore(&database, &days[0]).args(&days[1..]).args(["--state", "all"]));
    let mut each = zscore(&database, &days[1]);
    succeed(each.arg(&days[2]).args(["--each", "--state", "each", "--history"]).arg(&days[0]));
    assert_eq!(known(&database, "each"), known(&database, "all"));
    assert_eq!(anomalies(&database, 3), anomalies(&database, 1));
}

/// Users whose ids are texts have the same numbers before and after; a check numbers them, too.
#[test]
fn textual_users_are_the_same_in_history_and_run() {
    let (database, files) = (Database::migrated(), Files::new());
    let days = [1, 2, 3].map(|number| {
        let text = std::fs::read_to_string(day(&files, number)).unwrap();
        let text: Vec<String> = text
            .lines()
            .map(|line| match line.splitn(3, ',').collect::<Vec<_>>()[..] {
                [id, user, rest] if user != "user_id" => format!("{id},C{user},{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        files.write(&format!("text-{number}.csv"), text.concat())
    });
    const TEXT: [&str; 2] = ["--user-ids", "text"];
    succeed(zscore(&database, &days[0]).args(&days[1..]).args(TEXT).args(["--state", "all"]));
    let expected = anomalies(&database, 1);
    let other = Database::migrated();
    let mut run = zscore(&other, &days[2]);
    succeed(run.args(TEXT).arg("--history").arg(&days[0]).arg("--history").arg(&days[1]));
    assert_eq!(anomalies(&other, 1), expected);
    let users = "SELECT user_id, source_key FROM users ORDER BY 1";
    assert_eq!(other.rows(users), database.rows(users));
    let found = files.path().join("found.csv");
    let mut check = host();
    check.args(["check", "--plugin", "zscore", "--set", "deviations=3", "--anomalies"]).arg(&found);
    check.arg(&days[2]).args(TEXT).arg("--history").arg(&days[0]).arg("--history").arg(&days[1]);
    succeed(&mut check);
    assert_eq!(std::fs::read_to_string(&found).unwrap().lines().count(), 1 + expected.len());
    let mut verify = host();
    verify.args(["verify", "1", "--plugin", "zscore", "--database-url", &other.url()]).arg(&days[2]);
    succeed(verify.arg("--history").arg(&days[0]).arg("--history").arg(&days[1]));
}
