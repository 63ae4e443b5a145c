//! `host plugin check` finds what it promises to find: guests that each break one rule, and which
//! rules they are told to break.

use std::fs;
use std::path::Path;
use std::process::Command;

use host::authors::check::{self, Budgets, Verdict};
use host_detector::{Limits, compiler};

use crate::authors::templates::tools;
use crate::support::{Files, finish, host, succeed, test_plugins};

/// A copy of the guest `faithless` that says of itself that it is this: an ordering, or `changing`.
pub fn faithless(files: &Files, face: &str) -> String {
    const FACE: &[u8; 32] = b"face:any                        ";
    let mut bytes = fs::read(test_plugins().join("faithless.wasm")).unwrap();
    let at = bytes.windows(FACE.len()).position(|window| window == FACE).expect("it has a face");
    let face = format!("{:width$}", format!("face:{face}"), width = FACE.len());
    bytes[at..at + FACE.len()].copy_from_slice(face.as_bytes());
    files.write("faithless.wasm", bytes).to_str().unwrap().to_owned()
}

/// The names of the rules with this result, and the exit code.
fn rules(arguments: &[&str], result: &str) -> (Vec<String>, i32) {
    let mut check = host();
    check.args(["plugin", "check", "--format", "json"]).args(arguments);
    if !arguments.contains(&"--row-time") {
        // What a row takes here says more of what else the machine has to do.
        check.args(["--row-time", "1s"]);
    }
    let finished = finish(&mut check);
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).expect("the report is JSON");
    let rules = report["rules"].as_array().unwrap().iter().filter(|rule| rule["result"] == result);
    let names = rules.map(|rule| rule["rule"].as_str().unwrap().to_owned()).collect();
    assert_eq!(report["passed"], finished.code == 0, "{}", finished.stderr);
    (names, finished.code)
}

/// What breaks exactly these rules.
fn breaks(arguments: &[&str], broken: &[&str]) {
    let (names, code) = rules(arguments, "failed");
    assert_eq!(names, broken, "{arguments:?}");
    assert_eq!(code, if broken.is_empty() { 0 } else { 4 });
}

/// And generated rows have something that each of them flags, else there would be a warning.
#[test]
fn our_own_detectors_keep_all_rules() {
    for plugin in ["threshold", "zscore", "abroad", "velocity"] {
        breaks(&[plugin], &[]);
        assert_eq!(rules(&[plugin], "warning").0, Vec::<String>::new());
    }
}

/// With this ordering, each fault breaks exactly these rules.
fn each_breaks(face: &str, faults: &[(&str, &[&str])]) {
    let files = Files::new();
    let plugin = faithless(&files, face);
    for (fault, broken) in faults {
        breaks(&[&plugin, "--set", &format!("fault={fault}")], broken);
    }
}

#[test]
fn a_guest_that_introduces_itself_wrongly_is_told_so() {
    each_breaks("changing", &[("none", &["describe"])]);
    each_breaks("any", &[("none", &[]), ("refuses", &["configure"]), ("asks-twice", &["configure"])]);
}

/// What is learned must come from rows alone.
#[test]
fn a_guest_that_breaks_a_promise_is_told_which() {
    each_breaks(
        "any",
        &[
            // With this ordering nothing can be passed on as state.
            ("counts-rows", &["instances", "state"]),
            ("by-user", &["instances", "state"]),
            ("position", &["batch-size"]),
            ("address", &["batch-size"]),
            // In Rust, each map of an instance has another order.
            ("hash-order", &["instances", "state"]),
        ],
    );
    each_breaks("file", &[("counts-rows", &[]), ("counts-batches", &["batch-size", "state"])]);
}

/// What is learned must last, and belong to its user.
#[test]
fn a_guest_that_forgets_users_or_mixes_them_up_is_told_so() {
    each_breaks(
        "per-user",
        &[
            ("by-user", &[]),
            ("counts-rows", &["instances", "state"]),
            ("shares-users", &["instances", "state"]),
            ("forgets", &["batch-size"]),
        ],
    );
}

/// What is random is not taken for a matter of order, although it differs with the order, too.
#[test]
fn what_is_random_is_told_from_what_depends_on_the_order() {
    breaks(&["hostile-wasi", "--set", "mode=entropy", "--allow-wasi"], &["determinism"]);
}

