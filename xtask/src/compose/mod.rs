//! What the README says of containers, done: image and docker-compose.yml with a real engine, under names of
//! their own, and nothing is left of it afterwards.
//!
//! Compiling in the image takes long. Usually cargo's program takes the place of the first stage, and what follows it
//! is the Dockerfile's own.

mod checks;
mod context;
mod project;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::plugins;
use crate::shell::{self, cargo, say, target, works};
use project::Project;

/// What to put into the image.
#[derive(Args)]
pub struct Options {
    /// Compile in the image, as `docker build` does
    #[arg(long, conflicts_with = "built")]
    full: bool,
    /// Take `host` and `plugins` from this folder, such as target/release, instead of building them; the program
    /// must run with the image's C library (Debian 12)
    #[arg(long, value_name = "FOLDER")]
    built: Option<PathBuf>,
}

/// Does all of it, in order; the first that is not as it should be is the error.
pub fn run(options: &Options) -> Result<()> {
    engine()?;
    let built = if options.full { None } else { Some(built(options.built.as_deref())?) };
    let project = Project::new(built)?;
    let checks = checks::ALL;
    for (number, (what, check)) in checks.iter().enumerate() {
        check(&project).with_context(|| format!("not as it should be: {what}"))?;
        say(&format!("ok {} of {}: {what}", number + 1, checks.len()));
    }
    if options.full {
        say("left out: the program of this machine on the port of the container, since none was built");
    }
    say("containers, volumes, network and image are removed again");
    Ok(())
}

/// Makes sure that there is an engine, with all that is needed of it.
fn engine() -> Result<()> {
    const INSTALL: &str = "see https://docs.docker.com/engine/install/ (on Debian: apt-get install docker.io \
         docker-cli docker-compose docker-buildx; on Ubuntu: apt-get install docker.io docker-compose-v2 docker-buildx)";
    let docker = |arguments: &[&str]| works(Command::new("docker").args(arguments));
    ensure!(docker(&["--version"]), "install a container engine, Docker 23 or later: {INSTALL}");
    for plugin in ["compose", "buildx"] {
        ensure!(docker(&[plugin, "version"]), "install `docker {plugin}`: {INSTALL}");
    }
    if !docker(&["info"]) {
        bail!("no container engine answers; `docker info` says why. To install one, {INSTALL}");
    }
    Ok(())
}

/// The folder with `host` and `plugins`.
fn built(given: Option<&std::path::Path>) -> Result<PathBuf> {
    let Some(folder) = given else {
        plugins::build_for_users("debug")?;
        shell::run(cargo().args(["build", "--locked", "--package", "host"]))?;
        return Ok(target()?.join("debug"));
    };
    // A folder is relative to where the command was given.
    folder.canonicalize().with_context(|| format!("could not find {}", folder.display()))
}
