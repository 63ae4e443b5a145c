//! Files as they come: every record is a row or is rejected with its reason, and none is lost.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Database, Files, finish, host, host_run, succeed, summary};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/malformed")
}

/// One line of CASES.tsv.
struct Case {
    file: String,
    arguments: Vec<String>,
    records: i64,
    written: i64,
    exit: i32,
    expected: String,
}

fn cases() -> Vec<Case> {
    let table = std::fs::read_to_string(corpus().join("CASES.tsv")).unwrap();
    let case = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, arguments, records, written, exit, expected] = fields[..] else { panic!("{line}") };
        Case {
            file: file.into(),
            arguments: arguments.split_whitespace().map(|argument| argument.replace('␠', " ")).collect(),
            records: records.parse().unwrap(),
            written: written.parse().unwrap(),
            exit: exit.parse().unwrap(),
            expected: expected.into(),
        }
    };
    table.lines().skip(1).map(case).collect()
}

#[test]
fn every_file_of_the_corpus_is_a_case() {
    let mut files: Vec<String> = std::fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".csv"))
        .collect();
    files.sort();
    let mut named: Vec<String> = cases().into_iter().map(|case| case.file).collect();
    named.sort();
    assert_eq!(files, named);
    assert!(files.len() >= 60);
}

#[test]
fn the_corpus_comes_to_what_its_table_says() {
    let database = Database::new();
    for Case { file, arguments, records, written, exit, expected } in cases() {
        let before = database.counts();
        let run = || {
            let mut command = host_run(&database, "threshold", Path::new(&file));
            command.current_dir(corpus()).args(&arguments);
            command
        };
        let check = || {
            let mut command = host();
            command.current_dir(corpus()).args(["check", "--plugin", "threshold", &file]).args(&arguments);
            command
        };
        if exit != 0 {
            let finished = finish(run().args(["--max-rejects", "100%"]));
            assert_eq!(finished.code, exit, "{file}: {}", finished.stderr);
            assert!(finished.stderr.contains(&expected), "{file}: {}", finished.stderr);
            assert_eq!(database.counts(), before, "{file}");
            assert_eq!(finish(&mut check()).code, exit, "{file}");
            continue;
        }
        let rejected = records - written;
        let summary = summary(run().args(["--max-rejects", "100%"]));
        let counted =
            ["rows_read", "rows_written", "rows_rejected"].map(|name| summary[name].as_i64().unwrap());
        assert_eq!(counted, [records, written, rejected], "{file}");
        let reasons: BTreeMap<String, i64> = expected
            .split(',')
            .filter_map(|reason| reason.split_once(':'))
            .map(|(reason, count)| (reason.to_owned(), count.parse().unwrap()))
            .collect();
        let found: BTreeMap<String, i64> =
            serde_json::from_value(summary["rejected_by_reason"].clone()).unwrap();
        assert_eq!(found, reasons, "{file}");

        let run_id = &summary["run_id"];
        assert_eq!(database.counts().0 - before.0, written, "{file}");
        let stored = format!(
            "SELECT reason, count(*) FROM rejected_rows WHERE run_id = {run_id} GROUP BY 1 ORDER BY 1"
        );
        let expected_rows: Vec<Vec<String>> =
            reasons.iter().map(|(reason, count)| vec![reason.clone(), count.to_string()]).collect();
        assert_eq!(database.rows(&stored), expected_rows, "{file}");

        // By default a single bad row undoes all; `check` says the same without a database.
        let strict_code = if rejected == 0 { 0 } else { 3 };
        assert_eq!(finish(&mut check()).code, strict_code, "{file}");
        if rejected > 0 {
            let before = database.counts();
            assert_eq!(finish(&mut run()).code, 3, "{file}");
            assert_eq!(database.counts(), before, "{file}");
        }
    }
}