#[test]
fn a_guest_that_cannot_cope_is_told_with_what() {
    each_breaks(
        "any",
        &[
            ("infinite", &["extreme-values"]),
            ("leaks", &["soak"]),
            ("hoards", &["soak"]),
            ("traps-late", &["batch-size", "soak"]),
            ("small-batches", &["large-batch", "memory"]),
        ],
    );
}

#[test]
fn what_is_kept_but_not_well_is_a_warning() {
    let files = Files::new();
    let plugin = faithless(&files, "any");
    for (fault, warned) in [("chatty", "soak"), ("silent", "usual-rows"), ("reads-row-0", "empty-batch")] {
        let warnings = rules(&[&plugin, "--set", &format!("fault={fault}")], "warning").0;
        assert_eq!(warnings, [warned], "{fault}");
    }
}

/// Generated rows do not have everything: the cases of the plugin's project are tried as well.
#[test]
fn the_cases_of_its_project_are_tried_too() {
    let files = Files::new();
    let plugin = faithless(&files, "any");
    let arguments = [&*plugin, "--set", "fault=unusual-text"];
    breaks(&arguments, &[]);
    assert_eq!(rules(&arguments, "warning").0, ["usual-rows"]);
    fs::create_dir(files.path().join("cases")).unwrap();
    let rows = "transaction_id,user_id,amount,transaction_timestamp,kind,expected_score\n\
        1,1,1.00,2024-01-01 00:00:00,usual,\n2,1,1.00,2024-01-01 00:00:00,odd,any\n";
    files.write("cases/odd.csv", rows);
    files.write("cases/odd.settings", "fault=unusual-text");
    files.write("cases/unusable.csv", "no,columns\n");
    let finished = finish(host().args(["plugin", "check", "--row-time", "1s"]).args(arguments));
    let found = "FAILED   batch-size       in the case `odd`, batches of 8192 rows and of 1 row differ: \
        row 2: score 1 (`odd`) and score 0 (`odd`)";
    assert!(finished.stdout.contains(found), "{}", finished.stdout);
    assert!(finished.stdout.contains("and 1 in its cases"), "{}", finished.stdout);
    // Also from the folder of the project, wherever in it the plugin is.
    let built = files.path().join("target/release");
    fs::create_dir_all(&built).unwrap();
    fs::rename(&plugin, built.join("faithless.wasm")).unwrap();
    let mut check = host();
    check.args(["plugin", "check", "target/release/faithless.wasm", "--set", "fault=unusual-text"]);
    let finished = finish(check.current_dir(files.path()));
    assert!(finished.stdout.contains("in the case `odd`"), "{}", finished.stdout);
}

/// Knowledge that outlives a run: what was learned goes on, or does not.
#[test]
fn state_that_is_lost_is_found_out() {
    let files = Files::new();
    let plugin = faithless(&files, "file");
    assert!(rules(&[&plugin, "--set", "fault=counts-rows"], "ok").0.contains(&"state".to_owned()));
    each_breaks(
        "file",
        &[("state-lost", &["state"]), ("state-endless", &["state"]), ("state-unsorted", &["state"])],
    );
}

/// Scores that are those of `classify`, or are not.
#[test]
fn scores_that_differ_are_found_out() {
    let files = Files::new();
    assert!(rules(&[&faithless(&files, "any")], "ok").0.contains(&"scores".to_owned()));
    each_breaks(
        "any",
        &[("other-scores", &["scores"]), ("few-scores", &["scores"]), ("infinite-scores", &["scores"])],
    );
}

/// What has become known is learned row by row, or is not.
#[test]
fn feedback_that_depends_on_batches_is_found_out() {
    let files = Files::new();
    assert!(rules(&[&faithless(&files, "any")], "ok").0.contains(&"feedback".to_owned()));
    each_breaks("any", &[("counts-feedback", &["feedback"])]);
}

