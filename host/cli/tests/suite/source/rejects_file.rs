//! `--rejects`: it never destroys a file, neither one that is read nor yesterday's; and it takes
//! whatever bytes can be written to.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;

use crate::support::{Database, Files, Finished, finish, host, host_run, start, succeed};

const BAD: &str =
    "transaction_id,user_id,amount,timestamp\n1,7,1.00,2024-01-01 00:00:00\n2,7,NaN,2024-01-01 00:00:00\n";
/// What somebody is working on.
const YESTERDAYS: &str = "yesterday's rejects, half corrected\n";

struct Case {
    database: Database,
    files: Files,
}

impl Case {
    fn new() -> Case {
        let case = Case { database: Database::migrated(), files: Files::new() };
        case.files.write("bad.csv", BAD);
        case.files.write("rejects.csv", YESTERDAYS);
        case
    }

    fn run(&self, rejects: &Path) -> std::process::Command {
        let mut run = host_run(&self.database, "threshold", &self.files.path().join("bad.csv"));
        run.args(["--max-rejects", "1", "--rejects"]).arg(rejects);
        run
    }

    /// No row may be rejected.
    fn run_strictly(&self) -> std::process::Command {
        let mut run = host_run(&self.database, "threshold", &self.files.path().join("bad.csv"));
        run.arg("--rejects").arg(self.files.path().join("rejects.csv"));
        run
    }

    fn rejects(&self) -> String {
        fs::read_to_string(self.files.path().join("rejects.csv")).unwrap()
    }

    /// Nothing is left beside the files of this test.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.files.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn it_takes_its_place_when_the_run_is_committed() {
    let case = Case::new();
    let rejects = case.files.path().join("rejects.csv");
    fs::set_permissions(&rejects, fs::Permissions::from_mode(0o640)).unwrap();
    let link = case.files.path().join("link.csv");
    std::os::unix::fs::symlink("rejects.csv", &link).unwrap();
    succeed(&mut case.run(&link));
    assert!(case.rejects().contains("2,7,NaN,"), "{}", case.rejects());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&rejects).unwrap().mode() & 0o777, 0o640);
    assert_eq!(case.names(), ["bad.csv", "link.csv", "rejects.csv"]);
    // Where there was none, as any new file.
    succeed(&mut case.run(&case.files.path().join("new.csv")));
    assert_eq!(case.names(), ["bad.csv", "link.csv", "new.csv", "rejects.csv"]);
    let (new, other) = (case.files.path().join("new.csv"), case.files.write("other", ""));
    assert_eq!(fs::metadata(new).unwrap().mode(), fs::metadata(other).unwrap().mode());
}

#[test]
fn it_takes_its_place_when_the_rows_are_the_reason_for_a_refusal() {
    let case = Case::new();
    let lines: String = (0..10_000).map(|i| format!("{i},7,NaN,2024-01-01 00:00:00\n")).collect();
    let file = case.files.write("bad.csv", format!("transaction_id,user_id,amount,timestamp\n{lines}"));
    let mut run = host_run(&case.database, "threshold", &file);
    run.args(["--batch-rows", "100", "--max-rejects", "500", "--rejects"]);
    let refused = finish(run.arg(case.files.path().join("rejects.csv")));
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(case.rejects().matches(",7,NaN,").count() > 500, "{}", case.rejects());
    let refused = finish(&mut case.run_strictly());
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert_eq!(case.rejects().matches(",7,NaN,").count(), 1, "the row that is the reason");
    assert_eq!(case.database.counts(), (0, 0, 0));
}

