//! From the command line and the environment to one validated configuration.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use thiserror::Error;

use crate::cli::{DatabaseArgs, Format, RunArgs, SandboxArgs};
use crate::detector::{Demands, Limits};
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
    /// A time that nothing can be done in.
    #[error("`{0}` must be longer than nothing")]
    Time(&'static str),
    /// A size that no machine has.
    #[error("`{0}` is beyond what this machine can address")]
    Size(&'static str),
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
    /// What the plugin must be.
    pub demands: Demands,
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
        Ok(RunConfig {
            target: target(&arguments.database)?,
            file: arguments.file,
            plugin: arguments.plugin,
            settings,
            limits: limits(&arguments.sandbox)?,
            demands: Demands { strict: arguments.sandbox.strict, sha256: arguments.sandbox.plugin_sha256 },
            batch_rows: arguments.batch_rows as usize,
            format: arguments.format,
        })
    }
}

/// What is imposed on the plugin.
fn limits(arguments: &SandboxArgs) -> Result<Limits, ConfigError> {
    let time = |flag, time: SignedDuration| {
        Duration::try_from(time).ok().filter(|time| !time.is_zero()).ok_or(ConfigError::Time(flag))
    };
    let size = |flag, size: ByteSize| usize::try_from(size.as_u64()).map_err(|_| ConfigError::Size(flag));
    let defaults = Limits::default();
    Ok(Limits {
        call_deadline: time("--deadline", arguments.deadline)?,
        run_deadline: arguments.run_deadline.map(|given| time("--run-deadline", given)).transpose()?,
        compile_deadline: time("--compile-deadline", arguments.compile_deadline)?,
        fuel: arguments.fuel,
        memory_bytes: size("--memory-limit", arguments.memory_limit)?,
        stack_bytes: size("--stack-limit", arguments.stack_limit)?,
        transfer_bytes: size("--transfer-limit", arguments.transfer_limit)?,
        batch_anomalies: arguments.batch_anomalies.unwrap_or(defaults.batch_anomalies),
        log_lines: arguments.log_lines,
        plugin_bytes: defaults.plugin_bytes,
        deterministic_nan: arguments.deterministic,
    })
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
