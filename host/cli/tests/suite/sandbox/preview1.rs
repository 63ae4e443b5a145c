//! Modules that import `wasi_snapshot_preview1`, as compilers for Go and C++ make them: they run, and get nothing.

use host_core::batch::{Batch, Row};
use host_detector::{Cache, Detector, DetectorError, Limits, Requirements, load};

use super::forged;
use crate::support::{self, Files, finish, host, sample};

/// Each function: its parameters (`w` and `x` are numbers of 32 and 64 bits), arguments for them, and what it
/// returns. At 1024 is a text of three bytes, at 1032 a subscription to the clock.
const FUNCTIONS: &[(&str, &str, &str, i32)] = &[
    ("args_get", "ww", "2048 2048", SUCCESS),
    ("args_sizes_get", "ww", "2048 2052", SUCCESS),
    ("environ_get", "ww", "2048 2048", SUCCESS),
    ("environ_sizes_get", "ww", "2048 2052", SUCCESS),
    ("clock_res_get", "ww", "0 2048", SUCCESS),
    ("clock_time_get", "wxw", "1 0 2048", SUCCESS),
    ("fd_advise", "wxxw", "1 0 0 0", BAD_DESCRIPTOR),
    ("fd_allocate", "wxx", "1 0 0", BAD_DESCRIPTOR),
    ("fd_close", "w", "1", SUCCESS),
    ("fd_close", "w", "3", BAD_DESCRIPTOR),
    ("fd_datasync", "w", "1", SUCCESS),
    ("fd_fdstat_get", "ww", "1 2048", SUCCESS),
    ("fd_fdstat_get", "ww", "3 2048", BAD_DESCRIPTOR),
    ("fd_fdstat_set_flags", "ww", "1 0", SUCCESS),
    ("fd_fdstat_set_rights", "wxx", "1 0 0", BAD_DESCRIPTOR),
    ("fd_filestat_get", "ww", "2 2048", SUCCESS),
    ("fd_filestat_get", "ww", "4 2048", BAD_DESCRIPTOR),
    ("fd_filestat_set_size", "wx", "1 0", BAD_DESCRIPTOR),
    ("fd_filestat_set_times", "wxxw", "1 0 0 0", BAD_DESCRIPTOR),
    ("fd_pread", "wwwxw", "0 1024 1 0 2048", BAD_DESCRIPTOR),
    ("fd_prestat_dir_name", "www", "3 2048 8", BAD_DESCRIPTOR),
    ("fd_prestat_get", "ww", "3 2048", BAD_DESCRIPTOR),
    ("fd_pwrite", "wwwxw", "1 1024 1 0 2048", BAD_DESCRIPTOR),
    ("fd_read", "wwww", "0 1024 1 2048", SUCCESS),
    ("fd_read", "wwww", "3 1024 1 2048", BAD_DESCRIPTOR),
    ("fd_readdir", "wwwxw", "3 2048 8 0 2056", BAD_DESCRIPTOR),
    ("fd_renumber", "ww", "1 2", BAD_DESCRIPTOR),
    ("fd_seek", "wxww", "1 0 0 2048", BAD_DESCRIPTOR),
    ("fd_sync", "w", "1", SUCCESS),
    ("fd_tell", "ww", "1 2048", BAD_DESCRIPTOR),
    ("fd_write", "wwww", "1 1024 1 2048", SUCCESS),
    ("fd_write", "wwww", "0 1024 1 2048", BAD_DESCRIPTOR),
    ("fd_write", "wwww", "3 1024 1 2048", BAD_DESCRIPTOR),
    ("path_create_directory", "www", "3 1024 3", BAD_DESCRIPTOR),
    ("path_filestat_get", "wwwww", "3 0 1024 3 2048", BAD_DESCRIPTOR),
    ("path_filestat_set_times", "wwwwxxw", "3 0 1024 3 0 0 0", BAD_DESCRIPTOR),
    ("path_link", "wwwwwww", "3 0 1024 3 3 1024 3", BAD_DESCRIPTOR),
    ("path_open", "wwwwwxxww", "3 0 1024 3 0 0 0 0 2048", BAD_DESCRIPTOR),
    ("path_readlink", "wwwwww", "3 1024 3 2048 8 2056", BAD_DESCRIPTOR),
    ("path_remove_directory", "www", "3 1024 3", BAD_DESCRIPTOR),
    ("path_rename", "wwwwww", "3 1024 3 3 1024 3", BAD_DESCRIPTOR),
    ("path_symlink", "wwwww", "1024 3 3 1024 3", BAD_DESCRIPTOR),
    ("path_unlink_file", "www", "3 1024 3", BAD_DESCRIPTOR),
    ("poll_oneoff", "wwww", "1032 2048 1 2080", SUCCESS),
    ("poll_oneoff", "wwww", "1032 2048 0 2080", INVALID),
    ("random_get", "ww", "2048 8", SUCCESS),
    ("sched_yield", "", "", SUCCESS),
    ("sock_accept", "www", "3 0 2048", BAD_DESCRIPTOR),
    ("sock_recv", "wwwwww", "3 1024 1 0 2048 2052", BAD_DESCRIPTOR),
    ("sock_send", "wwwww", "3 1024 1 0 2048", BAD_DESCRIPTOR),
    ("sock_shutdown", "ww", "3 0", BAD_DESCRIPTOR),
];