/// The run has come to no verdict on the rows, or to none of its own.
#[test]
fn what_was_there_stays_where_the_run_ends_for_another_reason() {
    let case = Case::new();
    let rejects = case.files.path().join("rejects.csv");
    succeed(&mut case.run(&case.files.path().join("other.csv")));
    let file = case.files.path().join("bad.csv");
    let common = |command: &mut std::process::Command| {
        finish(command.args(["--max-rejects", "1", "--rejects"]).arg(&rejects))
    };
    let once = finish(case.run(&rejects).arg("--once"));
    let unreachable = common(
        host()
            .args(["run", "--database-url", "postgres://postgres@127.0.0.1:1/x", "--plugin", "threshold"])
            .arg(&file),
    );
    let absent =
        common(host_run(&case.database, "threshold", &file).arg(case.files.path().join("absent.csv")));
    let crash = common(host_run(&case.database, "hostile", &file).args(["--set", "mode=panic"]));
    let usage = finish(case.run(&rejects).args(["--deadline", "0s"]));
    case.database.execute("ALTER TABLE transactions ADD CHECK (amount < 0) NOT VALID");
    let refused = finish(&mut case.run(&rejects));
    for (what, Finished { code, stderr, .. }, expected) in [
        ("once", once, 0),
        ("unreachable", unreachable, 5),
        ("absent", absent, 3),
        ("crash", crash, 4),
        ("usage", usage, 2),
        ("refused", refused, 5),
    ] {
        assert_eq!(code, expected, "{what}: {stderr}");
        assert_eq!(case.rejects(), YESTERDAYS, "{what}");
    }
    assert_eq!(case.names(), ["bad.csv", "other.csv", "rejects.csv"]);
}

/// Whatever it is called there: a link, a redirection, the plugin.
#[test]
fn it_is_never_a_file_that_is_read() {
    let case = Case::new();
    let input = case.files.path().join("bad.csv");
    let hard = case.files.path().join("hard.csv");
    fs::hard_link(&input, &hard).unwrap();
    let soft = case.files.path().join("soft.csv");
    std::os::unix::fs::symlink(&input, &soft).unwrap();
    for same in [&input, &hard, &soft] {
        let refused = finish(&mut case.run(same));
        assert_eq!(refused.code, 3, "{}", refused.stderr);
        assert_eq!(fs::read_to_string(&input).unwrap(), BAD, "{}", same.display());
    }
    let redirected = finish(
        host_run(&case.database, "threshold", Path::new("-"))
            .args(["--max-rejects", "1", "--rejects"])
            .arg(&input)
            .stdin(fs::File::open(&input).unwrap()),
    );
    assert_eq!(redirected.code, 3, "{}", redirected.stderr);
    assert_eq!(fs::read_to_string(&input).unwrap(), BAD);
    let beside = Path::new(env!("CARGO_BIN_EXE_host")).parent().unwrap().join("plugins/threshold.wasm");
    let plugin = case.files.write("plugin.wasm", fs::read(beside).unwrap());
    let mut run = host_run(&case.database, plugin.to_str().unwrap(), &input);
    let refused = finish(run.args(["--max-rejects", "1", "--rejects"]).arg(&plugin));
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(fs::metadata(&plugin).unwrap().len() > 0);
    insta::assert_snapshot!(case.files.anonymous(&refused.stderr));
    assert_eq!(case.database.counts(), (0, 0, 0));
}

#[test]
fn it_may_be_a_stream() {
    let case = Case::new();
    let stdout = succeed(&mut case.run(Path::new("/dev/stdout")));
    assert!(stdout.contains("2,7,NaN,") && stdout.contains("committed run "), "{stdout}");
    let stderr = finish(&mut case.run(Path::new("/dev/stderr"))).stderr;
    assert!(stderr.contains("2,7,NaN,"), "{stderr}");
    succeed(&mut case.run(Path::new("/dev/null")));
    let pipe = case.files.pipe();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        // Held open for writing, too, so that opening it for reading does not wait for the run.
        move || std::io::read_to_string(fs::File::open(pipe).unwrap()).unwrap()
    });
    // The reader has it open when another can open it for writing without waiting.
    let writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    succeed(&mut case.run(&pipe));
    drop(writer);
    assert!(reader.join().unwrap().contains("2,7,NaN,"));
    assert_eq!(case.database.counts().2, 4);
}

#[test]
fn a_stream_that_takes_nothing_is_an_error_before_anything_is_written() {
    let case = Case::new();
    let full = finish(&mut case.run(Path::new("/dev/full")));
    assert_eq!(full.code, 3, "{}", full.stderr);
    let pipe = case.files.pipe();
    // Nobody reads from it: no waiting for somebody who may never come.
    let unread = finish(&mut case.run(&pipe));
    assert_eq!(unread.code, 3, "{}", unread.stderr);
    insta::assert_snapshot!(case.files.anonymous(&unread.stderr));
    let folder = finish(&mut case.run(case.files.path()));
    assert_eq!(folder.code, 3, "{}", folder.stderr);
    assert_eq!(case.database.counts(), (0, 0, 0));
}

