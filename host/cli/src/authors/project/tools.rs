//! The tools that projects are built with: whether they are here, where, in which version, and how to get those that
//! are not.

use std::env::consts::OS;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use host_core::environment::Environment;
use host_core::text::shell_file;

/// The Rust that the SDK needs, and the Node.js that the tools for JavaScript need.
const RUST_VERSION: [u32; 2] = [1, 95];
const NODE_VERSION: [u32; 2] = [20, 0];
/// The Python that componentize-py and the packages of compilers need.
const PYTHON_VERSION: [u32; 2] = [3, 10];
/// What cargo is asked to compile for.
const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// A tool that a build needs, and that it does not fetch itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Rust, with its package manager
    Cargo,
    /// What Rust needs for WebAssembly
    WasmTarget,
    /// Runs Makefiles
    Make,
    /// The interpreter, which also installs compilers from PyPI
    Python,
    /// Python's own module for that; Debian has it in a package of its own
    Venv,
    /// Runs the tools for JavaScript
    Node,
    /// Installs them
    Npm,
    /// This program, which the projects' own tests call
    Host,
}

/// What is known of a tool on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be used.
    Found {
        /// As it says itself.
        version: String,
        /// Where it is.
        file: PathBuf,
    },
    /// It is missing or of no use.
    Missing {
        /// Why.
        problem: String,
        /// A command that changes that, or an address.
        remedy: String,
    },
}

impl Tool {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Tool::Cargo => "cargo",
            Tool::WasmTarget => WASM_TARGET,
            Tool::Make => "make",
            Tool::Python => "python3",
            Tool::Venv => "venv",
            Tool::Node => "node",
            Tool::Npm => "npm",
            Tool::Host => "host",
        }
    }

    /// Looks for it.
    #[must_use]
    pub fn look(self, path: &SearchPath) -> State {
        let found = match self {
            Tool::Cargo => path.program("cargo", &["--version"]).and_then(at_least(RUST_VERSION)),
            Tool::WasmTarget => wasm_target(path),
            Tool::Python => path.program("python3", &["--version"]).and_then(at_least(PYTHON_VERSION)),
            Tool::Node => path.program("node", &["--version"]).and_then(at_least(NODE_VERSION)),
            Tool::Venv => path.program("python3", &["-c", "import ensurepip, venv; print(venv.__name__)"]),
            Tool::Make | Tool::Npm => path.program(self.name(), &["--version"]),
            Tool::Host => this_program(path),
        };
        match found {
            Ok((version, file)) => State::Found { version, file },
            Err(problem) => State::Missing { problem, remedy: self.remedy(path) },
        }
    }

    /// How to get it here.
    fn remedy(self, path: &SearchPath) -> String {
        let [debian, fedora, alpine, arch, homebrew] = match self {
            Tool::Cargo if path.find("rustup").is_some() => return "rustup update stable".to_owned(),
            Tool::Cargo => {
                return "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh".to_owned();
            }
            Tool::WasmTarget => return format!("rustup target add {WASM_TARGET}"),
            Tool::Host => return put_on_the_path(),
            Tool::Make => ["make", "make", "make", "make", "make"],
            Tool::Python => ["python3 python3-venv", "python3", "python3", "python", "python"],
            Tool::Venv => ["python3-venv", "python3-pip", "py3-pip", "python", "python"],
            Tool::Node | Tool::Npm => ["nodejs npm", "nodejs npm", "nodejs npm", "nodejs npm", "node"],
        };
        // What a distribution has may be too old for us, as may be what is there now.
        if matches!(self, Tool::Node | Tool::Python) && path.find(self.name()).is_some() {
            let [major, minor] = if self == Tool::Node { NODE_VERSION } else { PYTHON_VERSION };
            return match self {
                Tool::Node => format!("see https://nodejs.org/en/download for Node.js {major} or later"),
                _ => format!("see https://www.python.org/downloads for Python {major}.{minor} or later"),
            };
        }
        let sudo = if nix::unistd::Uid::effective().is_root() { "" } else { "sudo " };
        let managers = [
            ("apt-get", "apt-get install", debian),
            ("dnf", "dnf install", fedora),
            ("apk", "apk add", alpine),
            ("pacman", "pacman -S", arch),
        ];
        if OS == "macos" {
            return format!("brew install {homebrew}");
        }
        match managers.into_iter().find(|(program, ..)| path.find(program).is_some()) {
            Some((_, install, package)) => format!("{sudo}{install} {package}"),
            None => format!("install {debian} with your system's package manager"),
        }
    }
}

