//! A project of a detector: what `host plugin new` creates, recognised by its files, wherever below its folder a
//! command is given. So commands need not be told which plugin they are about, and know whether it is as new as its
//! sources. What differs between languages is in [`language`]; which tools they need is in [`tools`].

pub mod language;
pub mod tools;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use host_core::environment::{Environment, VariableError};
use host_core::text::path as shown;

use self::language::Facts;
use crate::cli::Language;
use crate::error::{ConfigError, Error, ToolsError, build_command};
use crate::plugins::EXTENSION;
use crate::remarks;

/// The folder of the author's cases.
pub const CASES: &str = "cases";
/// Folders whose files do not become part of the plugin: what is built, what is installed, and what tests it.
const NO_SOURCES: [&str; 10] = [
    "__pycache__",
    "benches",
    "build",
    CASES,
    "examples",
    "node_modules",
    "target",
    "test",
    "tests",
    "zig-out",
];

/// A folder with the sources of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Where it is.
    pub folder: PathBuf,
    /// What it is written in.
    pub language: Language,
    /// The detector's name, as in its files.
    pub name: String,
}

impl Project {
    /// The project in this folder, if it is one.
    #[must_use]
    pub fn at(folder: &Path) -> Option<Project> {
        let (language, name) = language::recognise(folder)?;
        Some(Project { folder: folder.to_owned(), language, name })
    }

    /// The project in this folder or the nearest one above it.
    #[must_use]
    pub fn around(folder: &Path) -> Option<Project> {
        folder.ancestors().find_map(Project::at)
    }

    /// The project that makes this file.
    #[must_use]
    pub fn that_makes(file: &Path) -> Option<Project> {
        let file = file.canonicalize().ok()?;
        let project = Project::around(file.parent()?)?;
        let made = project.plugin_file().ok()?.canonicalize().ok()?;
        (made == file).then_some(project)
    }

    /// The project around the current folder, or in the one that is given.
    ///
    /// # Errors
    /// [`ToolsError::NoProject`] if there is none.
    pub fn chosen(given: Option<&Path>) -> Result<Project, ToolsError> {
        let folder = match given {
            Some(folder) => folder.to_owned(),
            None => current_folder()?,
        };
        let project = match given {
            Some(_) => Project::at(&folder),
            None => Project::around(&folder),
        };
        project.ok_or(ToolsError::NoProject(folder))
    }

    /// What is known about projects in its language.
    #[must_use]
    pub fn facts(&self) -> &'static Facts {
        language::facts(self.language)
    }

    /// The file that a build makes, whether it exists or not.
    ///
    /// # Errors
    /// If `CARGO_TARGET_DIR` is set, but cannot be used.
    pub fn plugin_file(&self) -> Result<PathBuf, VariableError> {
        Ok(match self.language {
            Language::Rust => {
                let environment = Environment::of_process();
                let target = environment.text("CARGO_TARGET_DIR")?.unwrap_or("target");
                self.folder.join(target).join(language::below_target(&self.name))
            }
            _ => self.folder.join(&self.name).with_added_extension(EXTENSION),
        })
    }

    /// The files that the plugin is made of, and when each was last changed.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn sources(&self) -> Result<Vec<(PathBuf, SystemTime)>, ToolsError> {
        Ok(self.tree()?.files)
    }

    /// The folders with such files, and the files themselves.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn tree(&self) -> Result<Tree, ToolsError> {
        let mut tree = Tree::default();
        let read = tree.collect(&self.folder);
        read.map_err(|source| ToolsError::File { doing: "read", path: self.folder.clone(), source })?;
        tree.files.retain(|(file, _)| self.facts().is_source(file));
        Ok(tree)
    }

    /// The author's cases.
    #[must_use]
    pub fn cases(&self) -> PathBuf {
        self.folder.join(CASES)
    }

    /// The latest of the sources that were changed after this time.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn changed_after(&self, time: SystemTime) -> Result<Option<PathBuf>, ToolsError> {
        let sources = self.sources()?.into_iter().filter(|(_, changed)| *changed > time);
        Ok(sources.max_by_key(|(_, changed)| *changed).map(|(file, _)| file))
    }
}

/// The plugin that a command is about: the one that is given, as a path or a name; that of the project in the folder
/// that is given; or that of the project around the current folder. Says which, and whether it is older than its
/// sources.
///
/// # Errors
/// [`ConfigError::NoPlugin`] if none is given and there is no project; [`ToolsError::NotBuilt`] if the project's is
/// not there.
pub fn chosen_plugin(given: Option<&Path>) -> Result<PathBuf, Error> {
    let project = match given {
        // A bare name is always looked up among the plugins, and never means a folder.
        Some(given) if is_path(given) && given.is_dir() => Project::chosen(Some(given))?,
        Some(given) => {
            if let Some(project) = Project::that_makes(given) {
                warn_if_outdated(&project, given)?;
            }
            return Ok(given.to_owned());
        }
        None => match Project::around(&current_folder()?) {
            Some(project) => project,
            None => return Err(ConfigError::NoPlugin.into()),
        },
    };
    let file = from_here(&project.plugin_file()?);
    if !file.is_file() {
        return Err(ToolsError::NotBuilt { file, project: from_here(&project.folder) }.into());
    }
    if given.is_none() {
        remarks::note(&format!("the plugin is `{}`, of the project in this folder", shown(&file)));
    }
    warn_if_outdated(&project, &file)?;
    Ok(file)
}

