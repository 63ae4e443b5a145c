//! What is odd, but no error: told once, with counts, to people and to programs.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Database, Files, Finished, finish, host, host_run, sample, summary};

const HEADER: &str = "transaction_id,user_id,amount,timestamp";

/// A folder with one of each kind of what is left out, and two files that are odd.
fn folder() -> Files {
    let files = Files::new();
    std::fs::create_dir(files.path().join("earlier")).unwrap();
    let odd = format!(
        "{HEADER},channel,is_anomalous,rejected_line\n1,7,1.00,2024-01-02 00:00:00,web,0,\n2,7,1.00,2024-01-01 00:00:00,web,0,\n"
    );
    files.write("a.csv", odd);
    files.write("b.csv", format!("{HEADER},channel,shop\n3,7,1.00,2023-12-31 00:00:00,web,x\n\u{1a}"));
    files.write("c.csv", format!("{HEADER}\n"));
    files.write("day.csv.bak", "x");
    files.write("empty.csv", "\r\n\u{1a}");
    files.write("._a.csv", "x");
    files
}

fn notes(finished: &Finished) -> Vec<&str> {
    finished.stderr.lines().filter(|line| line.starts_with("note: ")).collect()
}

fn texts(end: &Value, level: &str) -> Vec<String> {
    let remarks = end["remarks"].as_array().unwrap().iter().filter(|remark| remark["level"] == level);
    remarks.map(|remark| remark["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_odd_is_told_to_people_and_to_programs() {
    let (database, files) = (Database::migrated(), folder());
    let run = |format: &str| {
        let mut run = host();
        run.current_dir(files.path()).args(["run", "--once", "-p", "zscore", ".", "--format", format]);
        finish(run.args(["--database-url", &database.url()]))
    };
    let told = run("human");
    assert_eq!(told.code, 0, "{}", told.stderr);
    insta::assert_snapshot!(notes(&told).join("\n"));

    files.write("d.csv", format!("{HEADER}\n4,7,1.00,2024-01-01 00:00:00\n"));
    let again = run("json");
    let end: Value = serde_json::from_str(&again.stdout).unwrap();
    let texts = texts(&end, "note");
    assert_eq!(texts.iter().map(|text| format!("note: {text}")).collect::<Vec<_>>(), notes(&again));
    let left_out = json!([
        { "name": "._a.csv", "reason": "hidden", "within": "." },
        { "name": "day.csv.bak", "reason": "other_name", "within": "." },
        { "name": "earlier", "reason": "sub_folder", "within": "." },
        { "name": "./empty.csv", "reason": "empty" },
        { "name": "./a.csv", "reason": "known_content", "run_id": 1 },
        { "name": "./b.csv", "reason": "known_content", "run_id": 1 },
        { "name": "./c.csv", "reason": "known_content", "run_id": 1 },
    ]);
    assert_eq!(end["left_out"], left_out);
    assert_eq!((&end["ignored_columns"], &end["rows_back_in_time"]), (&json!([]), &0.into()));

    // The same where there is nothing to do.
    let done: Value = serde_json::from_str(&run("json").stdout).unwrap();
    assert_eq!(done["already_ingested"], true);
    let names = done["left_out"].as_array().unwrap().iter().map(|left| left["name"].as_str().unwrap());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["._a.csv", "day.csv.bak", "earlier", "./empty.csv", "./a.csv", "./b.csv", "./c.csv", "./d.csv"]
    );
}

#[test]
fn check_says_the_same_and_minds_the_order_only_where_the_detector_does() {
    let files = folder();
    let check = |plugin: &str, format: &str| {
        let mut check = host();
        finish(check.current_dir(files.path()).args(["check", "-p", plugin, ".", "--format", format]))
    };
    let back = |finished: &Finished| notes(finished).iter().any(|note| note.contains("timestamps go back 2"));
    assert!(back(&check("zscore", "human")));
    assert!(!back(&check("threshold", "human")));
    let end: Value = serde_json::from_str(&check("threshold", "json").stdout).unwrap();
    assert_eq!(end["rows_back_in_time"], 2);
    assert_eq!(end["ignored_columns"], json!(["channel", "shop"]));
    assert_eq!(end["left_out"].as_array().unwrap().len(), 4);
}

/// A failure has the remarks that came before it, too.
#[test]
fn a_failure_has_its_remarks() {
    let files = folder();
    files.write("e.csv", format!("{HEADER}\n1,7,x,2024-01-01 00:00:00\n"));
    let mut check = host();
    check.current_dir(files.path()).args(["check", "-p", "absent", ".", "--format", "json"]);
    let end: Value = serde_json::from_str(&finish(&mut check).stdout).unwrap();
    assert_eq!((&end["exit_code"], end["remarks"].as_array().unwrap().len()), (&4.into(), 4));
}

/// Of a short file a detector that learns sees too little: it says how many rows that were.
#[test]
fn rows_that_were_not_judged_are_counted() {
    let database = Database::migrated();
    let told = "rows not judged: 1168 of 1800; their users had fewer than 10 earlier rows";
    let run = |minimum: &str| {
        let mut run = host_run(&database, "zscore", &sample());
        run.args(["--state", "none", "--set", &format!("minimum-history={minimum}")]);
        run
    };
    let finished = finish(&mut run("10"));
    let warning = finished.stderr.lines().find(|line| line.contains(" WARN guest: zscore"));
    assert!(warning.is_some_and(|line| line.ends_with(told)), "{}", finished.stderr);
    let warnings = texts(&summary(&mut run("10")), "warning");
    assert!(warnings.iter().any(|warning| warning.ends_with(told)), "{warnings:?}");
    // Where most of them were, only those hear of it who ask.
    let few = finish(run("3").arg("-v"));
    assert!(few.stderr.contains(" INFO guest: zscore"), "{}", few.stderr);
}

/// Each line of the log has its time, and the summary has that of the commit.
#[test]
fn times_of_day_are_told() {
    let database = Database::migrated();
    let finished = finish(host_run(&database, "threshold", &sample()).arg("-vv"));
    let (_, at) = finished.stdout.split_once("\n  at       ").expect("the time of the commit");
    let is_time = |text: &str| {
        let pattern = "dddd-dd-dd dd:dd:ddZ";
        let fits = |(is, should): (char, char)| is == should || should == 'd' && is.is_ascii_digit();
        text.get(..pattern.len()).is_some_and(|text| text.chars().zip(pattern.chars()).all(fits))
    };
    assert!(is_time(at), "{at}");
    let log: Vec<&str> = finished.stderr.lines().collect();
    for (level, what) in [
        (" INFO ", "started 1 instance of `threshold` 0.1.0 from"),
        (" INFO ", "began run 1 on"),
        ("DEBUG ", "judged lines 2 to 1801 of"),
        (" INFO ", "1,800 rows, of which 0 rejected"),
    ] {
        let line = log.iter().find(|line| line.contains(level) && line.contains(what));
        assert!(line.is_some_and(|line| is_time(line)), "{what}: {log:?}");
    }
}

/// `check` lists rejected rows as a file, too, and needs no database for it.
#[test]
fn check_writes_what_it_would_reject() {
    let files = Files::new();
    let bad = files.csv(&["1,7,1.00,2024-01-01 00:00:00", "2,7,NaN,2024-01-01 00:00:00"]);
    let rejects = files.write("rejects.csv", "yesterday's");
    let check = |file: &std::path::Path, to: &std::path::Path| -> Command {
        let mut check = host();
        check.args(["check", "-p", "threshold", "--rejects"]).args([to, file]);
        check
    };
    assert_eq!(finish(&mut check(&bad, &bad)).code, 3, "it is read");
    assert_eq!(finish(check(&bad, &rejects).args(["--delimiter", ";"])).code, 3);
    assert_eq!(std::fs::read_to_string(&rejects).unwrap(), "yesterday's");
    let refused = finish(check(&bad, &rejects).args(["--format", "json"]));
    let end: Value = serde_json::from_str(refused.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&end["would_commit"], &end["rejects"]), (&false.into(), &rejects.to_str().unwrap().into()));
    insta::assert_snapshot!(files.anonymous(&std::fs::read_to_string(&rejects).unwrap()));
    // Mended, it is a file like any other.
    let mended = std::fs::read_to_string(&rejects).unwrap().replace(",NaN,", ",2.00,");
    let mended = files.write("mended.csv", mended);
    let checked = finish(host().args(["check", "-p", "threshold"]).arg(&mended));
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""), "no column of it is worth a note");
}
