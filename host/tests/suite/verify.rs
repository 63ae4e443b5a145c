//! `host verify` in both directions: a run that nobody touched never differs, and every single
//! change to what is stored of it is found.

use std::path::Path;

use crate::support::{Database, Files, Finished, finish, host, host_run, succeed, summary};

fn verify(database: &Database, run: i64, files: &[&Path]) -> Finished {
    let mut verify = host();
    verify.args(["verify", &run.to_string(), "--database-url", &database.url()]).args(files);
    finish(&mut verify)
}

const ROWS: [&str; 5] = [
    "1,7,1.00,2024-01-01 00:00:00",
    "2,7,none,2024-01-01 00:00:00",
    "3,7,900.00,2024-01-01 00:00:00",
    "4,x,1.00,2024-01-01 00:00:00",
    "5,7",
];

/// The same file twice: its second rows are skipped, its rejects are stored twice.
fn twice(database: &Database, files: &Files) -> std::path::PathBuf {
    let file = files.csv(&ROWS);
    let mut run = host_run(database, "threshold", &file);
    run.arg(&file).args(["--ids", "keep", "--on-conflict", "skip", "--max-rejects", "6"]);
    let summary = summary(&mut run);
    assert_eq!((&summary["rows_written"], &summary["rows_skipped"]), (&2.into(), &2.into()));
    file
}

#[test]
fn the_same_file_twice_is_reproduced_under_any_spelling_of_its_path() {
    for policy in [&["--ids", "keep", "--on-conflict", "skip"][..], &["--ids", "assign"]] {
        let (database, files) = (Database::migrated(), Files::new());
        let file = files.csv(&ROWS);
        let mut run = host_run(&database, "threshold", &file);
        succeed(run.arg(&file).args(policy).args(["--max-rejects", "6", "--batch-rows", "2"]));
        let folder = files.path().join("nested");
        std::fs::create_dir(&folder).unwrap();
        let other = folder.join("../file.csv");
        for spelled in [[&*file, &*file], [&*other, &*other], [&*file, &*other]] {
            let verified = verify(&database, 1, &spelled);
            assert_eq!(verified.code, 0, "{policy:?}: {}{}", verified.stdout, verified.stderr);
        }
    }
}

#[test]
fn positions_and_values_of_skipped_rows_are_kept() {
    let (database, files) = (Database::migrated(), Files::new());
    twice(&database, &files);
    let skipped = database.rows(
        "SELECT position, line, transaction_id, differs, user_id, amount, transaction_timestamp FROM skipped_rows
        ORDER BY position, line",
    );
    assert_eq!(
        skipped,
        [
            ["2", "2", "1", "f", "7", "1.00", "2024-01-01 00:00:00"],
            ["2", "4", "3", "f", "7", "900.00", "2024-01-01 00:00:00"]
        ]
    );
    let rejected = database.rows("SELECT position, line FROM rejected_rows ORDER BY position, line");
    assert_eq!(rejected, [["1", "3"], ["1", "5"], ["1", "6"], ["2", "3"], ["2", "5"], ["2", "6"]]);
}