/// The original bytes, where they are and what is wrong with them.
#[test]
fn a_rejected_row_is_kept_with_all_that_is_needed_to_mend_it() {
    let (database, files) = (Database::new(), Files::new());
    let content = b"\xef\xbb\xbfnote,transaction_id,user_id,amount,timestamp\r\n\
        \"two\r\nlines\",1,7,1.00,2024-01-01 00:00:00\r\n\
        \"a \"\"quote\"\"\",2,7,\"12,50\xff\",2024-01-01 00:00:00\r\n\
        short,3\r\n";
    let file = files.write("f.csv", content);
    let summary = summary(host_run(&database, "threshold", &file).args(["--max-rejects", "2"]));
    assert_eq!(summary["rows_rejected"], 2);
    assert_eq!(
        database.rows(
            "SELECT run_id, line, byte_offset, column_name, reason, message FROM rejected_rows ORDER BY line"
        ),
        [
            [
                "1",
                "4",
                "92",
                "amount",
                "amount_unexpected_character",
                r"`12,50\xff`: unexpected character `,`"
            ],
            ["1", "5", "140", "null", "field_count", "2 fields where the header has 5"],
        ]
    );
    let offset_is_right = |start: usize, raw: &str| {
        let hex: String =
            content[start..].iter().take(raw.len() / 2).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, raw);
    };
    let raws = database.rows("SELECT encode(raw, 'hex') FROM rejected_rows ORDER BY line");
    offset_is_right(92, &raws[0][0]);
    offset_is_right(140, &raws[1][0]);

    let listed = succeed(host().args(["rejects", "1", "--database-url", &database.url()]));
    insta::assert_snapshot!(files.anonymous(&listed));
    let json = succeed(host().args(["rejects", "1", "--format", "json", "--database-url", &database.url()]));
    assert_eq!(json.lines().count(), 3);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["line"], 4);
    assert_eq!(finish(host().args(["rejects", "99", "--database-url", &database.url()])).code, 2);
}

#[test]
fn too_many_rejected_rows_undo_all() {
    let (database, files) = (Database::new(), Files::new());
    let lines: Vec<String> = (0..20)
        .map(|i| format!("{i},7,{},2024-01-01 00:00:00", if i % 4 == 3 { "NaN" } else { "1.00" }))
        .collect();
    let file = files.csv(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let run = |limit: &str| finish(host_run(&database, "threshold", &file).args(["--max-rejects", limit]));
    for (limit, code) in [("5", 0), ("25%", 0), ("100%", 0), ("4", 3), ("24.9%", 3), ("0%", 3), ("0", 3)] {
        let before = database.counts();
        let finished = run(limit);
        assert_eq!(finished.code, code, "{limit}: {}", finished.stderr);
        let written = database.counts().0 - before.0;
        assert_eq!(written, if code == 0 { 15 } else { 0 }, "{limit}");
        if limit == "4" {
            insta::assert_snapshot!(files.anonymous(&finished.stderr));
        }
    }
}

/// What was rejected, mended, run again: nothing is missing.
#[test]
fn the_rejects_file_can_be_mended_and_run_again() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.csv(&[
        "1,7,1.00,2024-01-01 00:00:00",
        r#"2,7,"2,00",2024-01-01 00:00:00"#,
        "3,7,3.00,2024-01-01 00:00:00",
        "4,7,4.00,2024-02-30 00:00:00",
    ]);
    let rejects = files.path().join("rejects.csv");
    let mut run = host_run(&database, "threshold", &file);
    succeed(run.args(["--max-rejects", "2", "--rejects"]).arg(&rejects));
    let text = std::fs::read_to_string(&rejects).unwrap();
    insta::assert_snapshot!(files.anonymous(&text));
    let mended = text.replace(r#""2,00",2024"#, "2.00,2024").replace("4.00,2024-02-30", "4.00,2024-02-29");
    std::fs::write(&rejects, mended).unwrap();
    succeed(&mut host_run(&database, "threshold", &rejects));
    assert_eq!(
        database.rows("SELECT source_id, amount FROM transactions ORDER BY transaction_id"),
        [["1", "1.00"], ["3", "3.00"], ["2", "2.00"], ["4", "4.00"]]
    );
}

#[test]
fn standard_input_is_a_file_too() {
    let database = Database::new();
    let mut content = b"transaction_id,user_id,amount,timestamp\n1,7,1.00,2024-01-01 00:00:00\n".to_vec();
    for _ in 0..2 {
        let mut run = host_run(&database, "threshold", Path::new("-"));
        let mut child = run.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&content).unwrap();
        assert!(child.wait().unwrap().success());
        // The second time compressed.
        content = zstd::encode_all(&content[..], 1).unwrap();
    }
    assert_eq!(database.counts(), (2, 0, 2));
    assert_eq!(database.text("SELECT DISTINCT file_name FROM ingest_runs"), "-");
}

