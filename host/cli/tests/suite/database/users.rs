//! Users whose ids are texts: one number for each, the same for ever, and never that of anybody else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::support::{
    Database, Files, Finished, OwnServer, Running, execute, finish, host, host_run, rows, start, succeed,
    summary,
};

const TEXTS: [&str; 4] = ["--transaction-ids", "text", "--user-ids", "text"];

/// A file whose transactions' ids begin with those of their users.
fn file(files: &Files, name: &str, users: impl Iterator<Item = u64>) -> PathBuf {
    let mut text = String::from("transaction_id,user_id,amount,timestamp\n");
    for (i, user) in users.enumerate() {
        let amount = if i % 100 == 0 { "900.00" } else { "1.00" };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "C{user}-{i},C{user},{amount},2024-01-01 00:00:00");
    }
    files.write(name, text)
}

/// Rows whose user is not the one that their own id names.
fn of_others(database: &Database) -> i64 {
    database.number(
        "SELECT count(*) FROM transactions t LEFT JOIN users u USING (user_id)
        WHERE split_part(t.source_key, '-', 1) IS DISTINCT FROM u.source_key",
    )
}

fn verify(database: &Database, run: i64, file: &Path) -> Finished {
    finish(host().args(["verify", &run.to_string(), "--database-url", &database.url()]).arg(file))
}

fn users(database: &Database) -> Vec<Vec<String>> {
    database.rows("SELECT user_id, source_key FROM users ORDER BY user_id DESC")
}

#[test]
fn the_same_user_has_the_same_number_in_every_run() {
    let (database, files) = (Database::migrated(), Files::new());
    let first = file(&files, "first.csv", [5, 3, 5].into_iter());
    let second = file(&files, "second.csv", [4, 3, 5, 9].into_iter());
    let check = succeed(host().args(["check", "--plugin", "threshold"]).args(TEXTS).arg(&first));
    assert!(check.contains("3 rows"), "{check}");
    succeed(host_run(&database, "threshold", &first).args(TEXTS));
    // What the operator does to the other tables does not change who is who.
    database.execute("TRUNCATE transactions, anomalies RESTART IDENTITY");
    succeed(host_run(&database, "threshold", &second).args(TEXTS));
    assert_eq!(users(&database), [["-1", "C5"], ["-2", "C3"], ["-3", "C4"], ["-4", "C9"]]);
    assert_eq!(of_others(&database), 0);
    let stored = "SELECT t.user_id, a.user_id FROM transactions t LEFT JOIN anomalies a USING (transaction_id) ORDER BY transaction_id";
    assert_eq!(database.rows(stored), [["-3", "-3"], ["-2", "null"], ["-1", "null"], ["-4", "null"]]);
    let verified = verify(&database, 2, &second);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
}

