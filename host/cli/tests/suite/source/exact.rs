//! What is in the file is what is in the database: to the cent, to the microsecond, every row.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Database, Files, finish, host_run, succeed, summary};

#[test]
fn values_arrive_as_written() {
    let database = Database::new();
    let files = Files::new();
    let file = files.csv(&[
        "1,7,0.10,2024-02-29 23:59:59.999999",
        "2,-7,99999999.99,0001-01-01T00:00:00",
        "9223372036854775807,2147483647,-12.5,9999-12-31 23:59:59",
        "2,7,+007,1969-12-31 23:59:59.5",
        r#""4"," 7 ","1.1000",1970-01-01 00:00:00.000001"#,
    ]);
    succeed(&mut host_run(&database, "threshold", &file));
    assert_eq!(
        database.rows("SELECT source_id, user_id, amount, transaction_timestamp, is_anomalous FROM transactions ORDER BY transaction_id"),
        [
            ["1", "7", "0.10", "2024-02-29 23:59:59.999999", "0"],
            ["2", "-7", "99999999.99", "0001-01-01 00:00:00", "1"],
            ["9223372036854775807", "2147483647", "-12.50", "9999-12-31 23:59:59", "0"],
            ["2", "7", "7.00", "1969-12-31 23:59:59.5", "0"],
            ["4", "7", "1.10", "1970-01-01 00:00:00.000001", "0"],
        ]
    );
    assert_eq!(
        database.rows(
            "SELECT transaction_id, user_id, amount, transaction_timestamp, score, reason FROM anomalies"
        ),
        [["2", "-7", "99999999.99", "0001-01-01 00:00:00", "99999499.99", "99999999.99 is above 500.00"]]
    );
}

/// Told by a detector that says of every row what arrived.
#[test]
fn a_detector_is_given_what_is_in_the_file() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.write(
        "f.csv",
        "transaction_id,user_id,amount,timestamp, TEXT ,note,number
1,-7,0.10,1969-12-31 23:59:59.5,\" a \",,
2,7,-99999999.99,9999-12-31 23:59:59.999999,\"x\"\"y\",\u{e9}, 1e-320
3,7,1.00,0001-01-01 00:00:00,\"two
lines\",NaN,-0
4,7,1.00,1970-01-01 00:00:00,, ,\"  \"
",
    );
    let mut run = host_run(&database, "kit-echo", &file);
    succeed(run.args(["--set", "s= =\u{e9}", "--set", "i=-007", "--set", "b=true"]));
    let told = |row: &str| format!("{row} s=3:20.3d.e9 i=-7 d=0 b=true o=none");
    let expected = [
        ("0", told("user=-7 amount=10 timestamp=-500000 text=3:20.61.20 note=0: number=nan")),
        (
            "1e-320",
            told(
                "user=7 amount=-9999999999 timestamp=253402300799999999 text=3:78.22.79 note=1:e9 number=00000000000007e8",
            ),
        ),
        (
            "-0",
            told(
                "user=7 amount=100 timestamp=-62135596800000000 text=9:74.77.6f.a.6c.69.6e.65.73 note=3:4e.61.4e number=8000000000000000",
            ),
        ),
        ("0", told("user=7 amount=100 timestamp=0 text=0: note=1:20 number=nan")),
    ];
    let found = database.rows("SELECT score, reason FROM anomalies ORDER BY transaction_id");
    assert_eq!(found, expected.map(|(score, reason)| vec![score.to_owned(), reason]));
}

