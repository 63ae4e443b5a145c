//! What a help line proposes works when it is copied into a shell.

use std::process::Command;

use crate::support::{Files, Finished, finish, host};

/// People follow no more than so many in a row.
const PATIENCE: usize = 7;

/// Checks a file by a shell, and does what the messages say until there is nothing to say. Returns the
/// arguments that it took. `name` is put in where a message leaves it open.
fn follow(content: &[u8], arguments: &[&str], name: &str) -> Vec<String> {
    let files = Files::new();
    let mut file = "my day's file.csv".to_owned();
    files.write(&file, content);
    let mut arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    for _ in 0..PATIENCE {
        let command = format!(
            "exec \"$HOST\" check --plugin threshold {} {}",
            arguments.join(" "),
            host::text::shell_quoted(&file)
        );
        let Finished { code, stdout, stderr } = shell(&files, &command);
        if code == 0 {
            return arguments;
        }
        assert_eq!(code, 3, "{command}: {stderr}");
        let output = format!("{stdout}{stderr}");
        let help = output.lines().find_map(|line| line.trim().strip_prefix("help: "));
        let help = help.unwrap_or_else(|| panic!("{command}: {output}"));
        let proposed: Vec<&str> = help.split('`').skip(1).step_by(2).collect();
        let proposed =
            proposed.iter().filter(|proposed| proposed.contains(" > ") || proposed.starts_with("--"));
        for proposed in proposed {
            if let Some((_, to)) = proposed.split_once(" > ") {
                let done = shell(&files, proposed);
                assert_eq!(done.code, 0, "{proposed}: {}", done.stderr);
                file = to.to_owned();
            } else if !proposed.starts_with("--max-rejects") {
                let proposed = proposed.replace("NAME", name);
                // In place of what was wrong.
                let subject = proposed.split('=').next().unwrap_or(&proposed).to_owned();
                arguments.retain(|other| {
                    other.replace('\'', "").split('=').next() != Some(&subject.replace('\'', ""))
                });
                arguments.push(proposed);
            }
        }
    }
    panic!("no end: {arguments:?}");
}

fn shell(files: &Files, command: &str) -> Finished {
    let program = host();
    let mut shell = Command::new("sh");
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    finish(shell.env("HOST", program.get_program()).args(["-c", command]).current_dir(files.path()))
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
}

#[test]
fn other_delimiters_and_decimal_commas() {
    let row = "transaction_id;user_id;amount;timestamp\n1;7;12,50;2024-01-01 00:00:00\n";
    assert_eq!(follow(row.as_bytes(), &[], ""), ["--delimiter ';'", "--decimal-comma"]);
    let excel = format!("\u{feff}sep=;\r\n{row}");
    assert_eq!(follow(excel.as_bytes(), &[], ""), ["--delimiter ';'", "--decimal-comma"]);
    assert_eq!(follow(row.replace(';', "\t").as_bytes(), &[], ""), ["--delimiter tab", "--decimal-comma"]);
    assert_eq!(follow(row.replace(';', "|").as_bytes(), &[], ""), ["--delimiter '|'", "--decimal-comma"]);
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
    let file =
        |time: &str| format!("transaction_id,user_id,amount,timestamp\n1,7,1.00,{time}\n").into_bytes();
    for (time, expected) in [
        ("2024-01-01T13:21:30+02:00", "--timezone UTC"),
        ("2024-01-01", "--timestamp-format %Y-%m-%d"),
        ("31/12/2023 13:21", "--timestamp-format '%d/%m/%Y %H:%M'"),
        ("12/31/2023 01:21 PM", "--timestamp-format '%m/%d/%Y %I:%M %p'"),
        ("1704115270", "--timestamp-format epoch-seconds"),
        ("1704115270.25", "--timestamp-format '%s%.f'"),
    ] {
        assert_eq!(follow(&file(time), &[], ""), [expected], "{time}");
    }
}

#[test]
fn other_encodings_and_odd_ends() {
    let text = "transaction_id,user_id,amount,timestamp\n1,7,1.00,2024-01-01 00:00:00\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(follow(&[&[0xff, 0xfe], &utf16[..]].concat(), &[], ""), ["--encoding utf-16"]);
    assert_eq!(follow(&utf16, &[], ""), ["--encoding utf-16le"]);
    for end in [&b"\x1a"[..], &[0; 100]] {
        assert!(follow(&[text.as_bytes(), end].concat(), &[], "").is_empty());
    }
}
