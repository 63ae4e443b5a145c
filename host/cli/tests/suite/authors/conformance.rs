//! `host plugin check` finds what it promises to find: guests that each break one rule, and which
//! rules they are told to break.

use std::path::{Path, PathBuf};
use std::process::Command;

use host::authors::check::{self, Budgets, Verdict};
use host_detector::{Limits, compiler};

use crate::authors::templates::tools;
use crate::support::{Files, finish, host, succeed};

/// An honest detector in JavaScript, whose parts can be exchanged.
struct Guest<'a> {
    world: &'a str,
    ordering: &'a str,
    version: &'a str,
    configure: &'a str,
    classify: &'a str,
    more: &'a str,
}

const HONEST: Guest<'static> = Guest {
    world: "detector",
    ordering: "any",
    version: "'1.0.0'",
    configure: "limit = Number(settings[0].value) * 100; return [];",
    classify: "const found = []; batch.amounts.forEach((cents, row) => {
        if (cents > limit) found.push({ row, score: cents / 100, reason: 'large' });
    }); return found;",
    more: "",
};

/// Flags every hundredth row that it sees, which needs the file's order.
const COUNTING: &str = "const found = []; batch.amounts.forEach((cents, row) => {
        if (++rows % 100 === 0) found.push({ row, score: rows, reason: 'the hundredth' });
    }); return found;";

impl Guest<'_> {
    /// Builds it, with the tool that the template for JavaScript uses.
    fn build(&self, files: &Files, name: &str) -> PathBuf {
        let Guest { world, ordering, version, configure, classify, more } = self;
        let source = format!(
            "import {{ log }} from 'ingest:detector/host@0.1.0';
            let limit = 0, rows = 0, calls = 0, described = 0; const kept = [];
            export function describe() {{ return {{
                name: 'guest', version: {version}, description: 'A guest.', ordering: '{ordering}',
                settings: [{{ name: 'limit', kind: 'integer', default: '500', doc: 'Above it.' }}],
            }}; }}
            export function configure(settings) {{ {configure} }}
            export function classify(batch) {{ {classify} }}
            export function finish() {{}}
            {more}"
        );
        let script = files.write(&format!("{name}.js"), source);
        let plugin = files.path().join(name).with_extension("wasm");
        let tool = tools().join("javascript/node_modules/.bin/componentize-qjs");
        assert!(tool.is_file(), "run `cargo xtask test`: it installs componentize-qjs from npm");
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/detector-0.1");
        let mut build = Command::new(tool);
        build.arg("--wit").arg(wit).args(["--world", world, "--sync", "--stub-wasi", "--js"]).arg(script);
        succeed(build.arg("--output").arg(&plugin));
        plugin
    }
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

#[test]
fn our_own_detectors_keep_all_rules() {
    for plugin in ["threshold", "zscore"] {
        breaks(&[plugin], &[]);
        assert_eq!(rules(&[plugin], "warning").0, Vec::<String>::new());
    }
}

/// Builds each guest, and checks that it breaks exactly these rules.
fn each_breaks(guests: &[(&str, Guest<'_>, &[&str])]) {
    let files = Files::new();
    for (name, guest, broken) in guests {
        let plugin = guest.build(&files, name);
        breaks(&[plugin.to_str().unwrap()], broken);
    }
}

#[test]
fn a_guest_that_introduces_itself_wrongly_is_told_so() {
    each_breaks(&[
        ("honest", HONEST, &[]),
        ("describes", Guest { version: "String(described++)", ..HONEST }, &["describe"]),
        (
            "refuses-its-default",
            Guest {
                configure: "throw { tag: 'invalid-setting', val: { name: 'limit', message: 'no' } };",
                ..HONEST
            },
            &["configure"],
        ),
        (
            "asks-twice",
            Guest {
                configure: "limit = 50000; const one = { name: 'a', kind: 'text', required: false }; return [one, one];",
                ..HONEST
            },
            &["configure"],
        ),
    ]);
}

#[test]
fn a_guest_that_breaks_a_promise_is_told_which() {
    each_breaks(&[
        (
            "counts-batches",
            Guest {
                ordering: "file",
                classify: "return batch.amounts.length ? [{ row: 0, score: ++calls, reason: '' }] : [];",
                ..HONEST
            },
            &["batch-size"],
        ),
        ("order-for-any", Guest { classify: COUNTING, ..HONEST }, &["instances"]),
        ("order-for-user", Guest { ordering: "per-user", classify: COUNTING, ..HONEST }, &["instances"]),
        ("order-for-file", Guest { ordering: "file", classify: COUNTING, ..HONEST }, &[]),
    ]);
}

#[test]
fn a_guest_that_cannot_cope_is_told_with_what() {
    each_breaks(&[
        (
            "infinite",
            Guest {
                classify: "const found = []; batch.amounts.forEach((cents, row) => {
                    if (cents === 0 || cents > limit) found.push({ row, score: 1 / cents, reason: '' });
                }); return found;",
                ..HONEST
            },
            &["extreme-values"],
        ),
        (
            "hoards",
            Guest {
                classify: "batch.amounts.forEach((cents) => kept.push({ cents })); const found = [];
                    batch.amounts.forEach((cents, row) => { if (cents > limit) found.push({ row, score: 1, reason: '' }); });
                    return found;",
                ..HONEST
            },
            &["soak"],
        ),
        (
            "traps-late",
            Guest { classify: "if (++calls === 29) throw new Error('late'); return batch.amounts.length ? [{ row: 0, score: 1, reason: 'x' }] : [];", ..HONEST },
            &["batch-size", "instances", "soak"],
        ),
        (
            "small-batches",
            Guest {
                classify: "if (batch.amounts.length > 10000) throw new Error('too many');
                    const found = []; batch.amounts.forEach((cents, row) => {
                        if (cents > limit) found.push({ row, score: 1, reason: '' });
                    }); return found;",
                ..HONEST
            },
            &["large-batch", "memory"],
        ),
    ]);
}

