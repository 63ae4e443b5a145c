//! Exports as banks, shops and payment firms write them: what their cells mean, and what they cannot mean.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Database, Files, finish, host, host_run, succeed, summary};

/// A file of the corpus.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/malformed").join(name)
}

/// A line of arguments as it is typed.
fn arguments(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate();
    let words = quoted.flat_map(|(i, part)| match i % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// How the files of the corpus are read that have a shape of their own.
const PAYPAL: &str = "--column 'transaction_id=Transaction ID' --column user_id=Customer --column amount=Gross \
    --timestamp-columns Date,Time,TimeZone --timestamp-format '%d/%m/%Y %H:%M:%S %Q' --timezone UTC \
    --amount-format 1,234.56 --currency Currency";
const GERMAN: &str = "--encoding latin1 --delimiter ; --column transaction_id=Nr --column user_id=Kunde \
    --column amount=Betrag --column timestamp=Buchungstag --timestamp-format %d.%m.%y \
    --amount-format 1.234,56 --currency Währung";
const STATEMENT: &str = "--column transaction_id=Ref --column user_id=Customer \
    --column 'timestamp=Transaction Date' --timestamp-format %m/%d/%Y --debit Debit --credit Credit \
    --amount-format 1,234.56";

/// Each file with its arguments, and what is stored of it: id, amount, timestamp, currency.
const SHAPES: [(&str, &str, &[[&str; 4]]); 9] = [
    (
        "date-and-time-columns.csv",
        PAYPAL,
        &[["1001", "12.50", "2024-02-01 12:21:30", "EUR"], ["1002", "1250.00", "2024-07-01 11:25:00", "EUR"]],
    ),
    ("dates-without-time.csv", "--date-only", &[["1", "1.00", "2024-02-29 00:00:00", "null"]]),
    (
        "bank-statement-german.csv",
        GERMAN,
        &[
            ["1", "-950.00", "2024-01-02 00:00:00", "EUR"],
            ["2", "1234.56", "2024-01-03 00:00:00", "EUR"],
            ["3", "-3.20", "2024-01-04 00:00:00", "null"],
        ],
    ),
    (
        "debit-and-credit.csv",
        STATEMENT,
        &[
            ["1", "-3.20", "2024-01-02 00:00:00", "null"],
            ["2", "1200.00", "2024-01-03 00:00:00", "null"],
            ["3", "-1.00", "2024-01-03 00:00:00", "null"],
            ["4", "0.00", "2024-01-03 00:00:00", "null"],
        ],
    ),
    (
        "sign-column.csv",
        "--sign type=DR,CR",
        &[
            ["1", "-12.50", "2024-01-01 00:00:00", "null"],
            ["2", "12.50", "2024-01-01 00:00:00", "null"],
            ["3", "-12.50", "2024-01-01 00:00:00", "null"],
        ],
    ),
    (
        "amounts-of-accountants.csv",
        "--amount-format ($1,234.56)",
        &[
            ["1", "1234.56", "2024-01-01 00:00:00", "null"],
            ["2", "-1234.56", "2024-01-01 00:00:00", "null"],
            ["3", "-0.50", "2024-01-01 00:00:00", "null"],
        ],
    ),
    (
        "amounts-with-sign-behind.csv",
        "--delimiter ; --amount-format 1.234,56-",
        &[
            ["1", "-1234.56", "2024-01-01 00:00:00", "null"],
            ["2", "1234.56", "2024-01-01 00:00:00", "null"],
            ["3", "1234.50", "2024-01-01 00:00:00", "null"],
        ],
    ),
    (
        "excel-day-numbers.csv",
        "--timestamp-format excel",
        &[
            ["1", "1.00", "2024-01-01 13:21:10", "null"],
            ["2", "2.00", "2024-01-01 00:00:00", "null"],
            ["3", "3.00", "2024-01-01 13:21:10", "null"],
        ],
    ),
    (
        "currencies.csv",
        "--currency ccy",
        &[
            ["1", "1.00", "2024-01-01 00:00:00", "EUR"],
            ["2", "2.00", "2024-01-01 00:00:00", "usd"],
            ["3", "3.00", "2024-01-01 00:00:00", "null"],
            ["4", "4.00", "2024-01-01 00:00:00", "Kč"],
        ],
    ),
];

fn verify(database: &Database, run: &serde_json::Value, file: &Path) -> Command {
    let mut verify = host();
    verify.args(["verify", &run.to_string(), "--database-url", &database.url()]).arg(file);
    verify
}

/// What is stored is what the file means, and a replay reads the same.
#[test]
fn each_shape_is_stored_and_verified() {
    let database = Database::new();
    for (name, line, expected) in SHAPES {
        let file = example(name);
        let run = summary(
            host_run(&database, "threshold", &file).args(arguments(line)).args(["--max-rejects", "9"]),
        );
        let ids = format!("{} AND {}", run["first_transaction_id"], run["last_transaction_id"]);
        let stored = database.rows(&format!(
            "SELECT source_id, amount, transaction_timestamp, currency FROM transactions
             WHERE transaction_id BETWEEN {ids} ORDER BY transaction_id"
        ));
        assert_eq!(stored, expected, "{name}");
        succeed(&mut verify(&database, &run["run_id"], &file));
    }
}

/// Every way in which a record of these shapes can be wrong, as people read it.
#[test]
fn what_is_rejected_is_told() {
    let mut told = String::new();
    for (name, line, _) in SHAPES {
        let mut check = host();
        check.current_dir(example("")).args(["check", "--plugin", "threshold", name]);
        let checked = finish(check.args(arguments(line)).args(["--max-rejects", "9"]));
        assert_eq!(checked.code, 0, "{}", checked.stderr);
        let rejected = checked.stdout.lines().filter(|line| line.contains(name));
        told.extend(rejected.map(|line| format!("{line}\n")));
        // The first of them, if none may be rejected.
        let mut check = host();
        check.current_dir(example("")).args(["check", "--plugin", "threshold", name]);
        let refused = finish(check.args(arguments(line)));
        assert_eq!(refused.code, 3, "{name}");
        told.push_str(&refused.stderr);
        told.push('\n');
    }
    insta::assert_snapshot!(told);
}

/// Arguments that contradict each other, or that mean nothing.
#[test]
fn arguments_that_make_no_sense() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.csv(&["1,7,1.00,2024-01-01 00:00:00"]);
    let mut told = String::new();
    for (code, line) in [
        (2, "--amount-format 1,234"),
        (2, "--amount-format 1234"),
        (2, "--amount-format '1.234,567.89'"),
        (2, "--amount-format '12.50 CR'"),
        (2, "--amount-format 1,234.56 --decimal-comma"),
        (2, "--column timestamp=Date --column timestamp=Time"),
        (2, "--debit a"),
        (2, "--debit a --credit A"),
        (2, "--debit a --credit b --sign c=DR"),
        (2, "--debit a --credit b --column amount=x"),
        (2, "--sign type"),
        (2, "--sign type=DR,dr"),
        (2, "--timestamp-columns Date"),
        (2, "--timestamp-columns Date,Time --column timestamp=x"),
        (2, "--timestamp-columns Date,Time --date-only"),
        (2, "--date-only --timestamp-format epoch-seconds"),
        (2, "--date-only --timestamp-format '%Y-%m-%d %H:%M'"),
        (2, "--timestamp-format excel-1905"),
        (
            2,
            "--no-header --column transaction_id=1 --column user_id=2 --timestamp-columns 3,x --debit 4 --credit 5",
        ),
        (3, "--debit amuont --credit timestamp"),
        (3, "--sign kind=DR"),
        (3, "--timestamp-columns timestamp,Zone"),
        (3, "--currency Währung"),
        (
            3,
            "--no-header --column transaction_id=1 --column user_id=2 --column amount=3 --column timestamp=4 --currency 5",
        ),
    ] {
        let refused = finish(host_run(&database, "threshold", &file).args(arguments(line)));
        assert_eq!(refused.code, code, "{line}: {}", refused.stderr);
        told.push_str(&format!("$ {line}\n{}\n", files.anonymous(&refused.stderr)));
    }
    assert_eq!(database.counts(), (0, 0, 0));
    insta::assert_snapshot!(told);
}

/// A file without a header is read by positions, and so are its rejected records and a case that is made of it.
#[test]
fn positions() {
    let (database, files) = (Database::new(), Files::new());
    let rows = "1,7,2024-01-01,13:21:30,3.20,,EUR\n2,7,2024-01-01,13:21:30,,600.00,USD\n";
    let bad = "3,7,2024-01-01,13:21:30,1.00,2.00,EUR\n";
    let file = files.write("day.csv", format!("{rows}{bad}"));
    let line = "--no-header --column transaction_id=1 --column user_id=2 --timestamp-columns 3,4 --debit 5 \
                --credit 6 --currency 7";
    let rejects = files.path().join("rejects.csv");
    let mut run = host_run(&database, "threshold", &file);
    run.args(arguments(line)).args(["--max-rejects", "1", "--rejects"]).arg(&rejects);
    let run = summary(&mut run);
    succeed(&mut verify(&database, &run["run_id"], &file));
    let columns = "SELECT column_name, reason FROM rejected_rows";
    assert_eq!(database.rows(columns), [["column 5,column 6", "amount_debit_and_credit"]]);

    let text = std::fs::read_to_string(&rejects).unwrap();
    assert_eq!(text, bad);
    std::fs::write(&rejects, text.replace("1.00", "0.00")).unwrap();
    succeed(host_run(&database, "threshold", &rejects).args(arguments(line)));
    let stored = "SELECT source_id, amount, transaction_timestamp, currency FROM transactions ORDER BY 1";
    let expected = [["1", "-3.20", "EUR"], ["2", "600.00", "USD"], ["3", "2.00", "EUR"]]
        .map(|[id, amount, currency]| [id, amount, "2024-01-01 13:21:30", currency]);
    assert_eq!(database.rows(stored), expected);

    let kept = files.path().join("cases");
    let mut check = host();
    check.args(["check", "--plugin", "threshold"]).arg(&file).args(arguments(line));
    check.args(["--max-rejects", "1", "--capture-lines", "1-2", "--capture"]).arg(&kept);
    succeed(&mut check);
    let test = |option: &[&str]| {
        let mut test = host();
        test.args(["plugin", "test", "threshold", "--cases"]).arg(&kept).args(option);
        succeed(&mut test);
    };
    test(&["--update"]);
    test(&[]);
    let case = std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path());
    let case: Vec<PathBuf> = case.filter(|path| path.extension().is_some_and(|is| is == "csv")).collect();
    let header = "transaction_id,user_id,column_3,column_4,column_5,column_6,column_7";
    assert!(std::fs::read_to_string(&case[0]).unwrap().starts_with(header), "{case:?}");
}

