//! Where a new project gets the SDK of its language from: its own copy, which needs nothing else; the package of this
//! release from the language's registry; or a package at a path. The templates are written for the copy, so the
//! other two are edits of them.

use std::borrow::Cow;
use std::path::Path;

use crate::cli::{Language, SdkChoice};
use crate::error::ToolsError;

/// The version of all packages that belong to this release.
const VERSION: &str = "0.1.0";

/// What is different in a project without a copy; in one with a copy, nothing is.
#[derive(Default)]
pub struct Changes {
    /// In which file what is replaced by what.
    edits: Vec<(&'static str, &'static str, String)>,
    /// A file that the project does not have.
    left_out: Option<&'static str>,
    /// A file that other projects do not have.
    pub added: Option<(&'static str, &'static [u8])>,
}

impl Changes {
    /// The content of a file of the template in this project; `None` if it is left out.
    #[must_use]
    pub fn applied(&self, path: &str, content: &'static [u8]) -> Option<Cow<'static, [u8]>> {
        if self.left_out == Some(path) {
            return None;
        }
        let mut content = Cow::from(content);
        for (_, from, to) in self.edits.iter().filter(|(file, ..)| *file == path) {
            // Only texts are edited.
            let edited = String::from_utf8_lossy(&content).replacen(from, to, 1);
            content = Cow::from(edited.into_bytes());
        }
        Some(content)
    }
}

/// How a language's package is named, found and described.
struct Package {
    name: &'static str,
    /// What a folder must contain to be one.
    manifest: &'static str,
    /// How the names of files that are one end.
    archives: &'static [&'static str],
    /// What the README says about the copy.
    copy_row: &'static str,
    /// What it says instead.
    row: &'static str,
}

const RUST: Package = Package {
    name: "detector-sdk",
    manifest: "Cargo.toml",
    archives: &[],
    copy_row: "| `sdk/` | the crate `detector-sdk`, as this project's own copy; `cargo doc --open` has its \
               documentation, `sdk/wit/` the contract |",
    row: "| `Cargo.toml` | names the crate `detector-sdk`; `cargo doc --open` has its documentation, its \
                       `wit/` the contract |",
};
const PYTHON: Package = Package {
    name: "ingest-detector",
    manifest: "pyproject.toml",
    archives: &[".whl", ".tar.gz"],
    copy_row: "| `ingest_detector/` | the package that detectors in Python use, as this project's own copy; \
               nothing there needs a change, and its `wit/` is the contract |",
    row: "| `requirements.txt` | the compiler, and the package `ingest-detector`, whose `wit/` is the \
                       contract |",
};
const JAVASCRIPT: Package = Package {
    name: "ingest-detector",
    manifest: "package.json",
    archives: &[".tgz"],
    copy_row: "| `ingest-detector/` | the package with helpers and types that detectors use, as this project's \
               own copy; nothing there needs a change, and its `wit/` is the contract |",
    row: "| `node_modules/ingest-detector/` | the package with helpers and types that detectors use, \
                       after `npm install`; its `wit/` is the contract |",
};
/// For a package in a folder: npm would only link to it, and the compiler sees nothing outside of the project.
const COPY_FOLDERS: (&str, &[u8]) = (".npmrc", b"install-links=true\n");

/// What is different in a project of this language below `parent`.
///
/// # Errors
/// [`ToolsError`] if the language has no package, or there is none at the path.
pub fn changes(parent: &Path, language: Language, choice: &SdkChoice) -> Result<Changes, ToolsError> {
    if *choice == SdkChoice::Copy {
        return Ok(Changes::default());
    }
    let package = package(language).ok_or(ToolsError::NoPackage)?;
    let path = match choice {
        SdkChoice::Path(path) => Some(from_project(&package, parent, path)?),
        _ => None,
    };
    let mut changes = match language {
        Language::Rust => in_rust(path),
        Language::Python => in_python(path),
        _ => in_javascript(path),
    };
    changes.edits.push(("README.md", package.copy_row, package.row.to_owned()));
    Ok(changes)
}

/// What has to be done once, before the first build.
#[must_use]
pub fn first_step(language: Language, choice: &SdkChoice) -> Option<&'static str> {
    (language == Language::Rust && *choice == SdkChoice::Registry).then_some("cargo generate-lockfile")
}

fn package(language: Language) -> Option<Package> {
    match language {
        Language::Rust => Some(RUST),
        Language::Python => Some(PYTHON),
        Language::Javascript | Language::Typescript => Some(JAVASCRIPT),
        Language::Assemblyscript | Language::C | Language::Cpp | Language::Go | Language::Zig => None,
    }
}

