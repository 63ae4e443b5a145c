//! `host state prune` and `drop`: what is stored of a state is removed, and everything else says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command_line::json::lines;
use crate::support::{Database, Files, Finished, finish, host, host_run, summary};

fn on(database: &Database, arguments: &[&str]) -> Finished {
    finish(host().args(arguments).args(["--database-url", &database.url()]))
}

fn state(database: &Database, command: &str) -> Finished {
    on(database, &["state", command, "zscore", "--yes"])
}

fn verify(database: &Database, run: i64, file: &Path) -> Finished {
    on(database, &["verify", &run.to_string(), file.to_str().unwrap()])
}

fn assert_told(name: &str, database: &Database, Finished { code, stdout, stderr }: &Finished) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"20[2-9][0-9]-\d\d-\d\d \d\d:\d\d:\d\dZ", "[time]");
    let told = database.anonymous(&format!("{code}\n{stdout}---\n{stderr}"));
    settings.bind(|| insta::assert_snapshot!(name, told));
}

/// Some rows of five users.
fn a_day(files: &Files) -> PathBuf {
    let row = |id: usize| format!("{id},{},{}.00,2024-01-01 00:00:{id:02}\n", id % 5, 100 + id % 7);
    let rows: String = (1..60).map(row).collect();
    files.write("day.csv", format!("transaction_id,user_id,amount,timestamp\n{rows}"))
}

fn run(database: &Database, file: &Path, name: &str) -> serde_json::Value {
    summary(host_run(database, "zscore", file).args(["--state", name]))
}

fn entries(database: &Database) -> Vec<Vec<String>> {
    database.rows("SELECT run_id, count(*) FROM detector_states GROUP BY run_id ORDER BY run_id")
}

#[test]
fn only_the_newest_entries_stay_and_nothing_else_changes() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = a_day(&files);
    for name in ["zscore", "twin", "zscore", "twin", "zscore", "twin"] {
        run(&database, &day, name);
    }
    assert_told("pruned", &database, &state(&database, "prune"));
    assert_eq!(entries(&database), [["2", "5"], ["4", "5"], ["5", "5"], ["6", "5"]]);
    assert_told("pruned_again", &database, &state(&database, "prune"));
    // The next run finds and learns what it would have.
    let [pruned, twin] = ["zscore", "twin"].map(|name| run(&database, &day, name));
    assert_eq!((&pruned["state"]["predecessor"], &pruned["state_entries_restored"]), (&5.into(), &5.into()));
    assert_eq!(twin["state_entries_restored"], 15);
    assert_eq!(pruned["state"]["sha256"], twin["state"]["sha256"]);
    assert_eq!(pruned["anomalies"], twin["anomalies"]);
    assert_eq!(verify(&database, 7, &day).code, 0);
    assert_told("verify_pruned", &database, &verify(&database, 5, &day));
    assert_told("undo_pruned", &database, &on(&database, &["undo", "5", "--yes", "--cascade"]));
    // What came later can be undone, and the state goes on from there.
    assert_eq!(on(&database, &["undo", "7", "--yes"]).code, 0);
    let again = run(&database, &day, "zscore");
    assert_eq!((&again["state"]["predecessor"], &again["state_entries_restored"]), (&5.into(), &5.into()));
}

#[test]
fn what_was_altered_is_not_pruned() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = a_day(&files);
    for _ in 0..2 {
        run(&database, &day, "zscore");
    }
    database.execute(
        "UPDATE detector_states SET value = set_byte(value, 1, 1 - get_byte(value, 1)) WHERE run_id = 2 AND user_id = 3",
    );
    let (_, refused) =
        lines(host().args(["state", "prune", "zscore", "--yes", "--database-url", &database.url()]));
    assert_eq!(
        (&refused["exit_code"], &refused["error"]["kind"]),
        (&5.into(), &"database_state_damaged".into())
    );
    assert_told("prune_altered", &database, &state(&database, "prune"));
    assert_eq!(entries(&database), [["1", "5"], ["2", "5"]]);
    assert_eq!(database.number("SELECT count(*) FROM detector_state_bases"), 0);
    // It can be dropped.
    let (_, dropped) =
        lines(host().args(["state", "drop", "zscore", "--yes", "--database-url", &database.url()]));
    assert_eq!((&dropped["runs"], &dropped["entries_removed"]), (&2.into(), &10.into()));
}

