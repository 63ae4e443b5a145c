//! Folders and patterns: what looks like data is read or is an error, and whatever else is left out is
//! said.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::{Database, Files, Finished, finish, host, host_run, succeed, summary};

const ROW: &str = "transaction_id,user_id,amount,timestamp\n1,7,1.00,2024-01-01 00:00:00\n";

/// Two good files.
fn folder() -> Files {
    let files = Files::new();
    files.write("day1.csv", ROW);
    files.write("day2.csv", ROW);
    files
}

fn check(files: &Files, arguments: &[&str]) -> Finished {
    let mut check = host();
    finish(check.current_dir(files.path()).args(["check", "--plugin", "threshold"]).args(arguments))
}

#[test]
fn what_is_no_data_is_left_out_and_said() {
    let files = folder();
    let clean = check(&files, &["."]);
    assert_eq!((clean.code, clean.stderr.as_str()), (0, ""));
    for name in ["._day1.csv", ".~lock.day1.csv#", ".DS_Store", "day1.csv.part", "readme.txt"] {
        files.write(name, "\0\0");
    }
    fs::create_dir(files.path().join("older")).unwrap();
    symlink(".", files.path().join("self")).unwrap();
    fs::create_dir(files.path().join("day0.csv")).unwrap();
    let found = check(&files, &["."]);
    assert_eq!(found.code, 0, "{}", found.stderr);
    assert!(found.stdout.contains("2 rows") && found.stdout.contains("2 files"), "{}", found.stdout);
    insta::assert_snapshot!("folder_notes", found.stderr);
    fs::remove_file(files.path().join("day1.csv.part")).unwrap();
    let pattern = check(&files, &["*.c?v", "--max-rejects", "0"]);
    assert_eq!(pattern.code, 0, "{}", pattern.stderr);
    insta::assert_snapshot!("pattern_notes", pattern.stderr);
}

#[test]
fn what_looks_like_data_and_cannot_be_read_is_an_error() {
    type Maker = fn(&Path);
    let makers: [(&str, Maker); 4] = [
        ("dangling", |path| symlink("/nonexistent/day3.csv", path).unwrap()),
        ("loop", |path| symlink("day3.csv", path).unwrap()),
        ("pipe", |path| drop(succeed(Command::new("mkfifo").arg(path)))),
        ("socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
    ];
    for (what, make) in makers {
        let files = folder();
        make(&files.path().join("day3.csv"));
        for given in [".", "*.csv", "day?.csv", "./[a-z]*.csv", "**/*.csv"] {
            let refused = check(&files, &[given]);
            assert_eq!(refused.code, 3, "{what}, {given}: {}", refused.stderr);
            assert!(refused.stderr.contains("day3.csv"), "{what}, {given}: {}", refused.stderr);
            if given == "." {
                insta::assert_snapshot!(format!("folder_{what}"), refused.stderr);
            }
        }
        // What was not asked for is nobody's business.
        assert_eq!(check(&files, &["day[12].csv"]).code, 0, "{what}");
    }
    let files = folder();
    symlink("nowhere", files.path().join("shop")).unwrap();
    assert_eq!(check(&files, &["*/day1.csv"]).code, 3);
}

#[test]
fn a_folder_that_may_not_be_read_is_an_error() {
    const NOBODY: u32 = 65_534;
    let files = Files::new();
    let (a, b) = (files.path().join("a"), files.path().join("b"));
    for folder in [&a, &b] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("x.csv"), ROW).unwrap();
    }
    // The build's folder may be closed to others; what is needed is copied.
    let program = Path::new(env!("CARGO_BIN_EXE_host"));
    fs::copy(program, files.path().join("host")).unwrap();
    let plugin = program.with_file_name("plugins").join("threshold.wasm");
    fs::copy(plugin, files.path().join("threshold.wasm")).unwrap();
    let open = |path: &Path, mode| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    open(files.path(), 0o755);
    open(&b, 0o000);
    let is_root = fs::metadata("/proc/self").map(|me| std::os::unix::fs::MetadataExt::uid(&me)).unwrap() == 0;
    for (given, code) in [("*/x.csv", 3), ("b/*.csv", 3), ("**/x.csv", 3), ("b", 3), ("a/*.csv", 0)] {
        let mut check = Command::new(files.path().join("host"));
        check.env_clear().env("XDG_CACHE_HOME", files.path()).current_dir(files.path());
        if is_root {
            check.uid(NOBODY).gid(NOBODY);
        }
        let found = finish(check.args(["check", "--plugin", "./threshold.wasm", given]));
        assert_eq!(found.code, code, "{given}: {}", found.stderr);
    }
    open(&b, 0o755);
}

#[test]
fn patterns_match_as_in_a_shell() {
    let files = Files::new();
    for (folder, name) in [("a", "x.csv"), ("a", "y.csv"), ("b", "x.csv"), ("b/c", "x.csv"), (".d", "x.csv")]
    {
        fs::create_dir_all(files.path().join(folder)).unwrap();
        files.write(&format!("{folder}/{name}"), ROW);
    }
    for (pattern, rows) in [
        ("*/x.csv", 2),
        ("[ab]/*.csv", 3),
        ("[!a]/*.csv", 1),
        ("**/x.csv", 3),
        ("b/**/*.csv", 2),
        ("./a/?.csv", 2),
        (".*/x.csv", 1),
    ] {
        let found = check(&files, &[pattern]);
        assert_eq!(found.code, 0, "{pattern}: {}", found.stderr);
        assert!(found.stdout.contains(&format!(": {rows} row")), "{pattern}: {}", found.stdout);
    }
    let absolute = files.path().join("*/y.csv").display().to_string();
    assert_eq!(check(&files, &[&absolute]).code, 0);
    for nothing in ["c/*.csv", "a/x.csv/*", "*.tsv", "[", "."] {
        assert_eq!(check(&files, &[nothing]).code, 3, "{nothing}");
    }
    // Folders only: said, as they were perhaps meant.
    insta::assert_snapshot!("sub_folders_only", check(&files, &["."]).stderr);
}

#[test]
fn an_empty_file_among_others_is_left_out_and_said() {
    let (database, files) = (Database::new(), folder());
    files.write("none.csv", "");
    files.write("lines.csv", "\u{feff}\r\n\n");
    files.write("none.csv.zst", zstd::encode_all(&b""[..], 1).unwrap());
    let mut run = host_run(&database, "threshold", Path::new("."));
    assert_eq!(summary(run.current_dir(files.path()))["rows_written"], 2);
    assert_eq!(database.number("SELECT count(*) FROM ingest_files"), 2);
    let found = check(&files, &["day1.csv", "none.csv"]);
    assert_eq!(found.code, 0);
    insta::assert_snapshot!("empty_file_note", found.stderr);
    for arguments in [&[".", "--strict-files"][..], &["none.csv"], &["none.csv", "lines.csv"]] {
        let refused = check(&files, arguments);
        assert_eq!(refused.code, 3, "{arguments:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("is empty"), "{arguments:?}: {}", refused.stderr);
    }
}

/// Named by itself, it is what is wanted.
#[test]
fn a_pipe_that_is_named_is_read() {
    let files = Files::new();
    let pipe = files.pipe();
    let writer = std::thread::spawn(move || fs::write(pipe, ROW).unwrap());
    assert_eq!(check(&files, &["pipe"]).code, 0);
    writer.join().unwrap();
}