#[test]
fn several_files_are_one_run() {
    let (database, files) = (Database::new(), Files::new());
    let header = "transaction_id,user_id,amount,timestamp\n";
    let row = |id: i64| format!("{id},7,{id}.00,2024-01-01 00:00:00\n");
    files.write("b.csv", format!("{header}{}{}", row(3), row(4)));
    files.write("a.csv", format!("{header}{}bad\n{}", row(1), row(2)));
    // Other columns, other order; and what is no CSV by its name is not taken.
    files.write("c.csv.gz", {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"amount,note,user_id,timestamp,transaction_id\n600.00,x,7,2024-01-01 00:00:00,5\n")
            .unwrap();
        gzip.finish().unwrap()
    });
    files.write("readme.txt", "no CSV");
    let summary = summary(host_run(&database, "threshold", files.path()).args(["--max-rejects", "1"]));
    assert_eq!((&summary["rows_read"], &summary["rows_written"]), (&6.into(), &5.into()));
    assert_eq!(
        database.text("SELECT string_agg(source_id::text, ' ' ORDER BY transaction_id) FROM transactions"),
        "1 2 3 4 5"
    );
    let names = ["a.csv", "b.csv", "c.csv.gz"];
    let ledger = database
        .rows("SELECT name, bytes, sha256, rows_read, rows_rejected FROM ingest_files ORDER BY position");
    for ((line, name), counts) in ledger.iter().zip(names).zip([["3", "1"], ["2", "0"], ["1", "0"]]) {
        let bytes = std::fs::read(files.path().join(name)).unwrap();
        let sha256 = host_core::digest::Sha256Digest::of(&bytes).to_string();
        let path = files.path().join(name).display().to_string();
        assert_eq!(*line, [&path, &bytes.len().to_string(), &sha256, counts[0], counts[1]]);
    }
    assert_eq!(
        database.text("SELECT file_bytes = (SELECT sum(bytes) FROM ingest_files) FROM ingest_runs"),
        "t"
    );

    // A bad file among good ones undoes all of them; a pattern is expanded by the host itself.
    files.write("d.csv", "transaction_id\n1\n");
    let pattern = files.path().join("*.csv");
    let finished = finish(host_run(&database, "threshold", &pattern).args(["--max-rejects", "1"]));
    assert_eq!((finished.code, database.counts()), (3, (5, 1, 1)), "{}", finished.stderr);
    let none = finish(&mut host_run(&database, "threshold", &files.path().join("*.tsv")));
    assert_eq!(none.code, 3);
    assert!(none.stderr.contains("there are no CSV files in"), "{}", none.stderr);
}

#[test]
fn a_file_that_is_given_twice_has_its_rejects_listed_twice() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.csv(&["1,7,NaN,2024-01-01 00:00:00"]);
    succeed(host_run(&database, "threshold", &file).arg(&file).args(["--max-rejects", "2"]));
    let listed =
        succeed(host().args(["rejects", "1", "--format", "json", "--database-url", &database.url()]));
    // And the end.
    assert_eq!(listed.lines().count(), 2 + 1, "{listed}");
}

