//! Builds the plugins and puts them where the host finds them by name: in the folder `plugins`
//! beside it, for every profile. Those that only tests need are in another folder, where users do not
//! meet them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::setup::{WASI_TARGET, WASM_TARGET, wasm_targets};
use crate::shell::{cargo, run, target};

/// Crates of `plugins/` that are plugins for users.
const PLUGINS: [&str; 2] = ["threshold", "zscore"];
/// Those that are for tests.
const GUESTS: [&str; 5] = ["attentive", "counting", "faithless", "hostile", "talkative"];
/// Those that are no plugins by themselves, only parts of one.
const PARTS: [&str; 1] = ["ensemble"];
/// Those that tests also need with WASI, under another name.
const WITH_WASI: [&str; 2] = ["hostile", "threshold"];
/// Examples of these crates, which tests need.
const EXAMPLES: [(&str, &[&str]); 2] = [
    ("detector-sdk", &["abroad", "velocity"]),
    (
        "kit",
        &[
            "kit-any",
            "kit-broken",
            "kit-echo",
            "kit-file",
            "kit-learning",
            "kit-per-user",
            "kit-score",
            "kit-shared",
            "kit-state",
        ],
    ),
];
/// Where the host looks for plugins, and where the tests do, too; beside the host.
const FOR_USERS: &str = "plugins";
const FOR_TESTS: &str = "test-plugins";
/// Folders of the target folder that the host is built into.
const PROFILES: [&str; 2] = ["debug", "release"];

/// The files of the plugins for users, in the folder `plugins`.
pub fn for_users() -> impl Iterator<Item = String> {
    PLUGINS.iter().map(|name| format!("{name}.wasm"))
}

/// Builds the plugins for users alone, for the host in one profile's folder: all that it takes to use it.
pub fn build_for_users(profile: &str) -> Result<()> {
    wasm_targets(&[WASM_TARGET])?;
    compile(WASM_TARGET, &PLUGINS)?;
    let target = target()?;
    let folder = created(target.join(profile).join(FOR_USERS))?;
    PLUGINS.iter().try_for_each(|name| copy(&built(&target, WASM_TARGET, name), &folder, name))
}

/// Builds all plugins and copies them, for every profile.
pub fn build() -> Result<()> {
    wasm_targets(&[WASM_TARGET, WASI_TARGET])?;
    compile(WASM_TARGET, &[&PLUGINS[..], &GUESTS, &PARTS].concat())?;
    compile(WASI_TARGET, &WITH_WASI)?;
    compile_examples()?;
    let target = target()?;
    for profile in PROFILES {
        let for_users = created(target.join(profile).join(FOR_USERS))?;
        let for_tests = created(target.join(profile).join(FOR_TESTS))?;
        for name in PLUGINS {
            copy(&built(&target, WASM_TARGET, name), &for_users, name)?;
        }
        for name in GUESTS {
            copy(&built(&target, WASM_TARGET, name), &for_tests, name)?;
        }
        for name in WITH_WASI {
            copy(&built(&target, WASI_TARGET, name), &for_tests, &format!("{name}-wasi"))?;
        }
        for name in EXAMPLES.iter().flat_map(|(_, names)| *names) {
            // As a library's file is called.
            let file = format!("examples/{}", name.replace('-', "_"));
            copy(&built(&target, WASM_TARGET, &file), &for_tests, name)?;
        }
    }
    Ok(())
}

/// Where cargo has put a plugin.
fn built(target: &Path, built_for: &str, name: &str) -> PathBuf {
    target.join(built_for).join("plugin").join(format!("{name}.wasm"))
}

fn created(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).with_context(|| format!("could not create `{}`", folder.display()))?;
    Ok(folder)
}

fn copy(plugin: &Path, folder: &Path, name: &str) -> Result<()> {
    let file = folder.join(format!("{name}.wasm"));
    fs::copy(plugin, &file).with_context(|| format!("could not copy `{}`", plugin.display())).map(drop)
}

fn compile_examples() -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--locked", "--profile", "plugin", "--target", WASM_TARGET]);
    for (package, names) in EXAMPLES {
        build.args(["--package", package]).args(names.iter().flat_map(|name| ["--example", name]));
    }
    run(&mut build)
}

fn compile(built_for: &str, names: &[&str]) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--locked", "--profile", "plugin", "--target", built_for]);
    build.args(names.iter().flat_map(|name| ["--package", name]));
    run(&mut build)
}
