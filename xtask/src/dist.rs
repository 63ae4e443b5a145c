//! What a release consists of, for the machine that builds it: an archive, and the tree that
//! `cargo deb` makes a package of (`package.metadata.deb` in the manifest of `host`).
//!
//! In the archive, the program is `host`. The package calls it `ingest-host`, because Debian's
//! bind9-host has a `host` already; completions and man pages are of that name then.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::plugins;
use crate::shell::{self, cargo, output, root, say, target};

const NAME: &str = "host";
/// The program's name in the package, and the package's own.
pub const NAME_IN_PACKAGE: &str = "ingest-host";
/// Shells, and the files in which they look for completions, where `{}` is the program's name.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/{}"),
    ("fish", "fish/vendor_completions.d/{}.fish"),
    ("zsh", "zsh/vendor-completions/_{}"),
];
/// What whoever gets the program must be able to read.
const DOCUMENTS: [&str; 4] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md"];

/// Where the completions are, in the package.
#[cfg(test)]
pub fn scripts() -> Vec<String> {
    SHELLS.iter().map(|(_, place)| format!("usr/share/{}", place.replace("{}", NAME_IN_PACKAGE))).collect()
}

/// Builds everything, and makes `dist/` in the target folder.
pub fn make() -> Result<()> {
    plugins::build_for_users("release")?;
    shell::run(cargo().args(["build", "--release", "--locked", "--package", "host"]))?;
    let target = target()?;
    let built = target.join("release");
    let dist = target.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).with_context(|| format!("could not remove {}", dist.display()))?;
    }
    let archive = archive(&built, &dist)?;
    package_tree(&built, &dist.join("deb"))?;
    say(&format!("made {} and {}", archive.display(), dist.join("deb").display()));
    Ok(())
}

/// `host-0.1.0-x86_64-linux.tar.gz`, with one folder of the same name.
fn archive(built: &Path, dist: &Path) -> Result<PathBuf> {
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

/// Everything where it is after the installation.
fn package_tree(built: &Path, tree: &Path) -> Result<()> {
    program(built, &tree.join("usr/lib").join(NAME_IN_PACKAGE))?;
    description(built, NAME_IN_PACKAGE, &tree.join("usr/share"))?;
    let link = tree.join("usr/bin").join(NAME_IN_PACKAGE);
    create(&tree.join("usr/bin"))?;
    symlink(Path::new("../lib").join(NAME_IN_PACKAGE).join(NAME), &link)
        .with_context(|| format!("could not link {}", link.display()))
}

/// The program, and beside it the plugins, where it looks for them.
fn program(built: &Path, folder: &Path) -> Result<()> {
    create(&folder.join("plugins"))?;
    copy(&built.join(NAME), &folder.join(NAME))?;
    plugins::for_users().try_for_each(|file| {
        let place = Path::new("plugins").join(file);
        copy(&built.join(&place), &folder.join(&place))
    })
}

/// Man pages and completions, of the name that the program will have.
fn description(built: &Path, name: &str, share: &Path) -> Result<()> {
    let host = || {
        let mut host = Command::new(built.join(NAME));
        host.arg0(name);
        host
    };
    shell::run(host().arg("man").arg(share.join("man/man1")))?;
    for (shell, place) in SHELLS {
        let file = share.join(place.replace("{}", name));
        create(file.parent().context("completions are in folders")?)?;
        let script = output(host().args(["completions", shell]))?;
        fs::write(&file, script).with_context(|| format!("could not write {}", file.display()))?;
    }
    Ok(())
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("could not copy {}", from.display())).map(drop)
}
