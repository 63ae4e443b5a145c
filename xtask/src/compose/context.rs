//! What gets from a checkout into the image's context.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::project::Project;
use crate::shell::{output, root};

/// The context as an image.
const DOCKERFILE: &str = "FROM scratch\nCOPY . /\n";
/// Parts of the repository that the program is built of.
const NEEDED: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "host",
    "migrations",
    "plugins",
    "wit",
    "xtask",
];
/// What lies around in checkouts.
const NOT_OURS: [&str; 9] = [
    ".env",
    "host/.env.local",
    "secrets.txt",
    "target/debug/host",
    "fuzz/target/debug/fuzz",
    "plugins/threshold/target/threshold.wasm",
    "plugins/sdk-javascript/node_modules/left/pad.js",
    "plugins/sdk-python/.venv/bin/python",
    "data/mine.csv",
];

/// Copies the repository, adds what does not belong there, and looks at what the engine gets.
pub fn check(project: &Project) -> Result<()> {
    let (checkout, context) = (project.folder().join("checkout"), project.folder().join("context"));
    let files = repository()?;
    for file in &files {
        copy(&root().join(file), &checkout.join(file))?;
    }
    for file in NOT_OURS {
        let file = checkout.join(file);
        create_parent(&file)?;
        fs::write(&file, "not for the image")
            .with_context(|| format!("could not write {}", file.display()))?;
    }
    let dockerfile = project.folder().join("Dockerfile");
    fs::write(&dockerfile, DOCKERFILE).context("could not write a Dockerfile")?;
    let mut build = Command::new("docker");
    build.args(["build", "--quiet", "--file"]).arg(&dockerfile);
    build.arg("--output").arg(&context).arg(&checkout);
    output(&mut build)?;
    let expected: BTreeSet<PathBuf> =
        files.into_iter().filter(|file| NEEDED.iter().any(|part| file.starts_with(part))).collect();
    let found = files_in(&context)?;
    ensure!(found == expected, "too much: {:#?}, missing: {:#?}", &found - &expected, &expected - &found);
    Ok(())
}

/// What the repository has, relative to its root.
fn repository() -> Result<Vec<PathBuf>> {
    let mut list = Command::new("git");
    // Whoever owns the folder: in a container that is often somebody else.
    list.current_dir(root()).args(["-c", "safe.directory=*", "ls-files", "--cached", "--others"]);
    let files = output(list.args(["--exclude-standard", "--deduplicate"]))?;
    Ok(files.lines().map(PathBuf::from).filter(|file| root().join(file).symlink_metadata().is_ok()).collect())
}

/// Links stay links.
fn copy(from: &Path, to: &Path) -> Result<()> {
    create_parent(to)?;
    let copied = match fs::read_link(from) {
        Ok(target) => std::os::unix::fs::symlink(target, to),
        Err(_) => fs::copy(from, to).map(drop),
    };
    copied.with_context(|| format!("could not copy {}", from.display()))
}

fn create_parent(file: &Path) -> Result<()> {
    let folder = file.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))
}

/// All that are not folders, relative to this one.
fn files_in(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let list = output(Command::new("find").arg(folder).args(["!", "-type", "d", "-printf", "%P\\n"]))?;
    Ok(list.lines().map(PathBuf::from).collect())
}
