//! A throwaway PostgreSQL, for the tests and for the benchmarks: the host's own embedded server in a
//! folder of its own, so it is set up as it is for users, and touches nothing of theirs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::caretaker::Caretaker;
use crate::shell::output;
use crate::user::User;

/// The host's folder is in the environment.
const CLEAN_UP: &str = r#""$0" db stop; rm -rf -- "$HOST_DATA_DIR""#;

/// It runs as long as this lives; then it is stopped and its folder removed.
pub struct Server {
    folder: PathBuf,
    /// For psql and everything else that takes one.
    pub url: String,
    _caretaker: Caretaker,
}

impl Server {
    /// Makes and starts one by a built `host`, as this user where there is one.
    pub fn start(host: &Path, user: Option<&User>) -> Result<Server> {
        let folder =
            tempfile::Builder::new().prefix("host-test-").tempdir().context("make a temporary folder")?;
        // As root, the server runs as another user, who must be able to get at it.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        user.map_or(Ok(()), |user| user.own(folder.path()))?;
        let as_user = |command: &mut Command| {
            user.map(|user| user.become_in(command.current_dir("/")));
        };
        let caretaker = Caretaker::start(CLEAN_UP, |shell| {
            shell.arg(host).env("HOST_DATA_DIR", folder.path());
            as_user(shell);
        })?;
        let mut server = Server { folder: folder.keep(), url: String::new(), _caretaker: caretaker };
        let mut start = Command::new(host);
        start.args(["db", "start"]).env("HOST_DATA_DIR", &server.folder);
        as_user(&mut start);
        server.url = output(&mut start)?.trim().to_owned();
        Ok(server)
    }

    /// For whatever else is to be gone with the server.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process that is the parent of all others of the server.
    pub fn postmaster_pid(&self) -> Result<u32> {
        let file = self.folder.join("postgresql/data/postmaster.pid");
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        // The first line, by PostgreSQL's `pidfile.h`.
        text.lines().next().unwrap_or_default().trim().parse().context("read the postmaster's process number")
    }
}
