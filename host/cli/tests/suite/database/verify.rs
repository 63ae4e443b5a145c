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

/// What no replay can know, and why: a column, or all of a table.
const UNKNOWABLE: [(&str, &str, &str); 4] = [
    ("anomalies", "anomaly_id", "the server's sequence allots it"),
    ("ingest_runs", "undone_mark", "written when the run is undone, and then there is nothing to verify"),
    ("feedback", "", "of no run: what has become known of rows since"),
    ("ingest_migrations", "", "of no run; the migrations themselves look at it"),
];

/// Where a row may be added that no run can tell from another's.
const FOREIGN_ROWS: [(&str, &str); 2] = [
    ("transactions", "with an id of its own it is somebody else's row"),
    ("ingest_runs", "it is another run"),
];

/// A value that is not this one.
fn another(column: &str, sql_type: &str) -> String {
    match sql_type {
        "integer" | "bigint" => format!("coalesce({column}, 0) + 1000"),
        "numeric" => format!("coalesce({column}, 0) + 0.01"),
        "double precision" => format!("coalesce({column}, 0) * (1 + 2e-16)"),
        "text" => format!("coalesce({column}, '') || 'x'"),
        "bytea" => format!("coalesce({column}, '') || '\\x00'"),
        "boolean" => format!("NOT {column}"),
        "ARRAY" => format!("coalesce({column}, '{{}}') || ARRAY['x']"),
        "jsonb" => format!("coalesce({column}, '{{}}') || '{{\"x\": \"y\"}}'"),
        "timestamp without time zone" | "timestamp with time zone" => {
            format!("coalesce({column}, 'epoch') + interval '1 microsecond'")
        }
        other => panic!("what is another value of {column}, a {other}?"),
    }
}

/// Every table of ours but the [`UNKNOWABLE`], with its columns: name, type and whether it may be NULL.
fn tables(database: &Database) -> Vec<(String, Vec<[String; 3]>)> {
    let names = database.rows(
        "SELECT table_name FROM information_schema.tables
        WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1",
    );
    let columns = |table: &str| {
        database.rows(&format!(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position"
        ))
    };
    let is_known = |table: &str, column: &str| {
        !UNKNOWABLE.iter().any(|unknown| unknown.0 == table && [column, ""].contains(&unknown.1))
    };
    let table = |name: &String| {
        let columns = columns(name).into_iter().map(|column| <[String; 3]>::try_from(column).unwrap());
        (name.clone(), columns.filter(|[column, ..]| is_known(name, column)).collect::<Vec<_>>())
    };
    let tables = names.iter().map(|name| table(&name[0]));
    tables.filter(|(_, columns)| !columns.is_empty()).collect()
}

/// Every single change to what is stored of a run: one row of each table, column by column, and a row
/// less or more. With it, the exit code that tells it.
fn changes(database: &Database) -> Vec<(String, i32)> {
    let mut changes = Vec::new();
    for (table, columns) in tables(database) {
        // Not the first row, where there are several.
        let which = format!("ctid = (SELECT max(ctid) FROM {table})");
        let is_ledger = ["ingest_runs", "ingest_files"].contains(&table.as_str());
        let code = if is_ledger { 5 } else { 7 };
        for [column, sql_type, is_nullable] in &columns {
            // Without its number there is no such run.
            let is_number = table == "ingest_runs" && column == "run_id";
            let code = if is_number { 2 } else { code };
            let other = another(column, sql_type);
            changes.push((format!("UPDATE {table} SET {column} = {other} WHERE {which}"), code));
            if is_nullable == "YES" {
                let to_null =
                    format!("UPDATE {table} SET {column} = NULL WHERE {which} AND {column} IS NOT NULL");
                changes.push((to_null, code));
            }
        }
        let code = if table == "ingest_runs" { 2 } else { code };
        changes.push((format!("DELETE FROM {table} WHERE {which}"), code));
        changes.push((format!("DELETE FROM {table}"), code));
        if !FOREIGN_ROWS.iter().any(|(foreign, _)| *foreign == table) {
            let values = columns.iter().map(|[column, ..]| match (table.as_str(), column.as_str()) {
                ("anomalies", "transaction_id") => "1".into(),
                ("ingest_files", "position") => "position + 1000".into(),
                _ => column.clone(),
            });
            let values: Vec<String> = values.collect();
            let columns: Vec<&str> = columns.iter().map(|[column, ..]| column.as_str()).collect();
            let (columns, values) = (columns.join(", "), values.join(", "));
            changes.push((
                format!("INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE {which}"),
                if is_ledger { 5 } else { 7 },
            ));
        }
    }
    changes
}

