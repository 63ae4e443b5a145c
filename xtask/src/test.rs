//! Everything that must pass before a change is taken.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell::{self, cargo, output, say, target};
use crate::{plugins, setup};

/// Runs it all; `arguments` are for nextest.
pub fn run(arguments: &[String]) -> Result<()> {
    setup::wasm_targets()?;
    setup::nextest()?;
    shell::run(cargo().args(["fmt", "--all", "--check"]))?;
    plugins::build()?;
    shell::run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    shell::run(cargo().args(["build", "--workspace", "--all-targets", "--locked"]))?;
    let host = target()?.join("debug/host");
    setup::postgresql(&host)?;
    let tools = target()?.join("authors-tools");
    setup::authors_tools(&tools)?;

    let server = TestServer::start(&host)?;
    shell::run(
        cargo()
            .args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"])
            .args(arguments)
            .env("HOST_TEST_DATABASE_URL", &server.url)
            .env("HOST_TEST_AUTHORS_TOOLS", &tools),
    )?;
    shell::run(cargo().args(["test", "--workspace", "--doc", "--locked", "--quiet"]))?;
    shell::run(
        cargo()
            .args(["doc", "--workspace", "--no-deps", "--document-private-items", "--locked", "--quiet"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    say("all passed");
    Ok(())
}

/// A throwaway PostgreSQL: the host's own embedded server in a folder of its own, stopped and
/// removed at the end.
struct TestServer {
    host: PathBuf,
    folder: tempfile::TempDir,
    url: String,
}

impl TestServer {
    fn start(host: &Path) -> Result<TestServer> {
        let folder =
            tempfile::Builder::new().prefix("host-test-").tempdir().context("make a temporary folder")?;
        // As root, the server runs as another user, who must be able to get at it.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let mut server = TestServer { host: host.to_owned(), folder, url: String::new() };
        server.url = output(&mut server.host_db("start"))?.trim().to_owned();
        say(&format!("tests use {}", server.url));
        Ok(server)
    }

    fn host_db(&self, what: &str) -> Command {
        let mut command = Command::new(&self.host);
        command.args(["db", what]).env("HOST_DATA_DIR", self.folder.path());
        command
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // The tests' result is what matters; a server that does not stop is worth a word.
        if let Err(error) = output(&mut self.host_db("stop")) {
            say(&format!("{error:#}"));
        }
    }
}