/// A day without rows is committed with a remark, or not at all.
#[test]
fn a_delivery_without_rows_is_noticed() {
    let (database, files) = (Database::new(), Files::new());
    let empty = files.csv(&[]);
    let noted = finish(&mut host_run(&database, "threshold", &empty));
    assert_eq!(noted.code, 0);
    let note = "note: there are no rows in `/files/file.csv`; to fail in that case, pass `--min-rows 1`\n";
    assert_eq!(files.anonymous(&noted.stderr), note);
    let refused = finish(host_run(&database, "threshold", &empty).args(["--min-rows", "1"]));
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    insta::assert_snapshot!("too_few_rows", refused.stderr);
    let checked = finish(host().args(["check", "-p", "threshold", "--min-rows", "1"]).arg(&empty));
    assert_eq!(checked.code, 3, "{}", checked.stderr);
    assert!(checked.stdout.ends_with("  fewer rows than --min-rows 1\n"), "{}", checked.stdout);
    assert_eq!(database.counts(), (0, 0, 1));
    let rows = files.write(
        "two.csv",
        "transaction_id,user_id,amount,timestamp\n1,7,x,2024-01-01 00:00:00\n2,7,1.00,2024-01-01 00:00:00\n",
    );
    let run = |min: &str| {
        finish(host_run(&database, "threshold", &rows).args(["--max-rejects", "1", "--min-rows", min])).code
    };
    assert_eq!((run("2"), run("1")), (3, 0));
}

/// The detector sees no difference between one file and its parts.
#[test]
fn a_file_cut_in_two_is_classified_as_one() {
    let (database, files) = (Database::new(), Files::new());
    let sample = std::fs::read_to_string(crate::support::sample()).unwrap();
    let lines: Vec<&str> = sample.lines().collect();
    let part = |lines: &[&str]| {
        format!("transaction_id,user_id,amount,timestamp,is_anomalous\n{}\n", lines.join("\n"))
    };
    let (a, b) = (files.write("a.csv", part(&lines[1..777])), files.write("b.csv", part(&lines[777..])));
    let run = |file: &Path, arguments: &[&Path]| {
        summary(host_run(&database, "zscore", file).args(arguments).args(["--state", "none"]))
    };
    let whole = run(&crate::support::sample(), &[]);
    let parts = run(&a, &[&b]);
    assert_eq!(whole["anomalies"], parts["anomalies"]);
    let unequal = "SELECT count(*) FROM transactions a JOIN transactions b ON b.transaction_id = a.transaction_id + 1800
        WHERE (a.source_id, a.is_anomalous) <> (b.source_id, b.is_anomalous)";
    assert_eq!(database.number(unequal), 0);
}

#[test]
fn a_record_of_a_megabyte_is_an_error_not_an_allocation() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.csv(&["1,7,1.00,2024-01-01 00:00:00", &"x".repeat(3 << 20)]);
    let finished = finish(host_run(&database, "threshold", &file).args(["--max-rejects", "10"]));
    assert_eq!(finished.code, 3);
    insta::assert_snapshot!(files.anonymous(&finished.stderr));
}

#[test]
fn check_says_what_a_run_would_do_and_needs_no_database() {
    let files = Files::new();
    let file = files.csv(&[
        "1,7,1.00,2024-01-01 00:00:00",
        "2,7,NaN,2024-01-01 00:00:00",
        "3,7,600.00,2024-01-01 00:00:00",
        "4,7",
    ]);
    let check = |limit: &str| {
        let mut command = host();
        command
            .env("PGHOST", "/nowhere")
            .args(["check", "--plugin", "threshold", "--max-rejects", limit])
            .arg(&file);
        finish(&mut command)
    };
    let refused = check("1");
    assert_eq!((refused.code, refused.stderr.as_str()), (3, ""));
    insta::assert_snapshot!("check_refused", files.anonymous(&refused.stdout));
    let accepted = check("2");
    assert_eq!(accepted.code, 0);
    insta::assert_snapshot!("check_accepted", files.anonymous(&accepted.stdout));
}