/// The rejected records of a file with a header can be mended and run again with the same arguments.
#[test]
fn rejected_records_are_mended_and_read_in_the_same_way() {
    let (database, files) = (Database::new(), Files::new());
    let rejects = files.path().join("rejects.csv");
    let mut run = host_run(&database, "threshold", &example("debit-and-credit.csv"));
    succeed(run.args(arguments(STATEMENT)).args(["--max-rejects", "9", "--rejects"]).arg(&rejects));
    let text = std::fs::read_to_string(&rejects).unwrap();
    let mended =
        text.replace("1.00,2.00", "1.00,").replace("NEITHER,,", "NEITHER,,1.5").replace("-5.00", "5.00");
    std::fs::write(&rejects, mended).unwrap();
    succeed(host_run(&database, "threshold", &rejects).args(arguments(STATEMENT)));
    assert_eq!(
        database.rows("SELECT source_id, amount FROM transactions WHERE source_id > 4 ORDER BY 1"),
        [["5", "-1.00"], ["6", "1.50"], ["7", "-5.00"]]
    );
}

/// The same file, read in another way, is another run.
#[test]
fn once_tells_apart_how_a_file_was_read() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.write(
        "f.csv",
        "transaction_id,user_id,amount,timestamp,type,a,b\n1,7,1.00,2024-01-01 00:00:00,DR,EUR,USD\n",
    );
    let ways = ["", "--sign type=DR", "--sign type=CR", "--currency a", "--currency b"];
    for once in [0, 1] {
        for way in ways {
            let run = summary(host_run(&database, "threshold", &file).args(arguments(way)).arg("--once=all"));
            assert_eq!(run["already_ingested"], once == 1, "{way}");
        }
    }
    assert_eq!(
        database.rows("SELECT amount, currency FROM transactions ORDER BY transaction_id"),
        [["1.00", "null"], ["-1.00", "null"], ["1.00", "null"], ["1.00", "EUR"], ["1.00", "USD"]]
    );
}