#[test]
fn every_change_to_a_stored_value_is_found() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = twice(&database, &files);
    // As in tables that others have made; and what our own constraints would refuse is a change, too.
    database.execute(
        "ALTER TABLE transactions ALTER user_id DROP NOT NULL, ALTER amount DROP NOT NULL,
                                  ALTER transaction_timestamp DROP NOT NULL;
        ALTER TABLE anomalies ALTER user_id DROP NOT NULL, ALTER amount DROP NOT NULL,
                              ALTER transaction_timestamp DROP NOT NULL;
        DO $$ DECLARE spare record; BEGIN
            FOR spare IN SELECT conrelid::regclass AS of_table, conname FROM pg_constraint
                         WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace LOOP
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', spare.of_table, spare.conname);
            END LOOP; END $$",
    );
    let tables: Vec<String> = tables(&database).into_iter().map(|(table, _)| table).collect();
    database.execute("CREATE SCHEMA saved");
    for table in &tables {
        database.execute(&format!("CREATE TABLE saved.{table} AS TABLE {table}"));
    }
    let same = |table: &String| {
        format!(
            "SELECT count(*) FROM ((TABLE {table} EXCEPT ALL TABLE saved.{table}) UNION ALL
                                       (TABLE saved.{table} EXCEPT ALL TABLE {table})) AS differing"
        )
    };
    let mut wrong = Vec::new();
    for (change, code) in changes(&database) {
        database.execute(&change);
        let is_change = tables.iter().any(|table| database.number(&same(table)) > 0);
        let verified = verify(&database, 1, &[&file, &file]);
        if is_change && verified.code != code {
            wrong.push(format!("{}, not {code}: {change}\n{}", verified.code, verified.stderr));
        }
        for table in &tables {
            database.execute(&format!("TRUNCATE {table}; INSERT INTO {table} TABLE saved.{table}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(verify(&database, 1, &[&file, &file]).code, 0);
}

/// What another run, or anybody, lawfully does to a row afterwards is no change to the run that
/// skipped it.
#[test]
fn a_skipped_row_may_become_another_one() {
    let (database, files) = (Database::migrated(), Files::new());
    let first =
        files.write("first.csv", "transaction_id,user_id,amount,timestamp\n1,7,1.00,2024-01-01 00:00:00\n");
    let second = files.csv(&["1,7,1.00,2024-01-01 00:00:00", "2,7,1.00,2024-01-01 00:00:00"]);
    let keep = ["--ids", "keep", "--on-conflict", "skip"];
    for file in [&first, &second] {
        succeed(host_run(&database, "threshold", file).args(keep));
    }
    for change in [
        "UPDATE transactions SET amount = 2 WHERE transaction_id = 1",
        "DELETE FROM transactions WHERE transaction_id = 1",
    ] {
        database.execute(change);
        assert_eq!(verify(&database, 2, &[&second]).code, 0, "{change}");
        assert_eq!(verify(&database, 1, &[&first]).code, 7, "{change}");
    }
    // Hosts that kept no digest left nothing else to compare with.
    database.execute("INSERT INTO transactions VALUES (1, 7, 2, '2024-01-01', 0, 1)");
    let differs = |of: &str| database.execute(&format!("UPDATE skipped_rows SET differs = {of}"));
    differs("true");
    let verified = verify(&database, 2, &[&second]);
    assert_eq!(
        (verified.code, verified.stdout.as_str()),
        (7, "skipped_rows: what `differs` says is not what the run wrote\n")
    );
}

#[test]
fn removed_rejects_are_called_removed() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = twice(&database, &files);
    database.execute("DELETE FROM rejected_rows");
    let verified = verify(&database, 1, &[&file, &file]);
    assert_eq!(verified.stdout, "rejected_rows: removed; the ledger has 6 of this run\n");
}

/// Of records of a megabyte each, 4 MiB wait for their ids to be compared, not 8,192.
#[test]
fn large_rejects_are_bounded_in_bytes() {
    let (database, files) = (Database::migrated(), Files::new());
    let large = "x".repeat(1_000_000);
    let rows: Vec<String> = (0..300).map(|i| format!("{i},{large},1.00,2024-01-01 00:00:00")).collect();
    let file = files.csv(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let mut run = host_run(&database, "threshold", &file);
    let summary = summary(run.args(["--ids", "keep", "--max-rejects", "300"]));
    let peak = summary["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < 80 << 20, "{peak} bytes");
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
