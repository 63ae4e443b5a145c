//! What leaves the program: nothing that a terminal obeys, whatever the names and texts are that it
//! speaks of; and what becomes of it where stdout or stderr takes nothing.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Database, Files, Finished, finish, host, host_run, sample, succeed};

/// Colours, a bell, a title, C1 controls, DEL, marks that reorder text, a forged line.
const HOSTILE: &str = "\x1b[31mRED\x07\x1b]0;t\x07\u{9b}2J\u{7f}\u{202e}gnp\u{200b}\r\nnote: forged\t";

/// No control characters but line breaks, and no line of a message that somebody else has written.
fn assert_harmless(what: &str, finished: &Finished) {
    for text in [&finished.stdout, &finished.stderr] {
        let hostile = text.chars().find(|&c| c != '\n' && host_core::text::is_unprintable(c));
        assert_eq!(hostile, None, "{what}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("note: forged")), "{what}: {text}");
    }
}

/// Every command, with hostile text wherever it comes from outside.
#[test]
fn nothing_that_a_terminal_obeys_gets_out() {
    let (database, files) = (Database::migrated(), Files::new());
    let url = database.url();
    let name = |start: &str, end: &str| format!("{start}{HOSTILE}{end}");
    let header = "transaction_id,user_id,amount,timestamp\n";
    let good = files.write(&name("good", ".csv"), format!("{header}1,2,3.00,2024-01-01 00:00:00\n"));
    let inputs: &[(&str, Vec<u8>)] = &[
        ("bad", format!("{header}1,2,x{HOSTILE},2024-01-01 00:00:00\n").into()),
        ("quoted", format!("{header}1,2,\"{HOSTILE}\",2024-01-01 00:00:00\n").into()),
        ("empty", b"".to_vec()),
        ("column", format!("a\x1b[31m,b{}\n", "\u{202e}").into()),
        ("twice", "transaction_id,user_id,amount,amount,timestamp\n".into()),
        ("unclosed", format!("{header}1,2,\"x").into()),
        ("zip", b"PK\x03\x04xxxx".to_vec()),
        ("gzip", b"\x1f\x8b".to_vec()),
        ("utf16", b"\xff\xfea\0".to_vec()),
        ("long", [header.as_bytes(), &vec![b'x'; 2_000_000]].concat()),
    ];
    let mut csvs = vec![good.clone(), files.path().join(name("absent", ".csv"))];
    csvs.extend(inputs.iter().map(|(start, content)| files.write(&name(start, ".csv"), content)));
    let mut latin = b"latin\xff\x1b[2J".to_vec();
    latin.extend(HOSTILE.as_bytes());
    csvs.push(files.path().join(OsString::from_vec(latin)));
    std::fs::create_dir(files.path().join(name("folder", ""))).unwrap();
    csvs.push(files.path().join(name("folder", "")));

    let plugins = files.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_host")).with_file_name("plugins");
    let plugin = |start: &str, content: &[u8]| {
        let file = plugins.join(name(start, ".wasm"));
        std::fs::write(&file, content).unwrap();
        file
    };
    let wasm = |of: &str| std::fs::read(built.join(of)).unwrap();
    let threshold = plugin("threshold", &wasm("threshold.wasm"));
    let plugins_: Vec<PathBuf> = vec![
        threshold.clone(),
        plugin("empty", b""),
        plugin("text", HOSTILE.as_bytes()),
        plugin("module", b"\0asm\x01\0\0\0"),
        plugin("component", b"\0asm\x0d\0\x01\0"),
        plugin("cut", &wasm("threshold.wasm")[..2_000]),
        plugins.join(name("absent", ".wasm")),
    ];

    let mut commands: Vec<(String, Command)> = Vec::new();
    let mut add = |what: &str, arguments: &[&dyn AsRef<std::ffi::OsStr>], variable: Option<(&str, &str)>| {
        for json in [false, true] {
            let mut command = host();
            command.args(arguments.iter().map(|argument| argument.as_ref()));
            if json && !arguments.iter().any(|argument| argument.as_ref() == "psql") {
                command.args(["--format", "json"]);
            }
            command.current_dir(files.path()).stdin(Stdio::null()).env("HOST_DATA_DIR", files.path());
            if let Some((name, value)) = variable {
                command.env(name, value);
            }
            commands.push((format!("{what}, json {json}"), command));
        }
    };
    for csv in &csvs {
        add("run", &[&"run", &"-p", &"threshold", &"--database-url", &url, csv], None);
        add(
            "run, rejects",
            &[&"run", &"-p", &"threshold", &"--max-rejects=9", &"--database-url", &url, csv],
            None,
        );
        add("check", &[&"check", &"-p", &"threshold", csv], None);
        add("check, rejects", &[&"check", &"-p", &"threshold", &"--max-rejects=9", csv], None);
        add("verify", &[&"verify", &"1", &"--database-url", &url, csv], None);
        add(
            "rejects file",
            &[&"run", &"-p", &"threshold", &"--rejects", csv, &"--database-url", &url, csv],
            None,
        );
    }
    let absent_folder = files.path().join(name("no-folder", "/bad.csv"));
    add(
        "rejects file",
        &[&"run", &"-p", &"threshold", &"--rejects", &absent_folder, &"--database-url", &url, &good],
        None,
    );
    for plugin in &plugins_ {
        add("run", &[&"run", &"--database-url", &url, &"-p", plugin, &good], None);
        add("check", &[&"check", &"-p", plugin, &good], None);
        for command in ["inspect", "check", "bench", "test", "add"] {
            // Takes long, and says nothing else of a plugin that works.
            if command != "bench" || *plugin != threshold {
                add(command, &[&"plugin", &command, plugin], None);
            }
        }
    }
    for setting in [format!("{HOSTILE}=1"), format!("limit={HOSTILE}"), HOSTILE.to_owned()] {
        add("setting", &[&"check", &"-p", &"threshold", &"--set", &setting, &good], None);
        add("setting", &[&"check", &"-p", &"threshold", &"--set", &setting, &"--set", &setting, &good], None);
    }
    for flag in [
        "--max-rejects",
        "--column",
        "--delimiter",
        "--encoding",
        "--timestamp-format",
        "--timezone",
        "--batch-rows",
        "--jobs",
        "--deadline",
        "--memory-limit",
        "--stack-limit",
        "--plugin-sha256",
        "--no-such-flag",
    ] {
        let given = format!("{flag}={HOSTILE}");
        add(flag, &[&"check", &"-p", &"threshold", &given, &good], None);
    }
    let column = format!("--column=amount={HOSTILE}");
    add("column", &[&"check", &"-p", &"threshold", &column, &good], None);
    let zeros = "0".repeat(64);
    add("sha256", &[&"check", &"-p", &threshold, &"--plugin-sha256", &zeros, &good], None);
    add("strict", &[&"check", &"--strict", &"-p", &threshold, &good], None);
    add("command", &[&HOSTILE], None);
    add("new", &[&"plugin", &"new", &HOSTILE, &"--lang", &"c"], None);
    add("language", &[&"plugin", &"new", &"x", &"--lang", &HOSTILE], None);
    for run in ["1", "99", HOSTILE] {
        add("runs", &[&"runs", &run, &"--database-url", &url], None);
        add("rejects", &[&"rejects", &run, &"--database-url", &url], None);
    }
    add("runs", &[&"runs", &"--database-url", &url], None);
    add("migrate", &[&"migrate", &"--status", &"--database-url", &url], None);
    for bad in [
        format!("postgres://127.0.0.1:1/{HOSTILE}"),
        format!("postgres://h{HOSTILE}:1/x"),
        format!("postgres://u@127.0.0.1:{HOSTILE}/x"),
        format!("postgres://127.0.0.1:1/x?{HOSTILE}=1"),
        format!("postgres://127.0.0.1:1/x?sslmode={HOSTILE}"),
        format!("postgres://127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/x{HOSTILE}"),
        format!("host=127.0.0.1 port=1 {HOSTILE}=x"),
        HOSTILE.to_owned(),
    ] {
        add("url", &[&"runs", &"--database-url", &bad], None);
        add("url", &[&"runs"], Some(("DATABASE_URL", &bad)));
    }
    for variable in
        ["PGHOST", "PGPORT", "PGSSLMODE", "PGSERVICE", "PGPASSFILE", "PGDATABASE", "PGCONNECT_TIMEOUT"]
    {
        add(variable, &[&"runs", &"--database-url", &"postgres://127.0.0.1:1/x"], Some((variable, HOSTILE)));
    }
    let folder = files.path().join(name("data", ""));
    let folder = folder.to_str().unwrap();
    for command in ["status", "url", "programs", "stop"] {
        add("db", &[&"db", &command], Some(("HOST_DATA_DIR", folder)));
    }
    let in_a_file = format!("{}/x", good.to_str().unwrap());
    add("db", &[&"runs"], Some(("HOST_DATA_DIR", &in_a_file)));
    add("cache", &[&"-vv", &"check", &"-p", &"threshold", &good], Some(("XDG_CACHE_HOME", &in_a_file)));
    add("plugin list", &[&"plugin", &"list"], Some(("HOST_PLUGIN_PATH", plugins.to_str().unwrap())));
    add("plugin list", &[&"plugin", &"list"], Some(("HOST_PLUGIN_PATH", folder)));
    add("log", &[&"-vv", &"check", &"-p", &threshold, &good], Some(("HOST_LOG", HOSTILE)));

    for (what, mut command) in commands {
        let finished = finish(&mut command);
        assert_ne!(finished.code, 101, "{what}: {finished:?}");
        assert_harmless(&format!("{what}: {command:?}"), &finished);
    }
}

/// What a guest says comes out of the log as one line of the log's.
#[test]
fn what_a_guest_says_is_not_obeyed() {
    let files = Files::new();
    for mode in ["escapes", "panic", "log-flood"] {
        let mut check = host();
        check.args(["check", "-vv", "-p", "hostile", "--set", &format!("mode={mode}")]).arg(sample());
        check.current_dir(files.path());
        let finished = finish(&mut check);
        assert!(!finished.stderr.contains("no plugin"), "{}", finished.stderr);
        assert_harmless(mode, &finished);
    }
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// A pipe that nobody reads from any more.
fn broken() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn code(command: &mut Command) -> i32 {
    command.stdin(Stdio::null()).status().unwrap().code().expect("no signal ended it")
}

/// The commit is what counts: whatever takes neither the summary nor what else is said.
#[test]
fn a_committed_run_has_succeeded_whoever_listens() {
    let database = Database::new();
    // From the second on, there is a note before the summary.
    let run = || host_run(&database, "threshold", &sample());
    assert_eq!(code(run().stdout(full()).stderr(full())), 0);
    assert_eq!(code(run().stdout(full()).stderr(full())), 0);
    assert_eq!(code(run().stdout(Stdio::null()).stderr(full())), 0);
    assert_eq!(code(run().stdout(broken()).stderr(broken())), 0);
    assert_eq!(code(run().args(["--format", "json"]).stdout(full()).stderr(broken())), 0);
    assert_eq!(database.counts(), (5 * 1_800, 5 * 38, 5));

    let finished = Finished::of(run().stdout(full()).output().unwrap());
    assert_eq!(finished.code, 0);
    let sample = sample();
    let told = finished.stderr.replace(sample.to_str().unwrap(), "sample.csv");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"--database-url [^\s`]+", "--database-url [url]");
    settings.bind(|| insta::assert_snapshot!("summary_lost", told));
    assert_eq!(code(run().arg("--once").stdout(full()).stderr(full())), 0);
    assert_eq!(database.counts(), (6 * 1_800, 6 * 38, 6));
}

/// Nothing is printed by them but what was asked for, so they have failed without it.
#[test]
fn a_listing_that_could_not_be_written_has_failed() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.csv(&["1,7,1.00,2024-01-01 00:00:00", "2,7,x,2024-01-01 00:00:00"]);
    succeed(host_run(&database, "threshold", &file).args(["--max-rejects", "1"]));
    let url = database.url();
    let file = file.to_str().unwrap();
    let on_database: &[&[&str]] = &[
        &["runs"],
        &["runs", "1"],
        &["runs", "--format", "json"],
        &["rejects", "1"],
        &["rejects", "1", "--format", "json"],
        &["skipped", "1"],
        &["verify", "1", file],
        &["migrate"],
        &["migrate", "--status"],
    ];
    let others: &[&[&str]] = &[
        &["check", "-p", "threshold", "--max-rejects", "1", file],
        &["db", "url"],
        &["plugin", "list"],
        &["plugin", "list", "--format", "json"],
        &["plugin", "inspect", "threshold"],
        &["plugin", "check", "threshold"],
        &["plugin", "bench", "threshold"],
        &["--help"],
        &["run", "--help"],
        &["--version"],
    ];
    let commands = on_database.iter().map(|arguments| (arguments, Some(&url)));
    for (arguments, url) in commands.chain(others.iter().map(|arguments| (arguments, None))) {
        let command = || {
            let mut command = host();
            command.args(*arguments).env("HOST_DATA_DIR", files.path());
            if let Some(url) = url {
                command.args(["--database-url", url]);
            }
            command
        };
        let finished = Finished::of(command().stdout(full()).output().unwrap());
        assert_eq!(finished.code, 1, "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.starts_with("error: could not write the result"), "{}", finished.stderr);
        // `| head` has seen what it wanted.
        assert_eq!(code(command().stdout(broken()).stderr(full())), 0, "{arguments:?}");
    }
    let mut runs = host();
    runs.args(["runs", "--database-url", &url]).stdout(full());
    insta::assert_snapshot!("listing_lost", Finished::of(runs.output().unwrap()).stderr);
}

/// The exit code is that of the failure, also where nobody can be told of it.
#[test]
fn a_failure_that_cannot_be_told_keeps_its_exit_code() {
    let database = Database::new();
    let absent = Path::new("absent.csv");
    assert_eq!(code(host_run(&database, "threshold", absent).stderr(full())), 3);
    assert_eq!(code(host_run(&database, "absent", &sample()).stderr(broken())), 4);
    assert_eq!(code(host().arg("--absent").stderr(full())), 2);
    assert_eq!(code(host().stderr(broken())), 2);
}

/// While a run waits for others, it says so: that this cannot be said does not end the wait.
#[test]
fn a_warning_that_cannot_be_written_does_not_end_the_run() {
    let database = Database::migrated();
    let files = Files::new();
    let pipe = files.pipe();
    let mut first = host_run(&database, "threshold", &pipe).stdout(Stdio::null()).spawn().unwrap();
    let mut input = File::options().write(true).open(&pipe).unwrap();
    // The header is read before anything is locked.
    std::io::Write::write_all(&mut input, b"transaction_id,user_id,amount,timestamp\n").unwrap();
    let holds = "SELECT count(*) FROM pg_locks WHERE mode = 'ShareRowExclusiveLock' AND granted AND relation = 'transactions'::regclass";
    database.wait_for(holds, 1);
    let mut second =
        host_run(&database, "threshold", &sample()).stdout(Stdio::null()).stderr(full()).spawn().unwrap();
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'transactions'::regclass";
    database.wait_for(waits, 1);
    drop(input);
    assert!(first.wait().unwrap().success());
    assert!(second.wait().unwrap().success());
    assert_eq!(database.counts(), (1_800, 38, 2));
}

/// Whatever a help line proposes in backticks, as options or as a command of ours, is one as a shell
/// reads it. The lines are those of all messages that the tests have seen.
#[test]
fn what_help_lines_propose_can_be_copied_into_a_shell() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let snapshots = glob::glob(&suite.join("*/snapshots/*.snap").to_string_lossy()).unwrap();
    let mut proposed = 0;
    for file in snapshots {
        let text = std::fs::read_to_string(file.unwrap()).unwrap();
        for help in text.lines().filter_map(|line| line.strip_prefix("help: ")) {
            // Every second part is in backticks.
            for words in help.split('`').skip(1).step_by(2) {
                let is_command = words.starts_with("host ");
                if !is_command && !words.starts_with("--") {
                    continue;
                }
                let script = format!("printf '%s\\0' {words}");
                let split = Command::new("bash").args(["-c", &script]).output().unwrap();
                assert!(split.status.success(), "{help}");
                let split = String::from_utf8(split.stdout).unwrap();
                let mut arguments: Vec<OsString> = Vec::new();
                if !is_command {
                    arguments.extend(["host", "run", "--plugin", "x", "x.csv"].map(OsString::from));
                }
                arguments.extend(split.split_terminator('\0').map(OsString::from));
                proposed += 1;
                let error = match host::cli::parse(&arguments) {
                    Ok(cli) => {
                        // No word of it was taken for a file.
                        if let (host::cli::Command::Run(run), false) = (cli.command, is_command) {
                            assert_eq!(run.run.ingest.files, [Path::new("x.csv")], "{help}");
                        }
                        continue;
                    }
                    Err(error) => error,
                };
                let kind = error.kind();
                // It only names the command or option, whose arguments the reader knows.
                let is_name = kind == clap::error::ErrorKind::MissingRequiredArgument
                    || kind == clap::error::ErrorKind::InvalidValue && !words.contains(' ')
                    || kind == clap::error::ErrorKind::DisplayHelp
                    // Of another command than `run`.
                    || kind == clap::error::ErrorKind::UnknownArgument && ["--update", "--replace", "--sdk", "--yes", "--done-file", "--settle"].contains(&words);
                assert!(is_name, "{help}: {error}");
            }
        }
    }
    assert!(proposed > 20, "{proposed}");
}
