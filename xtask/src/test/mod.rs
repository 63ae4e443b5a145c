//! Everything that must pass before a change is taken.

pub mod compiler;
mod left_out;
mod other_user;
pub mod postgresql;
mod side_by_side;
mod snapshots;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::dist::deb;
use crate::server::Server;
use crate::shell::{self, cargo, say, target};
use crate::user::User;
use crate::{packages, plugins, setup};

/// Runs it all; `arguments` are for nextest. What was left out is named at the end.
pub fn run(arguments: &[String]) -> Result<()> {
    setup::nextest()?;
    shell::run(cargo().args(["fmt", "--all", "--check"]))?;
    plugins::build()?;
    let checked = compiler::setting()?;
    shell::run(cargo().args(["build", "--workspace", "--all-targets", "--locked"]).args(&checked))?;
    let host = target()?.join("debug/host");
    setup::postgresql(&host)?;
    setup::pgbouncer()?;

    let left_out = suite(&host, arguments, &checked)?;
    shell::run(cargo().args(["test", "--workspace", "--doc", "--locked", "--quiet"]).args(&checked))?;
    for one in &left_out {
        say(&format!("left out: {one}"));
    }
    say(&format!("all passed; {} were left out", left_out.len()));
    Ok(())
}

/// Does at length what a test of the suite does for a moment.
pub fn soak(what: &str) -> Result<()> {
    setup::nextest()?;
    plugins::build()?;
    // As the suite is compiled, so that it is not compiled once more.
    let checked = compiler::setting()?;
    shell::run(cargo().args(["build", "--workspace", "--all-targets", "--locked"]).args(&checked))?;
    setup::postgresql(&target()?.join("debug/host"))?;
    let started = Instant::now();
    let mut test = cargo();
    test.args(["nextest", "run", "--workspace", "--locked", &format!("{what}_soak")])
        .args(&checked)
        .env("HOST_TEST_SOAK", "1");
    shell::run(&mut test)?;
    say(&format!("passed in {:.0} s", started.elapsed().as_secs_f64()));
    Ok(())
}

/// All tests, and, where we are root, those that see a difference once more as another user.
fn suite(host: &Path, arguments: &[String], checked: &[String]) -> Result<Vec<String>> {
    let tools = target()?.join("authors-tools");
    setup::authors_tools(&tools)?;
    packages::build()?;
    let deb = deb(host)?;
    let versions = target()?.join("postgresql");
    postgresql::fetch(&versions)?;
    let notes = tempfile::tempdir()?;
    let (left_out, used) = (notes.path().join("left-out"), notes.path().join("snapshots"));
    let server = Server::start(host, None)?;
    say(&format!("tests use {}", server.url));
    shell::run(
        cargo()
            .args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"])
            .args(checked)
            .args(arguments)
            .env("NEXTEST_TEST_THREADS", side_by_side::tests_at_once().to_string())
            .env("HOST_TEST_DATABASE_URL", &server.url)
            .env("HOST_TEST_AUTHORS_TOOLS", &tools)
            .env("HOST_TEST_PACKAGES", target()?.join("packages"))
            .env("HOST_TEST_POSTGRESQL", &versions)
            .envs(deb.map(|package| ("HOST_TEST_DEB", package)))
            .env("HOST_TEST_LEFT_OUT", &left_out)
            .env(snapshots::USED, &used),
    )?;
    drop(server);
    let mut left_out = left_out::read(&left_out);
    // Where not all tests were asked for, this is not known.
    if arguments.is_empty() {
        let unused = snapshots::unused(&used, &left_out)?;
        ensure!(unused.is_empty(), "no test uses these snapshots; remove them: {unused:#?}");
    }
    if let Some(other) = User::other_than_root()? {
        left_out.extend(other_user::run_suite_as(&other, host, arguments, checked)?);
    }
    Ok(left_out)
}

/// The package of what is tested, where packages can be made.
fn deb(host: &Path) -> Result<Option<PathBuf>> {
    let built = host.parent().filter(|_| deb::can_be_made());
    built.map(|built| deb::package(built, deb::Packing::Quick)).transpose()
}
