//! Everything that must pass before a change is taken.

use anyhow::Result;

use crate::server::Server;
use crate::shell::{self, cargo, say, target};
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
    setup::pgbouncer()?;
    let tools = target()?.join("authors-tools");
    setup::authors_tools(&tools)?;

    let server = Server::start(&host)?;
    say(&format!("tests use {}", server.url));
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