#[test]
fn a_column_that_is_optional_may_be_in_some_files_only() {
    let (database, files) = (Database::new(), Files::new());
    let file = |name: &str, columns: &str, values: &str| {
        let header = format!("transaction_id,user_id,amount,timestamp{columns}");
        files.write(name, format!("{header}\n1,7,1.00,2024-01-01 00:00:00{values}\n"))
    };
    let (with, without) = (file("with.csv", ",note", ",x"), file("without.csv", "", ""));
    let run = |plugin: &str, file: &std::path::Path| {
        let mut run = host_run(&database, plugin, file);
        if plugin == "kit-any" {
            run.args(["--set", "word=x"]);
        }
        run
    };
    let summary = summary(run("kit-any", &with).args([&without, &with]));
    assert_eq!((&summary["rows_written"], &summary["anomalies"]), (&3.into(), &2.into()));
    // Not twice, and not absent if it is required.
    let twice = file("twice.csv", ",note,NOTE", ",x,x");
    for (plugin, file) in [("kit-any", &twice), ("kit-echo", &without)] {
        assert_eq!(finish(&mut run(plugin, file)).code, 3, "{plugin}");
    }
}

#[test]
fn the_files_own_label_is_not_an_input() {
    let database = Database::new();
    let files = Files::new();
    let file = files.write(
        "f.csv",
        "is_anomalous,timestamp,amount,user_id,transaction_id\n1,2024-01-01 00:00:00,1.00,7,1\n0,2024-01-01 00:00:00,900.00,7,2\n",
    );
    succeed(&mut host_run(&database, "threshold", &file));
    assert_eq!(
        database.rows("SELECT source_id, is_anomalous FROM transactions ORDER BY transaction_id"),
        [["1", "0"], ["2", "1"]]
    );
}

#[test]
fn gzip_and_zstd_are_read_as_what_is_in_them() {
    let database = Database::new();
    let files = Files::new();
    let content = b"transaction_id,user_id,amount,timestamp\n1,7,1.00,2024-01-01 00:00:00\n";
    // The names tell nothing.
    let gzip = files.gzip("a.csv", content);
    let zstd = files.write("b.csv", zstd::encode_all(&content[..], 1).unwrap());
    for (file, format) in [(gzip, "gzip"), (zstd, "zstd")] {
        let summary = summary(&mut host_run(&database, "threshold", &file));
        assert_eq!(summary["rows_written"], 1, "{format}");
        // The hash is of the file, not of what is in it.
        assert_eq!(summary["file"]["bytes"], std::fs::metadata(&file).unwrap().len(), "{format}");
    }
}

/// CSV → typed → PostgreSQL → read back is the identity, whatever the batch size.
#[test]
fn any_valid_rows_come_back_as_they_went_in() {
    let database = Database::new();
    let files = Files::new();
    let row = (
        any::<i64>(),
        any::<i32>(),
        -9_999_999_999_i64..=9_999_999_999,
        -62_135_596_800_000_000_i64..=253_402_207_200_999_999,
    );
    let strategy = (proptest::collection::vec(row, 1..60), 1_u32..20);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    runner
        .run(&strategy, |(rows, batch_rows)| {
            let lines: Vec<String> = rows
                .iter()
                .map(|(id, user, cents, micros)| {
                    let time = jiff::Timestamp::from_microsecond(*micros).unwrap();
                    let time = time.to_zoned_datetime(jiff::tz::TimeZone::UTC).datetime();
                    format!("{id},{user},{},{time}", rust_decimal::Decimal::new(*cents, 2))
                })
                .collect();
            let file = files.csv(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            let size = batch_rows.to_string();
            let summary = summary(host_run(&database, "threshold", &file).args(["--batch-rows", &size]));
            let first = summary["first_transaction_id"].as_i64().unwrap();
            let read_back = database.rows(&format!(
                "SELECT source_id, user_id, (amount * 100)::bigint,
                    (extract(epoch FROM transaction_timestamp) * 1000000)::bigint, is_anomalous
                 FROM transactions WHERE transaction_id >= {first} ORDER BY transaction_id"
            ));
            let expected: Vec<Vec<String>> = rows
                .iter()
                .map(|(id, user, cents, micros)| {
                    let anomalous = i64::from(*cents > 50_000);
                    [*id, i64::from(*user), *cents, *micros, anomalous].iter().map(i64::to_string).collect()
                })
                .collect();
            prop_assert_eq!(read_back, expected);
            Ok(())
        })
        .unwrap();
}