/// What is true of Rust is true of an engine for JavaScript, where memory is freed by a collector.
#[test]
fn a_guest_in_javascript_is_found_out_too() {
    let files = Files::new();
    let script = files.write("hoards.js", HOARDS);
    let plugin = files.path().join("hoards.wasm");
    let tool = tools().join("javascript/node_modules/.bin/componentize-qjs");
    assert!(tool.is_file(), "run `cargo xtask test`: it installs componentize-qjs from npm");
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/detector-0.1");
    let mut build = Command::new(tool);
    build.arg("--wit").arg(wit).args(["--world", "detector", "--sync", "--stub-wasi", "--js"]).arg(script);
    succeed(build.arg("--output").arg(&plugin));
    let plugin = plugin.to_str().unwrap();
    breaks(&[plugin], &["soak"]);
    breaks(&[plugin, "--set", "hoard=false"], &[]);
}

const HOARDS: &str = "let hoard; const kept = [];
    export function describe() { return {
        name: 'hoards', version: '1.0.0', description: 'Keeps every row.', ordering: 'any',
        settings: [{ name: 'hoard', kind: 'boolean', default: 'true', doc: 'Whether it does.' }],
    }; }
    export function configure(settings) { hoard = settings[0].value === 'true'; return []; }
    export function classify(batch) { const found = []; batch.amounts.forEach((cents, row) => {
        if (hoard) kept.push(cents);
        if (cents > 50000) found.push({ row, score: cents / 100, reason: 'large' });
    }); return found; }
    export function finish() {}";

#[test]
fn a_hostile_guest_is_found_out() {
    let mode = |mode: &'static str| {
        rules(&["hostile", "--set", &format!("mode={mode}"), "--deadline", "5s"], "failed").0
    };
    assert_eq!(mode("none"), Vec::<String>::new());
    for wrong in ["panic", "nan", "unsorted", "escapes", "long-reason", "internal"] {
        assert!(mode(wrong).contains(&"usual-rows".to_owned()), "{wrong}");
    }
    assert!(mode("error-in-finish").contains(&"no-rows".to_owned()));
    assert!(mode("leak").contains(&"soak".to_owned()));
}

#[test]
fn wasi_budgets_and_what_is_no_plugin() {
    breaks(&["threshold-wasi"], &["imports"]);
    breaks(&["threshold-wasi", "--allow-wasi"], &[]);
    assert_eq!(rules(&["threshold-wasi", "--allow-wasi"], "warning").0, ["imports"]);
    breaks(&["threshold", "--row-time", "1ns"], &["time"]);
    breaks(&["threshold", "--memory", "1MiB"], &["memory"]);
    let files = Files::new();
    let garbage = files.write("garbage.wasm", "no plugin");
    breaks(&[garbage.to_str().unwrap()], &["loads"]);
}

#[test]
fn another_answer_in_another_process_is_found_out() {
    compiler::compile_with(env!("CARGO_BIN_EXE_host").into());
    let file = Path::new(env!("CARGO_BIN_EXE_host")).with_file_name("plugins/threshold.wasm");
    let budgets = Budgets { row_nanos: f64::INFINITY, memory_bytes: usize::MAX, allows_wasi: false };
    let failed = |elsewhere: &dyn Fn() -> Result<String, String>| -> Vec<String> {
        let report = check::check(&file, &[], &Limits::default(), &budgets, None, elsewhere).unwrap();
        let broken = report.rules.into_iter().filter(|rule| rule.result == Verdict::Failed);
        broken.map(|rule| rule.rule.into_owned()).collect()
    };
    assert_eq!(
        failed(&|| check::digest(&file, &[], &Limits::default(), None).map_err(|error| error.to_string())),
        [""; 0]
    );
    assert_eq!(failed(&|| Ok("another".into())), ["other-process"]);
    assert_eq!(failed(&|| Err("it did not start".into())), ["other-process"]);
}

/// As its reader sees it; times and sizes differ from machine to machine.
#[test]
fn the_report_for_people() {
    let finished = finish(host().args(["plugin", "check", "hostile-wasi", "--set", "mode=nan"]));
    assert_eq!(finished.code, 4);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+ ns a row", "[n] ns a row");
    settings.add_filter(r"[\d.]+ [KM]iB at most", "[n] at most");
    settings.add_filter(r"`/\S*/test-plugins/", "`[plugins]/");
    settings.bind(|| insta::assert_snapshot!(finished.stdout));
}
