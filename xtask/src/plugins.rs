//! Builds the plugins and puts them where the host finds them by name: in the folder `plugins`
//! beside it, for every profile.

use std::fs;

use anyhow::{Context as _, Result};

use crate::setup::WASM_TARGET;
use crate::shell::{cargo, run, target};

/// Crates of `plugins/` that are plugins.
const PLUGINS: [&str; 3] = ["hostile", "threshold", "zscore"];
/// Folders of the target folder that the host is built into.
const PROFILES: [&str; 2] = ["debug", "release"];

/// Builds all plugins and copies them.
pub fn build() -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--profile", "plugin", "--target", WASM_TARGET]);
    build.args(PLUGINS.iter().flat_map(|name| ["--package", name]));
    run(&mut build)?;
    let target = target()?;
    let built = target.join(WASM_TARGET).join("plugin");
    for profile in PROFILES {
        let folder = target.join(profile).join("plugins");
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        for name in PLUGINS {
            let file = format!("{name}.wasm");
            fs::copy(built.join(&file), folder.join(&file)).with_context(|| format!("copy {file}"))?;
        }
    }
    Ok(())
}
