//! Lines before the header and after the rows: they are left out and told, and nothing else is lost by it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Database, Files, finish, host, host_run, succeed, summary};

const HEADER: &str = "Ref,Customer,amount,timestamp\n";
const ROWS: &str = "1,7,600.00,2024-01-01 00:00:00\n2,7,\"1.00\",2024-01-02 00:00:00\n";
const COLUMNS: [&str; 4] = ["--column", "transaction_id=Ref", "--column", "user_id=Customer"];

/// As a bank writes it: the account above, totals below, and an empty line between.
fn statement() -> String {
    format!("\"Account: 7\"\r\nRange, January\r\n\r\n{HEADER}{ROWS}\r\n\"Total\",,601.00,\nPrinted \"today\n")
}

fn utf16(text: &str) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn run(database: &Database, file: &Path, arguments: &[&str]) -> Value {
    summary(host_run(database, "threshold", file).args(COLUMNS).args(arguments))
}

fn notes(end: &Value, files: &Files) -> Vec<String> {
    let remarks = end["remarks"].as_array().unwrap().iter();
    let texts = remarks.map(|remark| remark["text"].as_str().unwrap());
    texts.filter(|text| !text.contains("ingested before")).map(|text| files.anonymous(text)).collect()
}

#[test]
fn every_way_to_find_the_rows_finds_the_same() {
    let (database, files) = (Database::migrated(), Files::new());
    let plain = files.write("plain.csv", statement());
    let packed = files.gzip("packed.csv.gz", statement().as_bytes());
    let wide = files.write("wide.csv", utf16(&statement()));
    let latin1 = files.write("latin1.csv", statement().replace("January", "M\u{e4}rz").into_bytes());
    let beginnings: [&[&str]; 3] = [
        &["--skip-lines", "3"],
        &["--header-contains", "Custom"],
        &["--skip-lines", "1", "--header-contains", "Ref"],
    ];
    let ends: [&[&str]; 3] = [
        &["--stop-at", "Total"],
        &["--stop-at", "Printed", "--skip-last", "1"],
        &["--stop-at", "Printed", "--trailer", "Total,{ignore},{total}"],
    ];
    let encodings: [(&PathBuf, &[&str]); 4] = [
        (&plain, &[]),
        (&packed, &[]),
        (&wide, &["--encoding", "utf-16"]),
        (&latin1, &["--encoding", "latin1"]),
    ];
    for (file, encoding) in encodings {
        for beginning in beginnings {
            for end in ends {
                let told = run(&database, file, &[encoding, beginning, end].concat());
                let counts = ["rows_written", "rows_rejected", "anomalies"].map(|name| &told[name]);
                assert_eq!(counts, [&json!(2), &json!(0), &json!(1)], "{beginning:?} {end:?}");
                let name = file.to_str().unwrap();
                assert_eq!(
                    told["lines_left_out"],
                    json!([
                        { "file": name, "first_line": 1, "last_line": 3 },
                        { "file": name, "first_line": 8, "last_line": 9 },
                    ]),
                    "{beginning:?} {end:?}"
                );
                assert_eq!(
                    notes(&told, &files),
                    [format!("left out lines 1 to 3 and lines 8 to 9 of `{}`", files.anonymous(name))]
                );
                assert_eq!(told["files"][0]["header"], HEADER.trim_end());
            }
        }
    }
}

