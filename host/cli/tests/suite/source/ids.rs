//! Files whose transactions have ids that are no numbers, or none at all.

use std::path::Path;

use crate::support::{Database, Files, Finished, finish, host, host_run, succeed, summary};

const UUID: &str = "0b242abb-623a-fc57-8575-680df30655b9";
/// One more than fits 128 bits.
const WIDE: &str = "340282366920938463463374607431768211456";

fn verify(database: &Database, run: i64, file: &Path) -> Finished {
    finish(host().args(["verify", &run.to_string(), "--database-url", &database.url()]).arg(file))
}

#[test]
fn ids_of_every_kind_are_kept_beside_those_that_the_host_allots() {
    let (database, files) = (Database::migrated(), Files::new());
    let rows = ["7,5.00,2024-01-01 00:00:00", "8,900.00,2024-01-01 00:00:01"];
    let with = |ids: [&str; 2]| {
        let lines: Vec<String> = ids.iter().zip(rows).map(|(id, row)| format!("{id},{row}")).collect();
        files.csv(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut last_run = 0;
    let stored = "SELECT transaction_id, source_id, source_key, is_anomalous FROM transactions ORDER BY 1";
    for (kind, ids, expected) in [
        ("number", ["17", "-9223372036854775808"], [["17", "null"], ["-9223372036854775808", "null"]]),
        ("text", [UUID, WIDE], [["null", UUID], ["null", WIDE]]),
        ("text", [" 007\t", "\"A, b\""], [["null", "007"], ["null", "A, b"]]),
        // The column is there, and ignored.
        ("none", ["17", "x"], [["null", "null"], ["null", "null"]]),
    ] {
        database.execute("TRUNCATE transactions, anomalies RESTART IDENTITY");
        let file = with(ids);
        let read_as = ["--transaction-ids", kind];
        let summary = summary(host_run(&database, "threshold", &file).args(read_as));
        let run = summary["run_id"].as_i64().unwrap();
        assert_eq!(summary["anomalies"], 1);
        last_run = run;
        let [[one, key], [other, other_key]] = expected;
        assert_eq!(database.rows(stored), [["1", one, key, "0"], ["2", other, other_key, "1"]], "{kind}");
        // The ledger says how it was read, and only if it was not as ever.
        let recorded = database.text(&format!(
            "SELECT coalesce(reading ->> 'transaction_ids', '') FROM ingest_runs WHERE run_id = {run}"
        ));
        assert_eq!(recorded, if kind == "number" { "" } else { kind });
        let verified = verify(&database, run, &file);
        assert_eq!(verified.code, 0, "{kind}: {}{}", verified.stdout, verified.stderr);
        let again = succeed(host_run(&database, "threshold", &file).args(read_as).arg("--once=all"));
        assert!(again.contains(&format!("already ingested by run {run}")), "{again}");
        succeed(host().args(["check", "--plugin", "threshold"]).args(read_as).arg(&file));
    }
    database.execute("UPDATE transactions SET source_key = 'x' WHERE transaction_id = 1");
    assert_eq!(verify(&database, last_run, &files.path().join("file.csv")).code, 7);
}

/// `--no-header` needs no position for a column that is not there.
#[test]
fn a_file_without_header_and_without_ids() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = files.write("f.csv", "7,5.00,2024-01-01 00:00:00\n");
    let columns = ["--no-header", "--column", "amount=2", "--column", "timestamp=3"];
    let with_user = ["--transaction-ids", "none", "--column", "user_id=1"];
    succeed(host_run(&database, "threshold", &file).args(columns).args(with_user));
    let nobody = ["--transaction-ids", "none", "--user-ids", "none"];
    succeed(host_run(&database, "threshold", &file).args(columns).args(nobody));
    assert_eq!(
        database.rows("SELECT transaction_id, user_id, source_id, source_key FROM transactions ORDER BY 1"),
        [["1", "7", "null", "null"], ["2", "0", "null", "null"]]
    );
}

#[test]
fn what_contradicts_itself_is_wrong_usage() {
    let files = Files::new();
    let file = files.csv(&["1,7,5.00,2024-01-01 00:00:00"]);
    for (arguments, expected) in [
        (&["--ids", "keep", "--transaction-ids", "text"][..], "`--ids keep` needs ids that are numbers"),
        (&["--ids", "keep", "--transaction-ids", "none"], "`--ids keep` needs ids that are numbers"),
        (&["--transaction-ids", "none", "--column", "transaction_id=x"], "`--transaction-ids none`"),
        (&["--user-ids", "none", "--column", "USER_ID=x"], "`--user-ids none`"),
        (&["--user-ids", "uuid"], "[possible values: number, text, none]"),
    ] {
        let checked = finish(host().args(["check", "--plugin", "threshold"]).arg(&file).args(arguments));
        assert_eq!(checked.code, 2, "{}", checked.stderr);
        assert!(checked.stderr.contains(expected), "{}", checked.stderr);
    }
}

#[test]
fn the_messages_lead_to_the_flags() {
    let files = Files::new();
    let file = files.write("f.csv", format!("id,who,amount,timestamp\n{UUID},C1,5.00,2024-01-01 00:00:00\n"));
    let mut arguments: Vec<&str> = Vec::new();
    for (help, added) in [
        ("if there is none, pass `--transaction-ids none`", ["--column", "transaction_id=id"]),
        ("if there is none, pass `--user-ids none`", ["--column", "user_id=who"]),
        ("read with `--transaction-ids text`", ["--transaction-ids", "text"]),
        ("read with `--user-ids text`", ["--user-ids", "text"]),
    ] {
        let checked = finish(host().args(["check", "--plugin", "threshold"]).arg(&file).args(&arguments));
        assert_eq!(checked.code, 3, "{}", checked.stderr);
        let output = checked.stdout + &checked.stderr;
        assert!(output.contains(help), "{arguments:?}: {output}");
        arguments.extend(added);
    }
    succeed(host().args(["check", "--plugin", "threshold"]).arg(&file).args(&arguments));
}

/// Textual ids that are none are rejected, and can be mended and run again as they were.
#[test]
fn odd_ids_are_rejected_and_can_be_mended() {
    let (database, files) = (Database::migrated(), Files::new());
    let long = "x".repeat(256);
    let rest = "5.00,2024-01-01 00:00:00";
    let file = files.write(
        "f.csv",
        format!(
            "transaction_id,user_id,amount,timestamp\nA1,C1,{rest}\n ,C2,{rest}\nA3,\u{1b}[31m,{rest}\n\
             {long},C1,{rest}\nA5,,{rest}\n"
        ),
    );
    let rejects = files.path().join("rejects.csv");
    let read_as = ["--transaction-ids", "text", "--user-ids", "text"];
    let mut run = host_run(&database, "threshold", &file);
    let summary = summary(run.args(read_as).args(["--max-rejects", "4", "--rejects"]).arg(&rejects));
    assert_eq!(
        summary["rejected_by_reason"],
        serde_json::json!({
            "transaction_id_empty": 1, "transaction_id_out_of_range": 1,
            "user_id_empty": 1, "user_id_unexpected_character": 1
        })
    );
    assert_eq!(verify(&database, 1, &file).code, 0);
    let mended = std::fs::read_to_string(&rejects).unwrap();
    let mended = mended
        .replace(&format!("{long},"), "A4,")
        .replace(",A5,,", ",A5,C1,")
        .replace(", ,C2", ",A2,C2")
        .replace("\u{1b}[31m", "C2");
    std::fs::write(&rejects, mended).unwrap();
    succeed(host_run(&database, "threshold", &rejects).args(read_as));
    let stored =
        "SELECT t.source_key, u.source_key FROM transactions t JOIN users u USING (user_id) ORDER BY 1";
    assert_eq!(database.rows(stored), [["A1", "C1"], ["A2", "C2"], ["A3", "C2"], ["A4", "C1"], ["A5", "C1"]]);
}
