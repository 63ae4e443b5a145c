//! The smaller tools for plugin authors: new, inspect, test, bench, list and add.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::sandbox::forged;
use crate::support::{Files, finish, host, plugin as built, sample, succeed, test_plugins};

/// The program in this folder, which also is the user's.
fn host_in(files: &Files) -> Command {
    let mut command = host();
    command.current_dir(files.path()).env("HOST_DATA_DIR", files.path());
    command
}

fn failure(files: &Files, command: &mut Command) -> (i32, String) {
    let finished = finish(command);
    let shown = files.anonymous(&finished.stderr);
    (finished.code, shown.replace(test_plugins().parent().unwrap().to_str().unwrap(), "/bin"))
}

#[test]
fn a_new_plugin_needs_a_name_that_is_free() {
    let files = Files::new();
    let new = |name: &str| failure(&files, host_in(&files).args(["plugin", "new", name, "--lang", "c"]));
    assert_eq!(new("night-owls"), (0, String::new()));
    insta::assert_snapshot!("new_exists", new("night-owls").1);
    let (code, message) = new("../Owls");
    assert_eq!(code, 2);
    insta::assert_snapshot!("new_name", message);
}

#[test]
fn inspect_tells_what_a_plugin_is() {
    let inspect = |name: &str, arguments: &[&str]| {
        let printed = succeed(host().args(["plugin", "inspect", name]).args(arguments));
        printed.replace(built(name).parent().unwrap().to_str().unwrap(), "/bin/plugins")
    };
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"sha256 +[0-9a-f]{64}", "sha256      [digest]");
    settings.add_filter(r"in \d+\.\d{3} s", "in [n] s");
    settings.add_filter(r"[\d.]+ [KM]iB", "[n] MiB");
    settings.bind(|| insta::assert_snapshot!("inspect", inspect("threshold-wasi", &["--fresh"])));

    let json: serde_json::Value = serde_json::from_str(&inspect("zscore", &["--format", "json"])).unwrap();
    assert_eq!(
        (&json["ordering"], &json["abilities"]),
        (&"per-user".into(), &serde_json::json!(["stateful"]))
    );
    assert_eq!(json["columns"], serde_json::json!([]));
    assert_eq!(json["settings"][1]["default"], "10");
    assert_eq!(json["bytes"], fs::metadata(built("zscore")).unwrap().len());
    let sha256sum = succeed(Command::new("sha256sum").arg(built("zscore")));
    assert!(sha256sum.starts_with(json["sha256"].as_str().unwrap()));
    assert!(json["imports"].as_array().unwrap().iter().all(|import| import["access"] == "granted"));
}

