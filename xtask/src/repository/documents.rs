//! Documents lead to what is there; templates are forms that can be filled in.

use std::collections::BTreeSet;
use std::fs;

use super::files::{files, read, texts, yaml};
use crate::shell::root;

#[test]
fn links_between_documents_lead_somewhere() {
    let folders = [".", "plugins", "wit", "wit/kit", "data/malformed", "data/shapes", ".github"];
    let mut count = 0;
    for document in folders.into_iter().flat_map(|folder| files(folder, ".md")) {
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            count += 1;
            let target = document.with_file_name(path);
            assert!(target.exists(), "{} links to {path}", document.display());
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn whoever_looks_for_a_test_is_told_where_it_is() {
    let contributing = read("CONTRIBUTING.md");
    let modules = ["source", "sandbox", "database", "command_line", "authors"].map(|group| {
        let text = read(&format!("host/cli/tests/suite/{group}/mod.rs"));
        let declared = text.lines().filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'));
        declared.map(|module| (group, module.to_owned())).collect::<Vec<_>>()
    });
    let modules = modules.concat();
    assert!(modules.len() > 20, "{modules:?}");
    for (group, module) in modules {
        let line = contributing.lines().find(|line| line.contains(&format!("`{group}/`"))).unwrap();
        assert!(line.contains(&format!("`{module}`")), "{group}: {module}");
    }
}

#[test]
fn issues_are_forms() {
    for file in files(".github/ISSUE_TEMPLATE", ".yml") {
        let form = yaml(&file);
        if file.ends_with("config.yml") {
            continue;
        }
        let name = file.display();
        assert!(form["name"].is_string() && form["description"].is_string(), "{name}");
        let mut ids = BTreeSet::new();
        for part in form["body"].as_array().unwrap() {
            let kind = part["type"].as_str().unwrap();
            assert!(["markdown", "textarea", "input", "dropdown"].contains(&kind), "{name}: {kind}");
            let told = if kind == "markdown" { "value" } else { "label" };
            assert!(part["attributes"][told].is_string(), "{name}: {part}");
            assert!(
                kind == "markdown" || ids.insert(part["id"].as_str().unwrap().to_owned()),
                "{name}: {part}"
            );
        }
    }
}

#[test]
fn updates_are_looked_for_wherever_there_are_dependencies() {
    let dependabot = yaml(&root().join(".github/dependabot.yml"));
    let updates = dependabot["updates"].as_array().unwrap();
    let places = |kind: &str| {
        let update = updates.iter().find(|update| update["package-ecosystem"] == kind).unwrap();
        update
            .get("directories")
            .map_or_else(|| vec![update["directory"].as_str().unwrap().to_owned()], texts)
    };
    for lock in ["/", "/fuzz"] {
        assert!(places("cargo").contains(&lock.to_owned()), "{lock}");
    }
    for directory in places("cargo") {
        assert!(root().join(&directory[1..]).join("Cargo.lock").is_file(), "{directory}");
    }
    assert_eq!(places("docker"), ["/"]);
    assert_eq!(places("github-actions"), ["/"]);
}