const SUCCESS: i32 = 0;
const BAD_DESCRIPTOR: i32 = 8;
const INVALID: i32 = 28;

/// A text of three bytes at 1024: where it is, and how long.
const TEXT: &str = r#"(data (i32.const 1024) "\10\04\00\00\03\00\00\00") (data (i32.const 1040) "abc")"#;

fn import(name: &str, parameters: &str, result: &str) -> String {
    let types = parameters.chars().map(|kind| if kind == 'x' { "i64 " } else { "i32 " });
    let types: String = types.collect();
    format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param {types}) {result}))")
}

/// The guest calls it, and traps unless it returns that.
fn guest_that_calls(name: &str, parameters: &str, arguments: &str, expected: i32) -> Vec<u8> {
    let arguments: String = parameters
        .chars()
        .zip(arguments.split(' '))
        .map(|(kind, value)| format!("({}.const {value}) ", if kind == 'x' { "i64" } else { "i32" }))
        .collect();
    let classify = format!(
        "(if (i32.ne (call ${name} {arguments}) (i32.const {expected})) (then unreachable)) i32.const 512"
    );
    forged::with_imports(&import(name, parameters, "(result i32)"), TEXT, &classify)
}

fn batch() -> Batch {
    let mut batch = Batch::default();
    let row = Row { transaction_id: Some(1), user_id: 7, amount_cents: 100, timestamp_micros: 0, line: 2 };
    batch.push(row);
    batch
}

fn classify(files: &Files, plugin: &[u8], strict: bool) -> Result<Detector, DetectorError> {
    let requirements = Requirements { strict, ..Requirements::default() };
    let sandbox = support::sandbox(Limits::default(), requirements, Cache::none())?;
    let mut detector = Detector::start(&load(&sandbox, &files.write("p.wasm", plugin))?)?;
    detector.configure(&[])?;
    detector.classify(&batch())?;
    Ok(detector)
}

/// Also with `--strict`: in the end, nothing but the contract and the log is imported.
#[test]
fn every_function_is_there_and_grants_nothing() {
    let files = Files::new();
    for (name, parameters, arguments, expected) in FUNCTIONS {
        let plugin = guest_that_calls(name, parameters, arguments, *expected);
        if let Err(error) = classify(&files, &plugin, true) {
            panic!("{name} {arguments}: {error:?}");
        }
        // The test's own eyes: another answer is noticed.
        let plugin = guest_that_calls(name, parameters, arguments, 77);
        assert!(classify(&files, &plugin, true).is_err(), "{name} {arguments}");
    }
}

#[test]
fn what_is_not_in_it_is_refused() {
    let files = Files::new();
    for imports in [
        import("thread_spawn", "w", "(result i32)"),
        import("fd_close", "x", "(result i32)"),
        "(import \"wasi_unstable\" \"fd_close\" (func (param i32) (result i32)))".to_owned(),
        "(import \"env\" \"printf\" (func (param i32 i32) (result i32)))".to_owned(),
    ] {
        let plugin = forged::with_imports(&imports, "", "i32.const 512");
        let file = files.write("p.wasm", plugin);
        let finished = finish(host().args(["check", "--plugin"]).arg(file).arg(sample()));
        assert_eq!(finished.code, 4, "{imports}: {}", finished.stderr);
        assert!(finished.stderr.contains("is not valid WebAssembly"), "{imports}: {}", finished.stderr);
    }
}

