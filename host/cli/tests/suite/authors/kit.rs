//! The kit in `wit/kit`: its detectors in Rust pass it, and what is not as it should be is found.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::templates::tools;
use crate::support::{Files, finish, host, succeed, test_plugins};

const DETECTORS: [&str; 8] = [
    "kit-any",
    "kit-per-user",
    "kit-file",
    "kit-echo",
    "kit-score",
    "kit-state",
    "kit-shared",
    "kit-learning",
];

fn kit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/kit")
}

/// `host plugin check --kit`; its code and what it says.
fn check(kit: &Path, plugin: &str) -> (i32, String) {
    let finished = finish(host().args(["plugin", "check", plugin, "--kit"]).arg(kit));
    (finished.code, finished.stdout + &finished.stderr)
}

#[test]
fn the_detectors_in_rust_pass() {
    let detectors = [
        ("kit-any", 23),
        ("kit-per-user", 14),
        ("kit-file", 15),
        ("kit-echo", 17),
        ("kit-score", 10),
        ("kit-state", 10),
        ("kit-shared", 7),
        ("kit-learning", 7),
    ];
    for (plugin, rules) in detectors {
        let (code, said) = check(&kit(), plugin);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(&format!("{rules} rules kept, 0 broken, 0 warnings")), "{said}");
    }
}

/// Those that learn are also what `host plugin check` wants without the kit.
#[test]
fn the_detectors_in_rust_keep_the_rules() {
    for plugin in ["kit-per-user", "kit-file", "kit-score", "kit-state", "kit-shared", "kit-learning"] {
        let finished = finish(host().args(["plugin", "check", plugin, "--row-time", "1s"]));
        assert!(finished.stdout.contains(" 0 broken, "), "{}", finished.stdout);
    }
}

/// `kit-echo` with bindings by hand, in a project as `host plugin new` makes it.
#[test]
fn bindings_of_another_language_pass() {
    let files = Files::new();
    succeed(host().current_dir(files.path()).args(["plugin", "new", "kit-echo", "--lang", "assemblyscript"]));
    let folder = files.path().join("kit-echo");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kit/assemblyscript/detector.ts");
    fs::copy(source, folder.join("detector.ts")).unwrap();
    symlink(tools().join("assemblyscript/node_modules"), folder.join("node_modules")).unwrap();
    succeed(Command::new("node").arg("build.js").current_dir(&folder));
    let (code, said) = check(&kit(), folder.join("kit-echo.wasm").to_str().unwrap());
    assert!(code == 0 && said.contains("17 rules kept, 0 broken, 0 warnings"), "{said}");
}

/// Whether all numbers of a case can be told apart by a language whose whole numbers have 53 bits.
fn is_within_53_bits(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => {
            text.parse().is_ok_and(|number: i64| number.unsigned_abs() < 1 << 53)
        }
        serde_json::Value::Array(values) => values.iter().all(is_within_53_bits),
        other => panic!("{other}"),
    }
}

#[test]
fn cases_that_need_64_bits_are_called_that() {
    // Of steps that have no batch.
    let none = serde_json::Value::Array(Vec::new());
    for detector in DETECTORS {
        let text = fs::read_to_string(kit().join(format!("{detector}.json"))).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let batches = case["runs"].as_array().unwrap().iter().flat_map(|run| {
                run["instances"].as_array().unwrap().iter().flat_map(|batches| batches.as_array().unwrap())
            });
            let mut lists = batches.flat_map(|step| {
                let batch = step.get("score").or(step.get("feedback")).unwrap_or(step);
                ["user-ids", "amounts", "timestamps"].map(|name| batch.get(name).unwrap_or(&none))
            });
            let is_integer = |name: &str| {
                file["settings"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|known| known["name"] == name && known["kind"] == "integer")
            };
            let mut settings =
                case["settings"].as_object().unwrap().iter().filter(|(name, _)| is_integer(name));
            let is_within =
                lists.all(is_within_53_bits) && settings.all(|(_, value)| is_within_53_bits(value));
            let name = case["case"].as_str().unwrap();
            assert_eq!(is_within, !name.starts_with("64 bits"), "{detector}: {name}");
        }
    }
}

#[test]
fn a_detector_that_forgets_is_found_out() {
    let (code, said) = check(&kit(), "kit-broken");
    assert_eq!(code, 4);
    let said = said.replace(test_plugins().to_str().unwrap(), "[plugins]");
    insta::assert_snapshot!("kit_broken", said);

    let json = finish(host().args(["plugin", "check", "kit-broken", "--format", "json", "--kit"]).arg(kit()));
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &report["passed"], &report["exit_code"]), (4, &false.into(), &4.into()));
    let defaults = report["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == "defaults");
    assert_eq!(defaults.unwrap()["result"], "failed");
}

