//! Every error as its reader sees it, with its exit code; and nothing of the run in the database.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Database, Files, execute, finish, host, host_run, plugin, sample, server_url};

/// Runs what must fail: checks the code and that nothing was written, and returns the message.
fn failure(database: &Database, files: &Files, code: i32, command: &mut Command) -> String {
    let finished = finish(command);
    assert_eq!((finished.code, finished.stdout.as_str()), (code, ""), "{}", finished.stderr);
    assert_eq!(database.counts(), (0, 0, 0));
    files.anonymous(&finished.stderr).replace(&database.url(), "[url]")
}

/// The folder of the program, which has those for plugins beside it.
fn programs_folder() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_host")).canonicalize().unwrap();
    program.parent().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn files() {
    let (database, files) = (Database::new(), Files::new());
    let nothing = "transaction_id,user_id,amount,timestamp\n";
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(nothing.encode_utf16().flat_map(u16::to_le_bytes));
    let cases: &[(&str, &[u8])] = &[
        ("empty_file", b""),
        ("missing_column", b"transaction_id,user_id,ammount,timestamp\n"),
        ("duplicate_column", b"transaction_id,user_id,amount,timestamp,Amount \n"),
        ("utf16", &utf16),
        ("bad_amount", b"transaction_id,user_id,amount,timestamp\n1,7,1.00,2024-01-01 00:00:00\n2,7,\"12,50\",2024-01-01 00:00:00\n"),
        ("bad_timestamp", b"transaction_id,user_id,amount,timestamp\n1,7,1.00,2023-02-30 00:00:00\n"),
        ("bad_bytes", b"transaction_id,user_id,amount,timestamp\n1,7,1\x1b[2J\xff,2024-01-01 00:00:00\n"),
        ("short_record", b"transaction_id,user_id,amount,timestamp\n1,7,1.00\n"),
        ("broken_gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\0nonsense"),
    ];
    for (name, content) in cases {
        let file = files.write(&format!("{name}.csv"), content);
        let message = failure(&database, &files, 3, &mut host_run(&database, "threshold.wasm", &file));
        insta::assert_snapshot!(format!("file_{name}"), message);
    }
    let absent = files.path().join("absent.csv");
    insta::assert_snapshot!(
        "file_absent",
        failure(&database, &files, 3, &mut host_run(&database, "threshold.wasm", &absent))
    );
    std::fs::create_dir(files.path().join("folder")).unwrap();
    let empty = files.path().join("folder");
    insta::assert_snapshot!(
        "file_folder_without_files",
        failure(&database, &files, 3, &mut host_run(&database, "threshold.wasm", &empty))
    );
}

/// The first bad row comes after many good ones are with the server.
#[test]
fn a_bad_last_row_undoes_all() {
    let (database, files) = (Database::new(), Files::new());
    let mut lines: Vec<String> = (0..100_000).map(|i| format!("{i},7,900.00,2024-01-01 00:00:00")).collect();
    lines.push("100000,7,900.005,2024-01-01 00:00:00".into());
    let file = files.csv(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    insta::assert_snapshot!(failure(&database, &files, 3, &mut host_run(&database, "threshold", &file)));
}

#[test]
fn plugins() {
    let (database, files) = (Database::new(), Files::new());
    let module = std::fs::read(plugin("threshold")).unwrap();
    let newer = replace(&module, b"@0.1.0", b"@0.2.0");
    let cases: &[(&str, &[u8])] = &[
        ("empty", b""),
        ("garbage", b"\x7fELF and so on"),
        ("text", b"(module)"),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\0"),
        ("core_module", b"\0asm\x01\0\0\0"),
        ("empty_component", b"\0asm\x0d\0\x01\0"),
        ("truncated", &module[..module.len() / 2]),
        ("newer_contract", &newer),
    ];
    for (name, content) in cases {
        let plugin = files.write(&format!("{name}.wasm"), content);
        let mut run = host_run(&database, plugin.to_str().unwrap(), &sample());
        let message = failure(&database, &files, 4, &mut run);
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"at offset 0x[0-9a-f]+", "at offset [n]");
        settings.bind(|| insta::assert_snapshot!(format!("plugin_{name}"), message));
    }
    let mut run = host_run(&database, "treshold", &sample());
    let message = failure(&database, &files, 4, run.env("HOST_DATA_DIR", files.path()));
    insta::assert_snapshot!("plugin_absent", message.replace(&programs_folder(), "/bin"));
}

#[test]
fn settings() {
    let (database, files) = (Database::new(), Files::new());
    let cases = [
        ("unknown", 4, vec!["limt=5"]),
        ("wrong_kind", 4, vec!["limit=5,00"]),
        ("refused", 4, vec!["limit=5", "below=6"]),
        ("no_value", 2, vec!["limit"]),
        ("twice", 2, vec!["limit=5", "limit=6"]),
    ];
    for (name, code, settings) in cases {
        let mut run = host_run(&database, "threshold", &sample());
        run.args(settings.iter().flat_map(|setting| ["--set", setting]));
        insta::assert_snapshot!(format!("setting_{name}"), failure(&database, &files, code, &mut run));
    }
}

