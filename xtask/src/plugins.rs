//! Builds the plugins and puts them where the host finds them by name: in the folder `plugins`
//! beside it, for every profile. Those that only tests need are in another folder, where users do not
//! meet them.

use std::fs;

use anyhow::{Context as _, Result};

use crate::setup::{WASI_TARGET, WASM_TARGET};
use crate::shell::{cargo, run, target};

/// Crates of `plugins/` that are plugins for users.
const PLUGINS: [&str; 2] = ["threshold", "zscore"];
/// Those that are for tests.
const GUESTS: [&str; 2] = ["hostile", "talkative"];
/// Those that are no plugins by themselves, only parts of one.
const PARTS: [&str; 1] = ["ensemble"];
/// Those that tests also need with WASI, under another name.
const WITH_WASI: [&str; 2] = ["hostile", "threshold"];
/// Examples of the SDK that tests need, and under which name.
const EXAMPLES: [(&str, &str); 1] = [("attribute", "abroad")];
/// Where the host looks for plugins, and where the tests do, too; beside the host.
const FOR_USERS: &str = "plugins";
const FOR_TESTS: &str = "test-plugins";
/// Folders of the target folder that the host is built into.
const PROFILES: [&str; 2] = ["debug", "release"];

/// The files of the plugins for users, in the folder `plugins`.
pub fn for_users() -> impl Iterator<Item = String> {
    PLUGINS.iter().map(|name| format!("{name}.wasm"))
}

/// Builds all plugins and copies them.
pub fn build() -> Result<()> {
    compile(WASM_TARGET, &[&PLUGINS[..], &GUESTS, &PARTS].concat())?;
    compile(WASI_TARGET, &WITH_WASI)?;
    compile_examples()?;
    let target = target()?;
    for profile in PROFILES {
        let beside_host = target.join(profile);
        for folder in [FOR_USERS, FOR_TESTS].map(|folder| beside_host.join(folder)) {
            fs::create_dir_all(&folder)
                .with_context(|| format!("could not create `{}`", folder.display()))?;
        }
        let copy = |built_for: &str, name: &str, to: &str, file: String| {
            let built = target.join(built_for).join("plugin").join(format!("{name}.wasm"));
            let to = beside_host.join(to).join(&file);
            fs::copy(built, to).with_context(|| format!("could not copy `{file}`")).map(drop)
        };
        let plain = |name: &&str| format!("{name}.wasm");
        PLUGINS.iter().try_for_each(|name| copy(WASM_TARGET, name, FOR_USERS, plain(name)))?;
        GUESTS.iter().try_for_each(|name| copy(WASM_TARGET, name, FOR_TESTS, plain(name)))?;
        let with_wasi = |name: &&str| copy(WASI_TARGET, name, FOR_TESTS, format!("{name}-wasi.wasm"));
        WITH_WASI.iter().try_for_each(with_wasi)?;
        let example = |(example, name): &(&str, &str)| {
            copy(WASM_TARGET, &format!("examples/{example}"), FOR_TESTS, format!("{name}.wasm"))
        };
        EXAMPLES.iter().try_for_each(example)?;
        // Earlier builds left them among the others.
        for name in ["hostile", "hostile-wasi", "threshold-wasi"] {
            let _ = fs::remove_file(beside_host.join(FOR_USERS).join(name).with_extension("wasm"));
        }
    }
    Ok(())
}

fn compile_examples() -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--locked", "--profile", "plugin", "--target", WASM_TARGET]);
    build.args(["--package", "detector-sdk"]);
    build.args(EXAMPLES.iter().flat_map(|(example, _)| ["--example", example]));
    run(&mut build)
}

fn compile(built_for: &str, names: &[&str]) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--locked", "--profile", "plugin", "--target", built_for]);
    build.args(names.iter().flat_map(|name| ["--package", name]));
    run(&mut build)
}
