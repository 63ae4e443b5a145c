//! `host plugin new`: a project with a detector that builds, passes its tests and runs as it is. The
//! templates are part of this program; with the SDK of their language they are complete projects with the name
//! `my-detector`, in which only the name is replaced, and what names the SDK if it is not to be a copy ([`sdk`]).

mod sdk;

use std::fs;
use std::path::{Path, PathBuf};

use super::project::language::{Facts, facts};
use crate::cli::{Language, SdkChoice};
use crate::error::ToolsError;

/// The longest name that the contract allows.
const MAX_NAME_BYTES: usize = 64;
/// Names that the languages' own tools refuse, or that mean something else in a new project.
const TAKEN: [&str; 13] = [
    "alloc",
    "bindings",
    "cases",
    "core",
    "detector",
    "detector-sdk",
    "host",
    "ingest-detector",
    "proc-macro",
    "sdk",
    "std",
    "test",
    "wit",
];
/// Rust's keywords, because a crate cannot have such a name.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

/// A file of a template: its path and its content.
type TemplateFile = (&'static str, &'static [u8]);

macro_rules! files {
    ($folder:literal: $($to:literal = $from:literal),* $(,)?) => {
        &[$(($to, include_bytes!(concat!("../../", $folder, $from)))),*]
    };
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../", $folder, $path)))),*]
    };
}

/// In every project.
const COMMON: &[TemplateFile] = files!("templates/common/":
    "cases/basic.csv", "cases/other-minimum.csv", "cases/other-minimum.settings");
