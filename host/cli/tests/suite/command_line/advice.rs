//! What a help line proposes works when it is copied into a shell: each is produced for real, then done,
//! until the command goes through. Files have names that a shell takes apart if it is let.

use crate::support::{Database, Files, Finished, host, type_line};

/// People follow no more than so many in a row.
const PATIENCE: usize = 7;
/// A name with all that means something to a shell.
const NAME: &str = r#"my day's "$HOME" $(x) & (1) *.csv"#;

const HEADER: &str = "transaction_id,user_id,amount,timestamp\n";
const ROW: &str = "1,7,1.00,2024-01-01 00:00:00\n";

/// Somebody in front of a shell, in a folder of their own, with a database of their own.
struct Person {
    database: Database,
    files: Files,
    /// The file that is to be ingested.
    file: String,
    /// What is put in where a message leaves a name open.
    name: &'static str,
}

impl Person {
    fn with_file(content: impl AsRef<[u8]>) -> Person {
        let files = Files::new();
        files.write(NAME, content);
        Person { database: Database::migrated(), files, file: NAME.into(), name: "" }
    }

    /// Types a line; `host` is the program.
    fn types(&self, line: &str) -> Finished {
        type_line(host().current_dir(self.files.path()), line)
    }

    fn line(&self, command: &str, arguments: &[String]) -> String {
        let (url, file) = (self.database.url(), host_core::text::shell_quoted(&self.file));
        format!("host {command} --database-url '{url}' {} {file}", arguments.join(" "))
    }

    /// Does what the messages say until there is nothing to say. Returns the arguments that it took.
    fn follows(&mut self, command: &str, arguments: &[&str]) -> Vec<String> {
        let mut arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        for _ in 0..PATIENCE {
            let line = self.line(command, &arguments);
            let done = self.types(&line);
            if done.code == 0 {
                return arguments;
            }
            let help = help(&done);
            let proposals: Vec<&str> = help.split('`').skip(1).step_by(2).collect();
            assert!(!proposals.is_empty(), "{line}: {help}");
            for proposal in proposals {
                self.does(proposal, &help, &mut arguments);
            }
        }
        panic!("no end: {arguments:?}");
    }

    fn does(&mut self, proposal: &str, help: &str, arguments: &mut Vec<String>) {
        let is_first_of = |option: &str| {
            let name = |text: &str| text.replace('\'', "").split(['=', ' ']).next().map(str::to_owned);
            name(proposal) == name(option)
        };
        if let Some((_, to)) = proposal.split_once(" > ") {
            let done = self.types(proposal);
            assert_eq!(done.code, 0, "{proposal}: {}", done.stderr);
            self.file = to.to_owned();
        } else if proposal.starts_with("ALTER ") {
            self.database.execute(proposal);
        } else if help.contains(&format!("leave out `{proposal}`")) {
            // Something else is proposed as well, or nothing else can be done.
            let others = help.split("; ").any(|part| part.contains("pass `"));
            if !others {
                arguments.retain(|argument| !is_first_of(argument));
            }
        } else if proposal.starts_with("--max-rejects")
            && (help.contains(" > ") || help.matches("`--").count() > 1)
        {
            // The first proposal is the better one.
        } else if proposal.starts_with("--") {
            let proposal = proposal.replace("NAME", self.name);
            // In place of what was wrong.
            let subject = |text: &str| match text.replace('\'', "").split_once(' ') {
                Some(("--column" | "--set", value)) => value.split('=').next().map(str::to_owned),
                _ => text.split(' ').next().map(str::to_owned),
            };
            arguments.retain(|other| subject(other) != subject(&proposal));
            arguments.push(proposal);
        }
    }
}

/// The help of a command that failed.
fn help(done: &Finished) -> String {
    let output = format!("{}{}", done.stdout, done.stderr);
    let help = output.lines().find_map(|line| line.trim().strip_prefix("help: "));
    help.unwrap_or_else(|| panic!("no help: {output}")).to_owned()
}

/// `run` and `check` alike.
fn follow(content: impl AsRef<[u8]>, arguments: &[&str], name: &'static str) -> Vec<String> {
    let mut person = Person { name, ..Person::with_file(content) };
    let taken = person.follows("run --plugin threshold", arguments);
    assert_eq!(person.database.counts().2, 1);
    person.file = NAME.into();
    let checked = person.follows("check --plugin threshold", arguments);
    assert_eq!(checked, taken);
    taken
}

