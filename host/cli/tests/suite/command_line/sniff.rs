//! Files of many shapes: what is proposed for them is read without an error, and what is ambiguous is not chosen.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Files, finish, host, succeed, type_line};

const HEADER: &str = "transaction_id,user_id,amount,timestamp\n";

fn host_in(files: &Files) -> Command {
    let mut command = host();
    command.current_dir(files.path()).env("TZ", "UTC").env("XDG_CONFIG_HOME", files.path());
    command
}

fn sniffed(files: &Files, arguments: &[&str]) -> Value {
    let printed = succeed(host_in(files).args(["sniff", "--format", "json"]).args(arguments));
    serde_json::from_str(printed.lines().next().unwrap()).unwrap()
}

/// The options of the proposed command.
fn options(run: &str) -> &str {
    run.strip_prefix("host run --plugin threshold").unwrap().strip_suffix(" 'my day.csv'").unwrap().trim()
}

fn utf16(text: &str) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(character).unwrap()).collect()
}

/// What the file is, its bytes, and the options that are proposed.
fn shapes() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let plain = format!("{HEADER}1,17,12.50,2024-01-01 13:21:30\n2,17,-3,2024-01-02 00:00:00\n");
    let german =
        "Nr;Kunde;Betrag;Währung;Buchungstag\n1;17;-950,00;EUR;31.01.2024\n2;18;3,20;EUR;01.02.2024\n";
    let german_options = "--delimiter ';' --column transaction_id=Nr --column user_id=Kunde --column amount=Betrag --decimal-comma --currency 'Währung' --column timestamp=Buchungstag --timestamp-format %d.%m.%Y";
    vec![
        ("as the host likes it", plain.clone().into(), ""),
        ("UTF-16", utf16(&plain), "--encoding utf-16"),
        ("tabs", plain.replace(',', "\t").into(), "--delimiter tab"),
        ("bars and CR", plain.replace(',', "|").replace('\n', "\r").into(), "--delimiter '|'"),
        ("one row", format!("{HEADER}1,17,12.50,2024-01-01 13:21:30").into(), ""),
        ("a German bank", german.into(), german_options),
        (
            "the same in Latin-1",
            latin1(german),
            &*Box::leak(format!("--encoding windows-1252 {german_options}").into_boxed_str()),
        ),
        (
            "names of a payment firm",
            "Transaction ID,Customer,Gross,Date\n1001,17,12.50,2024-01-01 13:21:30\n".into(),
            "--column 'transaction_id=Transaction ID' --column user_id=Customer --column amount=Gross --column timestamp=Date",
        ),
        (
            "seconds since 1970",
            format!("{HEADER}1,17,12.50,1704115270\n2,17,3,1704115271\n").into(),
            "--timestamp-format epoch-seconds",
        ),
        (
            "days first, as one of them shows",
            format!("{HEADER}1,17,12.50,01/02/2024\n2,17,3,31/01/2024\n").into(),
            "--timestamp-format %d/%m/%Y",
        ),
        (
            "offsets",
            format!("{HEADER}1,17,12.50,2024-01-01T13:21:30+02:00\n").into(),
            "--timezone UTC",
        ),
        (
            "quotes and line breaks",
            "Note,Id,User,Amount,Time\n\"a, b\nc\",1,17,12.50,2024-01-01 13:21:30\n\"; ; ; ; ;\",2,17,1,2024-01-01 13:21:30\n".into(),
            "--column transaction_id=Id --column user_id=User --column timestamp=Time",
        ),
        (
            "a first line for Excel",
            format!("sep=;\n{}1;17;12,50;2024-01-01 13:21:30\n", HEADER.replace(',', ";")).into(),
            "--decimal-comma",
        ),
        ("dates", format!("{HEADER}1,17,12.50,2024-01-01\n").into(), "--date-only"),
        (
            "days since 1970",
            format!("{HEADER}1,17,12.50,19723\n2,17,1.00,19724\n").into(),
            "--timestamp-format epoch-days",
        ),
        (
            "amounts of accountants",
            format!("{HEADER}1,17,\"($1,234.50)\",2024-01-01 13:21:30\n2,17,$3.00,2024-01-01 13:21:30\n").into(),
            "--amount-format '($1,234.56)'",
        ),
        (
            "thousands and a column with the sign",
            "Nr;Kunde;Betrag;S/H;Datum\n1;17;1.234,50;S;01.02.2024\n2;17;3;H;31.01.2024\n".into(),
            "--delimiter ';' --column transaction_id=Nr --column user_id=Kunde --column amount=Betrag --amount-format 1.234,56 --sign S/H=S,H --column timestamp=Datum --timestamp-format %d.%m.%Y",
        ),
        (
            "debits and credits, of which one is zero",
            "Id,User,Debit,Credit,Date\n1,17,3.20,0.00,2024-01-02 00:00:00\n2,17,0.00,1200.00,2024-01-03 00:00:00\n".into(),
            "--column transaction_id=Id --column user_id=User --debit Debit --credit Credit --column timestamp=Date",
        ),
        (
            "apostrophes for quotes",
            "'Id','User','Amount','Time'\n'1','17, rue','12.50','2024-01-01 13:21:30'\n".into(),
            r"--quote ''\''' --column transaction_id=Id --column user_id=User --user-ids text --column timestamp=Time",
        ),
        (
            "lines above and below",
            "\"Account: 17\"\n\"Range: January\"\n\nRef,Customer,Date,Amount\n1,17,2024-01-02 00:00:00,3.20\n2,17,2024-01-03 00:00:00,1200.00\nTotal,,,1203.20\n".into(),
            "--header-contains Ref --stop-at Total --column transaction_id=Ref --column user_id=Customer --column timestamp=Date",
        ),
        (
            "a zone in a column",
            "Id,User,Date,Time,TimeZone,Amount\n1,17,31/01/2024,13:21:30,Europe/Berlin,12.50\n".into(),
            "--column transaction_id=Id --column user_id=User --timestamp-columns Date,Time,TimeZone --timestamp-format '%d/%m/%Y %H:%M:%S %Q' --timezone UTC",
        ),
        (
            "no header",
            "2024-01-01 13:21:30,1,17,12.50\n2024-01-02 13:21:30,2,17,3.00\n".into(),
            "--no-header --column transaction_id=2 --column user_id=3 --column amount=4 --column timestamp=1",
        ),
        (
            "odd names",
            "it's \"$HOME\",user_id,amount,timestamp,transaction_id\n,17,12.50,2024-01-01 13:21:30,1\n".into(),
            "",
        ),
    ]
}

