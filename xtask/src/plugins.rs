//! Builds the plugins and puts them where the host finds them by name: in the folder `plugins`
//! beside it, for every profile.

use std::fs;

use anyhow::{Context as _, Result};

use crate::setup::{WASI_TARGET, WASM_TARGET};
use crate::shell::{cargo, run, target};

/// Crates of `plugins/` that are plugins.
const PLUGINS: [&str; 3] = ["hostile", "threshold", "zscore"];
/// Those that are no plugins by themselves, only parts of one.
const PARTS: [&str; 1] = ["ensemble"];
/// Those that are also built with WASI, under another name.
const WITH_WASI: [&str; 2] = ["hostile", "threshold"];
/// Folders of the target folder that the host is built into.
const PROFILES: [&str; 2] = ["debug", "release"];

/// Builds all plugins and copies them.
pub fn build() -> Result<()> {
    compile(WASM_TARGET, &[&PLUGINS[..], &PARTS].concat())?;
    compile(WASI_TARGET, &WITH_WASI)?;
    let target = target()?;
    for profile in PROFILES {
        let folder = target.join(profile).join("plugins");
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let copy = |built_for: &str, name: &str, file: String| {
            let built = target.join(built_for).join("plugin").join(format!("{name}.wasm"));
            fs::copy(built, folder.join(&file)).with_context(|| format!("copy {file}")).map(drop)
        };
        PLUGINS.iter().try_for_each(|name| copy(WASM_TARGET, name, format!("{name}.wasm")))?;
        WITH_WASI.iter().try_for_each(|name| copy(WASI_TARGET, name, format!("{name}-wasi.wasm")))?;
    }
    Ok(())
}

fn compile(built_for: &str, names: &[&str]) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--locked", "--profile", "plugin", "--target", built_for]);
    build.args(names.iter().flat_map(|name| ["--package", name]));
    run(&mut build)
}