/// Somebody who reads slowly keeps the run waiting, but not those who want it to end.
#[test]
fn a_slow_reader_does_not_make_the_run_deaf() {
    let case = Case::new();
    let wide = "x".repeat(1_000);
    let lines: String = (0..1_000).map(|i| format!("{i},7,{wide},2024-01-01 00:00:00\n")).collect();
    let file = case.files.write("wide.csv", format!("transaction_id,user_id,amount,timestamp\n{lines}"));
    let pipe = case.files.pipe();
    let pipe_end = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let mut run = host_run(&case.database, "threshold", &file);
    run.args(["--max-rejects", "1000", "--rejects"]).arg(&pipe).stdin(Stdio::null());
    let run = start(&mut run);
    case.database.wait_for("SELECT count(*) FROM pg_locks WHERE relation = 'transactions'::regclass AND mode = 'ShareRowExclusiveLock'", 1);
    run.signal("TERM");
    assert_eq!(run.finish().code, 143);
    drop(pipe_end);
    assert_eq!(case.database.counts(), (0, 0, 0));
}

/// Whatever text the input is: the same arguments read it.
#[test]
fn it_has_the_encoding_of_the_input() {
    let case = Case::new();
    let rejects = case.files.path().join("rejects.csv");
    let text = BAD.replace("timestamp\n", "timestamp,café\n").replace(":00\n", ":00,ü\n");
    let utf16 = |to_bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to_bytes).collect::<Vec<_>>();
    let latin1 = text.chars().map(|character| character as u8).collect();
    type Decode = fn(&[u8]) -> String;
    let encodings: [(&str, Vec<u8>, Decode); 3] = [
        ("utf-16", utf16(u16::to_le_bytes), |bytes| decode_utf16(bytes, u16::from_le_bytes)),
        ("utf-16be", utf16(u16::to_be_bytes), |bytes| decode_utf16(bytes, u16::from_be_bytes)),
        ("latin1", latin1, |bytes| bytes.iter().map(|byte| char::from(*byte)).collect()),
    ];
    for (encoding, bytes, decode) in encodings {
        let file = case.files.write("bad.csv", bytes);
        let mut run = case.run(&rejects);
        succeed(run.args(["--encoding", encoding]));
        let written = fs::read(&rejects).unwrap();
        let decoded = decode(&written);
        assert!(decoded.contains("2,7,NaN,2024-01-01 00:00:00,ü\n"), "{encoding}: {decoded}");
        assert!(decoded.contains("café"), "{encoding}: {decoded}");
        let again = finish(host_run(&case.database, "threshold", &rejects).args([
            "--max-rejects",
            "1",
            "--encoding",
            encoding,
        ]));
        assert_eq!(again.code, 0, "{encoding}: {}", again.stderr);
        fs::remove_file(file).unwrap();
    }
    assert_eq!(case.database.number("SELECT count(*) FROM rejected_rows"), 6);
}

fn decode_utf16(bytes: &[u8], from_bytes: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = bytes.chunks(2).map(|pair| from_bytes(pair.try_into().unwrap())).collect();
    String::from_utf16(&units).unwrap()
}

/// The system ends a process that writes more than it may, unless that is caught.
#[test]
fn a_limit_on_the_size_of_files_is_an_error_like_any_other() {
    let case = Case::new();
    let many: String = (0..20_000).map(|id| format!("{id},7,NaN,2024-01-01 00:00:00\n")).collect();
    case.files.write("bad.csv", format!("transaction_id,user_id,amount,timestamp\n{many}"));
    let mut run = case.run_strictly();
    run.args(["--max-rejects", "100%"]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -f 64 && exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let refused = finish(&mut shell);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("File too large"), "{}", refused.stderr);
    assert_eq!(case.database.counts(), (0, 0, 0));
    assert_eq!(fs::read_to_string(case.files.path().join("rejects.csv")).unwrap(), YESTERDAYS);
}
