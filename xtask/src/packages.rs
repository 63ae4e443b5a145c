//! The SDKs as what the registries of their languages take, in the folder `packages` of the target folder: a crate, a
//! source archive and a wheel for Python, and an archive for npm. Nothing is published; CONTRIBUTING.md says how.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::setup;
use crate::shell::{self, cargo, root, say, target, works};

/// What Python's packages are built with.
const PYTHON_BUILD: [&str; 2] = ["build==1.6.1", "setuptools==84.2.1"];

/// Makes all of them.
pub fn build() -> Result<()> {
    let target = target()?;
    let packages = target.join("packages");
    if packages.exists() {
        fs::remove_dir_all(&packages).with_context(|| format!("could not remove {}", packages.display()))?;
    }
    // In the repository, licences and contract are links, which npm would leave out.
    let sources = packages.join("sources");
    fs::create_dir_all(&sources).with_context(|| format!("could not create {}", sources.display()))?;
    for sdk in ["sdk-python", "sdk-javascript"] {
        let copy = ["--recursive", "--dereference"];
        shell::run(Command::new("cp").args(copy).arg(root().join("plugins").join(sdk)).arg(&sources))?;
    }
    crate_for_rust(&target, &packages)?;
    for_python(&target, &sources.join("sdk-python"), &packages)?;
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", "--pack-destination"]).arg(&packages);
    shell::run(npm.current_dir(sources.join("sdk-javascript")))?;
    say(&format!("made {}", packages.display()));
    Ok(())
}

/// Not compiled once more here: the tests build a project with it.
fn crate_for_rust(target: &Path, packages: &Path) -> Result<()> {
    let package = ["package", "--package", "detector-sdk", "--no-verify", "--allow-dirty", "--quiet"];
    shell::run(cargo().args(package))?;
    let made = target.join("package");
    for entry in fs::read_dir(&made).with_context(|| format!("could not read {}", made.display()))? {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|end| end == "crate")) {
            fs::copy(&path, packages.join(name))
                .with_context(|| format!("could not copy {}", path.display()))?;
        }
    }
    Ok(())
}

fn for_python(target: &Path, sources: &Path, packages: &Path) -> Result<()> {
    let environment = target.join("python-build");
    let python = environment.join("bin/python");
    if !works(Command::new(&python).args(["-m", "build", "--version"])) {
        setup::python(&environment, &PYTHON_BUILD).with_context(|| {
            format!("building the package for Python needs {} from PyPI", PYTHON_BUILD.join(" and "))
        })?;
    }
    let mut build = Command::new(&python);
    build.args(["-m", "build", "--no-isolation", "--outdir"]).arg(packages).arg(sources);
    shell::run(&mut build)
}
