//! The files of the repository, as the tests read them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::shell::{cargo, output, root};

/// A file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files in a folder of the repository that end like this.
pub fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.is_file() && path.to_string_lossy().ends_with(end)).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder}");
    files
}

/// As templates and workflows are read: JSON's kinds of values are enough.
pub fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    // Not at once, which would take the last of two keys that are the same.
    let value: Result<serde_yaml_ng::Value, _> = serde_yaml_ng::from_str(&text);
    serde_json::to_value(value.unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// The crates of a workspace, as cargo knows them.
pub fn packages(manifest: &str) -> Vec<Value> {
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version=1", "--no-deps", "--offline", "--manifest-path", manifest]);
    let metadata: Value = serde_json::from_str(&output(&mut metadata).unwrap()).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The items of a list, as texts.
pub fn texts(list: &Value) -> Vec<String> {
    let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    list.as_array().unwrap_or_else(|| panic!("{list} is not a list")).iter().map(text).collect()
}
