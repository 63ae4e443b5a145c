//! Every crate says what it is and under which licence; the compiler is the same everywhere; what is built stays
//! out of the repository.

use std::process::Command;

use serde_json::json;

use super::files::{packages, read};
use crate::shell::{output, root};

const LICENCES: &str = "MIT OR Apache-2.0";

#[test]
fn every_crate_has_its_licence_and_says_what_it_is() {
    for package in [packages("Cargo.toml"), packages("fuzz/Cargo.toml")].concat() {
        let name = &package["name"];
        assert_eq!(package["license"], LICENCES, "{name}");
        assert!(package["description"].as_str().is_some_and(|text| text.len() > 10), "{name}");
        let registries = if name == "detector-sdk" { json!(["crates-io"]) } else { json!([]) };
        assert_eq!(package["publish"], registries, "{name}: only the SDK is for a registry");
    }
    assert!(read("LICENSE-MIT").contains("Copyright (c) The host authors"));
    let apache = read("LICENSE-APACHE");
    for part in ["Version 2.0, January 2004", "9. Accepting Warranty", "END OF TERMS AND CONDITIONS"] {
        assert!(apache.contains(part), "{part}");
    }
}

#[test]
fn the_compiler_is_the_one_that_is_promised() {
    let version = packages("Cargo.toml")[0]["rust_version"].as_str().unwrap().to_owned();
    assert!(packages("Cargo.toml").iter().all(|package| package["rust_version"] == *version));
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'));
    let channel = channel.unwrap();
    assert!(channel.starts_with(&format!("{version}.")), "{channel}");
    // To the last number, or rustup fetches another one when it is built.
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains(&format!("FROM rust:{channel}-")), "{channel}");
    assert!(dockerfile.contains(&format!("ENV RUSTUP_TOOLCHAIN={channel}\n")), "{channel}");
}

#[test]
fn nothing_that_is_built_is_in_the_repository() {
    // An archive of the sources has no list of its files.
    if !root().join(".git").exists() {
        return;
    }
    // Whoever owns the folder: in a container that is often somebody else.
    let list = output(Command::new("git").current_dir(root()).args(["-c", "safe.directory=*", "ls-files"]));
    let built: Vec<String> = list
        .unwrap()
        .lines()
        .filter(|path| path.split('/').rev().skip(1).any(|folder| folder == "target"))
        .map(str::to_owned)
        .collect();
    assert_eq!(built, [""; 0]);
    assert!(read(".gitignore").lines().any(|line| line == "target/"), "in any folder");
}