#[test]
fn columns_of_other_names() {
    let content = b"Transaction ID,User Id,Amount,Date\n1,17,12.50,2024-01-01 13:21:30 UTC\n";
    let expected = [
        "--column 'transaction_id=Transaction ID'",
        "--column 'user_id=User Id'",
        "--column timestamp=Date",
        "--timezone UTC",
    ];
    assert_eq!(follow(content, &[], "Date"), expected);
    // Also where a name was given, and is wrong.
    let wrong = "--column user_id=User_ID";
    let mut followed = follow(content, &[wrong], "Date");
    followed.sort();
    assert_eq!(followed, expected);
    // Names are quoted as a shell takes them.
    let odd = "transaction_id,user_id's,amount,timestamp\n1,7,1.00,2024-01-01 00:00:00\n";
    assert_eq!(follow(odd, &[], ""), [r"--column 'user_id=user_id'\''s'"]);
}

#[test]
fn other_delimiters_and_decimal_commas() {
    let row = "transaction_id;user_id;amount;timestamp\n1;7;12,50;2024-01-01 00:00:00\n";
    assert_eq!(follow(row, &[], ""), ["--delimiter ';'", "--decimal-comma"]);
    let excel = format!("\u{feff}sep=;\r\n{row}");
    assert_eq!(follow(&excel, &[], ""), ["--decimal-comma"]);
    assert_eq!(follow(&excel, &["--delimiter tab"], ""), ["--decimal-comma"]);
    let unknown = format!("sep=;;\n{row}");
    assert_eq!(follow(unknown, &[], ""), ["--skip-lines 1", "--delimiter ';'", "--decimal-comma"]);
    assert_eq!(follow(row.replace(';', "\t"), &[], ""), ["--delimiter tab", "--decimal-comma"]);
    assert_eq!(follow(row.replace(';', "|"), &[], ""), ["--delimiter '|'", "--decimal-comma"]);
}

#[test]
fn a_header_that_is_further_down() {
    let text = format!("\"Account: 7\"\n\n\"January, 2024\"\n{HEADER}{ROW}");
    assert_eq!(follow(&text, &[], ""), ["--skip-lines 3"]);
    let named = text.replace("user_id", "Customer").replace("amount", "Betrag");
    let columns = ["--column user_id=Customer", "--column amount=Betrag"];
    assert_eq!(follow(named, &columns, ""), [columns[0], columns[1], "--skip-lines 3"]);
}

#[test]
fn a_total_below_the_rows() {
    let text = format!("{HEADER}{ROW}\n\"Grand total\",,1.00,\nPrinted today\n");
    assert_eq!(follow(text, &[], ""), ["--stop-at 'Grand total'"]);
}

#[test]
fn no_header() {
    let row = b"7,2024-01-01 00:00:00,1.00,8\n";
    let columns =
        "--no-header --column transaction_id=1 --column user_id=4 --column amount=3 --column timestamp=2";
    assert_eq!(follow(row, &[], ""), [columns]);
}

#[test]
fn times_of_other_forms() {
    for (time, expected) in [
        ("2024-01-01T13:21:30+02:00", &["--timezone UTC"][..]),
        ("2024-01-01", &["--date-only"]),
        ("45292.5563657407", &["--timestamp-format excel"]),
        ("31/12/2023 13:21", &["--timestamp-format '%d/%m/%Y %H:%M'"]),
        ("12/31/2023 01:21 PM", &["--timestamp-format '%m/%d/%Y %I:%M %p'"]),
        ("1704115270", &["--timestamp-format epoch-seconds"]),
        ("1704115270.25", &["--timestamp-format '%s%.f'"]),
        (
            "2024-01-01 13:21:30 Europe/Berlin",
            &["--timestamp-format '%Y-%m-%d %H:%M:%S %Q'", "--timezone UTC"],
        ),
    ] {
        let mut taken = follow(format!("{HEADER}1,7,1.00,{time}\n"), &[], "");
        taken.sort();
        assert_eq!(taken, expected, "{time}");
    }
}

