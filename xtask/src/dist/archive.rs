//! The archive: one folder with the program, which is `host` in it, wherever somebody unpacks that.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::parts::{NAME, built, copy, description, emptied, program};
use crate::shell::{self, root, say, target};

/// What whoever gets the program must be able to read.
const DOCUMENTS: [&str; 4] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md"];

/// Builds everything, and makes the archive, in `dist/` of the target folder.
pub fn make() -> Result<()> {
    let made = make_archive(&built()?, &emptied(&target()?.join("dist"))?)?;
    say(&format!("made {}", made.display()));
    Ok(())
}

/// `host-0.1.0-x86_64-linux.tar.gz`, with one folder of the same name.
fn make_archive(built: &Path, dist: &Path) -> Result<PathBuf> {
    let name = format!("{NAME}-{}-{}-linux", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let folder = dist.join(&name);
    program(built, &folder)?;
    description(built, NAME, &folder.join("share"))?;
    DOCUMENTS.iter().try_for_each(|document| copy(&root().join(document), &folder.join(document)))?;
    let archive = dist.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    // Whoever unpacks it is the owner, and the order of files is the same everywhere.
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--create", "--gzip", "--file"]);
    shell::run(tar.arg(&archive).arg("--directory").arg(dist).arg(&name))?;
    Ok(archive)
}