#[test]
fn a_changed_currency_is_found() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.write(
        "f.csv",
        "transaction_id,user_id,amount,timestamp,ccy\n1,7,1.00,2024-01-01 00:00:00,EUR\n2,7,1.00,2024-01-01 00:00:00,\n",
    );
    let with = summary(host_run(&database, "threshold", &file).args(["--currency", "ccy"]));
    let without = summary(&mut host_run(&database, "threshold", &file));
    for (run, id, before, other) in [
        (&with, 1, "'EUR'", "'USD'"),
        (&with, 1, "'EUR'", "NULL"),
        (&with, 2, "NULL", "'EUR'"),
        (&with, 2, "NULL", "''"),
        (&without, 3, "NULL", "'EUR'"),
    ] {
        let set = |value: &str| {
            database
                .execute(&format!("UPDATE transactions SET currency = {value} WHERE transaction_id = {id}"));
        };
        set(other);
        let differs = finish(&mut verify(&database, &run["run_id"], &file));
        assert_eq!(differs.code, 7, "{id} {other}: {}", differs.stderr);
        assert!(differs.stdout.contains("currency"), "{}", differs.stdout);
        set(before);
        succeed(&mut verify(&database, &run["run_id"], &file));
    }
}

/// A row that is skipped because its id is taken differs also if only its currency does.
#[test]
fn skipped_rows_differ_in_their_currency() {
    let (database, files) = (Database::new(), Files::new());
    let file = |name: &str, currency: &str| {
        let row = format!("1,7,1.00,2024-01-01 00:00:00,{currency}\n");
        files.write(name, format!("transaction_id,user_id,amount,timestamp,ccy\n{row}{row}"))
    };
    let (euro, dollar) = (file("e.csv", "EUR"), file("d.csv", "USD"));
    let run = |file: &Path, currency: &[&str]| {
        let mut run = host_run(&database, "threshold", file);
        let run = summary(run.args(["--ids", "keep", "--on-conflict", "skip"]).args(currency));
        succeed(&mut verify(&database, &run["run_id"], file));
        run["rows_skipped_differing"].clone()
    };
    assert_eq!(run(&euro, &["--currency", "ccy"]), 0);
    assert_eq!(run(&euro, &["--currency", "ccy"]), 0);
    assert_eq!(run(&dollar, &["--currency", "ccy"]), 2);
    // Not told, so not compared.
    assert_eq!(run(&dollar, &[]), 0);
}