#[test]
fn what_is_kept_but_not_well_is_a_warning() {
    let files = Files::new();
    let guests = [
        (
            "chatty",
            Guest {
                classify: "log('info', 'a'); log('info', 'b'); return batch.amounts.length ? [{ row: 0, score: 1, reason: '' }] : [];",
                ordering: "file",
                ..HONEST
            },
            "soak",
        ),
        ("silent", Guest { classify: "return [];", ..HONEST }, "usual-rows"),
        (
            "reads-row-0",
            Guest {
                classify:
                    "batch.amounts[0].toFixed(0); const found = []; batch.amounts.forEach((cents, row) => {
            if (cents > limit) found.push({ row, score: 1, reason: '' }); }); return found;",
                ..HONEST
            },
            "empty-batch",
        ),
    ];
    for (name, guest, warned) in guests {
        let plugin = guest.build(&files, name);
        assert!(rules(&[plugin.to_str().unwrap()], "warning").0.contains(&warned.to_owned()), "{name}");
    }
}

/// Knowledge that outlives a run: what was learned goes on, or does not.
#[test]
fn state_that_is_lost_is_found_out() {
    let files = Files::new();
    let of = |snapshot: &str, restore: &str| {
        format!(
            "let passed = 0; const bytes = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));
            const state = (shared) => ({{ shared, users: [], ends: [], bytes: new Uint8Array(0) }});
            export function snapshot() {{ {snapshot} }}
            export function restore({{ shared }}) {{ {restore} }}"
        )
    };
    let whole = of(
        "if (passed === rows) return state(undefined); passed = rows; return state(bytes(String(rows)));",
        "const text = String.fromCharCode(...(shared ?? []));
        if (!/^[0-9]+$/.test(text)) throw { tag: 'invalid-input', val: 'no state' };
        rows = passed = Number(text);",
    );
    let lost = of("return state(undefined);", "");
    let endless = of("return state(bytes('1'));", "");
    let unsorted =
        of("return { shared: undefined, users: [2, 1], ends: [0, 0], bytes: new Uint8Array(0) };", "");
    fn stateful(more: &str) -> Guest<'_> {
        Guest { world: "stateful-detector", ordering: "file", classify: COUNTING, more, ..HONEST }
    }
    let kept = stateful(&whole).build(&files, "kept");
    let kept = kept.to_str().unwrap();
    breaks(&[kept], &[]);
    assert!(rules(&[kept], "ok").0.contains(&"state".to_owned()));
    for (name, more) in [("lost", lost), ("endless", endless), ("unsorted", unsorted)] {
        breaks(&[stateful(&more).build(&files, name).to_str().unwrap()], &["state"]);
    }
}

/// Scores that are those of `classify`, or are not.
#[test]
fn scores_that_differ_are_found_out() {
    let files = Files::new();
    let guest = |more| Guest { world: "scoring-detector", more, ..HONEST };
    let equal = guest("export function score(batch) { return batch.amounts.map((cents) => cents / 100); }");
    let equal = equal.build(&files, "equal");
    breaks(&[equal.to_str().unwrap()], &[]);
    assert!(rules(&[equal.to_str().unwrap()], "ok").0.contains(&"scores".to_owned()));
    for (name, more) in [
        ("other", "export function score(batch) { return batch.amounts.map((cents) => cents / 101); }"),
        ("few", "export function score(batch) { return [1]; }"),
        ("infinite", "export function score(batch) { return batch.amounts.map(() => 1 / 0); }"),
    ] {
        breaks(&[guest(more).build(&files, name).to_str().unwrap()], &["scores"]);
    }
}

/// What has become known is learned row by row, or is not.
#[test]
fn feedback_that_depends_on_batches_is_found_out() {
    let files = Files::new();
    let guest = |more| Guest {
        world: "learning-detector",
        ordering: "file",
        classify: "const found = []; batch.amounts.forEach((cents, row) => {
            if (cents > limit) found.push({ row, score: cents + rows, reason: 'large' });
        }); return found;",
        more,
        ..HONEST
    };
    let learns = guest(
        "export function feedback(batch, labels) { labels.forEach((fraud) => { if (fraud) rows++; }); }",
    );
    let learns = learns.build(&files, "learns");
    breaks(&[learns.to_str().unwrap()], &[]);
    assert!(rules(&[learns.to_str().unwrap()], "ok").0.contains(&"feedback".to_owned()));
    let counts = guest("export function feedback(batch, labels) { rows++; }").build(&files, "counts");
    breaks(&[counts.to_str().unwrap()], &["feedback"]);
}

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
    assert_eq!(mode("panic-in-batch-29"), ["batch-size", "soak"]);
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
