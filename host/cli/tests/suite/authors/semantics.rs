//! `wit/SEMANTICS.md`: what it says proves a rule exists, and every rule of `host plugin check` proves one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use host::authors::check;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A line of the tables: what proves a rule, as kind and name.
struct Rule {
    id: String,
    text: String,
    proofs: Vec<(String, String)>,
}

fn rules() -> Vec<Rule> {
    let text = fs::read_to_string(root().join("wit/SEMANTICS.md")).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("| S-"));
    let rule = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, text, proofs] = cells[..] else { panic!("not three cells: {line}") };
        let proof = |proof: &str| {
            let (kind, name) = proof.split_once(' ').unwrap_or_else(|| panic!("{id}: {proof}"));
            (kind.to_owned(), name.trim_matches('`').to_owned())
        };
        Rule { id: id.into(), text: text.into(), proofs: proofs.split(", ").map(proof).collect() }
    };
    lines.map(rule).collect()
}

/// The names of all tests, whatever file they are in.
fn tests() -> BTreeSet<String> {
    fn collect(folder: &Path, tests: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                collect(&entry, tests);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).unwrap();
                for test in text.split("#[test]").skip(1) {
                    let name = test.split_once("fn ").and_then(|(_, rest)| rest.split(['(', '<']).next());
                    tests.extend(name.map(|name| name.trim().to_owned()));
                }
            }
        }
    }
    let mut tests = BTreeSet::new();
    for crate_folder in ["cli", "core", "detector", "sink", "source"] {
        for folder in ["src", "tests"].map(|folder| root().join("host").join(crate_folder).join(folder)) {
            if folder.is_dir() {
                collect(&folder, &mut tests);
            }
        }
    }
    tests
}

/// The kit's cases, as `detector/case`.
fn cases() -> BTreeSet<String> {
    let mut cases = BTreeSet::new();
    for entry in fs::read_dir(root().join("wit/kit")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|extension| extension == "json") {
            let kit: serde_json::Value = serde_json::from_str(&fs::read_to_string(entry).unwrap()).unwrap();
            let names = kit["cases"].as_array().unwrap().iter().map(|case| case["case"].as_str().unwrap());
            cases.extend(names.map(|name| format!("{}/{name}", kit["detector"].as_str().unwrap())));
        }
    }
    cases
}

#[test]
fn rules_are_numbered_and_say_what_must_be() {
    let rules = rules();
    assert!(rules.len() > 80, "{}", rules.len());
    for (number, Rule { id, text, .. }) in (1..).zip(&rules) {
        assert_eq!(*id, format!("S-{number}"));
        for reference in text.split("S-").skip(1) {
            let digits: String = reference.chars().take_while(char::is_ascii_digit).collect();
            assert!((1..=rules.len()).contains(&digits.parse().unwrap()), "{id} refers to S-{digits}");
        }
    }
}

#[test]
fn what_proves_a_rule_exists() {
    let checks: BTreeSet<String> = check::rule_names().map(str::to_owned).collect();
    let (tests, cases) = (tests(), cases());
    assert!(tests.len() > 200 && cases.len() > 40, "{} tests, {} cases", tests.len(), cases.len());
    for Rule { id, proofs, .. } in rules() {
        for (kind, name) in proofs {
            let known = match kind.as_str() {
                "check" => &checks,
                "test" => &tests,
                "kit" => &cases,
                _ => panic!("{id}: {kind}"),
            };
            assert!(known.contains(&name), "{id}: there is no {kind} `{name}`");
        }
    }
}

#[test]
fn every_rule_of_check_proves_a_rule_of_the_contract() {
    let cited: BTreeSet<(String, String)> = rules().into_iter().flat_map(|rule| rule.proofs).collect();
    for name in check::rule_names() {
        assert!(cited.contains(&("check".into(), name.into())), "`{name}` proves nothing");
    }
}
