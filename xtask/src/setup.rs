//! What a fresh machine lacks: installed where that can be done, named where it cannot.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{cargo, output, path, run, say, works};

/// What plugins are compiled to: no imports but the contract's.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// The same with WASI, as many toolchains do it.
pub const WASI_TARGET: &str = "wasm32-wasip2";

/// The standard libraries for plugins that are built for these, by rustup.
pub fn wasm_targets(targets: &[&str]) -> Result<()> {
    let sysroot =
        output(Command::new("rustc").args(["--print", "sysroot"]).current_dir(crate::shell::root()))?;
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib");
    let missing = targets.iter().filter(|name| !libraries.join(name).is_dir());
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

/// What the templates of `host plugin new` are built with, installed as they themselves do it, into
/// the target folder; the tests use it.
pub fn authors_tools(tools: &Path) -> Result<()> {
    let programs = [
        ("make", ["--version"].as_slice(), "make"),
        ("python3", &["-c", "import ensurepip, venv"], "python3-venv"),
        ("node", &["--version"], "nodejs"),
        ("npm", &["--version"], "npm"),
    ];
    for (program, probe, package) in programs {
        program_of(program, probe, package)?;
    }
    let templates = crate::shell::root().join("host/cli/templates");
    for (language, tool) in [("python", "bin/componentize-py"), ("c", "bin/python-zig"), ("go", "bin/go")] {
        let folder = tools.join(language);
        if !folder.join(tool).is_file() {
            let mut make = Command::new("make");
            make.arg("--directory").arg(templates.join(language)).arg("tools").env("VENV", &folder);
            if run(&mut make).is_err() {
                bail!(
                    "install what `host/cli/templates/{language}/requirements.txt` names: python3 needs its module venv, and PyPI"
                );
            }
        }
    }
    let by_npm =
        [("javascript", "componentize-qjs"), ("typescript", "componentize-qjs"), ("assemblyscript", "asc")];
    for (language, tool) in by_npm {
        let folder = tools.join(language);
        if !folder.join("node_modules/.bin").join(tool).is_file() {
            std::fs::create_dir_all(&folder)?;
            let needed = templates.join(language).join("package.json");
            std::fs::copy(&needed, folder.join("package.json"))?;
            let npm = |arguments: &[&str]| {
                let mut npm = Command::new("npm");
                run(npm.args(arguments).current_dir(&folder).env("npm_config_cache", tools.join("npm-cache")))
            };
            // The SDK is a part of each project.
            let installed = npm(&["pkg", "delete", "dependencies"]).and_then(|()| npm(&["install"]));
            if installed.is_err() {
                bail!("install what `{}` names, with npm", needed.display());
            }
        }
    }
    Ok(())
}

/// A Python with these packages from PyPI, in an environment of its own in this folder, which is made.
pub fn python(folder: &Path, packages: &[&str]) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    run(Command::new(folder.join("bin/python3")).args(["-m", "pip", "install", "--quiet"]).args(packages))
}

/// What the tests put between the host and the server.
pub fn pgbouncer() -> Result<()> {
    program_of("pgbouncer", &["--version"], "pgbouncer")
}

/// A program that is tried by these arguments, by a package of the system.
fn program_of(program: &str, probe: &[&str], package: &str) -> Result<()> {
    if works(Command::new(program).args(probe).env("PATH", path())) {
        return Ok(());
    }
    say(&format!("{program} is missing, or a part of it"));
    apt_install(&[package], || {
        format!("install {program} (on Debian or Ubuntu: sudo apt-get install {package})")
    })
}

/// PostgreSQL's programs, by the system's packages. `host` is the built program, which knows
/// where it looks for them.
pub fn postgresql(host: &Path) -> Result<()> {
    let is_there = || works(Command::new(host).args(["db", "programs"]));
    if is_there() {
        return Ok(());
    }
    say("PostgreSQL is missing");
    let help = || {
        "install PostgreSQL 13 or later: its server and psql (on Debian or Ubuntu: sudo apt-get install postgresql)".to_owned()
    };
    // Without the package's own cluster: nothing is to listen on port 5432.
    apt_install(&["postgresql-common"], help)?;
    std::fs::write("/etc/postgresql-common/createcluster.conf", "create_main_cluster = false\n")?;
    apt_install(&["postgresql"], help)?;
    if !is_there() {
        bail!("PostgreSQL was installed, but `host db programs` does not find it");
    }
    Ok(())
}

/// Installs packages of the system as root on Debian or Ubuntu; elsewhere, `help` is the error.
fn apt_install(packages: &[&str], help: impl Fn() -> String) -> Result<()> {
    let on_debian = Path::new("/etc/debian_version").exists();
    let is_root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !(on_debian && is_root) {
        bail!(help());
    }
    let apt = |arguments: &[&str]| {
        run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update"])?;
    apt(&[&["install", "--yes", "--no-install-recommends"], packages].concat())
}
