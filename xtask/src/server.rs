//! A throwaway PostgreSQL, for the tests and for the benchmarks: the host's own embedded server in a
//! folder of its own, so it is set up as it is for users, and touches nothing of theirs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell::{output, say};

/// It runs as long as this lives; then it is stopped and its folder removed.
pub struct Server {
    host: PathBuf,
    folder: tempfile::TempDir,
    /// For psql and everything else that takes one.
    pub url: String,
}

impl Server {
    /// Makes and starts one by a built `host`.
    pub fn start(host: &Path) -> Result<Server> {
        let folder =
            tempfile::Builder::new().prefix("host-test-").tempdir().context("make a temporary folder")?;
        // As root, the server runs as another user, who must be able to get at it.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let mut server = Server { host: host.to_owned(), folder, url: String::new() };
        server.url = output(&mut server.host_db("start"))?.trim().to_owned();
        Ok(server)
    }

    /// For whatever else is to be gone with the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process that is the parent of all others of the server.
    pub fn postmaster_pid(&self) -> Result<u32> {
        let file = self.folder.path().join("postgresql/data/postmaster.pid");
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        // The first line, by PostgreSQL's `pidfile.h`.
        text.lines().next().unwrap_or_default().trim().parse().context("read the postmaster's process number")
    }

    fn host_db(&self, what: &str) -> Command {
        let mut command = Command::new(&self.host);
        command.args(["db", what]).env("HOST_DATA_DIR", self.folder.path());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The result is what matters; a server that does not stop is worth a word.
        if let Err(error) = output(&mut self.host_db("stop")) {
            say(&format!("{error:#}"));
        }
    }
}
