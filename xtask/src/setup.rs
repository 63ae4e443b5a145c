//! What a fresh machine lacks: installed where that can be done, named where it cannot.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{cargo, output, run, say, works};

/// What plugins are compiled to: no imports but the contract's.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// The same with WASI, as many toolchains do it.
pub const WASI_TARGET: &str = "wasm32-wasip2";

/// The standard libraries for plugins, by rustup.
pub fn wasm_targets() -> Result<()> {
    let sysroot =
        output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(crate::shell::root()))?;
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib");
    let missing = [WASM_TARGET, WASI_TARGET].into_iter().filter(|name| !libraries.join(name).is_dir());
    for name in missing {
        let mut add = Command::new("rustup");
        add.args(["target", "add", name]).current_dir(crate::shell::root());
        if run(&mut add).is_err() {
            bail!("install the Rust target: rustup target add {name}");
        }
    }
    Ok(())
}

/// The test runner, by cargo.
pub fn nextest() -> Result<()> {
    if works(cargo().args(["nextest", "--version"])) {
        return Ok(());
    }
    say("cargo-nextest is missing; building it takes a few minutes");
    if run(cargo().args(["install", "--locked", "cargo-nextest"])).is_err() {
        bail!("install the test runner: cargo install --locked cargo-nextest");
    }
    Ok(())
}

/// PostgreSQL's programs, by the system's packages. `host` is the built program, which knows
/// where it looks for them.
pub fn postgresql(host: &Path) -> Result<()> {
    let is_there = || works(Command::new(host).args(["db", "programs"]));
    if is_there() {
        return Ok(());
    }
    let on_debian = Path::new("/etc/debian_version").exists();
    let is_root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !(on_debian && is_root) {
        bail!(
            "install PostgreSQL 13 or later: its server and psql (on Debian or Ubuntu: sudo apt-get install postgresql)"
        );
    }
    say("PostgreSQL is missing");
    let apt = |arguments: &[&str]| {
        run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update"])?;
    // Without the package's own cluster: nothing is to listen on port 5432.
    apt(&["install", "--yes", "postgresql-common"])?;
    std::fs::write("/etc/postgresql-common/createcluster.conf", "create_main_cluster = false\n")?;
    apt(&["install", "--yes", "--no-install-recommends", "postgresql"])?;
    if !is_there() {
        bail!("PostgreSQL was installed, but `host db programs` does not find it");
    }
    Ok(())
}
