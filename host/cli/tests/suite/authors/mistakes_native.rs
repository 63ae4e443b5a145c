//! What authors in languages with a compiler of their own see of ordinary mistakes, as in [`super::mistakes`];
//! for C and C++ also with what `make debug` builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::mistakes::{judge, take};
use super::templates::{environment, share_target, tools, without_our_cargo};
use crate::support::{Files, finish, host, succeed};

/// Those that are possible in every language.
const MISTAKES: [&str; 11] = [
    "none",
    "refused",
    "null-pointer",
    "printing",
    "endless-loop",
    "endless-recursion",
    "too-much-memory",
    "internal",
    "reason-unprintable",
    "divide-by-zero",
    "array-index",
];
/// Those for which there must be a system, or what looks like one.
const SYSTEM: [&str; 5] = ["time", "random", "file", "environment", "exit"];

/// A new project whose detector is the one of `tests/mistakes`, built; and its folder.
fn project(files: &Files, language: &str, detector: &str, targets: &[&str]) -> PathBuf {
    let new = ["plugin", "new", "mistaken", "--lang", language];
    succeed(host().current_dir(files.path()).args(new));
    let folder = files.path().join("mistaken");
    take(language, detector, &folder);
    // The tools are there, and not to be installed again because the project is newer.
    let mut make = Command::new("make");
    make.arg("--old-file=requirements.txt").args(targets).current_dir(&folder);
    make.env("VENV", tools().join(environment(language)))
        .env("GOCACHE", tools().join("go-cache"))
        .env("ZIG_GLOBAL_CACHE_DIR", tools().join("zig-cache"));
    succeed(&mut make);
    folder
}

/// Further columns arrive as they are in the file.
fn has_columns(folder: &Path) {
    for name in ["columns.csv", "columns.settings"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes").join(name);
        std::fs::copy(source, folder.join("cases").join(name)).unwrap();
    }
    let tested = finish(host().args(["plugin", "test", "./mistaken.wasm"]).current_dir(folder));
    assert!(tested.stdout.contains("ok       columns (4 rows)"), "{}\n{}", tested.stdout, tested.stderr);
}

/// What is said about all these mistakes, in what `make` builds and in what `make debug` builds.
fn told(language: &str, detector: &str, mistakes: &[&[&str]], in_debug: &[&str]) {
    let files = Files::new();
    let targets: &[&str] = if in_debug.is_empty() { &["mistaken.wasm"] } else { &["mistaken.wasm", "debug"] };
    let folder = project(&files, language, detector, targets);
    has_columns(&folder);
    judge(&format!("told_{language}"), &folder.join("mistaken.wasm"), &mistakes.concat(), &files);
    if !in_debug.is_empty() {
        judge(&format!("told_{language}_debug"), &folder.join("mistaken-debug.wasm"), in_debug, &files);
    }
    if in_debug.contains(&"batch-freed-twice") {
        damage_is_found(&folder);
    }
}

/// Without a guard, memory that is freed twice is found where it damages what the detector says later.
fn damage_is_found(folder: &Path) {
    let check =
        ["plugin", "check", "mistaken.wasm", "--row-time", "1s", "--set", "mistake=batch-freed-twice"];
    let checked = finish(host().args(check).current_dir(folder));
    assert_eq!(checked.code, 4, "{}", checked.stdout);
    for found in ["FAILED   describe", "FAILED   batch-size"] {
        assert!(checked.stdout.contains(found), "{}", checked.stdout);
    }
}

/// A project in Rust is built twice by its own tool: as it is used, and as it is looked into.
#[test]
fn rust() {
    let files = Files::new();
    succeed(host().current_dir(files.path()).args(["plugin", "new", "mistaken", "--lang", "rust"]));
    let folder = files.path().join("mistaken");
    take("rust", "src/lib.rs", &folder);
    share_target(&folder);
    let built = |profile: &str| {
        let mut cargo = Command::new("cargo");
        without_our_cargo(&mut cargo);
        cargo.args(["build", "--locked", "--target=wasm32-unknown-unknown", "--profile", profile]);
        succeed(cargo.current_dir(&folder));
        let folder_name = if profile == "dev" { "debug" } else { profile };
        let built = folder.join("target/wasm32-unknown-unknown").join(folder_name).join("mistaken.wasm");
        // Other tests build there, too.
        let plugin = folder.join(if profile == "dev" { "mistaken-debug.wasm" } else { "mistaken.wasm" });
        std::fs::copy(built, &plugin).unwrap();
        plugin
    };
    let own = [
        "panic",
        "overflow",
        "not-a-number",
        "borrowed",
        "clock",
        "stopwatch",
        "sleep",
        "file",
        "network",
        "environment",
        "thread",
        "exit",
        "score-is-nan",
        "row-out-of-range",
    ];
    judge("told_rust", &built("release"), &[&MISTAKES[..], &own].concat(), &files);
    let in_debug = ["none", "clock", "exit", "endless-loop", "endless-recursion", "too-much-memory"];
    judge("told_rust_debug", &built("dev"), &in_debug, &files);
}

#[test]
fn c() {
    let own = ["wild-pointer", "not-allocated", "double-free", "overflow", "assertion", "abort"];
    let in_debug = [
        "none",
        "null-pointer",
        "array-index",
        "overrun",
        "use-after-free",
        "double-free",
        "freed-before-returned",
        "batch-freed-twice",
        "not-allocated",
        "overflow",
        "divide-by-zero",
        "assertion",
        "abort",
        "exit",
        "too-much-memory",
        "endless-loop",
        "endless-recursion",
    ];
    told("c", "plugin.c", &[&MISTAKES, &SYSTEM, &own], &in_debug);
}

#[test]
fn cpp() {
    let own = [
        "vector-at",
        "wrong-alternative",
        "no-value",
        "virtual-of-null",
        "deleted-twice",
        "assertion",
        "abort",
        "terminate",
        "reason-too-long",
    ];
    let in_debug = [
        "none",
        "null-pointer",
        "array-index",
        "divide-by-zero",
        "deleted-twice",
        "overrun",
        "assertion",
        "terminate",
        "exit",
        "too-much-memory",
        "endless-loop",
        "endless-recursion",
    ];
    told("cpp", "plugin.cpp", &[&MISTAKES, &SYSTEM, &own], &in_debug);
}

#[test]
fn go() {
    let own = ["null-map", "panic", "network", "goroutine", "deadlock"];
    told("go", "detector.go", &[&MISTAKES, &SYSTEM, &own], &[]);
}

#[test]
fn zig() {
    told(
        "zig",
        "detector.zig",
        &[&MISTAKES, &["overflow", "panic", "unreachable", "wrong-alternative"]],
        &[
            "none",
            "null-pointer",
            "array-index",
            "divide-by-zero",
            "overflow",
            "panic",
            "wrong-alternative",
            "endless-loop",
            "endless-recursion",
        ],
    );
}