/// The folders in which programs are looked for.
pub struct SearchPath(Vec<PathBuf>);

/// What a tool says its version is, and where it is; or why it cannot be used.
type Found = Result<(String, PathBuf), String>;

impl SearchPath {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> SearchPath {
        SearchPath(Environment::of_process().system_folders("PATH").collect())
    }

    /// The file of a program.
    #[must_use]
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        let is_program = |file: &PathBuf| {
            fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        self.0.iter().map(|folder| folder.join(program)).find(is_program)
    }

    /// The first line of what a program prints.
    fn program(&self, program: &str, arguments: &[&str]) -> Found {
        let file = self.find(program).ok_or_else(|| format!("`{program}` is not on the PATH"))?;
        let output = Command::new(&file).args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("`{}` cannot be run: {error}", file.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or("it says nothing");
            return Err(format!("`{}` fails: {last}", file.display()));
        }
        let first = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned();
        Ok((first, file))
    }
}

/// Refuses versions that are too old.
fn at_least(wanted: [u32; 2]) -> impl Fn((String, PathBuf)) -> Found {
    move |(version, file)| match numbers(&version) {
        Some(found) if found < wanted => {
            Err(format!("`{}` is {version}; {}.{} or later is needed", file.display(), wanted[0], wanted[1]))
        }
        _ => Ok((version, file)),
    }
}

/// The first two numbers of a version, such as `cargo 1.95.0 (…)` or `v20.11.1`.
fn numbers(version: &str) -> Option<[u32; 2]> {
    let from = version.find(|character: char| character.is_ascii_digit())?;
    let mut numbers = version[from..].split(|character: char| !character.is_ascii_digit());
    Some([numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?])
}

/// The standard library for WebAssembly, where the compiler looks for it.
fn wasm_target(path: &SearchPath) -> Found {
    let (root, _) = path.program("rustc", &["--print", "sysroot"])?;
    let folder = Path::new(&root).join("lib/rustlib").join(WASM_TARGET);
    match folder.join("lib").is_dir() {
        true => Ok((String::new(), folder)),
        false => Err("this Rust has no standard library for WebAssembly".to_owned()),
    }
}

/// `host` on the path: there is another program of that name, which looks up addresses.
fn this_program(path: &SearchPath) -> Found {
    let file =
        path.find("host").ok_or_else(|| "it is not on the PATH, and `make test` calls it".to_owned())?;
    let ours = std::env::current_exe().and_then(|program| program.canonicalize());
    match (ours, file.canonicalize()) {
        (Ok(ours), Ok(found)) if ours != found => {
            Err(format!("`{}` is another program than this one", file.display()))
        }
        _ => Ok((env!("CARGO_PKG_VERSION").to_owned(), file)),
    }
}

fn put_on_the_path() -> String {
    let folder = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let folder = folder.unwrap_or_default();
    format!("export PATH={}:\"$PATH\"", shell_file(&folder.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let cases = [
            ("v20.11.1", Some([20, 11])),
            ("cargo 1.100.0 (abc 2024-01-01)", Some([1, 100])),
            ("Python 3.9.2", Some([3, 9])),
            ("", None),
        ];
        for (version, expected) in cases {
            assert_eq!(numbers(version), expected, "{version}");
        }
        let is_enough = |version: &str| at_least(RUST_VERSION)((version.into(), "cargo".into())).is_ok();
        assert!(is_enough("cargo 1.100.0") && is_enough("cargo 2.0.0") && !is_enough("cargo 1.9.0"));
    }
}