#[test]
fn amounts_of_other_forms() {
    for (amount, expected) in [
        ("\"1,250.00\"", "--amount-format 1,234.56"),
        ("\"-1.250,00\"", "--amount-format 1.234,56"),
        ("1'250.00", r"--amount-format '1'\''234.56'"),
        ("($1250.00)", "--amount-format '($1,234.56)'"),
        ("12.50-", "--amount-format 1,234.56-"),
        ("\"1 250,00 €\"", "--amount-format '1 234,56 €'"),
    ] {
        let taken = follow(format!("{HEADER}1,7,{amount},2024-01-01 00:00:00\n"), &[], "");
        assert_eq!(taken, [expected], "{amount}");
    }
}

#[test]
fn a_format_in_place_of_a_decimal_comma() {
    let file = "transaction_id;user_id;amount;timestamp\n\
                1;7;12,50;2024-01-01 00:00:00\n2;7;1.250,00;2024-01-01 00:00:00\n";
    let expected = ["--delimiter ';'", "--decimal-comma", "--amount-format 1.234,56"];
    assert_eq!(follow(file, &[], ""), expected);
}

#[test]
fn columns_that_options_name() {
    let file = "transaction_id,user_id,Debit amount,Credit amount,timestamp,Currency\n\
                1,7,1.00,,2024-01-01 00:00:00,EUR\n";
    let given = ["--debit Debit_amount", "--credit 'Credit amount'", "--currency Curency"];
    let taken = follow(file, &given, "");
    assert_eq!(taken, ["--credit 'Credit amount'", "--debit 'Debit amount'", "--currency Currency"]);
}

#[test]
fn other_encodings_and_odd_ends() {
    let text = format!("{HEADER}{ROW}");
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(follow([&[0xff, 0xfe], &utf16[..]].concat(), &[], ""), ["--encoding utf-16"]);
    assert_eq!(follow(&utf16, &[], ""), ["--encoding utf-16le"]);
    for end in [&[0; 100][..], b"\x1a\n", b"\x1a"] {
        assert!(follow([text.as_bytes(), end].concat(), &[], "").is_empty());
    }
    let marked = [&[0xef, 0xbb, 0xbf], text.as_bytes()].concat();
    assert!(follow(marked, &["--encoding latin1"], "").is_empty());
}

/// Each of these is made by the program itself, where it is installed.
#[test]
fn what_is_packed_in_other_ways() {
    let text = format!("{HEADER}{ROW}");
    for (program, pack) in [
        ("xz", "xz --stdout < plain"),
        ("bzip2", "bzip2 --stdout < plain"),
        ("lz4", "lz4 -q -z -c plain"),
        ("iconv", "iconv -f UTF-8 -t UTF-32 plain"),
    ] {
        let person = Person::with_file("");
        person.files.write("plain", &text);
        if person.types(&format!("type {program}")).code != 0 {
            crate::support::leave_out(&format!("{program} is not installed"));
            continue;
        }
        assert_eq!(person.types(&format!("{pack} > packed")).code, 0, "{program}");
        let packed = std::fs::read(person.files.path().join("packed")).unwrap();
        assert!(follow(packed, &[], "").is_empty(), "{program}");
    }
    assert!(follow(compressed(text.as_bytes()), &[], "").is_empty());
}

/// As `compress` would, without looking for anything that repeats: codes of nine bits, the least
/// significant bit first.
fn compressed(text: &[u8]) -> Vec<u8> {
    let bits = text.iter().flat_map(|&byte| (0..9).map(move |bit| u16::from(byte) >> bit & 1 == 1));
    let bits: Vec<bool> = bits.collect();
    assert!(text.len() < 255, "codes of ten bits would follow");
    let bytes = bits.chunks(8).map(|bits| (0..8).map(|i| u8::from(bits.get(i) == Some(&true)) << i).sum());
    [0x1f, 0x9d, 0x90].into_iter().chain(bytes).collect()
}

/// A file whose name begins with a hyphen is not an option of the programs that are proposed.
#[test]
fn a_name_that_looks_like_an_option() {
    let mut person = Person::with_file("");
    person.files.write("-x.csv", format!("{HEADER}{ROW}\0\0\n"));
    person.file = "-x.csv".into();
    let refused = person.types(&person.line("check -p threshold", &["--".to_owned()]));
    let help = help(&refused);
    let command = help.split('`').find(|part| part.starts_with("tr ")).unwrap_or_else(|| panic!("{help}"));
    let done = person.types(command);
    assert_eq!(done.code, 0, "{command}: {}", done.stderr);
}

