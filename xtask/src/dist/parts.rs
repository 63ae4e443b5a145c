//! What is in the archive as well as in the package.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::plugins;
use crate::shell::{self, cargo, output, target};

/// The program's.
pub const NAME: &str = "host";
/// Shells, and the files in which they look for completions, where `{}` is the program's name.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/{}"),
    ("fish", "fish/vendor_completions.d/{}.fish"),
    ("zsh", "zsh/vendor-completions/_{}"),
];
/// Builds program and plugins as a release has them; returns their folder.
pub fn built() -> Result<PathBuf> {
    plugins::build_for_users("release")?;
    shell::run(cargo().args(["build", "--release", "--locked", "--package", "host"]))?;
    Ok(target()?.join("release"))
}

/// The program, and beside it the plugins, where it looks for them.
pub fn program(built: &Path, folder: &Path) -> Result<()> {
    create(&folder.join("plugins"))?;
    copy(&built.join(NAME), &folder.join(NAME))?;
    plugins::for_users().try_for_each(|file| {
        let place = Path::new("plugins").join(file);
        copy(&built.join(&place), &folder.join(&place))?;
        // The compiler makes them executable, which they are not for the system.
        fs::set_permissions(folder.join(&place), PermissionsExt::from_mode(0o644))
            .with_context(|| format!("could not set the permissions of {}", place.display()))
    })
}

/// Man pages and completions, of the name that the program will have.
pub fn description(built: &Path, name: &str, share: &Path) -> Result<()> {
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

/// A folder with nothing in it that was made before.
pub fn emptied(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("could not remove {}", folder.display()))?;
    }
    create(folder)?;
    Ok(folder.to_owned())
}

/// A folder, and those that it is in.
pub fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))
}

/// A file with its permissions.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("could not copy {}", from.display())).map(drop)
}