/// A file of nothing but bad rows: the detector is never called with a batch without rows, and
/// memory stays bounded.
#[test]
fn a_large_file_of_bad_rows() {
    let (database, files) = (Database::new(), Files::new());
    let bad = "x".repeat(200);
    let content =
        format!("transaction_id,user_id,amount,timestamp\n{}", format!("{bad},1,1,1\n").repeat(100_000));
    let file = files.write("f.csv", content);
    let summary = summary(host_run(&database, "zscore", &file).args(["--max-rejects", "100%"]));
    assert_eq!((&summary["rows_written"], &summary["rows_rejected"]), (&0.into(), &100_000.into()));
    assert_eq!(database.number("SELECT count(*) FROM rejected_rows WHERE length(raw) = 206"), 100_000);
    assert_eq!(database.number("SELECT max(line) FROM rejected_rows"), 100_001);
}

#[test]
fn options_that_make_no_sense_are_usage_errors() {
    let run = |arguments: &[&str]| {
        let mut command: Command = host();
        command.args(["check", "--plugin", "threshold", "file.csv"]).args(arguments);
        finish(&mut command)
    };
    let cases: &[&[&str]] = &[
        &["--max-rejects", "many"],
        &["--column", "amount"],
        &["--column", "=1"],
        &["--column", "amount=a", "--column", "amount=b"],
        &["--no-header"],
        &["--no-header", "--column", "amount=0"],
        &["--delimiter", ",,"],
        &["--delimiter", "\""],
        &["--encoding", "klingon"],
        &["--timestamp-format", "iso8601"],
        &["--timestamp-format", "%!"],
        &["--timestamp-format", "%d/%m/%Y %I:%M"],
        &["--timestamp-format", "%H:%M"],
        &["--timestamp-format", "%Y-%m-%d %H:%M %Z"],
        &["--timezone", "Europe/Atlantis"],
    ];
    for arguments in cases {
        let finished = run(arguments);
        assert_eq!(finished.code, 2, "{arguments:?}: {}", finished.stderr);
    }
}

/// The columns that a detector asks for may have other names, or positions, as the others may.
#[test]
fn a_column_that_the_detector_asks_for_is_mapped() {
    let files = Files::new();
    let named = files.write(
        "named.csv",
        "transaction_id,user_id,amount,timestamp,LAND\n1,7,1.00,2024-01-01 00:00:00,DE\n2,7,1.00,2024-01-01 00:00:00,FR\n",
    );
    let bare = files.write("bare.csv", "DE,1,7,1.00,2024-01-01 00:00:00\nFR,2,7,1.00,2024-01-01 00:00:00\n");
    let nul = files.write(
        "nul.csv",
        "transaction_id,user_id,amount,timestamp,country\n1,7,1.00,2024-01-01 00:00:00,D\0E\n",
    );
    let run = |plugin: &str, file: &Path, arguments: &[&str]| {
        let mut command: Command = host();
        finish(command.args(["check", "--format", "json", "--plugin", plugin]).arg(file).args(arguments))
    };
    let bare_columns: Vec<&str> = ["transaction_id=2", "user_id=3", "amount=4", "timestamp=5", "country=1"]
        .into_iter()
        .flat_map(|column| ["--column", column])
        .collect();
    for (file, arguments) in
        [(&named, vec!["--column", "Country=land"]), (&bare, [vec!["--no-header"], bare_columns].concat())]
    {
        let finished = run("abroad", file, &arguments);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        let end: serde_json::Value = serde_json::from_str(finished.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(end["anomalies"], 1, "{}", finished.stdout);
    }
    // Not there, not asked for, and not a text.
    assert_eq!(run("abroad", &named, &[]).code, 3);
    assert_eq!(run("threshold", &named, &["--column", "country=LAND"]).code, 2);
    assert_eq!(run("abroad", &nul, &[]).code, 3);
}
