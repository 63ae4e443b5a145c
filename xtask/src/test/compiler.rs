//! One compilation in which everything is checked: compiler, clippy and rustdoc each need all dependencies, and
//! `cargo clippy` and `cargo doc` want them compiled in another way than tests do, which takes minutes.
//!
//! Cargo calls a wrapper instead of the compiler for the crates of this workspace; the wrapper is this program.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context as _, Result};

/// `rustdoc` lints in Cargo.toml are handed to rustdoc by cargo, which does not call it here.
const RUSTDOC: [&str; 5] =
    ["--document-private-items", "-A", "rustdoc::private_intra_doc_links", "-D", "warnings"];
/// Arguments of the compiler, each with a value, that mean nothing or something else to rustdoc.
const NOT_FOR_RUSTDOC: [&str; 2] = ["--emit", "--out-dir"];

/// What makes cargo compile with this wrapper. A setting, not a variable: programs that cargo starts would
/// inherit a variable, and so wrap what they compile.
pub fn setting() -> Result<[String; 2]> {
    let wrapper = std::env::current_exe().context("could not find this program's file")?;
    Ok(["--config".to_owned(), format!("build.rustc-workspace-wrapper={:?}", wrapper.display().to_string())])
}

/// Does the wrapper's work, if it is as such that this program was called: with the compiler and its arguments.
pub fn stand_in(arguments: &[OsString]) -> Result<Option<ExitCode>> {
    let Some((compiler, arguments)) = arguments.split_first() else { return Ok(None) };
    if Path::new(compiler).file_stem() != Some(OsStr::new("rustc")) {
        return Ok(None);
    }
    let mut clippy = Command::new(beside(compiler, "clippy-driver"));
    // Not by the variable that `cargo clippy` sets: cargo would find it changed, and compile everything again.
    let mut status = finish(clippy.arg(compiler).args(arguments).args(["-D", "warnings"]))?;
    if status.success() && is_documented(arguments) {
        let folder = tempfile::tempdir().context("could not create a folder for documentation")?;
        let mut rustdoc = Command::new(beside(compiler, "rustdoc"));
        status =
            finish(rustdoc.args(for_rustdoc(arguments)).args(RUSTDOC).arg("--out-dir").arg(folder.path()))?;
    }
    Ok(Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// Whether the crate is one that `cargo doc` documents: a library or program, and not its tests.
fn is_documented(arguments: &[OsString]) -> bool {
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let source = arguments.iter().find(|argument| argument.to_string_lossy().ends_with(".rs"));
    let is_source =
        source.is_some_and(|source| Path::new(source).components().any(|part| part.as_os_str() == "src"));
    is_source && has("--crate-type") && !has("--test")
}

/// What the compiler is told, as far as rustdoc is told the same.
fn for_rustdoc(arguments: &[OsString]) -> Vec<&OsString> {
    let mut kept = Vec::with_capacity(arguments.len());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        let name = text.split_once('=').map_or(text.as_ref(), |(name, _)| name);
        if !NOT_FOR_RUSTDOC.contains(&name) {
            kept.push(argument);
        } else if !text.contains('=') {
            rest.next();
        }
    }
    kept
}

/// The tools of a toolchain are in one folder; a compiler without one is found in the PATH, as they are.
fn beside(compiler: &OsStr, tool: &str) -> OsString {
    Path::new(compiler).with_file_name(tool).into_os_string()
}

fn finish(command: &mut Command) -> Result<ExitStatus> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.status().with_context(|| format!("run `{program}`; rustup component add clippy"))
}