#[test]
fn an_import_that_no_host_has_is_refused_by_name() {
    let files = Files::new();
    let exports: String = ["describe", "configure", "classify", "finish"]
        .map(|name| format!("(export \"{name}\" (func $f))"))
        .concat();
    let component = format!(
        "(component (import \"ingest:detector/host@0.1.0\" (instance)) (import \"wasi:http/types@0.2.0\" (instance))
            (core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i \"f\"))) {exports})"
    );
    let plugin = files.write("web.wasm", wat::parse_str(component).unwrap());
    let (code, message) = failure(&files, host().args(["plugin", "inspect"]).arg(plugin));
    assert_eq!(code, 4);
    insta::assert_snapshot!("inspect_refused", message);
}

const HEADER: &str = "transaction_id,user_id,amount,timestamp";

/// `host plugin test` of `threshold` on the cases in the folder; the code and what it says.
fn test(files: &Files, arguments: &[&str]) -> (i32, String) {
    let finished = finish(host_in(files).args(["plugin", "test"]).args(arguments));
    (finished.code, finished.stdout + &files.anonymous(&finished.stderr))
}

#[test]
fn cases_pass_fail_and_are_updated() {
    let files = Files::new();
    fs::create_dir(files.path().join("cases")).unwrap();
    insta::assert_snapshot!("cases_none", test(&files, &["threshold"]).1);
    let good = format!(
        "{HEADER},expected_score,expected_reason\n1,7,600.00,2024-01-01 00:00:00,100.0000000001,600.00 is above 500.00\n2,7,1.00,2024-01-01 00:00:00,,\n3,7,501.00,2024-01-01 00:00:00,any,\n"
    );
    files.write("cases/good.csv", &good);
    assert_eq!(test(&files, &["threshold"]), (0, "ok       good (3 rows)\n1 cases, 0 failed\n".into()));
    assert_eq!(test(&files, &["threshold", "--tolerance", "1e-15"]).0, 4);

    // With these settings, all of it is wrong.
    files.write("cases/good.settings", "limit=1000\nbelow=2\n");
    let (code, message) = test(&files, &["threshold"]);
    assert_eq!(code, 4);
    insta::assert_snapshot!("cases_failed", message);

    let (code, message) = test(&files, &["threshold", "--update"]);
    assert_eq!((code, message.as_str()), (0, "updated  good (3 rows)\n1 cases, 0 failed\n"));
    let updated = fs::read_to_string(files.path().join("cases/good.csv")).unwrap();
    assert_eq!(
        updated,
        format!(
            "{HEADER},expected_score,expected_reason\n1,7,600.00,2024-01-01 00:00:00,,\n2,7,1.00,2024-01-01 00:00:00,1,1.00 is below 2.00\n3,7,501.00,2024-01-01 00:00:00,,\n"
        )
    );
    assert_eq!(test(&files, &["threshold"]).0, 0);

    // What holds stays as it is written.
    fs::remove_file(files.path().join("cases/good.settings")).unwrap();
    files.write("cases/good.csv", &good);
    assert_eq!(test(&files, &["threshold", "--update"]).0, 0);
    assert_eq!(fs::read_to_string(files.path().join("cases/good.csv")).unwrap(), good);
}

#[test]
fn a_case_without_expectations_gets_them_by_update() {
    let files = Files::new();
    fs::create_dir(files.path().join("cases")).unwrap();
    files.write(
        "cases/new.csv",
        format!("{HEADER}\n1,7,600.00,2024-01-01 00:00:00\n2,7,1.00,2024-01-01 00:00:00\n"),
    );
    let (code, message) = test(&files, &["threshold"]);
    assert_eq!(code, 3);
    insta::assert_snapshot!("cases_without_expectation", message);
    assert_eq!(test(&files, &["threshold", "--update"]).0, 0);
    let updated = fs::read_to_string(files.path().join("cases/new.csv")).unwrap();
    assert_eq!(
        updated,
        format!(
            "{HEADER},expected_score\n1,7,600.00,2024-01-01 00:00:00,100\n2,7,1.00,2024-01-01 00:00:00,\n"
        )
    );
    assert_eq!(test(&files, &["threshold"]).0, 0);
}

#[test]
fn a_case_that_makes_no_sense_is_told() {
    let files = Files::new();
    fs::create_dir(files.path().join("cases")).unwrap();
    let case =
        |expected: &str| format!("{HEADER},expected_score\n1,7,600.00,2024-01-01 00:00:00,{expected}\n");
    files.write("cases/a.csv", case("much"));
    insta::assert_snapshot!("cases_wrong_expectation", test(&files, &["threshold"]).1);
    files.write("cases/a.csv", case(""));
    files.write("cases/a.settings", "mode");
    insta::assert_snapshot!("cases_wrong_setting", test(&files, &["threshold"]).1);
    // A plugin that fails on a case fails the case, not the tool.
    files.write("cases/a.settings", "mode=panic-in-finish");
    let (code, message) = test(&files, &["hostile"]);
    assert_eq!(code, 4);
    assert!(
        message.starts_with(
            "FAILED   a (1 rows)\n         `hostile.wasm` crashed in `finish`: it panicked; panic: "
        ),
        "{message}"
    );
    // Row by row is another thing than all at once.
    files.write(
        "cases/a.csv",
        format!("{HEADER},expected_score\n1,7,1,2024-01-01 00:00:00,\n2,7,1,2024-01-01 00:00:00,\n"),
    );
    files.write("cases/a.settings", "mode=panic-in-second-batch");
    assert!(test(&files, &["hostile"]).1.contains("row by row: `hostile.wasm` crashed"));
}

/// How often each function was the innermost one of a sample, in a profile as profiler.firefox.com opens it.
fn innermost(profile: &serde_json::Value) -> std::collections::BTreeMap<String, usize> {
    let thread = &profile["threads"][0];
    let at = |table: &str, column: &str, row: &serde_json::Value| -> serde_json::Value {
        thread[table][column][usize::try_from(row.as_u64().unwrap()).unwrap()].clone()
    };
    let mut functions = std::collections::BTreeMap::new();
    let stacks = thread["samples"]["stack"].as_array().unwrap();
    for stack in stacks.iter().filter(|stack| !stack.is_null()) {
        let function = at("frameTable", "func", &at("stackTable", "frame", stack));
        let name = at("funcTable", "name", &function).as_u64().unwrap();
        let name = thread["stringArray"][usize::try_from(name).unwrap()].as_str().unwrap();
        *functions.entry(name.to_owned()).or_default() += 1;
    }
    functions
}

#[test]
fn a_profile_says_which_functions_take_the_time() {
    let files = Files::new();
    let file = files.path().join("zscore.json");
    let mut bench = host();
    bench.args(["plugin", "bench", "zscore", "--format", "json", "--profile"]).arg(&file);
    let end: serde_json::Value = serde_json::from_str(&succeed(&mut bench)).unwrap();
    assert_eq!(end["profile"]["file"], file.to_str().unwrap());
    let profile: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let functions = innermost(&profile);
    assert!(functions.values().sum::<usize>() as u64 <= end["profile"]["samples"].as_u64().unwrap());
    // Names are those of the source. What takes most of the time is the detector, not what passes the rows to it.
    let most = functions.iter().max_by_key(|(_, count)| **count).map(|(name, _)| name.as_str());
    assert_eq!(most, Some("<zscore::ZScore as detector_sdk::Detector>::classify"), "{functions:?}");

    let (code, message) =
        failure(&files, host_in(&files).args(["plugin", "bench", "zscore", "--profile", "no/x"]));
    assert!(code == 3 && message.contains("could not write the profile to `no/x`"), "{message}");
}

#[test]
fn bench_measures_a_plugin_against_threshold() {
    let bench = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&succeed(host().args(["plugin", "bench", "--format", "json"]).args(arguments)))
            .unwrap()
    };
    let file = sample();
    let measured = bench(&["zscore", file.to_str().unwrap(), "--set", "deviations=3"]);
    assert_eq!((&measured["rows"], &measured["threshold"]["anomalies"]), (&1_800.into(), &38.into()));
    assert_eq!(
        (&measured["plugin"]["name"], &measured["threshold"]["name"]),
        (&"zscore".into(), &"threshold".into())
    );
    let figure = |measured: &serde_json::Value, side: &str, name: &str| -> f64 {
        measured[side][name].as_f64().unwrap_or_else(|| panic!("{side} {name}: {measured}"))
    };
    for side in ["plugin", "threshold"] {
        // One is the other's inverse; compiling takes more than nothing; memory comes in pages.
        let product = figure(&measured, side, "nanos_per_row") * figure(&measured, side, "rows_per_second");
        assert!((product / 1e9 - 1.0).abs() < 1e-9, "{measured}");
        assert!(figure(&measured, side, "compile_seconds") > 0.0, "{measured}");
        assert!(figure(&measured, side, "memory_bytes") >= 65_536.0, "{measured}");
    }
    let ratio = |measured: &serde_json::Value| {
        let nanos = |side| figure(measured, side, "nanos_per_row");
        let ratio = nanos("plugin") / nanos("threshold");
        assert!((ratio / measured["ratio"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{measured}");
        ratio
    };
    ratio(&measured);
    // A plugin that dawdles is told so, whatever else the machine has to do: by row and by call.
    let files = Files::new();
    let slow = bench(&[files.write("slow.wasm", forged::slow()).to_str().unwrap(), file.to_str().unwrap()]);
    assert!(ratio(&slow) > 2.0, "{slow}");
    let micros = |side| figure(&slow, side, "call_micros");
    assert!(micros("plugin") > 10.0 * micros("threshold"), "{slow}");
    assert!(
        succeed(host().args(["plugin", "bench", "threshold"]))
            .contains("times the time of `threshold` for a row")
    );
}

#[test]
fn a_plugin_that_is_added_is_found_by_name() {
    let files = Files::new();
    // Under another file name: it is the plugin's own name that counts.
    let file = files.write("build.wasm", fs::read(built("zscore")).unwrap());
    let add = |file: &Path| failure(&files, host_in(&files).args(["plugin", "add"]).arg(file));
    assert_eq!(add(&file).0, 0);
    let folder = files.path().join("plugins");
    assert_eq!(fs::read(folder.join("zscore.wasm")).unwrap(), fs::read(&file).unwrap());
    succeed(Command::new("sha256sum").args(["--check", "zscore.wasm.sha256"]).current_dir(&folder));
    // The one beside the program is the same, so there is no question which is meant.
    succeed(host_in(&files).args(["plugin", "inspect", "zscore"]));
    assert_eq!(add(&file).0, 0);

    // Another build of it: the same plugin with a further custom section.
    let other = [&fs::read(&file).unwrap()[..], b"\0\x02\x01x"].concat();
    let other = files.write("other.wasm", other);
    let (code, message) = add(&other);
    assert_eq!(code, 2);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"[0-9a-f]{64}", "[digest]");
    settings.bind(|| insta::assert_snapshot!("add_another", message));
    succeed(host_in(&files).args(["plugin", "add", "--replace"]).arg(&other));
    let (code, message) = failure(&files, host_in(&files).args(["plugin", "inspect", "zscore"]));
    assert_eq!(code, 4);
    insta::assert_snapshot!("lookup_ambiguous", message);
    // A path says which.
    succeed(host_in(&files).args(["plugin", "inspect", "plugins/zscore.wasm"]));

    fs::write(folder.join("zscore.wasm"), "damaged").unwrap();
    let listed = succeed(host_in(&files).args(["plugin", "list"]));
    let listed: Vec<_> = listed.lines().filter(|line| line.starts_with("zscore ")).collect();
    assert_eq!(listed.len(), 2);
    assert!(listed[0].ends_with("CHANGED since it was added  ambiguous: give the path"), "{}", listed[0]);

    let garbage = files.write("garbage.wasm", "no plugin");
    assert_eq!(add(&garbage).0, 4);
}

#[test]
fn an_added_plugin_is_compiled_already() {
    let files = Files::new();
    let in_cache = |command: &mut Command| succeed(command.env("XDG_CACHE_HOME", files.path()));
    in_cache(host_in(&files).args(["plugin", "add"]).arg(built("threshold-wasi")));
    let inspected =
        in_cache(host_in(&files).args(["plugin", "inspect", "plugins/threshold.wasm", "--format", "json"]));
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["compile_seconds"], serde_json::Value::Null);
}

#[test]
fn folders_that_are_named_are_looked_in() {
    let (files, elsewhere) = (Files::new(), Files::new());
    elsewhere.write("mine.wasm", fs::read(built("threshold")).unwrap());
    let (code, message) = failure(&files, host_in(&files).args(["plugin", "inspect", "mine"]));
    assert_eq!(code, 4);
    insta::assert_snapshot!("lookup_not_found", message);
    // What cannot be used is not passed over.
    let path = format!("relative:{}", elsewhere.path().display());
    let relative = finish(host_in(&files).args(["plugin", "list"]).env("HOST_PLUGIN_PATH", &path));
    assert_eq!(relative.code, 2, "{}", relative.stderr);
    let path = format!("{}:{}", files.path().join("absent").display(), elsewhere.path().display());
    let listed =
        succeed(host_in(&files).args(["plugin", "list", "--format", "json"]).env("HOST_PLUGIN_PATH", &path));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed["plugins"][0]["name"], &listed["plugins"][0]["is_as_added"]),
        (&"mine".into(), &serde_json::Value::Null)
    );
    succeed(host_in(&files).args(["plugin", "inspect", "mine"]).env("HOST_PLUGIN_PATH", &path));
}