/// A table that others made may have a column of this name.
#[test]
fn a_currency_column_of_the_operators_own() {
    let (database, files) = (Database::new(), Files::new());
    let file = files
        .write("f.csv", "transaction_id,user_id,amount,timestamp,ccy\n1,7,1.00,2024-01-01 00:00:00,USD\n");
    database.execute(
        "CREATE TABLE transactions (transaction_id INT PRIMARY KEY, user_id INT NOT NULL,
             amount DECIMAL(10, 2) NOT NULL, transaction_timestamp TIMESTAMP NOT NULL, is_anomalous INT,
             currency CHAR(3) NOT NULL DEFAULT 'EUR')",
    );
    let run = summary(&mut host_run(&database, "threshold", &file));
    assert_eq!(database.text("SELECT currency FROM transactions"), "EUR");
    succeed(&mut verify(&database, &run["run_id"], &file));

    let with = || {
        let mut run = host_run(&database, "threshold", &file);
        run.args(["--currency", "ccy"]);
        run
    };
    let refused = finish(&mut with());
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    insta::assert_snapshot!(refused.stderr.replace(&database.url(), "[url]"));
    let help = refused.stderr.lines().find_map(|line| line.strip_prefix("help: `")?.strip_suffix('`'));
    database.execute(help.unwrap());
    let run = summary(&mut with());
    assert_eq!(database.rows("SELECT currency FROM transactions ORDER BY 1"), [["EUR"], ["USD"]]);
    succeed(&mut verify(&database, &run["run_id"], &file));
    succeed(&mut verify(&database, &1.into(), &file));
}