#[test]
fn every_change_to_a_stored_value_is_found() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = twice(&database, &files);
    // As in tables that others have made.
    database.execute(
        "ALTER TABLE transactions ALTER user_id DROP NOT NULL, ALTER amount DROP NOT NULL,
                                  ALTER transaction_timestamp DROP NOT NULL;
        ALTER TABLE anomalies ALTER user_id DROP NOT NULL",
    );
    let one_rejected = "WHERE position = 2 AND line = 3";
    let one_skipped = "WHERE line = 4";
    let mut changes: Vec<String> = [
        ("rejected_rows", "file", "'other'", one_rejected),
        ("rejected_rows", "line", "line + 100", one_rejected),
        ("rejected_rows", "byte_offset", "byte_offset + 1", one_rejected),
        ("rejected_rows", "column_name", "'zzz'", one_rejected),
        ("rejected_rows", "column_name", "NULL", one_rejected),
        ("rejected_rows", "reason", "'other'", one_rejected),
        ("rejected_rows", "message", "'other'", one_rejected),
        ("rejected_rows", "raw", "'\\x00'", one_rejected),
        ("rejected_rows", "position", "1", one_rejected),
        ("rejected_rows", "position", "NULL", one_rejected),
        ("rejected_rows", "run_id", "9", one_rejected),
        ("skipped_rows", "file", "'other'", one_skipped),
        ("skipped_rows", "line", "line + 100", one_skipped),
        ("skipped_rows", "transaction_id", "1", one_skipped),
        ("skipped_rows", "differs", "true", one_skipped),
        ("skipped_rows", "position", "1", one_skipped),
        ("skipped_rows", "position", "NULL", one_skipped),
        ("skipped_rows", "user_id", "8", one_skipped),
        ("skipped_rows", "user_id", "NULL", one_skipped),
        ("skipped_rows", "amount", "NULL", one_skipped),
        ("skipped_rows", "amount", "900.01", one_skipped),
        ("skipped_rows", "transaction_timestamp", "'infinity'", one_skipped),
        ("skipped_rows", "run_id", "9", one_skipped),
        ("transactions", "user_id", "8", "WHERE transaction_id = 1"),
        ("transactions", "amount", "1.01", "WHERE transaction_id = 1"),
        ("transactions", "transaction_timestamp", "'infinity'", "WHERE transaction_id = 1"),
        ("transactions", "is_anomalous", "NULL", "WHERE transaction_id = 1"),
        ("transactions", "user_id", "NULL", "WHERE transaction_id = 1"),
        ("transactions", "amount", "NULL", "WHERE transaction_id = 1"),
        ("transactions", "transaction_timestamp", "NULL", "WHERE transaction_id = 1"),
        ("anomalies", "user_id", "NULL", ""),
        ("transactions", "source_id", "NULL", "WHERE transaction_id = 1"),
        ("anomalies", "transaction_id", "1", ""),
        ("anomalies", "user_id", "8", ""),
        ("anomalies", "amount", "1", ""),
        ("anomalies", "transaction_timestamp", "'-infinity'", ""),
        ("anomalies", "score", "NULL", ""),
        ("anomalies", "reason", "NULL", ""),
        ("anomalies", "run_id", "NULL", ""),
    ]
    .iter()
    .map(|(table, column, value, which)| format!("UPDATE {table} SET {column} = {value} {which}"))
    .collect();
    for table in ["rejected_rows", "skipped_rows"] {
        let which = if table == "rejected_rows" { one_rejected } else { one_skipped };
        changes.push(format!("DELETE FROM {table}"));
        changes.push(format!("DELETE FROM {table} {which}"));
        changes.push(format!("INSERT INTO {table} SELECT * FROM {table} {which}"));
    }
    changes.push("DELETE FROM anomalies".into());
    let tables = ["transactions", "anomalies", "rejected_rows", "skipped_rows"];
    database.execute("CREATE SCHEMA saved");
    for table in tables {
        database.execute(&format!("CREATE TABLE saved.{table} AS TABLE {table}"));
    }
    let unfound: Vec<&String> = changes
        .iter()
        .filter(|change| {
            database.execute(change);
            let code = verify(&database, 1, &[&file, &file]).code;
            database.execute("TRUNCATE transactions, anomalies, rejected_rows, skipped_rows");
            for table in tables {
                database.execute(&format!("INSERT INTO {table} TABLE saved.{table}"));
            }
            code != 7
        })
        .collect();
    assert_eq!(unfound, Vec::<&String>::new());
    assert_eq!(verify(&database, 1, &[&file, &file]).code, 0);
}

#[test]
fn removed_rejects_are_called_removed() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = twice(&database, &files);
    database.execute("DELETE FROM rejected_rows");
    let verified = verify(&database, 1, &[&file, &file]);
    assert_eq!(verified.stdout, "rejected_rows: removed; the ledger has 6 of this run\n");
}

/// Of records of a megabyte each, 8 MiB wait for their ids to be compared, not 8,192.
#[test]
fn large_rejects_are_bounded_in_bytes() {
    let (database, files) = (Database::migrated(), Files::new());
    let large = "x".repeat(1_000_000);
    let rows: Vec<String> = (0..300).map(|i| format!("{i},{large},1.00,2024-01-01 00:00:00")).collect();
    let file = files.csv(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let mut run = host_run(&database, "threshold", &file);
    let summary = summary(run.args(["--ids", "keep", "--max-rejects", "300"]));
    let peak = summary["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < 160 << 20, "{peak} bytes");
    assert_eq!(verify(&database, 1, &[&file]).code, 0);

    database.execute("DELETE FROM rejected_rows WHERE line > 21");
    let mut rejects = host();
    rejects.args(["rejects", "1", "--format", "json", "--database-url", &database.url()]);
    let listed = succeed(&mut rejects);
    let first: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    // "0," and "x" for ever.
    let raw = first["raw_base64"].as_str().unwrap();
    assert!(raw.starts_with("MCx4eHh4") && raw.len() > 1_333_000, "all bytes of the record are there");
    assert_eq!(listed.lines().filter(|line| line.contains("raw_base64")).count(), 20);
}