/// Whether it can only be meant as a path.
fn is_path(given: &Path) -> bool {
    given.as_os_str().as_encoded_bytes().contains(&b'/') || matches!(given.to_str(), Some("." | ".."))
}

fn warn_if_outdated(project: &Project, file: &Path) -> Result<(), Error> {
    let built = fs::metadata(file).and_then(|metadata| metadata.modified());
    let built = built.map_err(|source| ToolsError::File { doing: "read", path: file.to_owned(), source })?;
    if let Some(source) = project.changed_after(built)? {
        tracing::warn!(
            "`{}` is older than `{}`; to build it again: {}",
            shown(file),
            shown(&from_here(&source)),
            build_command(&from_here(&project.folder))
        );
    }
    Ok(())
}

/// The path as it is best written in the current folder; never as a bare name, which could mean something else.
#[must_use]
pub fn from_here(path: &Path) -> PathBuf {
    let here = current_folder().ok();
    match here.and_then(|here| path.strip_prefix(here).ok()) {
        Some(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Some(below) => Path::new(".").join(below),
        None => path.to_owned(),
    }
}

fn current_folder() -> Result<PathBuf, ToolsError> {
    std::env::current_dir().map_err(|source| ToolsError::File { doing: "find", path: ".".into(), source })
}

/// What is in a folder and below it, except for what is hidden and what is in [`NO_SOURCES`].
#[derive(Default)]
pub struct Tree {
    /// The folder itself is the first.
    pub folders: Vec<PathBuf>,
    /// When each was last changed.
    pub files: Vec<(PathBuf, SystemTime)>,
}

impl Tree {
    /// Does not follow links to folders, so there are no circles.
    fn collect(&mut self, folder: &Path) -> io::Result<()> {
        self.folders.push(folder.to_owned());
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                if !NO_SOURCES.contains(&&*name) {
                    self.collect(&path)?;
                }
                continue;
            }
            // It may be removed at any moment, such as by an editor that saves.
            if let Ok(metadata) = fs::metadata(&path)
                && metadata.is_file()
            {
                self.files.push((path, metadata.modified()?));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::ValueEnum as _;

    use super::*;
    use crate::authors::new;
    use crate::cli::SdkChoice;

    #[test]
    fn what_new_creates_is_recognised_wherever_one_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        for &language in Language::value_variants() {
            let name = format!("night-owls-{}", language.to_possible_value().unwrap().get_name());
            let folder = new::create(parent.path(), &name, language, &SdkChoice::Copy).unwrap();
            let project = Project { folder: folder.clone(), language, name };
            assert_eq!(Project::at(&folder).as_ref(), Some(&project));
            assert_eq!(Project::around(&folder.join("cases")).as_ref(), Some(&project));
            // The SDK, for instance, is no project.
            let below = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
            for inner in below.filter(|path| path.is_dir()) {
                assert_eq!(Project::at(&inner), None, "{}", inner.display());
            }
        }
        assert_eq!(Project::around(parent.path()), None);
    }

    #[test]
    fn a_plugin_is_outdated_if_a_source_changed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        for (language, sources, others) in [
            (Language::Rust, ["src/lib.rs", "sdk/src/lib.rs"], ["cases/basic.csv", "README.md"]),
            (Language::Python, ["app.py", "requirements.txt"], ["tests/test_app.py", ".gitignore"]),
            (
                Language::Typescript,
                ["detector.ts", "ingest-detector/index.js"],
                ["test/detector.test.ts", "README.md"],
            ),
            (Language::Cpp, ["contract.hpp", "Makefile"], ["cases/basic.csv", "README.md"]),
            (Language::Go, ["contract/contract.go", "go.mod"], ["cases/basic.csv", "README.md"]),
        ] {
            let name = format!("a-{}", language.to_possible_value().unwrap().get_name());
            let folder = new::create(parent.path(), &name, language, &SdkChoice::Copy).unwrap();
            let project = Project::at(&folder).unwrap();
            let built = SystemTime::now() + Duration::from_secs(1);
            assert_eq!(project.changed_after(built).unwrap(), None);
            let touch = |file: &str, seconds| {
                let file = fs::File::options().append(true).open(folder.join(file)).unwrap();
                file.set_modified(built + Duration::from_secs(seconds)).unwrap();
            };
            others.iter().for_each(|file| touch(file, 1));
            assert_eq!(project.changed_after(built).unwrap(), None, "{name}");
            for (seconds, source) in (1..).zip(sources) {
                touch(source, seconds);
                assert_eq!(project.changed_after(built).unwrap(), Some(folder.join(source)));
            }
        }
    }

    #[test]
    fn what_a_compiler_makes_is_not_a_source() {
        let parent = tempfile::tempdir().unwrap();
        let folder = new::create(parent.path(), "owls", Language::Typescript, &SdkChoice::Copy).unwrap();
        let project = Project::at(&folder).unwrap();
        let before = project.sources().unwrap().len();
        fs::write(folder.join("detector.js"), "").unwrap();
        fs::create_dir(folder.join("node_modules")).unwrap();
        fs::write(folder.join("node_modules/a.js"), "").unwrap();
        fs::write(folder.join("owls.wasm"), "").unwrap();
        assert_eq!(project.sources().unwrap().len(), before);
    }
}
