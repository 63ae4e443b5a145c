//! What can go wrong in the tools for plugin authors, besides what can go wrong with plugins and files
//! anyway.

use std::path::PathBuf;

use host_core::exit;
use host_core::text::printable;
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
    /// A line of a case's settings that is not a setting.
    #[error("`{}` in `{}` is not NAME=VALUE", printable(line), file.display())]
    CaseSetting {
        /// The file of settings.
        file: PathBuf,
        /// Its line.
        line: String,
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
            | ToolsError::OtherPlugin { .. } => exit::USAGE,
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
            ToolsError::CaseSetting { .. } => Some("settings look like `limit=500`, one a line".into()),
            _ => None,
        }
    }
}