#[test]
fn what_is_read_so_is_verified_and_found_again() {
    let (database, files) = (Database::migrated(), Files::new());
    let bad = format!("{HEADER}{ROWS}3,7,x,2024-01-01 00:00:00\nT,3,601.00\nEND\n");
    let preamble = files.write("preamble.csv", format!("a\nb\nc\n{bad}"));
    let arguments =
        ["--skip-lines", "3", "--skip-last", "1", "--trailer", "T,{rows},{total}", "--max-rejects", "1"];
    let told = run(&database, &preamble, &arguments);
    assert_eq!((&told["rows_read"], &told["rows_rejected"]), (&json!(3), &json!(1)));
    // Lines are those of the file.
    assert_eq!(database.rows("SELECT line, byte_offset FROM rejected_rows"), [["7", "98"]]);
    let reading = json!({
        "delimiter": ",", "encoding": "utf-8", "no_header": false, "decimal_comma": false,
        "columns": { "transaction_id": "Ref", "user_id": "Customer" },
        "timestamp_format": "iso", "timezone": null,
        "skip_lines": 3, "skip_last": 1, "trailer": "T,{rows},{total}", "rejects_three_decimals": true,
    });
    assert_eq!(told["reading"], reading);
    let verify = |run: &str, file: &Path| {
        succeed(host().args(["verify", run, "--database-url", &database.url()]).arg(file))
    };
    assert!(verify("1", &preamble).contains("exactly reproduced"));

    // The same where it is the file that names the delimiter, also if only one of several does.
    let named =
        files.write("named.csv", format!("sep=;\n{}x\ny\n", format!("{HEADER}{ROWS}").replace(',', ";")));
    let other = files.write("other.csv", format!("sep=\t\n{}", format!("{HEADER}{ROWS}").replace(',', "\t")));
    let plain = files.write("plain.csv", format!("{HEADER}{ROWS}"));
    let mut several = host_run(&database, "threshold", &named);
    let told = summary(several.args([&other, &plain]).args(COLUMNS).args(["--stop-at", "x"]));
    assert_eq!(told["rows_written"], 6);
    assert_eq!(told["reading"]["stop_at"], "x");
    insta::assert_snapshot!("notes", notes(&told, &files).join("\n"));
    let mut verify = host();
    verify.args(["verify", "2", "--database-url", &database.url()]).args([&named, &other, &plain]);
    assert!(succeed(&mut verify).contains("exactly reproduced"));

    // And as a run that was made before.
    let again = run(&database, &preamble, &[&arguments[..], &["--once=all"]].concat());
    assert_eq!((&again["already_ingested"], &again["run_id"]), (&json!(true), &json!(1)));
    let otherwise = ["--skip-lines", "3", "--skip-last", "2", "--max-rejects", "1", "--once=all"];
    assert_eq!(run(&database, &preamble, &otherwise)["already_ingested"], false);
}

/// Where the first line names the delimiter, it holds for everything that is made of the file.
#[test]
fn rejected_rows_can_be_mended_and_run_again() {
    let (database, files) = (Database::migrated(), Files::new());
    let rejects = files.path().join("rejects.csv");
    let rejects_of = |text: &[u8], arguments: &[&str]| {
        let file = files.write("day.csv", text);
        let mut run = host_run(&database, "threshold", &file);
        run.args(COLUMNS).args(arguments).args(["--max-rejects", "1", "--rejects"]).arg(&rejects);
        let finished = finish(&mut run);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        finished.stderr
    };
    let bad = format!("{HEADER}{ROWS}3,7,x,2024-01-01 00:00:00\n");
    let mend = |replace: fn(&[u8]) -> Vec<u8>, arguments: &[&str]| {
        files.write("rejects.csv", replace(&std::fs::read(&rejects).unwrap()));
        let told = run(&database, &rejects, arguments);
        assert_eq!((&told["rows_written"], &told["rows_read"]), (&json!(1), &json!(1)), "{arguments:?}");
    };
    let without =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace("x;", "5.00;").into_bytes();

    let named = format!("sep=;\r\n{}", bad.replace(',', ";"));
    assert!(!rejects_of(named.as_bytes(), &[]).contains("once it is mended"));
    mend(without, &[]);
    let wide = |bytes: &[u8]| {
        let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        utf16(
            String::from_utf16(&units)
                .unwrap()
                .trim_start_matches('\u{feff}')
                .replace("x;", "5.00;")
                .as_str(),
        )
    };
    rejects_of(&utf16(&named), &["--encoding", "utf-16"]);
    mend(wide, &["--encoding", "utf-16"]);

    // What is around the rows of the file is not around those of its rejects.
    let around = format!("a\nb\n{bad}T,3\nEND\n");
    let arguments = [
        &["--skip-lines", "2", "--header-contains", "Ref", "--skip-last", "1", "--trailer", "T,{rows}"][..],
        &["--expect-rows", "3", "--min-rows", "2"],
    ]
    .concat();
    let told = rejects_of(around.as_bytes(), &arguments);
    insta::assert_snapshot!("rejects_note", files.anonymous(&told));
    let without =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace("x,", "5.00,").into_bytes();
    mend(without, &["--header-contains", "Ref"]);
    let mut check = host();
    check.args(["check", "-p", "threshold", "--max-rejects", "1", "--rejects"]).arg(&rejects).args(COLUMNS);
    let checked = finish(check.args(&arguments).arg(files.path().join("day.csv")));
    assert!(checked.code == 0 && checked.stderr.contains("once it is mended"), "{}", checked.stderr);
}

