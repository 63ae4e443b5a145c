//! The package for Debian and Ubuntu, made of a tree by Debian's own tools: they are where such a package is built,
//! and what is left to do is to copy files and to write a page about them.
//!
//! The program is `ingest-host` in it, because Debian's bind9-host has a `host` already; completions and man
//! pages are of that name, too. There are no scripts: nothing has to be done when it is installed or removed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use super::parts::{NAME, built, copy, create, description, emptied, program};
use crate::shell::{self, cargo, output, root, say, target, works};

/// The program's name, and the package's own.
const NAME_IN_PACKAGE: &str = "ingest-host";
/// Units of systemd, which name the program as it is in the package.
const UNITS: &str = "packaging/systemd";
/// Of the same version of the program, the first package.
const REVISION: u32 = 1;
/// Below the first line of the description, which is the one of Cargo.toml.
const ABOUT: &str = " \
 Rows and anomalies are written in one transaction, so a run is all there or not
 there. Detectors are WebAssembly components: they get no files, no network and
 no clock, and limited time and memory. Without a database, ingest-host sets up
 one of the user's own, for which PostgreSQL must be installed.";

/// What the package is made of.
#[derive(Args)]
pub struct Options {
    /// Take `host` and `plugins` from this folder, such as target/release, instead of building them
    #[arg(long, value_name = "FOLDER")]
    built: Option<PathBuf>,
}

/// How much time to take for how small a package.
#[derive(Clone, Copy)]
pub enum Packing {
    /// As others have to transfer it. Older releases do not know what Ubuntu's tools would choose.
    Small,
    /// For a test.
    Quick,
}

/// Builds everything unless it is there, and makes the package in `debian/` of the target folder.
pub fn make(options: &Options) -> Result<()> {
    let built = options.built.clone().map_or_else(built, Ok)?;
    let package = package(&built, Packing::Small)?;
    say(&format!("made {}", package.display()));
    Ok(())
}

/// Whether this machine has what packages are made with.
pub fn can_be_made() -> bool {
    ["dpkg-deb", "dpkg-shlibdeps"].iter().all(|tool| works(Command::new(tool).arg("--version")))
}

/// Makes the package of the program and the plugins in this folder; returns its file.
pub fn package(built: &Path, packing: Packing) -> Result<PathBuf> {
    ensure!(
        can_be_made(),
        "install what packages are made with (on Debian or Ubuntu: sudo apt-get install dpkg-dev)"
    );
    let folder = emptied(&target()?.join("debian"))?;
    let tree = folder.join(NAME_IN_PACKAGE);
    files(built, &tree)?;
    // Whatever this user's files are like.
    shell::run(Command::new("chmod").args(["--recursive", "u=rwX,go=rX"]).arg(&tree))?;
    control(&tree)?;
    let packing = match packing {
        Packing::Small => "-Zxz",
        Packing::Quick => "-Znone",
    };
    shell::run(
        Command::new("dpkg-deb").args(["--root-owner-group", packing, "--build"]).arg(&tree).arg(&folder),
    )?;
    let mut made = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    made.find(|path| path.extension().is_some_and(|end| end == "deb")).context("dpkg-deb made no package")
}

/// Everything where it is after the installation.
fn files(built: &Path, tree: &Path) -> Result<()> {
    let library = Path::new("lib").join(NAME_IN_PACKAGE);
    program(built, &tree.join("usr").join(&library))?;
    let share = tree.join("usr/share");
    description(built, NAME_IN_PACKAGE, &share)?;
    let commands = tree.join("usr/bin");
    create(&commands)?;
    symlink(Path::new("..").join(library).join(NAME), commands.join(NAME_IN_PACKAGE))
        .context("could not link the program")?;
    documents(&share.join("doc").join(NAME_IN_PACKAGE))?;
    units(&tree.join("usr/lib/systemd/system"))?;
    // As all of Debian's are.
    let pages = share.join("man/man1");
    compress(&pages.read_dir()?.flatten().map(|page| page.path()).collect::<Vec<_>>())
}

fn documents(folder: &Path) -> Result<()> {
    create(folder)?;
    copy(&root().join("README.md"), &folder.join("README.md"))?;
    copy(&root().join("CHANGELOG.md"), &folder.join("changelog"))?;
    compress(&[folder.join("changelog")])?;
    let licence = fs::read_to_string(root().join("LICENSE-MIT")).context("could not read LICENSE-MIT")?;
    let copyright = format!(
        "Under either of the Apache License, Version 2.0, which is in\n\
         /usr/share/common-licenses/Apache-2.0, and the following, at your option.\n\n{licence}"
    );
    fs::write(folder.join("copyright"), copyright).context("could not write the copyright")
}

/// Makes `name.gz` of each file; the same bytes each time.
fn compress(files: &[PathBuf]) -> Result<()> {
    output(Command::new("gzip").args(["--best", "--no-name", "--force"]).args(files)).map(drop)
}

/// All that there are. Nothing is started by them: they are for whoever enables one.
fn units(folder: &Path) -> Result<()> {
    let Ok(units) = root().join(UNITS).read_dir() else { return Ok(()) };
    create(folder)?;
    let mut units =
        units.flatten().filter(|unit| unit.path().extension().is_some_and(|end| end == "service"));
    units.try_for_each(|unit| copy(&unit.path(), &folder.join(unit.file_name())))
}

/// What dpkg reads of the package.
fn control(tree: &Path) -> Result<()> {
    let size =
        output(Command::new("du").args(["--summarize", "--apparent-size", "--block-size=1K"]).arg(tree))?;
    let kibibytes = size.split_whitespace().next().context("du has printed nothing")?;
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let text = format!(
        "Package: {NAME_IN_PACKAGE}\nVersion: {}-{REVISION}\nArchitecture: {}\nSection: database\nPriority: optional\n\
         Maintainer: The host authors\nInstalled-Size: {kibibytes}\nDepends: {}\nRecommends: postgresql\n\
         Description: {}\n{ABOUT}\n",
        env!("CARGO_PKG_VERSION"),
        architecture.trim(),
        libraries(&tree.join("usr/lib").join(NAME_IN_PACKAGE).join(NAME))?,
        about()?,
    );
    let folder = tree.join("DEBIAN");
    create(&folder)?;
    fs::write(folder.join("control"), text).context("could not write the package's description")
}

/// The packages of the libraries that the program is linked with, of the versions that it needs.
fn libraries(program: &Path) -> Result<String> {
    // It looks for the source of a package around it.
    let source = tempfile::tempdir().context("could not make a temporary folder")?;
    create(&source.path().join("debian"))?;
    fs::write(
        source.path().join("debian/control"),
        format!("Source: {NAME_IN_PACKAGE}\n\nPackage: {NAME_IN_PACKAGE}\nArchitecture: any\n"),
    )?;
    let found = output(Command::new("dpkg-shlibdeps").arg("-O").arg(program).current_dir(source.path()))?;
    let found = found.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    Ok(found.context("dpkg-shlibdeps found no libraries")?.to_owned())
}

/// What Cargo.toml says of the program.
fn about() -> Result<String> {
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("read cargo's metadata")?;
    let packages = metadata["packages"].as_array().context("find the crates in cargo's metadata")?;
    let host = packages.iter().find(|package| package["name"] == NAME).context("find the crate `host`")?;
    host["description"].as_str().map(str::to_owned).context("find the description of the crate `host`")
}