/// In whatever pieces it comes, and whatever its bytes are.
#[test]
fn what_is_printed_is_logged_line_by_line() {
    let files = Files::new();
    let fields = r#"
        (data (i32.const 1024) "\40\04\00\00\04\00\00\00\44\04\00\00\00\00\00\00\44\04\00\00\07\00\00\00")
        (data (i32.const 1088) "one \nt\c3\b6o\ff\nth")
        (data (i32.const 1048) "\4b\04\00\00\02\00\00\00\44\04\00\00\01\00\00\00")"#;
    let write = "(call $fd_write (i32.const {fd}) (i32.const {parts}) (i32.const {count}) (i32.const 2048))";
    let write = |fd: i32, parts: i32, count: i32, bytes: i32| {
        let call = write.replace("{fd}", &fd.to_string()).replace("{parts}", &parts.to_string());
        let call = call.replace("{count}", &count.to_string());
        format!(
            "(if {call} (then unreachable))
             (if (i32.ne (i32.load (i32.const 2048)) (i32.const {bytes})) (then unreachable))"
        )
    };
    let classify = [write(1, 1024, 3, 11), write(2, 1048, 2, 3), "i32.const 512".to_owned()].concat();
    let plugin = forged::with_imports(&import("fd_write", "wwww", "(result i32)"), fields, &classify);
    let file = files.write("p.wasm", plugin);
    let finished = finish(
        host().args(["-v", "check", "--plugin"]).arg(file).arg(files.csv(&["1,1,1,2024-01-01 00:00:00"])),
    );
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let lines: Vec<&str> =
        finished.stderr.lines().filter_map(|line| Some(line.split_once("guest: ")?.1)).collect();
    assert_eq!(lines, ["p.wasm: one", "p.wasm: töo\u{fffd}", "p.wasm: th"], "{}", finished.stderr);
}

/// An exit ends the run, also with 0, and is named.
#[test]
fn an_exit_is_a_crash() {
    let files = Files::new();
    let plugin = forged::with_imports(
        &import("proc_exit", "w", ""),
        "",
        "(call $proc_exit (i32.const 0)) i32.const 512",
    );
    let file = files.write("p.wasm", plugin);
    let finished = finish(host().args(["check", "--plugin"]).arg(file).arg(sample()));
    assert_eq!(finished.code, 4, "{}", finished.stderr);
    assert!(finished.stderr.contains("proc_exit"), "{}", finished.stderr);
}

/// The clock on the wall stands still, the other one counts, and random numbers are always the same.
#[test]
fn time_and_chance_are_the_same_in_every_run() {
    let files = Files::new();
    let imports = [
        import("clock_time_get", "wxw", "(result i32)"),
        import("random_get", "ww", "(result i32)"),
        import("poll_oneoff", "wwww", "(result i32)"),
    ]
    .concat();
    let time = |clock: i32, at: i32| {
        format!("(drop (call $clock_time_get (i32.const {clock}) (i64.const 0) (i32.const {at})))")
    };
    // A sleep of an hour, in nanoseconds: relative, by clock 1.
    let fields = r#"(data (i32.const 1024) "\2a\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\00\a0\b8\30\46\03\00\00")"#;
    let body = [
        time(0, 2048),
        time(1, 2056),
        "(drop (call $poll_oneoff (i32.const 1024) (i32.const 2080) (i32.const 1) (i32.const 2112)))"
            .to_owned(),
        time(1, 2064),
        "(drop (call $random_get (i32.const 2072) (i32.const 8)))".to_owned(),
        [
            ("2048", "0"),
            ("2056", "2000"),
            ("2064", "3600000003000"),
            ("2072", "RANDOM"),
            // Whose event it is.
            ("2080", "42"),
        ]
        .map(|(at, value)| {
            format!("(if (i64.ne (i64.load (i32.const {at})) (i64.const {value})) (then unreachable))")
        })
        .concat(),
        "i32.const 512".to_owned(),
    ]
    .concat();
    let run = |random: &str| {
        let plugin = forged::with_imports(&imports, fields, &body.replace("RANDOM", random));
        classify(&files, &plugin, false)
    };
    assert!(run("0").is_err());
    run(RANDOM).unwrap();
    run(RANDOM).unwrap();
}

/// The first eight bytes.
const RANDOM: &str = "0x1f100cec6235e47f";
