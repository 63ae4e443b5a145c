//! What can go wrong in the tools for plugin authors, besides what can go wrong with plugins and files
//! anyway.

use std::path::{Path, PathBuf};

use host_core::exit;
use host_core::text::{printable, shell_file};
use thiserror::Error;

/// Why a tool could not do its work.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "tool_")]
pub enum ToolsError {
    /// A name that no plugin can have.
    #[error("`{}` is not a name for a plugin: {why}", printable(name))]
    Name {
        /// As given.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A package was asked for in a language that has none.
    #[error("there is no package for this language: its projects contain all that they need")]
    NoPackage,
    /// Something else than the package that was asked for.
    #[error("`{}` is not the package `{name}`: {why}", path.display())]
    Package {
        /// As given.
        path: PathBuf,
        /// The package's name.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Something is already there.
    #[error("`{}` exists already", .0.display())]
    Exists(PathBuf),
    /// Another plugin of that name is already there.
    #[error("there is another plugin `{name}` already, `{}`, with the sha256 {found}", file.display())]
    OtherPlugin {
        /// Its name.
        name: String,
        /// The file that is there.
        file: PathBuf,
        /// Its digest.
        found: host_core::digest::Sha256Digest,
    },
    /// One of the tool's files or folders.
    #[error("could not {doing} `{}`", path.display())]
    File {
        /// What was to be done with it.
        doing: &'static str,
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A case that is not a CSV file.
    #[error("could not read the case `{}`", file.display())]
    Csv {
        /// The case.
        file: PathBuf,
        /// Why not.
        source: csv::Error,
    },
    /// No cases where cases were expected.
    #[error("no cases in `{}`", .0.display())]
    NoCases(PathBuf),
    /// A case that does not say what is expected.
    #[error("the case `{}` has no column `expected_score`", .0.display())]
    NoExpectation(PathBuf),
    /// An expectation that is not a number.
    #[error("the case `{}` expects the score `{}` in row {row}", file.display(), printable(value))]
    Expectation {
        /// The case.
        file: PathBuf,
        /// Which row, from 1.
        row: usize,
        /// What it says instead.
        value: String,
    },
    /// What says how a case is read does not say it.
    #[error("`{}` does not say how a case is read", .0.display())]
    CaseReading(PathBuf),
    /// A setting that cannot be written as a line.
    #[error("the setting `{}` cannot be kept with the case", printable(.0))]
    NotALine(String),
    /// A file whose rows are gone once they have been read.
    #[error("`{}` cannot be read again", .0.display())]
    NotAgain(PathBuf),
    /// Lines of one file, but several files.
    #[error("`--capture-lines` means lines of one file, but {0} are given")]
    CaptureOfSeveral(usize),
    /// A line of a case's settings that is not a setting.
    #[error("`{}` in `{}` is not NAME=VALUE", printable(line), file.display())]
    CaseSetting {
        /// The file of settings.
        file: PathBuf,
        /// Its line.
        line: String,
    },
    /// A folder that is not a project.
    #[error("`{}` is not the folder of a plugin's project", .0.display())]
    NoProject(PathBuf),
    /// A project whose plugin is not there.
    #[error("the plugin `{}` has not been built", file.display())]
    NotBuilt {
        /// The plugin.
        file: PathBuf,
        /// The folder of its project.
        project: PathBuf,
    },
    /// A build command that cannot even be started.
    #[error("could not start `{command}`")]
    Start {
        /// The command.
        command: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// A build that fails.
    #[error("`{command}` failed: {status}")]
    Build {
        /// The command.
        command: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// A project in which changes cannot be noticed.
    #[error("could not watch the folder `{}`", folder.display())]
    Watch {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: notify::Error,
    },
    /// A build after which there is no plugin.
    #[error("`{command}` succeeded, but there is no `{}`", file.display())]
    NothingBuilt {
        /// The command.
        command: &'static str,
        /// The plugin.
        file: PathBuf,
    },
    /// A file that is not part of a kit.
    #[error("`{}` is not a kit's file", file.display())]
    Kit {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, and where.
        source: serde_json::Error,
    },
    /// A plugin that is not one of a kit's detectors.
    #[error("the kit in `{}` has no detector `{}`", folder.display(), printable(detector))]
    NotInKit {
        /// The kit's folder.
        folder: PathBuf,
        /// What the plugin calls itself.
        detector: String,
        /// The detectors that it has.
        known: Vec<String>,
    },
    /// A file without rows to measure with.
    #[error("`{}` has no rows", .0.display())]
    NoRows(PathBuf),
}

impl ToolsError {
    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            ToolsError::Name { .. }
            | ToolsError::NoPackage
            | ToolsError::Package { .. }
            | ToolsError::Exists(_)
            | ToolsError::OtherPlugin { .. }
            | ToolsError::NoProject(_)
            | ToolsError::CaptureOfSeveral(_) => exit::USAGE,
            ToolsError::NotBuilt { .. }
            | ToolsError::Start { .. }
            | ToolsError::Build { .. }
            | ToolsError::NothingBuilt { .. } => exit::PLUGIN,
            _ => exit::INPUT,
        }
    }

    /// What the user can do, if anything.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            ToolsError::Name { .. } => Some("for instance `host plugin new night-owls --lang rust`".into()),
            ToolsError::NoPackage => Some("leave out `--sdk`".into()),
            ToolsError::Package { .. } => {
                Some("`cargo xtask packages` builds all of them in the project's sources; or leave out `--sdk`".into())
            }
            ToolsError::Exists(_) => Some("choose another name, or remove it".into()),
            ToolsError::OtherPlugin { .. } => Some("to put this one in its place, pass `--replace`".into()),
            ToolsError::NoCases(_) => Some(
                "a case is a CSV file with the column `expected_score`: empty where a row is not anomalous, else a number or `any`".into(),
            ),
            ToolsError::NoExpectation(_) => {
                Some("to write down what the plugin answers now, pass `--update`".into())
            }
            ToolsError::Expectation { .. } => {
                Some("leave it empty where the row is not anomalous; else write a number or `any`".into())
            }
            ToolsError::NotInKit { known, .. } if known.is_empty() => {
                Some("a kit is a folder of `.json` files, such as `wit/kit`".into())
            }
            ToolsError::NotInKit { known, .. } => Some(format!(
                "`describe` must return the name of one of its detectors: {}",
                printable(&known.join(", "))
            )),
            ToolsError::CaseSetting { .. } => Some("settings look like `limit=500`, one a line".into()),
            ToolsError::NoProject(_) => {
                Some("a project is what `host plugin new` creates; go to its folder, or name it".into())
            }
            ToolsError::NotBuilt { project, .. } => Some(format!("run: {}", build_command(project))),
            ToolsError::Build { .. } => {
                Some("see what it printed above; if a tool is missing: host plugin doctor".into())
            }
            ToolsError::Watch { source, .. } => match source.kind {
                notify::ErrorKind::MaxFilesWatch => {
                    Some("the system allows no more; see `fs.inotify.max_user_watches` in `man 7 inotify`".into())
                }
                _ => None,
            },
            ToolsError::NothingBuilt { .. } => {
                Some("the project's own files say what is built; this is where the plugin is looked for".into())
            }
            _ => None,
        }
    }
}

/// The command that builds the project in a folder, as it is written in the current one.
#[must_use]
pub fn build_command(folder: &Path) -> String {
    match folder.to_str() {
        Some(".") => "host plugin build".to_owned(),
        _ => format!("host plugin build {}", shell_file(&folder.to_string_lossy())),
    }
}
