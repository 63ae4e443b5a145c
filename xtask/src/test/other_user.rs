//! The suite once more as a user who is not root: what depends on permissions is otherwise only seen by
//! users.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::left_out;
use super::side_by_side::tests_at_once;
use crate::server::Server;
use crate::shell::{self, cargo, output, path, root, say};
use crate::user::User;

/// Modules of the suite that are left to root's run, and why that is enough.
const LEFT_TO_ROOT: [(&str, &[&str]); 6] = [
    (
        "it builds plugins into the folder that root's run uses",
        &[
            "authors::conformance",
            "authors::dev",
            "authors::kit",
            "authors::mistakes",
            "authors::mistakes_native",
            "authors::packages",
            "authors::stateful",
            "authors::templates",
        ],
    ),
    ("it installs a package, for which dpkg wants root", &["command_line::package"]),
    ("it runs its servers as another user anyway", &["database::postgresql_versions"]),
    ("it is about the sandbox, and takes long", &["sandbox::generated"]),
    (
        "it is about what the server does, which has a user of its own",
        &[
            "database::adopted_tables",
            "database::append",
            "database::concurrency",
            "database::deferred_keys",
            "database::failures",
            "database::faults",
            "database::ledger",
            "database::migrations",
            "database::pooler",
            "database::prune",
            "database::replace",
            "database::replays",
            "database::users",
            "database::verify",
            "database::watch_soak",
            "database::wide_columns",
        ],
    ),
    (
        "it is about values",
        &[
            "command_line::sniff",
            "source::control",
            "source::exact",
            "source::ids",
            "source::input",
            "source::lines",
            "source::places",
            "source::shapes",
            "source::values",
        ],
    ),
];

/// Runs what a user other than root may see differently; `arguments` are for nextest, `checked` is the setting
/// that all was compiled with. Returns what was left out, and why.
pub fn run_suite_as(
    user: &User,
    host: &Path,
    arguments: &[String],
    checked: &[String],
) -> Result<Vec<String>> {
    let whole = format!("the suite as `{user}`");
    let manifest = root().join("Cargo.toml");
    if let Some(file) = [host, &manifest].into_iter().find(|file| !user.can_read(file)) {
        return Ok(vec![format!("{whole}: {} is closed to that user", file.display())]);
    }
    let folder = tempfile::Builder::new().prefix("host-user-").tempdir()?;
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    let own = |name: &str| -> Result<PathBuf> {
        let path = folder.path().join(name);
        fs::create_dir(&path)?;
        user.own(&path)?;
        Ok(path)
    };
    let (home, cache) = (own("home")?, own("cache")?);
    let left_out = home.join("left-out");
    // The user has no cargo, so nextest is told what cargo would tell it.
    let binaries = folder.path().join("binaries.json");
    let list =
        ["nextest", "list", "--workspace", "--locked", "--list-type=binaries-only", "--message-format=json"];
    fs::write(&binaries, output(cargo().args(list).args(checked))?)?;
    let metadata = folder.path().join("metadata.json");
    fs::write(&metadata, output(cargo().args(["metadata", "--format-version=1", "--locked"]))?)?;
    // It may be in a folder of root's.
    let nextest = folder.path().join("cargo-nextest");
    fs::copy(find("cargo-nextest")?, &nextest).context("could not copy cargo-nextest")?;

    let server = Server::start(host, Some(user))?;
    say(&format!("once more as `{user}`; tests use {}", server.url));
    let modules: Vec<&str> = LEFT_TO_ROOT.iter().flat_map(|(_, modules)| *modules).copied().collect();
    let mut suite = Command::new(&nextest);
    suite.args(["nextest", "run", "--no-fail-fast", "--no-tests=pass", "--cargo-metadata"]).arg(&metadata);
    suite.arg("--binaries-metadata").arg(&binaries);
    suite.args(["-E", &format!("package(host) & !test(/^({})::/)", modules.join("|"))]).args(arguments);
    suite.current_dir(root()).env_clear();
    suite.env("PATH", path()).env("NEXTEST_TEST_THREADS", tests_at_once().to_string());
    suite.envs(std::env::var_os("LANG").map(|value| ("LANG", value)));
    suite.env("HOME", &home).env("INSTA_UPDATE", "no");
    suite.env("INSTA_WORKSPACE_ROOT", root().canonicalize()?);
    suite.env("HOST_TEST_DATABASE_URL", &server.url).env("HOST_TEST_CACHE", &cache);
    suite.env("HOST_TEST_LEFT_OUT", &left_out);
    shell::run(user.become_in(&mut suite))?;
    let mut all = left_out::read(&left_out);
    all.extend(LEFT_TO_ROOT.map(|(reason, modules)| format!("{whole}, {}: {reason}", modules.join(", "))));
    Ok(all)
}

/// Where a subcommand of cargo's is: cargo also looks where it installs them.
fn find(program: &str) -> Result<PathBuf> {
    let installed = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let installed = installed.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let path = path();
    let mut folders = std::env::split_paths(&path).chain(installed.map(|folder| folder.join("bin")));
    let found = folders.find_map(|folder| Some(folder.join(program)).filter(|file| file.is_file()));
    found.with_context(|| format!("could not find {program}"))
}