#[test]
fn what_is_proposed_is_read() {
    let files = Files::new();
    for (what, content, expected) in shapes() {
        files.write("my day.csv", &content);
        let sniffed = sniffed(&files, &["my day.csv"]);
        assert_eq!(sniffed["is_open"], false, "{what}: {sniffed:#}");
        let run = sniffed["run"].as_str().unwrap();
        assert_eq!(options(run), expected, "{what}");
        assert_eq!(sniffed["rows_rejected"], 0, "{what}");
        let checked = type_line(&host_in(&files), &run.replace("host run", "host check"));
        assert_eq!(checked.code, 0, "{what}: {run}: {}", checked.stderr);
        // As a profile, it is the same.
        let _ = fs::remove_file(files.path().join("host.toml"));
        succeed(host_in(&files).args(["sniff", "my day.csv", "--save", "my day"]));
        let line = "host check --profile 'my day' --plugin threshold 'my day.csv'";
        let checked = type_line(&host_in(&files), line);
        assert_eq!(checked.code, 0, "{what}: {}", checked.stderr);
    }
}

/// What only further options can read is proposed where they exist, and else told as something to decide.
#[test]
fn what_is_proposed_for_other_shapes_is_read_or_open() {
    let files = Files::new();
    let statement = "\"Account : CHECKING\"\n\"Range : 01/01/2024-01/31/2024\"\n\nRef,Customer,Transaction Date,Text,Debit,Credit,Balance\n\
        1,17,2024-01-02 00:00:00,COFFEE,3.20,,996.80\n2,17,2024-01-03 00:00:00,SALARY,,1200.00,2196.80\nTotal,,,,3.20,1200.00,\n";
    let shapes = [
        ("a statement", statement.to_owned(), "header-contains"),
        (
            "a day and a time",
            "Transaction ID,Customer,Date,Time,Gross\n1001,17,01/02/2024,13:21:30,12.50\n1002,17,31/01/2024,13:21:30,1\n".into(),
            "timestamp-columns",
        ),
        ("no id", "user_id,amount,timestamp\n17,12.50,2024-01-01 13:21:30\n".into(), "transaction-ids"),
        (
            "texts as ids",
            "ref,nameOrig,amount,timestamp\na-1,C17,12.50,2024-01-01 13:21:30\n".into(),
            "user-ids",
        ),
        (
            "wide numbers as users",
            "Id,cc_num,amount,timestamp\n1,2703186189652095,12.50,2024-01-01 13:21:30\n".into(),
            "user-ids",
        ),
        ("no user", "Id,amount,timestamp\n1,12.50,2024-01-01 13:21:30\n".into(), "user-ids"),
    ];
    for (what, content, option) in shapes {
        files.write("my day.csv", content);
        let sniffed = sniffed(&files, &["my day.csv"]);
        let run = sniffed["run"].as_str().unwrap();
        if sniffed["is_open"] == true {
            let told = sniffed["findings"].to_string();
            assert!(told.contains(&format!("there is no option for it (`{option}`)")), "{what}: {told}");
            continue;
        }
        assert!(options(run).contains(&format!("--{option} ")), "{what}: {run}");
        assert_eq!(sniffed["rows_rejected"], 0, "{what}");
        let checked = type_line(&host_in(&files), &run.replace("host run", "host check"));
        assert_eq!(checked.code, 0, "{what}: {run}: {}", checked.stderr);
    }
}