/// The path as it is seen from the project; there must be a package.
fn from_project(package: &Package, parent: &Path, path: &Path) -> Result<String, ToolsError> {
    let (place, refused) = (parent.join(path), |why: String| ToolsError::Package {
        path: path.to_owned(),
        name: package.name,
        why,
    });
    let is_archive = package.archives.iter().any(|end| path.to_string_lossy().ends_with(end));
    if place.is_dir() {
        if !place.join(package.manifest).is_file() {
            return Err(refused(format!("it has no {}", package.manifest)));
        }
        if package.manifest == JAVASCRIPT.manifest && place.join("wit").is_symlink() {
            return Err(refused("its `wit` is a link, which npm would leave out".to_owned()));
        }
    } else if !place.is_file() {
        return Err(refused("there is nothing".to_owned()));
    } else if !is_archive {
        let kinds = [&["folder"], package.archives].concat().join(", ");
        return Err(refused(format!("it must be one of these: {kinds}")));
    }
    let seen = if path.is_absolute() { path.to_owned() } else { Path::new("..").join(path) };
    seen.into_os_string().into_string().map_err(|_| refused("its path is not UTF-8".to_owned()))
}

fn in_rust(path: Option<String>) -> Changes {
    const COPY: &str = "detector-sdk = { path = \"sdk\" }";
    match path {
        Some(path) => Changes {
            edits: vec![("Cargo.toml", COPY, format!("detector-sdk = {{ path = {} }}", quoted(&path)))],
            ..Changes::default()
        },
        // The lock file would have to know the digest of the published crate.
        None => Changes {
            edits: vec![
                ("Cargo.toml", COPY, format!("detector-sdk = \"{VERSION}\"")),
                ("README.md", "```sh\n", "```sh\ncargo generate-lockfile\n".to_owned()),
            ],
            left_out: Some("Cargo.lock"),
            ..Changes::default()
        },
    }
}

fn in_python(path: Option<String>) -> Changes {
    let line = path.unwrap_or_else(|| format!("{}=={VERSION}", PYTHON.name));
    let edit = ("requirements.txt", "componentize-py==", format!("{line}\ncomponentize-py=="));
    Changes { edits: vec![edit], ..Changes::default() }
}

fn in_javascript(path: Option<String>) -> Changes {
    let added = path.as_ref().map(|_| COPY_FOLDERS);
    let wanted = path.map_or_else(|| VERSION.to_owned(), |path| format!("file:{path}"));
    let edit = ("package.json", "\"file:ingest-detector\"", quoted(&wanted));
    Changes { edits: vec![edit], added, ..Changes::default() }
}

/// A string as JSON and TOML write it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(path: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    }

    /// A text that is not there would not be replaced.
    #[test]
    fn everything_that_is_edited_is_in_the_templates() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("package.whl"), "").unwrap();
        fs::write(parent.path().join("package.tgz"), "").unwrap();
        fs::write(parent.path().join("Cargo.toml"), "").unwrap();
        let cases = [
            (Language::Rust, "rust", "."),
            (Language::Python, "python", "package.whl"),
            (Language::Javascript, "javascript", "package.tgz"),
            (Language::Typescript, "typescript", "package.tgz"),
        ];
        for (language, folder, path) in cases {
            for choice in [SdkChoice::Registry, SdkChoice::Path(path.into())] {
                let changes = changes(parent.path(), language, &choice).unwrap();
                assert!(changes.edits.len() >= 2);
                for (file, from, _) in changes.edits {
                    let content = read(&format!("templates/{folder}/{file}"));
                    assert!(content.contains(from), "{folder}/{file}: {from}");
                }
            }
        }
    }

    #[test]
    fn all_packages_have_the_version_of_this_release() {
        for manifest in ["sdk/Cargo.toml", "sdk-python/pyproject.toml", "sdk-javascript/package.json"] {
            let content = read(&format!("../../plugins/{manifest}"));
            let (toml, json) =
                (format!("\nversion = \"{VERSION}\"\n"), format!("\n  \"version\": \"{VERSION}\",\n"));
            assert!(content.contains(&toml) || content.contains(&json), "{manifest}");
        }
    }

    /// A package says which versions of the compiler it fits, a project has exactly one.
    #[test]
    fn packages_fit_the_compilers_of_the_templates() {
        let compiler = read("templates/python/requirements.txt").trim().replace("==", ">=");
        assert!(read("../../plugins/sdk-python/pyproject.toml").contains(&format!("\"{compiler},<")));
        let fits = read("../../plugins/sdk-javascript/package.json");
        for language in ["javascript", "typescript"] {
            let compiler = read(&format!("templates/{language}/package.json"));
            let compiler = compiler.lines().find(|line| line.contains("\"componentize-qjs\":")).unwrap();
            let version = compiler.split('"').nth(3).unwrap();
            assert!(fits.contains(&format!("\"componentize-qjs\": \"~{version}\"")), "{language}");
        }
    }
}
