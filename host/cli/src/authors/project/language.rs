//! What a project in each language is: how it is recognised, how it is built and tested, what it is made of, and which
//! tools that takes. [`new`](mod@crate::authors::new) writes such projects.

use std::fs;
use std::path::{Path, PathBuf};

use super::tools::Tool;
use crate::cli::Language;

/// What projects in a language have in common.
pub struct Facts {
    /// How people write the language's name.
    pub title: &'static str,
    /// Fetches what the build needs.
    pub install: Option<Install>,
    /// Builds the plugin; a line for a shell, in the project's folder.
    pub build: &'static str,
    /// Runs the project's own tests.
    pub test: &'static str,
    /// What must be there before that.
    pub tools: &'static [Tool],
    /// What the build fetches itself, and where it is put.
    pub fetched: Option<(&'static str, &'static str)>,
    /// How the names of sources end.
    endings: &'static [&'static str],
}

/// A step before the build that is needed only once.
pub struct Install {
    /// A line for a shell.
    pub command: &'static str,
    /// The file that says what is needed.
    pub wanted: &'static str,
    /// The file that exists once it has been done.
    pub done: &'static str,
}

impl Install {
    /// Whether it has to be done, as far as the files tell.
    #[must_use]
    pub fn is_needed(&self, folder: &Path) -> bool {
        let changed = |file| fs::metadata(folder.join(file)).and_then(|metadata| metadata.modified());
        match (changed(self.wanted), changed(self.done)) {
            (Ok(wanted), Ok(done)) => wanted > done,
            (_, done) => done.is_err(),
        }
    }
}

const NPM_INSTALL: Install =
    Install { command: "npm install", wanted: "package.json", done: "node_modules/.package-lock.json" };
/// For those whose Makefile installs a compiler from PyPI.
const WITH_MAKE: &[Tool] = &[Tool::Make, Tool::Python, Tool::Venv, Tool::Host];
const WITH_NODE: &[Tool] = &[Tool::Node, Tool::Npm, Tool::Host];

const RUST: Facts = Facts {
    title: "Rust",
    install: None,
    build: "cargo build --locked --release --target wasm32-unknown-unknown",
    test: "cargo test --locked",
    tools: &[Tool::Cargo, Tool::WasmTarget],
    fetched: None,
    endings: &[".rs", ".toml", ".lock", ".wit"],
};
const PYTHON: Facts = Facts {
    title: "Python",
    install: None,
    build: "make",
    test: "make test",
    tools: WITH_MAKE,
    fetched: Some(("componentize-py", ".venv/bin/componentize-py")),
    endings: &[".py", ".wit", "Makefile", "requirements.txt"],
};
const JAVASCRIPT: Facts = Facts {
    title: "JavaScript",
    install: Some(NPM_INSTALL),
    build: "npm run build",
    test: "npm test",
    tools: WITH_NODE,
    fetched: Some(("componentize-qjs", "node_modules/.bin/componentize-qjs")),
    endings: &[".js", ".json", ".wit"],
};
const TYPESCRIPT: Facts =
    Facts { title: "TypeScript", endings: &[".js", ".json", ".ts", ".wit"], ..JAVASCRIPT };
const ASSEMBLYSCRIPT: Facts = Facts {
    title: "AssemblyScript",
    fetched: Some(("the AssemblyScript compiler", "node_modules/.bin/asc")),
    endings: &[".bin", ".js", ".json", ".ts"],
    ..JAVASCRIPT
};
const C: Facts = Facts {
    title: "C",
    fetched: Some(("Zig's C compiler", ".venv/bin/python-zig")),
    endings: &[".c", ".h", "Makefile", "requirements.txt", "component_type.o"],
    ..PYTHON
};
const CPP: Facts = Facts {
    title: "C++",
    fetched: Some(("Zig's C++ compiler", ".venv/bin/python-zig")),
    endings: &[".c", ".cpp", ".h", ".hpp", "Makefile", "requirements.txt", "component_type.o"],
    ..PYTHON
};
const GO: Facts = Facts {
    title: "Go",
    fetched: Some(("Go", ".venv/bin/go")),
    endings: &[".go", ".mod", ".sum", ".section", "Makefile", "requirements.txt"],
    ..PYTHON
};
const ZIG: Facts = Facts {
    title: "Zig",
    fetched: Some(("Zig", ".venv/bin/python-zig")),
    endings: &[".zig", ".zon", ".section", "Makefile", "requirements.txt"],
    ..PYTHON
};