/// What a misbehaving guest looks like; that each of its tricks is stopped is for the sandbox's
/// own tests.
#[test]
fn guests() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.csv(&["1,7,1.00,2024-01-01 00:00:00", "2,7,2.00,2024-01-01 00:00:00"]);
    for mode in
        ["internal", "invalid-input", "panic", "panic-in-finish", "loop", "memory-bomb", "nan", "escapes"]
    {
        let mut run = host_run(&database, "hostile", &file);
        run.args(["--set", &format!("mode={mode}")]);
        // It is the loop that is to take longer than this, not what comes before it.
        run.args(if mode == "loop" { ["--deadline", "2s"] } else { ["--memory-limit", "16MiB"] });
        let message = failure(&database, &files, 4, &mut run);
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"src/lib\.rs:\d+:\d+", "src/lib.rs:[line]");
        settings.bind(|| insta::assert_snapshot!(format!("guest_{mode}"), message));
    }
}

#[test]
fn databases() {
    let (database, files) = (Database::new(), Files::new());
    let file = sample();
    let run = |url: &str| {
        let mut command = host();
        command.args(["run", "--plugin", "threshold", "--database-url", url]).arg(&file);
        command
    };
    let nobody_listens = "postgres://me:secret@127.0.0.1:1/db";
    let role = format!("no_login_{}", std::process::id());
    execute(&server_url(), &format!("CREATE ROLE {role} NOLOGIN"));
    let login = database.url().replace("postgres://postgres@", &format!("postgres://{role}:secret@"));
    let no_database = format!("{}_not", database.url());
    let cases = [
        ("unreachable", 5, nobody_listens),
        ("login_refused", 5, login.as_str()),
        ("no_such_database", 5, no_database.as_str()),
        ("wrong_url", 2, "mysql://me:secret@localhost/db"),
        ("unknown_parameter", 2, "postgres://me:secret@localhost/db?sslmodus=require"),
    ];
    for (name, code, url) in cases {
        let message = failure(&database, &files, code, &mut run(url));
        assert!(!message.contains("secret"), "{message}");
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"test_\d+_\d+", "[test]");
        settings.add_filter(r"no_login_\d+", "[role]");
        settings.add_filter(r"on /\S*socket:5432", "on [socket]:5432");
        settings.bind(|| insta::assert_snapshot!(format!("database_{name}"), message));
    }
    execute(&server_url(), &format!("DROP ROLE {role}"));
}

#[test]
fn ids_that_run_out_are_told() {
    let (database, files) = (Database::new(), Files::new());
    assert_eq!(finish(host().args(["migrate", "--database-url", &database.url()])).code, 0);
    let last = i32::MAX - 1_799;
    database.execute(&format!("INSERT INTO transactions VALUES ({last}, 7, 1.00, '2024-01-01', 0)"));
    let refused = finish(&mut host_run(&database, "threshold", &sample()));
    assert_eq!((refused.code, database.counts()), (5, (1, 0, 0)));
    insta::assert_snapshot!(files.anonymous(&refused.stderr));
    // The rows of a pipe cannot be counted before.
    let mut run = host_run(&database, "threshold", Path::new("-"));
    let refused = finish(run.stdin(std::fs::File::open(sample()).map(Stdio::from).unwrap()));
    assert_eq!((refused.code, database.counts()), (5, (1, 0, 0)));
    insta::assert_snapshot!("ids_run_out_on_the_way", files.anonymous(&refused.stderr));
    database.execute(&format!("UPDATE transactions SET transaction_id = {last} - 1"));
    assert_eq!(finish(&mut host_run(&database, "threshold", &sample())).code, 0);
    assert_eq!(database.number("SELECT max(transaction_id) FROM transactions"), i64::from(i32::MAX));

    // What the help says helps.
    let refused = finish(&mut host_run(&database, "threshold", &sample()));
    let help = refused.stderr.split_once("help: widen the columns: ").expect("there is help").1;
    database.execute(help.trim().trim_matches('`'));
    assert_eq!(finish(&mut host_run(&database, "threshold", &sample())).code, 0);
    assert_eq!(database.counts(), (3_601, 76, 2));
    assert_eq!(database.number("SELECT max(transaction_id) FROM anomalies") - i64::from(i32::MAX), 1_752);
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut replaced = bytes.to_vec();
    for i in 0..=replaced.len() - from.len() {
        if replaced[i..].starts_with(from) {
            replaced[i..i + to.len()].copy_from_slice(to);
        }
    }
    replaced
}