#[test]
fn a_state_that_was_dropped_begins_anew() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = a_day(&files);
    for _ in 0..3 {
        run(&database, &day, "zscore");
    }
    assert_eq!(state(&database, "prune").code, 0);
    run(&database, &day, "zscore");
    run(&database, &day, "other");
    let rows = database.counts();
    assert_told("dropped", &database, &state(&database, "drop"));
    assert_eq!(entries(&database), [["5", "5"]]);
    assert_eq!(database.counts(), rows);
    let listed = on(&database, &["state", "list"]).stdout;
    assert!(listed.contains("\nother ") && !listed.contains("\nzscore "), "{listed}");
    assert_told("dropped_again", &database, &state(&database, "drop"));
    assert_eq!(on(&database, &["state", "show", "zscore"]).code, 2);
    // The first run knew nothing; the last one something that is not there any more.
    assert_told("verify_dropped_first", &database, &verify(&database, 1, &day));
    assert_told("verify_dropped", &database, &verify(&database, 4, &day));

    let anew = run(&database, &day, "zscore");
    assert!(anew["state"]["predecessor"].is_null(), "{anew}");
    assert_eq!(run(&database, &day, "zscore")["state"]["predecessor"], 6);
    let shown = on(&database, &["state", "show", "zscore"]).stdout;
    assert!(shown.contains("10 entries in 2 runs, "), "{shown}");
    assert_eq!(shown.lines().filter(|line| line.contains("  dropped at ")).count(), 4, "{shown}");
    // All runs can be undone: nothing is missed, and what goes on from later ones is not concerned.
    for run in ["4", "3", "2", "7", "6"] {
        let undone = on(&database, &["undo", run, "--yes"]);
        assert_eq!(undone.code, 0, "{run}: {}", undone.stderr);
    }
    assert!(run(&database, &day, "zscore")["state"]["predecessor"].is_null());
}

#[test]
fn both_ask_before() {
    let (database, files) = (Database::migrated(), Files::new());
    let day = a_day(&files);
    for _ in 0..2 {
        run(&database, &day, "zscore");
    }
    for command in ["prune", "drop"] {
        let refused = on(&database, &["state", command, "zscore"]);
        assert_told(&format!("nobody_to_ask_{command}"), &database, &refused);
    }
    for (command, answer, code, left) in
        [("prune", "n", 2, 10), ("drop", "", 2, 10), ("prune", "y", 0, 5), ("drop", "yes", 0, 0)]
    {
        let mut terminal = Command::new("script");
        for (name, value) in host().get_envs() {
            match value {
                Some(value) => terminal.env(name, value),
                None => terminal.env_remove(name),
            };
        }
        let (host, url) = (env!("CARGO_BIN_EXE_host"), database.url());
        let line = format!("{host} state {command} zscore --database-url {url}");
        terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let answers = files.write("answer", format!("{answer}\n"));
        let finished = finish(terminal.stdin(std::fs::File::open(answers).unwrap()));
        assert_eq!(finished.code, code, "{command}: {finished:?}");
        assert!(finished.stdout.contains("any more\r\nremove them? [y/N] "), "{finished:?}");
        let stays = finished.stdout.contains("the state `zscore` stays as it is");
        assert_eq!(stays, code == 2, "{finished:?}");
        assert_eq!(database.number("SELECT count(*) FROM detector_states"), left, "{command} {answer}");
    }
}

/// All that are missing are told, and enough.
#[test]
fn missing_privileges_are_named() {
    let (database, files) = (Database::migrated(), Files::new());
    let role = database.url().rsplit_once('/').unwrap().1.to_owned();
    let day = a_day(&files);
    for _ in 0..2 {
        run(&database, &day, "zscore");
    }
    database.execute(&format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    ));
    let url = database.url().replace("postgres@", &format!("{role}@"));
    let state = |command| finish(host().args(["state", command, "zscore", "--yes", "--database-url", &url]));
    let refused = state("drop");
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    insta::assert_snapshot!("privileges", refused.stderr.replace(&role, "ROLE").replace(&url, "URL"));
    let grants = refused.stderr.split('`').find(|text| text.starts_with("GRANT ")).unwrap();
    database.execute(grants);
    for command in ["prune", "drop"] {
        let finished = state(command);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
    }
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
