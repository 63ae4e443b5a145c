//! Running programs, with their command lines shown, and the project's folders.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The project's root.
pub fn root() -> PathBuf {
    // xtask/ is a folder of the root.
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where cargo puts what it builds, whatever the environment or the configuration says.
pub fn target() -> Result<PathBuf> {
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("read cargo's metadata")?;
    let folder =
        metadata["target_directory"].as_str().context("find the target folder in cargo's metadata")?;
    Ok(folder.into())
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(root()).env("PATH", path());
    command
}

/// Where programs are looked for: also where the system keeps those that it takes for an
/// administrator's, such as pgbouncer, which users have not in their PATH.
pub fn path() -> OsString {
    let given = std::env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let folders: Vec<PathBuf> = std::env::split_paths(&given).collect();
    let missing = administrators.into_iter().filter(|folder| !folders.contains(folder)).collect::<Vec<_>>();
    // Fails only for a folder with a colon in its name, which cannot come out of a PATH.
    std::env::join_paths(folders.iter().chain(&missing)).unwrap_or(given)
}

/// Says something to whoever is watching.
#[allow(clippy::print_stderr, reason = "a task says what it does")]
pub fn say(text: &str) {
    eprintln!("xtask: {text}");
}

/// Runs a program to its end, showing its command line; failing is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    say(&shown);
    let status = command.status().with_context(|| format!("run `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed: {status}");
    Ok(())
}

/// What a program prints; failing is an error.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("run `{shown}`"))?;
    ensure!(output.status.success(), "`{shown}` failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program can be run and succeeds, quietly.
pub fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn show(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}
