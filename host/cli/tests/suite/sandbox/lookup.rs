//! Which file a plugin's name leads to.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Files, finish, host, plugin, sample, succeed, test_plugins};

/// A copy of the plugin in a new folder of these files.
fn put(files: &Files, folder: &str, name: &str, of: &str) {
    fs::create_dir_all(files.path().join(folder)).unwrap();
    files.write(&format!("{folder}/{name}"), fs::read(plugin(of)).unwrap());
}

/// Looks plugins up in the folder `installed`, as a user without any others, from the folder `here`.
fn check(files: &Files, name: &str) -> Command {
    let mut command = host();
    command.current_dir(files.path().join("here")).env("HOST_DATA_DIR", files.path().join("data"));
    command.env("HOST_PLUGIN_PATH", files.path().join("installed"));
    command.args(["check", "--plugin", name]).arg(sample());
    command
}

#[test]
fn the_current_folder_is_one_of_the_places() {
    let files = Files::new();
    put(&files, "here", "threshold.wasm", "zscore");
    for name in ["threshold", "threshold.wasm"] {
        let finished = finish(&mut check(&files, name));
        assert_eq!(finished.code, 4, "{}", finished.stderr);
        for place in ["`./threshold.wasm`", "/plugins/threshold.wasm`"] {
            assert!(finished.stderr.contains(place), "{}", finished.stderr);
        }
    }
    // A path says which.
    succeed(&mut check(&files, "./threshold.wasm"));
    succeed(&mut check(&files, "./threshold"));
    // The same file everywhere is no question.
    put(&files, "here", "threshold.wasm", "threshold");
    put(&files, "installed", "threshold.wasm", "threshold");
    succeed(&mut check(&files, "threshold"));
    succeed(&mut check(&files, "threshold.wasm"));
}

#[test]
fn every_name_that_is_listed_is_found() {
    let files = Files::new();
    fs::create_dir(files.path().join("here")).unwrap();
    for name in ["fraud-1.2.0", "detector.v2", "with blank", "ünï", "a.wasm"] {
        put(&files, "installed", &format!("{name}.wasm"), "threshold");
    }
    let mut list = host();
    list.env("HOST_PLUGIN_PATH", files.path().join("installed")).args(["plugin", "list", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&succeed(&mut list)).unwrap();
    let names: Vec<_> = list["plugins"].as_array().unwrap().iter().collect();
    assert!(names.len() >= 5 + 2);
    for entry in names {
        assert_eq!(entry["is_unambiguous"], true, "{entry}");
        succeed(&mut check(&files, entry["name"].as_str().unwrap()));
    }
}

#[test]
fn a_name_that_is_nearly_right_is_proposed() {
    let files = Files::new();
    fs::create_dir(files.path().join("here")).unwrap();
    for name in ["treshold", "treshold.wasm"] {
        let finished = finish(&mut check(&files, name));
        assert_eq!(finished.code, 4);
        assert!(finished.stderr.contains("help: did you mean `threshold`?\n"), "{}", finished.stderr);
    }
}

/// What `cargo xtask plugins` makes for tests is not among what users see.
#[test]
fn users_see_stock_plugins_only() {
    let mut list = host();
    list.env_remove("HOST_PLUGIN_PATH").env("HOST_DATA_DIR", Files::new().path());
    let list = succeed(list.args(["plugin", "list", "--format", "json"]));
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let names: Vec<_> = list["plugins"].as_array().unwrap().iter().map(|plugin| &plugin["name"]).collect();
    assert_eq!(names, ["threshold", "zscore"]);
    assert!(Path::new(&test_plugins().join("hostile.wasm")).is_file());
}