const WIT: &[TemplateFile] = files!("../../wit/detector-0.1/": "wit/detector.wit" = "detector.wit");
const RUST: &[TemplateFile] = files!("templates/rust/":
    ".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "src/lib.rs");
/// The SDKs, as the copies that projects have, with the WIT, and the terms under which they are passed on.
const SDK: &[TemplateFile] = files!("../../plugins/sdk/":
    "sdk/Cargo.toml" = "Cargo.toml",
    "sdk/LICENSE-APACHE" = "LICENSE-APACHE",
    "sdk/LICENSE-MIT" = "LICENSE-MIT",
    "sdk/README.md" = "README.md",
    "sdk/examples/abroad.rs" = "examples/abroad.rs",
    "sdk/examples/velocity.rs" = "examples/velocity.rs",
    "sdk/src/batch.rs" = "src/batch.rs",
    "sdk/src/bindings.rs" = "src/bindings.rs",
    "sdk/src/entry.rs" = "src/entry.rs",
    "sdk/src/lib.rs" = "src/lib.rs",
    "sdk/src/log.rs" = "src/log.rs",
    "sdk/src/metadata.rs" = "src/metadata.rs",
    "sdk/src/print.rs" = "src/print.rs",
    "sdk/src/reason.rs" = "src/reason.rs",
    "sdk/src/runtime.rs" = "src/runtime.rs",
    "sdk/src/settings.rs" = "src/settings.rs",
    "sdk/src/state.rs" = "src/state.rs",
    "sdk/src/testing.rs" = "src/testing.rs",
    "sdk/src/testing/state.rs" = "src/testing/state.rs",
    "sdk/src/users.rs" = "src/users.rs",
    "sdk/wit/detector.wit" = "wit/detector.wit");
const PYTHON_SDK: &[TemplateFile] = files!("../../plugins/sdk-python/":
    "ingest_detector/LICENSE-APACHE" = "LICENSE-APACHE",
    "ingest_detector/LICENSE-MIT" = "LICENSE-MIT",
    "ingest_detector/__init__.py" = "ingest_detector/__init__.py",
    "ingest_detector/__main__.py" = "ingest_detector/__main__.py",
    "ingest_detector/component.py" = "ingest_detector/component.py",
    "ingest_detector/py.typed" = "ingest_detector/py.typed",
    "ingest_detector/sandbox.py" = "ingest_detector/sandbox.py",
    "ingest_detector/users.py" = "ingest_detector/users.py",
    "ingest_detector/wit/detector.wit" = "ingest_detector/wit/detector.wit");
/// For TypeScript as well.
const JAVASCRIPT_SDK: &[TemplateFile] = files!("../../plugins/sdk-javascript/":
    "ingest-detector/LICENSE-APACHE" = "LICENSE-APACHE",
    "ingest-detector/LICENSE-MIT" = "LICENSE-MIT",
    "ingest-detector/README.md" = "README.md",
    "ingest-detector/component.d.ts" = "component.d.ts",
    "ingest-detector/component.js" = "component.js",
    "ingest-detector/guard.js" = "guard.js",
    "ingest-detector/index.d.ts" = "index.d.ts",
    "ingest-detector/index.js" = "index.js",
    "ingest-detector/package.json" = "package.json",
    "ingest-detector/users.js" = "users.js",
    "ingest-detector/wit/detector.wit" = "wit/detector.wit");
const PYTHON: &[TemplateFile] = files!("templates/python/":
    ".gitignore", "Makefile", "README.md", "app.py", "requirements.txt", "tests/test_app.py");
const JAVASCRIPT: &[TemplateFile] = files!("templates/javascript/":
    ".gitignore", "README.md", "component.js", "detector.js", "package.json", "test/detector.test.js");
const TYPESCRIPT: &[TemplateFile] = files!("templates/typescript/":
    ".gitignore", "README.md", "build.js", "detector.ts", "package.json", "test/detector.test.ts",
    "tsconfig.json");
/// What the plugin is built from is JavaScript for both.
const FOR_TYPESCRIPT: &[TemplateFile] = files!("templates/javascript/": "component.js");
const ASSEMBLYSCRIPT: &[TemplateFile] = files!("templates/assemblyscript/":
    ".gitignore", "README.md", "build.js", "component-type.bin", "component.ts", "contract.ts",
    "detector.ts", "package.json", "tsconfig.json");
const C: &[TemplateFile] = files!("templates/c/":
    ".gitignore", "Makefile", "README.md", "detector-helpers.h", "plugin.c", "requirements.txt");
const CPP: &[TemplateFile] = files!("templates/cpp/":
    ".gitignore", "Makefile", "README.md", "contract.cpp", "contract.hpp", "plugin.cpp", "requirements.txt");
const GO: &[TemplateFile] = files!("templates/go/":
    ".gitignore", "Makefile", "README.md", "contract/contract.go", "contract/exports_wasm.go",
    "contract/log_native.go", "detector.go", "go.mod", "requirements.txt");
const ZIG: &[TemplateFile] = files!("templates/zig/":
    ".gitignore", "Makefile", "README.md", "contract.zig", "detector.zig", "requirements.txt");
/// For C and C++: the bindings, and memory that finds mistakes.
const BINDINGS: &[TemplateFile] = files!("templates/bindings/":
    "bindings/detector.c", "bindings/detector.h", "bindings/detector_component_type.o", "debug/guard.c");
/// For languages whose compilers cannot put the component's type into a module.
const TYPE: &[TemplateFile] = files!("templates/type/": "component-type.section");
/// For those whose compiler is Zig's.
const STRIP: &[TemplateFile] = files!("templates/strip/": "strip-debug.py");

/// Creates the folder `name` below `parent`; returns its path.
///
/// # Errors
/// [`ToolsError`] if the name is not valid, there is no such SDK, or the folder exists or cannot be written.
pub fn create(
    parent: &Path,
    name: &str,
    language: Language,
    choice: &SdkChoice,
) -> Result<PathBuf, ToolsError> {
    check_name(name)?;
    let changes = sdk::changes(parent, language, choice)?;
    let folder = parent.join(name);
    if folder.exists() {
        return Err(ToolsError::Exists(folder));
    }
    let (own, copy): (&[&[TemplateFile]], &[TemplateFile]) = match language {
        Language::Rust => (&[RUST], SDK),
        Language::Python => (&[PYTHON], PYTHON_SDK),
        Language::Javascript => (&[JAVASCRIPT], JAVASCRIPT_SDK),
        Language::Typescript => (&[TYPESCRIPT, FOR_TYPESCRIPT], JAVASCRIPT_SDK),
        Language::Assemblyscript => (&[ASSEMBLYSCRIPT], WIT),
        Language::C => (&[C, BINDINGS, STRIP], WIT),
        Language::Cpp => (&[CPP, BINDINGS, STRIP], WIT),
        Language::Go => (&[GO, TYPE], WIT),
        Language::Zig => (&[ZIG, TYPE, STRIP], WIT),
    };
    let copy = if *choice == SdkChoice::Copy { copy } else { &[] };
    for (path, content) in own.iter().copied().flatten().chain(copy).chain(COMMON).chain(&changes.added) {
        let Some(content) = changes.applied(path, content) else { continue };
        let path = folder.join(path);
        let fail = |doing| {
            let path = path.clone();
            move |source| ToolsError::File { doing, path, source }
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(fail("create the folder of"))?;
        }
        fs::write(&path, renamed(&content, name)).map_err(fail("write"))?;
    }
    Ok(folder)
}

/// Tells the user what to do next.
#[must_use]
pub fn next_steps(name: &str, language: Language, choice: &SdkChoice) -> String {
    let Facts { build, test, .. } = facts(language);
    let first = sdk::first_step(language, choice).map(|step| format!("{step}\n  ")).unwrap_or_default();
    let build_command = "host plugin build";
    format!(
        "created `{name}`; next:\n  cd {name}\n  {first}{build_command:<27} # runs `{build}`\n  {test}\n  \
         host plugin check\n  host run cases/basic.csv\n\
         while you write: host plugin dev\nif a tool is missing: host plugin doctor\nREADME.md has more\n"
    )
}

fn check_name(name: &str) -> Result<(), ToolsError> {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let why = if !name.split('-').all(word) || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        "names are lower-case words joined by hyphens, and start with a letter"
    } else if name.len() > MAX_NAME_BYTES {
        "it is longer than 64 bytes"
    } else if TAKEN.contains(&name) || KEYWORDS.contains(&name) {
        "it means something else to the tools"
    } else {
        return Ok(());
    };
    Err(ToolsError::Name { name: name.to_owned(), why })
}

