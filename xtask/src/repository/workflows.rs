//! The workflows ask for what there is: tasks, packages, files, fuzz targets; they run on the versions that
//! are promised; and they may do no more than they must.

use std::collections::BTreeSet;
use std::fs;

use clap::Parser as _;
use serde_json::{Value, json};

use super::files::{files, packages, read, texts, yaml};
use crate::shell::root;
use crate::task::Task;
use crate::test::postgresql;

/// A job, and what to call it where something is wrong with it.
struct Job {
    name: String,
    job: Value,
}

impl Job {
    fn steps(&self) -> impl Iterator<Item = &Value> {
        self.job["steps"].as_array().unwrap().iter()
    }

    /// The lines of its scripts; what is continued is one line.
    fn lines(&self) -> Vec<String> {
        let scripts = self.steps().filter_map(|step| step["run"].as_str());
        let joined = scripts.map(|script| script.replace("\\\n", " "));
        joined.flat_map(|script| script.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

fn jobs() -> Vec<Job> {
    let of_file = |file: std::path::PathBuf| {
        let jobs = yaml(&file)["jobs"].as_object().unwrap().clone();
        let file = file.file_name().unwrap().to_string_lossy().into_owned();
        jobs.into_iter().map(move |(name, job)| Job { name: format!("{file}, {name}"), job })
    };
    files(".github/workflows", ".yml").into_iter().flat_map(of_file).collect()
}

/// Of the jobs' matrices, the values of this dimension; one list for every job that has it.
fn matrices(dimension: &str) -> Vec<Vec<String>> {
    let jobs = jobs();
    let lists = jobs.iter().filter_map(|job| job.job["strategy"]["matrix"].get(dimension));
    lists.map(texts).collect()
}

/// What follows a program's name in a line of a script, up to where the shell does something else.
fn arguments(line: &str, program: &str) -> Option<Vec<String>> {
    let (_, rest) = line.split_once(program)?;
    let words = rest.split_whitespace().take_while(|word| !word.starts_with(['>', '|', '&', ';']));
    Some(words.map(|word| word.trim_matches('"').to_owned()).collect())
}

#[test]
fn they_may_do_no_more_than_they_must() {
    for file in files(".github/workflows", ".yml") {
        assert_eq!(yaml(&file)["permissions"], json!({ "contents": "read" }), "{}", file.display());
    }
    for Job { name, job } in jobs() {
        let permissions = job["permissions"].as_object().cloned().unwrap_or_default();
        let writes: BTreeSet<&str> =
            permissions.iter().filter(|(_, may)| *may == "write").map(|(what, _)| what.as_str()).collect();
        let expected: &[&str] = match name.as_str() {
            "release.yml, image" => &["packages"],
            "release.yml, publish" => &["contents", "packages"],
            _ => &[],
        };
        assert_eq!(writes, expected.iter().copied().collect(), "{name}");
        assert!(job["timeout-minutes"].is_number(), "{name}: an hour is enough for anything");
    }
}

/// A tag can be moved; a commit cannot. What it is called is for people, and for dependabot.
#[test]
fn actions_are_commits() {
    for file in files(".github/workflows", ".yml") {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines().filter_map(|line| line.split_once("uses: ")).map(|(_, action)| action) {
            let (action, version) = line.split_once(" # v").unwrap_or_else(|| panic!("{line}"));
            let (name, commit) = action.split_once('@').unwrap();
            assert!(name.starts_with("actions/"), "{line}: another's");
            assert!(commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{line}");
            assert_eq!(version.split('.').count(), 3, "{line}");
        }
    }
    for job in jobs() {
        for checkout in job.steps().filter(|step| step["uses"].to_string().contains("checkout@")) {
            assert_eq!(checkout["with"]["persist-credentials"], false, "{}", job.name);
        }
    }
}

#[test]
fn tasks_packages_and_files_exist() {
    let packages = packages("Cargo.toml");
    let (mut tasks, mut names) = (0, 0);
    for job in jobs() {
        for line in job.lines() {
            if let Some(arguments) = arguments(&line, "cargo xtask ") {
                tasks += 1;
                let parsed = Task::try_parse_from(std::iter::once("xtask".to_owned()).chain(arguments));
                assert!(parsed.is_ok(), "{}: {line}", job.name);
            }
            let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches('"')).collect();
            for pair in words.windows(2).filter(|pair| pair[0] == "--package") {
                names += 1;
                assert!(packages.iter().any(|package| package["name"] == pair[1]), "{}: {line}", job.name);
            }
            for word in words.iter().filter(|word| is_ours(word)) {
                assert!(root().join(word).exists(), "{}: {word}", job.name);
            }
        }
    }
    assert!(tasks >= 6 && names >= 1, "{tasks} tasks, {names} packages");
}

/// Whether a word is the path of something in the repository.
fn is_ours(word: &str) -> bool {
    word.split_once('/').is_some_and(|(folder, _)| {
        ["data", "fuzz", "host", "migrations", "plugins", "xtask"].contains(&folder) && !word.contains('*')
    })
}

#[test]
fn they_cover_what_is_supported() {
    assert_eq!(matrices("postgresql"), [postgresql::majors()]);
    let targets = packages("fuzz/Cargo.toml")[0]["targets"].as_array().unwrap().clone();
    let mut targets: Vec<String> =
        targets.iter().map(|target| target["name"].as_str().unwrap().to_owned()).collect();
    targets.sort();
    assert_eq!(matrices("target"), [targets]);

    let version = packages("Cargo.toml")[0]["rust_version"].as_str().unwrap().to_owned();
    assert_eq!(matrices("rust"), [[version.clone(), "stable".into()]]);
    for Job { name, job } in jobs() {
        if let Some(image) = job["container"]["image"].as_str() {
            assert!(image.starts_with(&format!("rust:{version}-")), "{name}: {image}");
        }
    }
    let runners: Vec<String> = matrices("runner").concat();
    for runner in ["ubuntu-24.04", "ubuntu-24.04-arm", "ubuntu-22.04", "ubuntu-22.04-arm"] {
        assert!(runners.contains(&runner.to_owned()), "{runner}");
    }
}

/// The tag's name is the version, and what is published is what was built.
#[test]
fn a_release_is_what_was_built() {
    let release = yaml(&root().join(".github/workflows/release.yml"));
    assert_eq!(release["on"], json!({ "push": { "tags": ["v*"] } }));
    let jobs = &release["jobs"];
    assert_eq!(jobs["publish"]["needs"], json!(["binaries", "image"]));
    for job in ["binaries", "image"] {
        assert_eq!(jobs[job]["needs"], "notes");
    }
    let ci = read(".github/workflows/ci.yml");
    let build = |text: &str| {
        let tasks = ["- run: cargo xtask dist", "- run: cargo xtask deb"];
        text.lines().map(str::trim).filter(|line| tasks.contains(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    let built = build(&read(".github/workflows/release.yml"));
    assert_eq!(built.len(), 2, "{built:?}");
    assert_eq!(build(&ci), built, "CI tries what a release does");
}