#[test]
fn bad_rows() {
    let bad = format!("{HEADER}{ROW}2,7,x,2024-01-01 00:00:00\n");
    assert_eq!(Person::with_file(&bad).follows("run -p threshold", &[]), ["--max-rejects 10"]);
    // Where there are too many, the same command as `check`, whatever its arguments.
    let worse = format!("{bad}{}", "3,7,x,2024-01-01 00:00:00\n".repeat(20));
    let person = Person::with_file(worse);
    let arguments = ["--max-rejects 10", "--once", "--ids keep", "--on-conflict skip", "--lock-timeout 1s"];
    let line = person.line("run --plugin threshold", &arguments.map(str::to_owned));
    assert!(help(&person.types(&line)).contains("`host check` with the same arguments"));
    let listed = person.types(&line.replacen("host run", "host check", 1));
    assert_eq!((listed.code, listed.stdout.matches("`x`: ").count()), (3, 21), "{}", listed.stderr);
}

#[test]
fn ids_that_are_taken_or_run_out() {
    let twice = format!("{HEADER}{ROW}{ROW}");
    assert_eq!(Person::with_file(&twice).follows("run -p threshold", &["--ids keep"]).len(), 2);
    let mut person = Person::with_file(format!("{HEADER}{ROW}"));
    assert_eq!(person.follows("run -p threshold", &["--ids keep"]), ["--ids keep"]);
    assert_eq!(person.follows("run -p threshold", &["--ids keep"]), ["--ids keep", "--on-conflict replace"]);
    person.database.execute(
        "INSERT INTO transactions (transaction_id, user_id, amount, transaction_timestamp)
         VALUES (2147483647, 1, 1, now())",
    );
    assert!(person.follows("run -p threshold", &[]).is_empty());
}

#[test]
fn databases_that_take_no_writes() {
    let person = Person::with_file(format!("{HEADER}{ROW}"));
    let role = format!("reader_{}", std::process::id());
    let (url, database) = (person.database.url(), person.database.url());
    let name = database.rsplit('/').next().unwrap();
    let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    person.database.execute(&set);
    let refused = person.types(&person.line("run -p threshold", &[]));
    let help = help(&refused);
    let option =
        help.split('`').find(|part| part.starts_with("options=")).unwrap_or_else(|| panic!("{help}"));
    let file = host_core::text::shell_quoted(NAME);
    let with_option = person.types(&format!("host run -p threshold --database-url '{url}?{option}' {file}"));
    assert_eq!(with_option.code, 0, "{}", with_option.stderr);
    // As a role of this test's own: what is altered is of the whole server.
    person.database.execute(&format!("BEGIN READ WRITE; CREATE ROLE {role} SUPERUSER LOGIN; COMMIT"));
    let as_role = url.replace("postgres@", &format!("{role}@"));
    let command = help.split('`').find(|part| part.contains("ALTER ROLE")).unwrap();
    crate::support::execute(&as_role, command);
    let done = person.types(&format!("host run -p threshold --database-url '{as_role}' {file}"));
    person.database.execute(&format!(
        "BEGIN READ WRITE; REASSIGN OWNED BY {role} TO postgres; DROP ROLE {role}; COMMIT"
    ));
    assert_eq!(done.code, 0, "{}", done.stderr);
}

/// Commands on what was stored find it, also where an argument named the database.
#[test]
fn commands_of_ours() {
    let person = Person::with_file(format!("{HEADER}{ROW}2,7,x,2024-01-01 00:00:00\n"));
    let line = person.line("run -p threshold --max-rejects 1", &[]);
    let summary = person.types(&line).stdout;
    let (_, see) = summary.split_once("; see: ").unwrap_or_else(|| panic!("{summary}"));
    let rejects = person.types(see.lines().next().unwrap());
    assert!(rejects.stdout.contains("`x`: unexpected character"), "{}", rejects.stderr);

    let lost = person.types(&format!("{line} > /dev/full"));
    let (_, see) = lost.stderr.split_once("; see: ").unwrap_or_else(|| panic!("{}", lost.stderr));
    assert!(person.types(see.trim()).stdout.starts_with("run 2, "));

    let url = person.database.url();
    let absent = person.types(&format!("host runs 99 --database-url '{url}'"));
    let help_of_absent = help(&absent);
    let command = help_of_absent.split('`').nth(1).unwrap();
    assert!(person.types(command).stdout.contains("threshold 0.1.0"), "{command}");

    person.database.execute("UPDATE ingest_runs SET anomalies = 1 WHERE run_id = 1");
    let altered = person.types(&person.line("verify 1", &[]));
    let help_of_altered = help(&altered);
    let command = help_of_altered.split('`').nth(1).unwrap();
    assert!(person.types(command).stdout.contains("ALTERED"), "{command}");
}