/// What an author gets of such a file is a plain one.
#[test]
fn rows_are_kept_as_a_case_without_what_is_around_them() {
    let files = Files::new();
    let text = format!("sep=;\n{}T;2;601.00\n", format!("{HEADER}{ROWS}").replace(',', ";"));
    let file = files.write("day.csv", text);
    let mut check = host();
    check.current_dir(files.path()).args(["check", "-p", "threshold", "--capture", "kept"]).args(COLUMNS);
    check.args(["--capture-lines", "1-99", "--trailer", "T;{rows};{total}"]).arg(file);
    let finished = finish(&mut check);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let case = files.path().join("kept/day-lines-3-4.csv");
    assert_eq!(std::fs::read_to_string(&case).unwrap(), format!("{HEADER}{ROWS}").replace(',', ";"));
    let test = ["plugin", "test", "threshold", "--cases", "kept"];
    succeed(host().current_dir(files.path()).args(test).arg("--update"));
    succeed(host().current_dir(files.path()).args(test));
    // A case has nothing around its rows.
    let reading = case.with_extension("reading.json");
    let odd = std::fs::read_to_string(&reading).unwrap().replace("\n}", ",\n  \"skip_lines\": 1\n}");
    std::fs::write(&reading, odd).unwrap();
    assert_eq!(finish(host().current_dir(files.path()).args(test)).code, 3);
}

/// The messages, for people.
#[test]
fn what_is_not_there_is_told() {
    let files = Files::new();
    let file = files.write("day.csv", statement());
    let excel = files.write("excel.csv", "sep=;\na\n");
    let check = |file: &Path, arguments: &[&str]| {
        let mut check = host();
        let finished =
            finish(check.args(["check", "-p", "threshold"]).arg(file).args(COLUMNS).args(arguments));
        format!("{arguments:?} {}\n{}", finished.code, files.anonymous(&finished.stderr))
    };
    let told = [
        check(&file, &[]),
        check(&file, &["--header-contains", "ref"]),
        check(&file, &["--skip-lines", "7", "--header-contains", "Ref"]),
        check(&file, &["--skip-lines", "9"]),
        check(&excel, &["--delimiter", "tab"]),
        check(&file, &["--skip-lines", "3", "--stop-at", "Sum", "--max-rejects", "9"]),
    ];
    insta::assert_snapshot!(told.join("\n"));
}

/// A file that never ends is not searched for ever, nor held in memory.
#[test]
fn everything_has_a_limit() {
    let files = Files::new();
    let far = files.write("far.csv", format!("{}{HEADER}{ROWS}", "x\n".repeat(1_000)));
    let near = files.write("near.csv", format!("{}{HEADER}{ROWS}", "x\n".repeat(999)));
    let check = |file: &Path, arguments: &[&str]| {
        let mut check = host();
        finish(check.args(["check", "-p", "threshold"]).arg(file).args(COLUMNS).args(arguments))
    };
    assert_eq!(check(&near, &["--header-contains", "Ref"]).code, 0);
    let refused = check(&far, &["--header-contains", "Ref"]);
    assert!(refused.code == 3 && refused.stderr.contains("no cell on lines 1 to 1000"), "{}", refused.stderr);
    assert_eq!(check(&far, &["--skip-lines", "1000"]).code, 0);

    let wide = format!("{HEADER}{}", format!("{}\n", "x".repeat(900_000)).repeat(12));
    let wide = files.write("wide.csv", wide);
    let refused = check(&wide, &["--skip-last", "12"]);
    assert!(refused.code == 3 && refused.stderr.contains("too large to be held back"), "{}", refused.stderr);
    for usage in [
        &["--skip-last", "1001"][..],
        &["--skip-lines", "-1"],
        &["--stop-at", ""],
        &["--header-contains", &"x".repeat(1_001)],
        &["--header-contains", "x", "--no-header"],
        &["--trailer", "{row}"],
    ] {
        assert_eq!(check(&near, usage).code, 2, "{usage:?}");
    }
}
