//! Two detectors and the ensemble, composed by `wac` into one plugin: the host takes it as any other.

use std::fs;
use std::path::{Path, PathBuf};

use wac_parser::Document;
use wac_types::BorrowedPackageKey;

use crate::support::{Database, Files, finish, host, host_run, sample, succeed, summary};

/// The plugin with this name, as a component.
fn component(name: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let file = target.join("wasm32-unknown-unknown/plugin").join(name).with_extension("wasm");
    let module = fs::read(&file)
        .unwrap_or_else(|_| panic!("run `cargo xtask plugins` first: there is no {}", file.display()));
    wit_component::ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

/// What `wac compose plugins/ensemble/ensemble.wac --dep …` makes.
fn compose(files: &Files, a: &str, b: &str) -> PathBuf {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/ensemble/ensemble.wac"))
            .unwrap();
    let document = Document::parse(&source).unwrap();
    let parts = [("plugin:a", a), ("plugin:b", b), ("plugin:ensemble", "ensemble")];
    let packages = parts
        .map(|(package, name)| (BorrowedPackageKey::from_name_and_version(package, None), component(name)));
    let composed =
        document.resolve(packages.into_iter().collect()).unwrap().encode(Default::default()).unwrap();
    files.write("both.wasm", composed)
}

#[test]
fn an_ensemble_is_a_plugin_like_any_other() {
    let (database, files) = (Database::new(), Files::new());
    let both = compose(&files, "threshold", "zscore");
    let both = both.to_str().unwrap();
    let inspected = succeed(host().args(["plugin", "inspect", both, "--format", "json"]));
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!((&inspected["name"], &inspected["ordering"]), (&"ensemble".into(), &"per-user".into()));
    let settings: Vec<_> =
        inspected["settings"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(
        settings,
        ["rule", "weight-a", "weight-b", "from", "a-limit", "a-below", "b-deviations", "b-minimum-history"]
    );
    let checked = finish(host().args(["plugin", "check", both]));
    assert_eq!(checked.code, 0, "{}", checked.stdout);

    // Set arithmetic on what the two flag alone.
    let flagged = |plugin: &str, settings: &[&str]| -> Vec<i64> {
        let mut run = host_run(&database, plugin, &sample());
        let run = summary(run.args(settings.iter().flat_map(|setting| ["--set", setting])));
        let first = run["first_transaction_id"].as_i64().unwrap();
        let query = format!(
            "SELECT transaction_id - {first} FROM anomalies WHERE run_id = {} ORDER BY 1",
            run["run_id"]
        );
        database.rows(&query).iter().map(|row| row[0].parse().unwrap()).collect()
    };
    let a = flagged("threshold", &["limit=90"]);
    let b = flagged("zscore", &["deviations=1.5", "minimum-history=2"]);
    let parts = ["a-limit=90", "b-deviations=1.5", "b-minimum-history=2"];
    let with = |rule: &[&str]| flagged(both, &[&parts[..], rule].concat());
    let all: Vec<i64> = a.iter().copied().filter(|row| b.contains(row)).collect();
    let mut any = [a.clone(), b.clone()].concat();
    any.sort_unstable();
    any.dedup();
    assert!(!all.is_empty() && any.len() > a.len() && any.len() > b.len());
    assert_eq!(with(&[]), any);
    assert_eq!(with(&["rule=all"]), all);
    // A weight of nothing leaves the other; a score of `threshold` is above 0.
    assert_eq!(with(&["rule=weighted", "weight-b=0", "from=0.001"]), a);
}

/// Without its parts it is none: the host says what is missing.
#[test]
fn an_ensemble_that_was_not_composed_is_refused() {
    let files = Files::new();
    let alone = files.write("alone.wasm", component("ensemble"));
    let refused = finish(host().args(["plugin", "inspect"]).arg(alone));
    assert_eq!(refused.code, 4);
    assert!(
        refused.stderr.contains("imports what this host does not provide: `describe-a`"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_setting_that_a_part_refuses_is_told_by_the_ensembles_name() {
    let (database, files) = (Database::new(), Files::new());
    let both = compose(&files, "threshold", "zscore");
    let mut run = host_run(&database, both.to_str().unwrap(), &sample());
    let refused = finish(run.args(["--set", "b-deviations=0"]));
    assert_eq!(refused.code, 4);
    assert!(
        refused.stderr.contains("does not accept the setting `b-deviations`: it must be above 0"),
        "{}",
        refused.stderr
    );
}