/// Neither the size of batches, nor how many detectors there are, nor what had to be asked for at a time.
#[test]
fn numbers_depend_on_the_files_alone() {
    let files = Files::new();
    // More rows than are asked for at a time, and users who come up again much later.
    let random = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    let file = file(&files, "many.csv", (0..100_000).map(|i| random(i) % 60_000));
    let found: Vec<_> =
        [&[][..], &["--batch-rows", "700", "--jobs", "3"], &["--ids", "assign", "--defer-keys", "never"]]
            .into_iter()
            .map(|arguments| {
                let database = Database::migrated();
                let mut run = host_run(&database, "zscore", &file);
                let summary = summary(run.args(TEXTS).args(arguments));
                assert_eq!(summary["rows_written"], 100_000);
                assert_eq!(of_others(&database), 0);
                (users(&database), summary["anomalies"].clone(), database)
            })
            .collect();
    assert!(found.iter().all(|(users, anomalies, _)| (users, anomalies) == (&found[0].0, &found[0].1)));
    let in_order = found[0].0.iter().zip(1..).all(|(user, number)| user[0] == format!("-{number}"));
    assert!(in_order && found[0].0.len() > 40_000, "{}", found[0].0.len());
    let verified = verify(&found[0].2, 1, &file);
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn runs_at_the_same_time_agree_on_who_is_who() {
    let (database, files) = (Database::migrated(), Files::new());
    let runs: Vec<Running> = (0..4)
        .map(|i| {
            let file = file(&files, &format!("{i}.csv"), (0..5_000).map(|row| (row * 7 + i * 900) % 2_500));
            start(host_run(&database, "threshold", &file).args(TEXTS))
        })
        .collect();
    let ended: Vec<Finished> = runs.into_iter().map(Running::finish).collect();
    assert!(ended.iter().all(|run| run.code == 0), "{ended:?}");
    assert_eq!(database.counts(), (20_000, 200, 4));
    assert_eq!(of_others(&database), 0);
    let numbers = "SELECT count(*), count(DISTINCT source_key), max(user_id), min(user_id) FROM users";
    assert_eq!(database.rows(numbers), [["2500", "2500", "-1", "-2500"]]);
}

#[test]
fn a_run_that_is_rolled_back_leaves_no_users() {
    let (database, files) = (Database::migrated(), Files::new());
    let bad = file(&files, "bad.csv", 0..70_000);
    let mut text = std::fs::read_to_string(&bad).unwrap();
    text.push_str("C1-x,C1,NaN,2024-01-01 00:00:00\n");
    std::fs::write(&bad, text).unwrap();
    let failed = finish(host_run(&database, "threshold", &bad).args(TEXTS));
    assert_eq!(failed.code, 3, "{}", failed.stderr);
    assert!(failed.stderr.contains("at line 70002"), "{}", failed.stderr);
    assert_eq!((users(&database).len(), database.counts()), (0, (0, 0, 0)));
    // What was rejected comes with the rows before it.
    let rejects = files.path().join("rejects.csv");
    let mut run = host_run(&database, "threshold", &bad);
    succeed(run.args(TEXTS).args(["--max-rejects", "1", "--rejects"]).arg(&rejects));
    assert_eq!(users(&database).len(), 70_000);
    assert!(std::fs::read_to_string(&rejects).unwrap().contains("C1-x,C1,NaN"));
}

/// Numbers and texts in the same tables never make two people one.
#[test]
fn users_with_numbers_stay_apart_from_those_with_texts() {
    let (database, files) = (Database::migrated(), Files::new());
    let numbers =
        files.write("numbers.csv", "transaction_id,user_id,amount,timestamp\n1,1,1.00,2024-01-01 00:00:00\n");
    let negative = files
        .write("negative.csv", "transaction_id,user_id,amount,timestamp\n1,-1,1.00,2024-01-01 00:00:00\n");
    let texts = file(&files, "texts.csv", [1, 2].into_iter());
    // Numbers below zero are refused once texts have such numbers,
    succeed(host_run(&database, "threshold", &numbers).args(["--transaction-ids", "number"]));
    succeed(host_run(&database, "threshold", &texts).args(TEXTS));
    succeed(&mut host_run(&database, "threshold", &numbers));
    assert_eq!(
        database.rows("SELECT user_id FROM transactions ORDER BY transaction_id"),
        [["1"], ["-1"], ["-2"], ["1"]]
    );
    let refused = finish(&mut host_run(&database, "threshold", &negative));
    assert_eq!(refused.code, 3);
    insta::assert_snapshot!("negative_after_texts", files.anonymous(&refused.stderr));
    let some = summary(host_run(&database, "threshold", &negative).args(["--max-rejects", "1"]));
    assert_eq!(verify(&database, some["run_id"].as_i64().unwrap(), &negative).code, 0);
    // and texts where there are such numbers already.
    let database = Database::migrated();
    succeed(&mut host_run(&database, "threshold", &negative));
    let refused = finish(host_run(&database, "threshold", &texts).args(TEXTS));
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("texts_after_negative", refused.stderr);
    assert_eq!(users(&database).len(), 0);
    // What was read before as it was meant then, reads so again.
    assert_eq!(verify(&database, 1, &negative).code, 0);
}

#[test]
fn every_change_to_the_numbers_is_found() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = file(&files, "f.csv", [1, 2, 1].into_iter());
    succeed(host_run(&database, "threshold", &file).args(TEXTS));
    assert_eq!(verify(&database, 1, &file).code, 0);
    for (change, expected) in [
        ("UPDATE users SET user_id = -9 WHERE source_key = 'C2'", "user, amount or timestamp"),
        ("UPDATE users SET source_key = 'C9' WHERE source_key = 'C2'", "users: the user `C2` is not there"),
        ("DELETE FROM users", "users: the user `C1` is not there"),
    ] {
        database.execute(&format!("CREATE TABLE saved AS TABLE users; {change}"));
        let verified = verify(&database, 1, &file);
        assert_eq!(verified.code, 7, "{change}");
        assert!(verified.stdout.contains(expected), "{change}: {}", verified.stdout);
        database.execute("TRUNCATE users; INSERT INTO users TABLE saved; DROP TABLE saved");
    }
    assert_eq!(verify(&database, 1, &file).code, 0);
    // Numbers that nobody has any more are not given out again.
    database.execute("DELETE FROM users");
    let refused = finish(host_run(&database, "threshold", &file).args(TEXTS));
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains("it is empty, but"), "{}", refused.stderr);
}

/// A table of that name is in many databases. It is in nobody's way who does not need it.
#[test]
fn a_table_users_of_somebody_else_stays_as_it_is() {
    let (database, files) = (Database::new(), Files::new());
    database
        .execute("CREATE TABLE users (id INT PRIMARY KEY, email TEXT); INSERT INTO users VALUES (1, 'x')");
    let numbers = files.csv(&["1,7,5.00,2024-01-01 00:00:00"]);
    succeed(&mut host_run(&database, "threshold", &numbers));
    succeed(host().args(["verify", "1", "--database-url", &database.url()]).arg(&numbers));
    let texts = file(&files, "texts.csv", [1].into_iter());
    let refused = finish(host_run(&database, "threshold", &texts).args(TEXTS));
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("users_of_somebody_else", refused.stderr);
    assert_eq!((database.counts().0, database.number("SELECT count(*) FROM users")), (1, 1));
}

/// Where two ids would be written the same way, they are refused.
#[test]
fn users_that_the_encoding_cannot_tell_apart_are_refused() {
    let (server, files) = (OwnServer::new(), Files::new());
    let url = server.start();
    let sql = "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    execute(&url, sql);
    let url = format!("{}/latin", url.rsplit_once('/').unwrap().0);
    let text = "transaction_id,user_id,amount,timestamp\n1,ü,1.00,2024-01-01 00:00:00\n";
    let good = files.write("good.csv", text);
    let bad = files.write("bad.csv", text.replace('ü', "€"));
    let run = |file| {
        let mut run = host();
        run.args(["run", "--plugin", "threshold", "--user-ids", "text", "--database-url", &url]).arg(file);
        finish(&mut run)
    };
    assert_eq!(run(&good).code, 0);
    let refused = run(&bad);
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!("user_not_storable", refused.stderr.replace(&url, "URL"));
    assert_eq!(rows(&url, "SELECT source_key FROM users"), [["ü"]]);
}
