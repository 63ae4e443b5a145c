//! Exports as people have them: the very line of the README loads each of them.

use std::path::Path;

use crate::support::{Database, Finished, host, type_line};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The lines of the table "Your export" that load a file of data/shapes.
fn lines() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let rows = readme.lines().filter(|line| line.starts_with('|') && line.contains("data/shapes/"));
    let line = |row: &str| row.split('`').find(|text| text.starts_with("host run ")).unwrap().to_owned();
    rows.map(line).collect()
}

/// Types a line into a shell in the root of the checkout.
fn types(line: &str, database: &Database) -> Finished {
    type_line(host().env("DATABASE_URL", database.url()).current_dir(root()), line)
}

#[test]
fn every_shape_is_loaded_by_the_line_of_the_readme() {
    // Rows, rejected records, anomalies, users, the first time and the last.
    let expected = [
        ("paysim.csv", ["50", "0", "5", "15", "1970-01-01 01:00:00", "1970-01-01 07:00:00"]),
        ("sparkov.csv", ["50", "0", "5", "7", "", ""]),
        ("banksim.csv", ["50", "0", "5", "17", "1970-01-01 00:00:00", "1970-01-07 00:00:00"]),
        ("ieee-cis.csv", ["46", "4", "4", "11", "", ""]),
        ("creditcard.csv", ["49", "1", "5", "1", "1970-01-02 03:46:15", "1970-01-02 03:47:04"]),
        ("paypal.csv", ["50", "0", "5", "", "", ""]),
        ("sparkasse.csv", ["50", "0", "5", "", "2024-01-01 00:00:00", "2024-01-25 00:00:00"]),
        ("statement.csv", ["50", "0", "5", "1", "2024-01-01 00:00:00", "2024-01-25 00:00:00"]),
        ("spreadsheet.csv", ["50", "0", "5", "9", "", ""]),
    ];
    let lines = lines();
    let mut files: Vec<String> = std::fs::read_dir(root().join("data/shapes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".csv"))
        .collect();
    files.sort();
    let mut named: Vec<&str> = expected.iter().map(|(file, _)| *file).collect();
    named.sort_unstable();
    assert_eq!(files, named);
    for (file, counts) in expected {
        let line =
            lines.iter().find(|line| line.contains(&format!("/{file}"))).unwrap_or_else(|| panic!("{file}"));
        let database = Database::new();
        let done = types(line, &database);
        assert_eq!(done.code, 0, "{line}: {}", done.stderr);
        let stored = database.rows(
            "SELECT (SELECT count(*) FROM transactions), (SELECT count(*) FROM rejected_rows),
                (SELECT count(*) FROM anomalies), (SELECT count(DISTINCT user_id) FROM transactions),
                min(transaction_timestamp), max(transaction_timestamp) FROM transactions",
        );
        for (found, expected) in stored[0].iter().zip(counts).filter(|(_, expected)| !expected.is_empty()) {
            assert_eq!(found, expected, "{file}: {stored:?}");
        }
        let verified = types(&format!("host verify 1 data/shapes/{file}"), &database);
        assert_eq!(verified.code, 0, "{file}: {}{}", verified.stdout, verified.stderr);
    }
    // Amounts that are written for people.
    let database = Database::new();
    let line = lines.iter().find(|line| line.contains("/statement.csv")).unwrap();
    assert_eq!(types(line, &database).code, 0);
    let statement = std::fs::read_to_string(root().join("data/shapes/statement.csv")).unwrap();
    let totals = statement.lines().last().unwrap().replace([',', '"'], "");
    let [_, debits, credits] = totals.split('$').collect::<Vec<_>>()[..] else { panic!("{totals}") };
    let sum = |sign: &str| format!("SELECT abs(sum(amount)) FROM transactions WHERE amount {sign} 0");
    assert_eq!(database.rows(&sum("<"))[0][0], debits);
    assert_eq!(database.rows(&sum(">"))[0][0], credits);
    // Texts without what is around them, and numbers of any length.
    let database = Database::new();
    for file in ["banksim.csv", "sparkov.csv"] {
        let line = lines.iter().find(|line| line.contains(file)).unwrap();
        assert_eq!(types(line, &database).code, 0);
    }
    assert_eq!(database.number("SELECT count(*) FROM users WHERE source_key !~ '^C?[0-9]{10,19}$'"), 0);
    assert_eq!(database.number("SELECT count(*) FROM users WHERE length(source_key) = 19"), 2);
    assert_eq!(database.number("SELECT count(DISTINCT source_key) FROM transactions"), 50);
}