/// Both are shown, and each of them is read; neither is in the command.
#[test]
fn what_is_ambiguous_is_not_chosen() {
    let files = Files::new();
    let cases = [
        (
            "days and months",
            format!("{HEADER}1,17,12.50,01/02/2024\n"),
            "timestamp",
            ["2024-02-01 00:00:00", "2024-01-02 00:00:00"],
        ),
        (
            "thousands or three decimals",
            format!("{HEADER}1,17,1.250,2024-01-01 00:00:00\n2,17,980,2024-01-01 00:00:00\n"),
            "amount",
            ["1250.00", "1.25"],
        ),
        (
            "Excel's days",
            format!("{HEADER}1,17,12.50,45292.5563657407\n"),
            "timestamp",
            ["2024-01-01 13:21:10", "2028-01-02 13:21:10"],
        ),
        (
            "a sign that is not known",
            "transaction_id,user_id,amount,Sign,timestamp\n1,17,1.50,X,2024-01-01 00:00:00\n2,17,1.50,Y,2024-01-01 00:00:00\n".into(),
            "sign",
            ["", ""],
        ),
        (
            "two amounts",
            "transaction_id,user_id,Gross,Net,timestamp\n1,17,12.50,11.80,2024-01-01 00:00:00\n".into(),
            "amount",
            ["12.50", "11.80"],
        ),
    ];
    for (what, content, about, meanings) in cases {
        files.write("my day.csv", content);
        let sniffed = sniffed(&files, &["my day.csv"]);
        assert_eq!((&sniffed["is_open"], &sniffed["rows_read"]), (&true.into(), &Value::Null), "{what}");
        let run = sniffed["run"].as_str().unwrap();
        assert_eq!(options(run), "", "{what}");
        let findings = sniffed["findings"].as_array().unwrap();
        let open = findings.iter().find(|finding| finding["about"] == about).unwrap();
        let readings = open["readings"].as_array().unwrap();
        assert_eq!(readings.len(), 2, "{what}");
        for (reading, meaning) in readings.iter().zip(meanings) {
            let shown = reading["examples"][0]["meaning"].as_str().unwrap_or_default();
            assert_eq!(shown, meaning, "{what}");
            let options: Vec<String> = reading["options"].as_array().unwrap().iter().map(option).collect();
            let line = format!("{} {}", run.replace("host run", "host check"), options.join(" "));
            let checked = type_line(&host_in(&files), &line);
            assert_eq!(checked.code, 0, "{what}: {line}: {}", checked.stderr);
        }
    }
}