/// What the first case says that fails if the kit wants something else of this detector.
fn differently(detector: &str, original: &str, other: &str) -> String {
    let files = Files::new();
    let text = fs::read_to_string(kit().join(format!("{detector}.json"))).unwrap();
    assert!(text.contains(original), "{original}");
    files.write("kit.json", text.replacen(original, other, 1));
    let (code, said) = check(files.path(), detector);
    assert_eq!(code, 4, "{said}");
    let failed = said.lines().find_map(|line| line.strip_prefix("FAILED")).unwrap();
    failed.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_difference_is_told() {
    let cases = [
        (r#""contract": "0.1""#, r#""contract": "0.2""#, "describe the kit is for contract 0.2, not 0.1.0"),
        (r#""ordering": "file""#, r#""ordering": "any""#, "describe its ordering is `file`, not `any`"),
        (
            r#""default": "3""#,
            r#""default": "4""#,
            "describe its setting number 1 is every (integer, \"3\"), not every (integer, \"4\")",
        ),
        (
            r#""columns": []"#,
            r#""columns": [{"name": "note", "kind": "text", "required": true}]"#,
            "defaults at once: its column number 1 is none, not note (text, required)",
        ),
        (
            r#""score": "1.83""#,
            r#""score": "-1.83""#,
            "defaults at once: row 3 has the score 1.83, not -1.83",
        ),
        (
            "row 3, sum 183",
            "row 3, sum 184",
            "defaults at once: row 3 has the reason `row 3, sum 183`, not `row 3, sum 184`",
        ),
        (
            r#"{"row": 2, "score": "1.83", "reason": "row 3, sum 183"},"#,
            "",
            "defaults at once: row 3 is anomalous (score 1.83, `row 3, sum 183`), but should not be",
        ),
        (
            r#"{"row": 2,"#,
            r#"{"row": 3,"#,
            "defaults at once: row 3 is anomalous (score 1.83, `row 3, sum 183`), but should not be",
        ),
        (
            r#"{"row": 2,"#,
            r#"{"row": 10,"#,
            "defaults at once: the case expects an anomaly in row 11, and has 10 rows",
        ),
        (
            r#""kind": "invalid-input""#,
            r#""kind": "internal""#,
            "out of order at once: `classify` must return the error `internal`: `kit-file.wasm` returned an error in `classify`, on rows 1 to 6 (lines 2 to 7): a row is earlier than the one before it",
        ),
        (
            r#""settings": {"sorted": "true"}"#,
            r#""settings": {}"#,
            "out of order at once: it ends well, but `classify` must return the error `invalid-input`",
        ),
    ];
    for (original, other, told) in cases {
        assert_eq!(differently("kit-file", original, other), told, "{original}");
    }
}

#[test]
fn every_difference_in_what_not_all_detectors_do_is_told() {
    let cases = [
        (
            "kit-score",
            r#""scores": ["0.0", "#,
            r#""scores": ["-0.0", "#,
            "defaults: scores scored, at once: `score` gives row 1 the score 0.0, not -0.0",
        ),
        (
            "kit-state",
            r#""-8": "010200000000000000f9e40b5402000000""#,
            r#""-8": "01""#,
            "continued in one run: `snapshot` passes on 010200000000000000f9e40b5402000000 of user -8, not 01",
        ),
        (
            "kit-state",
            r#"{"snapshot": {"shared": null, "users": {}}}"#,
            r#"{"snapshot": {"shared": null, "users": {"5": ""}}}"#,
            "continued in one run: `snapshot` passes on nothing of user 5, not no bytes",
        ),
        (
            "kit-state",
            r#"{"7": "020100"#,
            r#"{"7": "010100"#,
            "another version at once: it ends well, but `restore` must return the error `internal`",
        ),
        (
            "kit-state",
            r#"{"7": "020100"#,
            r#"{"7": "x20100"#,
            "another version at once: the case has a state that is not written in hexadecimal digits",
        ),
        (
            "kit-shared",
            r#"{"snapshot": {"shared": null, "users": {}}}"#,
            r#"{"snapshot": {"shared": "00", "users": {}}}"#,
            "continued in one run: `snapshot` passes on none as `shared`, not 00",
        ),
        (
            "kit-learning",
            r#""labels": [false, true"#,
            r#""labels": [true, true"#,
            "learned at once: row 2 has the score 0.75, not 0.5",
        ),
        (
            "kit-any",
            r#""settings": ["#,
            r#""abilities": ["stateful"], "settings": ["#,
            "abilities it is no stateful detector: it does not export what such a one has",
        ),
    ];
    for (detector, original, other, told) in cases {
        assert_eq!(differently(detector, original, other), told, "{original}");
    }
}

#[test]
fn what_is_no_kit_is_refused() {
    let files = Files::new();
    let told = |plugin: &str| {
        let (code, said) = check(files.path(), plugin);
        (code, files.anonymous(&said))
    };
    let mut said = vec![told("kit-file")];
    let text = fs::read_to_string(kit().join("kit-file.json")).unwrap();
    files.write("kit.json", &text);
    said.push(told("threshold"));
    files.write("kit.json", text.replacen(r#""amounts": ["100", "#, r#""amounts": ["#, 1));
    said.push(told("kit-file"));
    let text = fs::read_to_string(kit().join("kit-echo.json")).unwrap();
    files.write("kit.json", text.replacen(r#""dictionary": "one\u0000"#, r#""dictionary": "two\u0000"#, 1));
    said.push(told("kit-echo"));
    assert!(said.iter().all(|(code, _)| *code == 3), "{said:?}");
    let said: Vec<String> = said.into_iter().map(|(_, said)| said).collect();
    insta::assert_snapshot!("no_kit", said.join("\n"));
    // A file of rows has nothing to do with it.
    let mut both = host();
    both.args(["plugin", "check", "kit-file", "rows.csv", "--kit"]).arg(kit());
    assert_eq!(finish(&mut both).code, 2);
}

/// The cases are those that `make.py` writes.
#[test]
fn the_cases_are_up_to_date() {
    let files = Files::new();
    succeed(Command::new("python3").arg(kit().join("make.py")).arg(files.path()));
    for detector in DETECTORS {
        let name = format!("{detector}.json");
        let made = fs::read_to_string(files.path().join(&name)).unwrap();
        assert!(made == fs::read_to_string(kit().join(&name)).unwrap(), "run wit/kit/make.py: {name}");
    }
}
