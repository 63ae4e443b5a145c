//! A row that the database refuses is told by the file and line where it is, whatever lies between
//! it and the beginning, and wherever its id comes from.

use std::path::PathBuf;

use crate::support::{Database, Files, finish, host, host_run, succeed};

/// A row of the files here: its amount says which one it is, also where ids are allotted.
struct Row {
    id: u32,
    is_anomalous: bool,
    /// A note with line breaks in it follows.
    has_long_note: bool,
    /// A record that is no row follows.
    is_before_reject: bool,
}

/// What is in each of three files.
fn rows() -> Vec<Vec<Row>> {
    let row = |id| Row {
        id,
        is_anomalous: id % 3 == 2,
        has_long_note: id % 5 == 0 || id % 7 == 0,
        is_before_reject: id % 6 == 1,
    };
    vec![(1..20).map(row).collect(), (20..21).map(row).collect(), (21..50).map(row).collect()]
}

/// Writes the files; returns them, and the file and line of each row.
fn write(files: &Files) -> (Vec<PathBuf>, Vec<(Row, PathBuf, usize)>) {
    let (mut paths, mut places) = (Vec::new(), Vec::new());
    for (i, rows) in rows().into_iter().enumerate() {
        let path = files.path().join(format!("day{i}.csv"));
        let mut text = String::from("transaction_id,user_id,amount,timestamp,country,note\n");
        for row in rows {
            let line = text.lines().count() + 1;
            let amount = row.id + if row.is_anomalous { 1000 } else { 0 };
            let country = if row.is_anomalous { "FR" } else { "DE" };
            let note = if row.has_long_note { "\"one\ntwo\r\n\nthree\"" } else { "" };
            text.push_str(&format!("{},7,{amount}.00,2024-01-01 00:00:00,{country},{note}\n", row.id));
            if row.is_before_reject {
                text.push_str("9999,7,\"no\n amount\",2024-01-01 00:00:00,DE,\n");
            }
            places.push((row, path.clone(), line));
        }
        files.write(&format!("day{i}.csv"), text);
        paths.push(path);
    }
    (paths, places)
}

/// Refuses the row of this number, in this table.
fn refuse(database: &Database, table: &str, id: u32) {
    database.execute(&format!(
        "DROP TRIGGER IF EXISTS guard ON transactions;
        DROP TRIGGER IF EXISTS guard ON anomalies;
        CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.amount::int % 1000 = {id} THEN RAISE EXCEPTION 'not this one'; END IF;
            RETURN NEW; END $$;
        CREATE TRIGGER guard BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION guard()"
    ));
}

#[test]
fn a_refused_row_is_told_by_its_file_and_line() {
    let (database, files) = (Database::migrated(), Files::new());
    let (paths, places) = write(&files);
    // Ids that are taken: these rows are skipped.
    let taken: String =
        (1..50).filter(|id| id % 4 == 0).map(|id| format!("{id},7,1.00,2024-01-01 00:00:00,DE,\n")).collect();
    let taken =
        files.write("taken.csv", format!("transaction_id,user_id,amount,timestamp,country,note\n{taken}"));
    succeed(host_run(&database, "threshold", &taken).args(["--ids", "keep"]));

    let skip = ["--ids", "keep", "--on-conflict", "skip"];
    let ways: [(&str, &[&str]); 6] = [
        ("threshold", &[]),
        ("threshold", &["--batch-rows", "4", "--jobs", "2"]),
        ("threshold", &skip),
        ("abroad", &["--batch-rows", "3"]),
        ("abroad", &skip),
        ("abroad", &["--jobs", "2", "--ids", "keep", "--on-conflict", "skip", "--batch-rows", "2"]),
    ];
    let mut wrong = Vec::new();
    for (plugin, arguments) in ways {
        for (row, path, line) in &places {
            // At the beginning and the end of a file, after a reject, after a note, and one in between.
            let is_tried = [1, 2, 6, 17, 21, 22, 23, 47, 49].contains(&row.id);
            for table in ["transactions", "anomalies"] {
                if !is_tried || table == "anomalies" && !row.is_anomalous {
                    continue;
                }
                refuse(&database, table, row.id);
                let mut run = host();
                run.args(["run", "--database-url", &database.url(), "--plugin", plugin]).args(&paths);
                let refused = finish(run.args(arguments).args(["--max-rejects", "100"]));
                let expected = format!(
                    "error: the database refuses a row of `{table}`: `{}` line {line}\n",
                    path.display()
                );
                if refused.code != 5 || !refused.stderr.contains(&expected) {
                    wrong.push(format!("{plugin} {arguments:?}, not {expected}{}", refused.stderr));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// A COPY ends before the places of its rows take much memory; the next begins with its own.
#[test]
fn rows_that_are_all_on_several_lines_are_told_apart() {
    let (database, files) = (Database::migrated(), Files::new());
    let mut text = String::from("transaction_id,user_id,amount,timestamp,note\n");
    for id in 1..=100_000 {
        text.push_str(&format!("{id},7,1.00,2024-01-01 00:00:00,\"one\ntwo\"\n"));
    }
    let file = files.write("long.csv", text);
    for id in [1, 43_690, 99_999] {
        database.execute(&format!(
            "ALTER TABLE transactions DROP CONSTRAINT IF EXISTS guard;
            ALTER TABLE transactions ADD CONSTRAINT guard CHECK (source_id <> {id})"
        ));
        let refused = finish(&mut host_run(&database, "threshold", &file));
        let expected = format!("`transactions`: `{}` line {}\n", file.display(), 2 * id);
        assert!(refused.stderr.contains(&expected), "not {expected}{}", refused.stderr);
    }
}
