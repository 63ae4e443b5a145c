//! The programs that are measured, and those that measure: the host, psql, and the plugins.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::setup;
use crate::shell::{self, cargo, output, say, target};

/// Paths of what is run.
pub struct Programs {
    pub host: PathBuf,
    /// From this working tree, not given by `--host`.
    pub is_built_here: bool,
    /// PostgreSQL's own, not a distribution's wrapper around it, which takes longer to start.
    pub psql: PathBuf,
    /// The folder of the plugins, built from this working tree.
    pub plugins: PathBuf,
}

impl Programs {
    /// Builds the host, unless another one is given; installs PostgreSQL where it is missing.
    pub fn find(given_host: Option<&Path>) -> Result<Programs> {
        let target = target()?;
        let host = match given_host {
            Some(host) => host.canonicalize().with_context(|| format!("find {}", host.display()))?,
            None => {
                shell::run(cargo().args(["build", "--release", "--locked", "--package", "host"]))?;
                target.join("release/host")
            }
        };
        setup::postgresql(&host)?;
        let psql = Path::new(output(Command::new(&host).args(["db", "programs"]))?.trim()).join("psql");
        ensure!(psql.is_file(), "psql is to be in the folder that `host db programs` prints");
        say(&format!("measuring {}", host.display()));
        Ok(Programs {
            host,
            is_built_here: given_host.is_none(),
            psql,
            plugins: target.join("release/plugins"),
        })
    }
}