fn option(option: &Value) -> String {
    let name = option["option"].as_str().unwrap();
    match option["value"].as_str() {
        Some(value) => format!("--{name} '{value}'"),
        None => format!("--{name}"),
    }
}

#[test]
fn what_people_read() {
    let files = Files::new();
    let bank = "Nr;Kunde;Betrag;Zeit\n1;17;-950,00;31.01.2024\n2;18;3,20;01.02.2024\n3;18;3,201;01.02.2024\n";
    let cases = [
        ("proposed", bank.replace("3;18;3,201;01.02.2024\n", "")),
        ("not_read", bank.to_owned()),
        ("ambiguous", format!("{HEADER}1,17,12.50,01/02/2024\n")),
        (
            "not_everywhere",
            format!(
                "{HEADER}{}21,17,12.5x,2024-01-21 00:00:00\n",
                (1..=20).map(|day| format!("{day},17,12.50,2024-01-{day:02} 00:00:00\n")).collect::<String>()
            ),
        ),
        ("nothing_fits", "Id,user,text\n1,7,some\n2,7,other\n".to_owned()),
        ("uneven", format!("{HEADER}1,17,12.50,2024-01-01 13:21:30\n2,17,1\n3,17,1,2024-01-01 13:21:30\n")),
    ];
    for (name, content) in cases {
        files.write("day.csv", content);
        let printed = succeed(host_in(&files).args(["sniff", "day.csv"]));
        insta::assert_snapshot!(format!("sniff_{name}"), printed);
    }
    for (name, content) in [("empty", ""), ("no_columns", "a\nb\n"), ("archive", "PK\x03\x04")] {
        files.write("day.csv", content);
        let refused = finish(host_in(&files).args(["sniff", "day.csv"]));
        assert_eq!((refused.code, refused.stdout.as_str()), (3, ""), "{name}");
        insta::assert_snapshot!(format!("sniff_{name}"), refused.stderr);
    }
}

/// Where the machine is elsewhere, its own zone may be meant as well as UTC.
#[test]
fn the_zone_is_asked_for() {
    let files = Files::new();
    files.write("day.csv", format!("{HEADER}1,17,12.50,2024-01-01T13:21:30+02:00\n"));
    let printed = succeed(host_in(&files).env("TZ", "Europe/Berlin").args(["sniff", "day.csv"]));
    insta::assert_snapshot!(printed);
}

