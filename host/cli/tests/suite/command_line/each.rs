//! `host run --each`: a run for each file, and what is said of all of them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command_line::json::lines;
use crate::database::waiting::Waiting;
use crate::support::{Database, Files, Finished, finish, host, succeed};

/// Two good files, one that cannot be read between them, and one more.
fn four_files() -> Files {
    let files = Files::new();
    files.many_rows("a.csv", 1..201);
    files.write("b.csv", "transaction_id,user_id,amount,timestamp\n1,7,x,2024-01-01 00:00:00\n");
    files.many_rows("c.csv", 201..301);
    files.many_rows("d.csv", 301..311);
    files
}

fn each(database: &Database, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = host();
    command.args(["run", "--each", "--plugin", "threshold", "--database-url", &database.url()]);
    command.args(arguments).arg(folder);
    command
}

/// Without what differs from run to run.
fn assert_reads(name: &str, finished: &Finished, files: &Files, database: &Database) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"sha256 [0-9a-f]{16}", "sha256 [sha256]");
    settings.add_filter(r"committed at \S+ \S+:", "committed at [time]:");
    settings.add_filter(r"(?m)^  (at|time|memory|into) .*$", "  $1 …");
    let text = format!("exit code {}\n{}{}", finished.code, finished.stdout, finished.stderr);
    let text = database.anonymous(&files.anonymous(&text));
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn the_first_failure_ends_the_command_and_nothing_that_was_committed() {
    let (database, files) = (Database::new(), four_files());
    let finished = finish(&mut each(&database, files.path(), &[]));
    assert_reads("each", &finished, &files, &database);
    assert_eq!(database.counts(), (200, 2, 1));
    // What was said to be not tried can be given again, and what was done is left out.
    files.csv(&["1,7,1.00,2024-01-01 00:00:00"]);
    let finished = finish(&mut each(&database, files.path(), &["--once", "--keep-going"]));
    assert_reads("each_keep_going", &finished, &files, &database);
    assert_eq!(database.counts(), (311, 3, 4));
    assert_eq!(database.number("SELECT count(DISTINCT run_id) FROM ingest_files"), 4);
}

#[test]
fn programs_read_an_object_for_each_run() {
    let (database, files) = (Database::new(), four_files());
    let outcomes = |lines: &[Value]| {
        let outcome = |line: &Value| {
            let file = Path::new(line["input"].as_str().unwrap()).file_name().unwrap().to_str().unwrap();
            format!("{file} {} {}", line["outcome"].as_str().unwrap(), line["run_exit_code"])
        };
        lines.iter().map(outcome).collect::<Vec<_>>()
    };
    let (records, end) = lines(&mut each(&database, files.path(), &["--keep-going"]));
    assert_eq!(
        outcomes(&records),
        ["a.csv committed 0", "b.csv failed 3", "c.csv committed 0", "d.csv committed 0"]
    );
    assert_eq!(records[1]["error"]["kind"], "input_row");
    assert_eq!(
        (&records[1]["committed"], &records[1]["database"]),
        (&Value::from(false), &Value::from("rolled_back"))
    );
    assert_eq!(
        (&end["exit_code"], &end["files_committed"], &end["rows_written"]),
        (&3.into(), &3.into(), &310.into())
    );
    assert_eq!(end["not_tried"], serde_json::json!([]));
    let run = |record: &Value| record["run_id"].as_i64().unwrap();
    let in_ledger = database.rows("SELECT run_id FROM ingest_runs ORDER BY run_id").concat();
    let told = [&records[0], &records[2], &records[3]].map(|record| run(record).to_string());
    assert_eq!(in_ledger, told);
    // Remarks belong to the run over which they were made.
    files.write("c.csv", "transaction_id,user_id,amount,timestamp\n");
    std::fs::remove_file(files.path().join("b.csv")).unwrap();
    let (records, end) = lines(&mut each(&database, files.path(), &["--once"]));
    assert_eq!(
        outcomes(&records),
        ["a.csv already_ingested 0", "c.csv committed 0", "d.csv already_ingested 0"]
    );
    let remarks = |record: &Value| record["remarks"].as_array().unwrap().len();
    assert_eq!(records.iter().map(remarks).collect::<Vec<_>>(), [0, 1, 0]);
    assert_eq!((&end["exit_code"], remarks(&end)), (&0.into(), 0));
}

/// A failure that is not due to the file would only be repeated by the others.
#[test]
fn keep_going_ends_where_others_would_fail_too() {
    let files = four_files();
    let mut run = host();
    run.args(["run", "--each", "--keep-going", "--plugin", "threshold"]);
    run.args(["--database-url", "postgres://127.0.0.1:1/x"]).arg(files.path());
    let (records, end) = lines(&mut run);
    assert_eq!((records.len(), &end["exit_code"]), (1, &5.into()));
    assert_eq!(end["not_tried"].as_array().unwrap().len(), 3);
}

/// What was committed before stays so; the run that is cut off says of itself that it is not there.
#[test]
fn an_interrupt_ends_it_between_the_runs_or_in_one() {
    let (database, files) = (Database::migrated(), Files::new());
    let first = files.many_rows("a.csv", 1..101);
    let mut command = each(&database, &first, &["--keep-going"]);
    let waiting = Waiting::start(&database, &mut command, &files);
    waiting.running.signal("INT");
    let finished = waiting.running.finish();
    assert_eq!(finished.code, 130, "{}", finished.stderr);
    assert_eq!(database.counts(), (100, 1, 1));
    let (before, after) =
        finished.stdout.split_once("2 files: 1 committed (100 rows, ").expect(&finished.stdout);
    assert!(before.starts_with("committed run 1: "), "{before}");
    assert!(after.contains(" 1 failed"), "{after}");
}

#[test]
fn what_means_nothing_for_several_runs_is_refused() {
    let (database, files) = (Database::migrated(), four_files());
    let rejects = files.path().join("rejects");
    let refused = finish(each(&database, files.path(), &["--rejects"]).arg(&rejects).arg(files.path()));
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let mut keep_going = host();
    keep_going.args(["run", "--keep-going", "--plugin", "threshold"]).arg(files.path());
    assert_eq!(finish(&mut keep_going).code, 2);
    assert_eq!(database.counts(), (0, 0, 0));
    assert!(succeed(host().args(["run", "--help"])).contains("--keep-going"));
}