#[test]
fn plugins_and_their_settings() {
    let text = format!("{HEADER}{ROW}");
    let person = Person::with_file(&text);
    let misspelt = help(&person.types(&person.line("run -p treshold", &[])));
    let name = misspelt.split('`').nth(1).unwrap();
    assert_eq!(person.types(&person.line(&format!("run -p {name}"), &[])).code, 0, "{misspelt}");
    let setting = person.types(&person.line("run -p threshold --set limmit=5", &[]));
    assert!(
        help(&setting).contains("`limit`, `below`; pass them as `--set name=value`"),
        "{}",
        setting.stderr
    );
    let example = help(&person.types(&person.line("run -p threshold --set limit", &[])));
    let example = example.split('`').nth(1).unwrap();
    assert_eq!(person.types(&person.line(&format!("run -p threshold {example}"), &[])).code, 0);
    for (wrong, content) in [
        ("--column amount", "transaction_id,user_id,TX_AMOUNT,timestamp\n1,7,1.00,2024-01-01 00:00:00\n"),
        ("--no-header", ROW),
    ] {
        let person = Person::with_file(content);
        let help = help(&person.types(&person.line("run -p threshold", &[wrong.into()])));
        let (_, proposal) = help.split_once("for instance `").unwrap_or_else(|| panic!("{help}"));
        let mut arguments = vec![proposal.trim_end_matches('`').to_owned()];
        if wrong == "--no-header" {
            arguments.push(wrong.into());
        }
        assert_eq!(person.types(&person.line("run -p threshold", &arguments)).code, 0, "{arguments:?}");
    }
    let new = help(&person.types("host plugin new 'Night Owls' --lang rust"));
    let (_, command) = new.split_once('`').unwrap();
    assert_eq!(person.types(command.trim_end_matches('`')).code, 0, "{new}");
}

/// A limit that is too narrow is widened until the plugin is content.
#[test]
fn limits_of_the_sandbox() {
    let text = format!("{HEADER}{}", ROW.repeat(50));
    for limit in ["--memory-limit 64KiB", "--transfer-limit 16B", "--fuel 2000"] {
        let mut person = Person::with_file(&text);
        let (option, _) = limit.split_once(' ').unwrap();
        let taken = person.follows("run -p zscore", &[limit]);
        assert!(taken[0].starts_with(option) && taken[0] != limit, "{taken:?}");
    }
    // How long something takes is not for a test to say; only that the proposal is an argument.
    for span in [1, 250, 1_000, 90_000].map(std::time::Duration::from_millis) {
        let person = Person::with_file(&text);
        let arguments = ["--run-deadline", "--compile-deadline", "--deadline"]
            .map(|option| format!("{option} {}", host_core::text::argument(span * 1_000)));
        assert_eq!(person.types(&person.line("check -p zscore", &arguments)).code, 0, "{arguments:?}");
    }
}

#[test]
fn variables_and_locks() {
    let person = Person::with_file(format!("{HEADER}{ROW}"));
    let line = person.line("run -p threshold", &[]);
    let refused = person.types(&format!("export HOST_PLUGIN_PATH=; {line}"));
    let help_of_variable = help(&refused);
    let (_, command) = help_of_variable.rsplit_once(": ").unwrap();
    let done = person.types(&format!("export HOST_PLUGIN_PATH=; {command}; {line}"));
    assert_eq!(done.code, 0, "{command}: {}", done.stderr);
    person.database.while_locked(|| {
        let refused = person.types(&person.line("run -p threshold --lock-timeout 10ms", &[]));
        assert!(help(&refused).contains("leave out `--lock-timeout`"), "{}", refused.stderr);
    });
    assert_eq!(person.types(&line).code, 0);
}