/// What is in the file stays as it is.
#[test]
fn a_profile_is_added_and_never_replaced() {
    let files = Files::new();
    let before = "# Mine, since 2019\n[profile.other] # keep\njobs  =  4\n";
    files.write("host.toml", before);
    files.write("day.csv", format!("{}1;17;12,50;01/02/2024\n", HEADER.replace(',', ";")));
    let save = |name: &str| finish(host_in(&files).args(["sniff", "day.csv", "--save", name]));
    let saved = save("bank");
    assert_eq!(saved.code, 0, "{}", saved.stderr);
    assert!(
        saved.stdout.ends_with("host run --profile bank --plugin threshold day.csv\n"),
        "{}",
        saved.stdout
    );
    let text = fs::read_to_string(files.path().join("host.toml")).unwrap();
    assert!(text.starts_with(before), "{text}");
    insta::assert_snapshot!(text);
    let refused = save("bank");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.starts_with("error: host.toml:"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(files.path().join("host.toml")).unwrap(), text);
    // Where it is a table of another form, too.
    files.write("host.toml", "profile = { other = { jobs = 4 } }\n");
    assert_eq!(save("a b").code, 0);
    let shown = succeed(host_in(&files).args(["config", "show", "--profile", "a b"]));
    assert!(shown.contains("host.toml:1:46"), "{shown}");
    // A mistake in it is an error, and nothing is written.
    files.write("host.toml", "nonsense");
    assert_eq!(save("bank").code, 2);
    assert_eq!(fs::read_to_string(files.path().join("host.toml")).unwrap(), "nonsense");
    let elsewhere = finish(host_in(&files).args(["sniff", "day.csv", "--save", "x", "--config", "new.toml"]));
    assert!(elsewhere.stdout.contains("--profile x --config new.toml"), "{}", elsewhere.stdout);
    let nowhere =
        finish(host_in(&files).args(["sniff", "day.csv", "--save", "x", "--config", "no/new.toml"]));
    assert_eq!(nowhere.code, 3, "{}", nowhere.stderr);
    assert!(!Path::new("host.toml").exists());
}

/// What one of them leaves open, another may show; those that have to be read in another way are told apart.
#[test]
fn files_of_one_shape_have_one_proposal() {
    let files = Files::new();
    files.write("1.csv", format!("{HEADER}1,17,12.50,01/02/2024\n"));
    files.write("2.csv", format!("{HEADER}2,17,12.50,31/01/2024\n3,17,12.50,02/01/2024\n"));
    files.write("3.csv", format!("{}4;17;12,50;01/02/2024\n", HEADER.replace(',', ";")));
    let printed = succeed(host_in(&files).args(["sniff", "1.csv", "2.csv", "3.csv"]));
    insta::assert_snapshot!(printed);
    let sniffed = sniffed(&files, &["1.csv", "2.csv", "3.csv"]);
    assert_eq!((&sniffed["records"], &sniffed["rows_read"]), (&3.into(), &3.into()));
    let run = sniffed["run"].as_str().unwrap();
    let checked = type_line(&host_in(&files), &run.replace("host run", "host check"));
    assert_eq!(checked.code, 0, "{run}: {}", checked.stderr);
}

/// What is proposed for the files in the shape of exports that people have.
#[test]
fn exports_that_people_have() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/shapes");
    let mut told = String::new();
    for name in
        ["paysim", "banksim", "sparkov", "ieee-cis", "paypal", "sparkasse", "statement", "spreadsheet"]
    {
        let mut sniff = host();
        sniff.current_dir(&data).env("TZ", "UTC").args(["sniff", &format!("{name}.csv")]);
        told += &succeed(&mut sniff);
    }
    insta::assert_snapshot!(told);
}

/// A long file is looked at only at its beginning.
#[test]
fn long_and_many_files() {
    let files = Files::new();
    files.many_rows("long.csv", 1..60_001);
    files.write("short.csv", format!("{HEADER}1,17,12.50,2024-01-01 13:21:30\n"));
    let sniffed = sniffed(&files, &["long.csv"]);
    assert_eq!((&sniffed["is_whole"], &sniffed["is_open"]), (&false.into(), &false.into()));
    assert!(sniffed["records"].as_u64().unwrap() < 60_000);
    let printed = succeed(host_in(&files).args(["sniff", "*.csv", "--format", "json"]));
    // They have the same shape.
    assert_eq!(printed.lines().count(), 2);
}
