//! What authors in languages without a compiler of their own see of ordinary mistakes: one detector in each
//! makes them all, by its setting `mistake`, in a project as `host plugin new` makes it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::authors::templates::tools;
use crate::support::{Files, finish, host, succeed};

/// Those that are possible in every language.
const MISTAKES: [&str; 10] = [
    "none",
    "exception",
    "nothing-returned",
    "score-is-text",
    "row-not-integer",
    "printing",
    "clock",
    "random",
    "network",
    "is-async",
];
/// Those that one compiler finds, or that have nothing to do with the language.
const UNTYPED: [&str; 14] = [
    "undefined-name",
    "wrong-field",
    "column-kind",
    "field-missing",
    "score-is-nan",
    "row-out-of-range",
    "unsorted",
    "reason-is-number",
    "reason-unprintable",
    "reason-too-long",
    "date",
    "endless-loop",
    "endless-recursion",
    "too-much-memory",
];

/// A new project whose detector is the one of `tests/mistakes`.
fn project(files: &Files, language: &str, detector: &str) -> PathBuf {
    let new = ["plugin", "new", "mistaken", "--lang", language];
    succeed(host().current_dir(files.path()).args(new));
    let folder = files.path().join("mistaken");
    take(language, detector, &folder);
    if language != "python" {
        install(language, &folder);
    }
    folder
}

/// What `npm install` would do with the copy of the SDK in the project, and tools that are there.
fn install(language: &str, folder: &Path) {
    let modules = folder.join("node_modules");
    fs::create_dir(&modules).unwrap();
    for entry in fs::read_dir(tools().join(language).join("node_modules")).unwrap() {
        let entry = entry.unwrap();
        symlink(entry.path(), modules.join(entry.file_name())).unwrap();
    }
    symlink("../ingest-detector", modules.join("ingest-detector")).unwrap();
}

/// Copies a file of `tests/mistakes` into the project.
pub fn take(language: &str, name: &str, folder: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes").join(language).join(name);
    fs::copy(source, folder.join(name)).unwrap();
}

/// What `host check` says about the mistake: its code and all that it writes.
fn said(plugin: &Path, mistake: &str, files: &Files) -> String {
    let rows = plugin.with_file_name("cases").join("basic.csv");
    let mut check = host();
    // Only what is endless is to be stopped, however busy the machine is.
    let deadline = if mistake == "endless-loop" { "2s" } else { "100s" };
    check.args(["check", "-vv", "--deadline", deadline, "--compile-deadline", "900s"]);
    check.args(["--memory-limit", "64MiB", "--set"]);
    check.arg(format!("mistake={mistake}")).arg("--plugin").arg(plugin).arg(rows);
    let finished = finish(&mut check);
    // What the host says about its own work depends on what is in the compile cache.
    let stderr: String = finished
        .stderr
        .lines()
        .filter(|line| !line.contains(" host: "))
        .map(|line| format!("{line}\n"))
        .collect();
    format!("{}\n{}{}", finished.code, files.anonymous(&finished.stdout), files.anonymous(&stderr))
}

/// What is said about all these mistakes, as one text.
fn told(language: &str, detector: &str, build: &[&str], mistakes: &[&[&str]]) {
    let files = Files::new();
    let folder = project(&files, language, detector);
    let mut command = Command::new(build[0]);
    succeed(command.args(&build[1..]).current_dir(&folder).env("VENV", tools().join(language)));
    judge(&format!("told_{language}"), &folder.join("mistaken.wasm"), &mistakes.concat(), &files);
}

/// A snapshot of what is said about all these mistakes of a plugin.
pub fn judge(name: &str, plugin: &Path, mistakes: &[&str], files: &Files) {
    let each = mistakes.iter().map(|mistake| format!("## {mistake}: {}\n", said(plugin, mistake, files)));
    let text: String = each.collect();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+\.\d{3} s\b", "[n] s");
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ +", "");
    // Go prints addresses and its own goroutines, and Zig numbers functions.
    settings.add_filter(
        r"(?m)^WARN guest: mistaken\.wasm: ((\\t)?runtime[./]|created by|goroutine [2-9]).*\n",
        "",
    );
    settings.add_filter(r"0x[0-9a-f]+|__anon_\d+", "[n]");
    // How much of a runtime is in the way changes with its release, and with when a loop is interrupted.
    settings.add_filter(r"\d+ functions? (of the|without a)", "[n] functions $1");
    settings.add_filter(r"\d+ further functions?", "[n] further functions");
    settings.add_filter(r"(?m)(^  called: (_?Py|method_vector|cfunction_)\w+\n)+", "  called: [Python]\n");
    // Which release of Rust it is.
    settings.add_filter(r"/rustc/[0-9a-f]{40}/", "/rustc/[n]/");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn javascript() {
    let build = ["npm", "run", "build"];
    told("javascript", "detector.js", &build, &[&MISTAKES, &UNTYPED, &["thrown-text", "timer"]]);
}

#[test]
fn typescript() {
    told("typescript", "detector.ts", &["npm", "run", "build"], &[&MISTAKES]);
}

#[test]
fn assemblyscript() {
    let own = [
        "none",
        "refused",
        "exception",
        "assertion",
        "null-pointer",
        "array-index",
        "divide-by-zero",
        "printing",
        "internal",
        "score-is-nan",
        "reason-unprintable",
        "endless-loop",
        "endless-recursion",
        "too-much-memory",
    ];
    told("assemblyscript", "detector.ts", &["npm", "run", "build"], &[&own]);
}

#[test]
fn python() {
    // The tools are there, and not to be installed again because the project is newer.
    let build = ["make", "--old-file=requirements.txt"];
    let own = ["caused", "anomaly-is-tuple", "file", "environment", "late-import"];
    told("python", "app.py", &build, &[&MISTAKES, &UNTYPED, &own]);
}

/// What the SDK's types do not let pass.
#[test]
fn the_compiler_of_typescript() {
    let files = Files::new();
    let folder = project(&files, "typescript", "wrong.ts");
    let finished = finish(Command::new("npx").arg("tsc").current_dir(&folder));
    assert_eq!(finished.code, 2, "{}", finished.stderr);
    insta::assert_snapshot!("wrong_typescript", finished.stdout);
}