/// The facts about projects in this language.
#[must_use]
pub fn facts(language: Language) -> &'static Facts {
    match language {
        Language::Rust => &RUST,
        Language::Python => &PYTHON,
        Language::Javascript => &JAVASCRIPT,
        Language::Typescript => &TYPESCRIPT,
        Language::Assemblyscript => &ASSEMBLYSCRIPT,
        Language::C => &C,
        Language::Cpp => &CPP,
        Language::Go => &GO,
        Language::Zig => &ZIG,
    }
}

impl Facts {
    /// Whether a file of the project becomes part of the plugin. JavaScript beside TypeScript of the same name is
    /// what the compiler made of it.
    pub(super) fn is_source(&self, file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        self.endings.iter().any(|ending| name.ends_with(ending))
            && !name.ends_with("_test.go")
            // Written by the build.
            && name != "package-lock.json"
            && !(name.ends_with(".js") && file.with_extension("ts").is_file())
    }
}

/// Where cargo puts the plugin, in its target folder.
pub(super) fn below_target(name: &str) -> PathBuf {
    let file = format!("{}.wasm", name.replace('-', "_"));
    ["wasm32-unknown-unknown", "release", &file].iter().collect()
}

/// The language of the project in this folder, and the detector's name; `None` if it is not one.
///
/// A folder with sources is a project if it is built like one: with cargo, if it depends on the SDK and is not one of
/// several packages of a workspace; with npm or pip, if that installs what makes plugins; with make, if it also has the
/// contract.
pub(super) fn recognise(folder: &Path) -> Option<(Language, String)> {
    if let Some(manifest) = text(folder, "Cargo.toml") {
        let is_project = has_line(&manifest, "detector-sdk") && folder.join("Cargo.lock").is_file();
        return Some((Language::Rust, value(&manifest, "name")?)).filter(|_| is_project);
    }
    if let Some(package) = text(folder, "package.json") {
        return of_package(&package);
    }
    let plugin = value(&text(folder, "Makefile")?, "PLUGIN")?;
    let name = plugin.strip_suffix(".wasm")?.to_owned();
    let language = if text(folder, "requirements.txt").is_some_and(|text| has_line(&text, "componentize-py"))
    {
        Language::Python
    } else if !folder.join("wit/detector.wit").is_file() {
        return None;
    } else if folder.join("go.mod").is_file() {
        Language::Go
    } else {
        of_endings(folder)?
    };
    Some((language, name))
}

fn of_package(package: &str) -> Option<(Language, String)> {
    let package: serde_json::Value = serde_json::from_str(package).ok()?;
    let needs =
        |name: &str| ["dependencies", "devDependencies"].iter().any(|of| !package[of][name].is_null());
    let language = if needs("assemblyscript") {
        Language::Assemblyscript
    } else if !needs("componentize-qjs") {
        return None;
    } else if needs("typescript") {
        Language::Typescript
    } else {
        Language::Javascript
    };
    Some((language, package["name"].as_str()?.to_owned()))
}

/// The languages whose projects differ only in what the sources are; C++ has C among its bindings, in a folder.
fn of_endings(folder: &Path) -> Option<Language> {
    let files: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name()).collect();
    let known = [(".zig", Language::Zig), (".cpp", Language::Cpp), (".c", Language::C)];
    let has = |ending: &str| files.iter().any(|file| file.to_string_lossy().ends_with(ending));
    known.into_iter().find(|(ending, _)| has(ending)).map(|(_, language)| language)
}

fn text(folder: &Path, file: &str) -> Option<String> {
    fs::read_to_string(folder.join(file)).ok()
}

fn has_line(text: &str, start: &str) -> bool {
    text.lines().any(|line| line.starts_with(start))
}

/// The first `NAME = value`, without quotes.
fn value(text: &str, name: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
    values.next().map(|value| value.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    /// A README that says otherwise would send people somewhere else than `host plugin build` goes.
    #[test]
    fn the_templates_say_the_same() {
        for language in Language::value_variants() {
            let name = language.to_possible_value().unwrap();
            let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(name.get_name());
            let readme = fs::read_to_string(readme.join("README.md")).unwrap();
            let Facts { install, build, test, .. } = facts(*language);
            let install = install.as_ref().map(|install| install.command);
            for line in [*build, *test].into_iter().chain(install) {
                let is_there = readme.lines().any(|written| written.split(" && ").any(|part| part == line));
                assert!(is_there, "{line} in the README of {}", name.get_name());
            }
        }
    }
}