/// A template's text with the plugin's name; binary files are left as they are.
fn renamed(content: &[u8], name: &str) -> Vec<u8> {
    let Ok(text) = str::from_utf8(content) else { return content.to_vec() };
    let camel_case: String =
        name.split('-').map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect();
    text.replace("my-detector", name)
        .replace("my_detector", &name.replace('-', "_"))
        .replace("MyDetector", &camel_case)
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_everywhere() {
        let parent = tempfile::tempdir().unwrap();
        for name in [
            "",
            "A",
            "1st",
            "a--b",
            "-a",
            "a-",
            "a b",
            "../a",
            "a/b",
            "ä",
            "match",
            "core",
            "a_b",
            &"a".repeat(65),
        ] {
            let refused = create(parent.path(), name, Language::C, &SdkChoice::Copy);
            assert!(matches!(refused, Err(ToolsError::Name { .. })), "{name}");
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
        let folder = create(parent.path(), "night-owls2", Language::Rust, &SdkChoice::Copy).unwrap();
        let code = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        assert!(code.contains("pub struct NightOwls2") && code.contains("\"night-owls2\""));
        let again = create(parent.path(), "night-owls2", Language::C, &SdkChoice::Copy);
        assert!(matches!(again, Err(ToolsError::Exists(_))));
    }

    /// A file that is in a template's folder but not in a list would be missing from every new plugin.
    #[test]
    fn every_file_of_the_templates_is_embedded() {
        let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
        let cases = [
            (templates.join("common"), COMMON, ""),
            (templates.join("rust"), RUST, ""),
            (templates.join("python"), PYTHON, ""),
            (templates.join("javascript"), JAVASCRIPT, ""),
            (templates.join("typescript"), TYPESCRIPT, ""),
            (templates.join("assemblyscript"), ASSEMBLYSCRIPT, ""),
            (templates.join("c"), C, ""),
            (templates.join("cpp"), CPP, ""),
            (templates.join("go"), GO, ""),
            (templates.join("zig"), ZIG, ""),
            (templates.join("bindings"), BINDINGS, ""),
            (templates.join("type"), TYPE, ""),
            (templates.join("strip"), STRIP, ""),
            (plugins.join("sdk"), SDK, "sdk/"),
            (plugins.join("sdk-javascript"), JAVASCRIPT_SDK, "ingest-detector/"),
            (plugins.join("sdk-python/ingest_detector"), &PYTHON_SDK[2..], "ingest_detector/"),
        ];
        for (folder, list, prefix) in cases {
            let mut listed: Vec<_> = list.iter().filter_map(|(path, _)| path.strip_prefix(prefix)).collect();
            let mut found = files_below(&folder, &folder);
            listed.sort_unstable();
            found.sort();
            assert_eq!(listed, found);
        }
    }

    fn files_below(root: &Path, folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| match path.is_dir() {
                true => files_below(root, &path),
                false => vec![path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()],
            })
            .collect()
    }
}
