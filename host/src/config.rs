//! From the command line and the environment to one validated configuration.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::cli::{DatabaseArgs, Format, RunArgs};
use crate::detector::Limits;
use crate::sink::{SinkError, Target};
use crate::text::printable;

/// What was asked for makes no sense.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// `--set` without `=`.
    #[error("`--set {}` is not NAME=VALUE", printable(.0))]
    Setting(String),
    /// The same setting twice.
    #[error("the setting `{}` is given twice", printable(.0))]
    SettingTwice(String),
    /// A deadline that no call can keep.
    #[error("`--deadline` must be longer than nothing")]
    Deadline,
    /// A memory limit that no machine has.
    #[error("`--memory-limit` is beyond what this machine can address")]
    MemoryLimit,
}

impl ConfigError {
    /// What the user can do, where there is something.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            ConfigError::Setting(_) => Some("settings look like `--set limit=500`".into()),
            _ => None,
        }
    }
}

/// One run, as it was asked for.
pub struct RunConfig {
    /// The CSV file.
    pub file: PathBuf,
    /// The plugin as it was given: a path or a name.
    pub plugin: PathBuf,
    /// Settings of the detector, in the order given.
    pub settings: Vec<(String, String)>,
    /// Bounds of the sandbox.
    pub limits: Limits,
    /// Rows of a batch.
    pub batch_rows: usize,
    /// Where to write.
    pub target: Target,
    /// How to print the summary.
    pub format: Format,
}

impl RunConfig {
    /// Validates what was given.
    ///
    /// # Errors
    /// [`ConfigError`] or [`SinkError::Target`].
    pub fn new(arguments: RunArgs) -> Result<RunConfig, crate::error::Error> {
        let mut settings: Vec<(String, String)> = Vec::new();
        for setting in arguments.settings {
            let Some((name, value)) = setting.split_once('=') else {
                return Err(ConfigError::Setting(setting).into());
            };
            if settings.iter().any(|(other, _)| other == name) {
                return Err(ConfigError::SettingTwice(name.to_owned()).into());
            }
            settings.push((name.to_owned(), value.to_owned()));
        }
        let deadline = Duration::try_from(arguments.deadline).unwrap_or_default();
        if deadline.is_zero() {
            return Err(ConfigError::Deadline.into());
        }
        let memory_bytes =
            usize::try_from(arguments.memory_limit.as_u64()).map_err(|_| ConfigError::MemoryLimit)?;
        Ok(RunConfig {
            target: target(&arguments.database)?,
            file: arguments.file,
            plugin: arguments.plugin,
            settings,
            limits: Limits { deadline, memory_bytes, ..Limits::default() },
            batch_rows: arguments.batch_rows as usize,
            format: arguments.format,
        })
    }
}

/// The database that the arguments and the environment choose.
///
/// # Errors
/// [`SinkError::Target`].
pub fn target(arguments: &DatabaseArgs) -> Result<Target, SinkError> {
    Target::choose(arguments.database_url.as_deref(), &environment)
}

/// A variable of the environment, if it is text.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
