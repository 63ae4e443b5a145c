//! The log: on stderr, for whoever wants to know more. What a guest says comes here too.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::environment::{Environment, VariableError};
use crate::output;

/// Starts logging: warnings, with `-v` what happens, with `-vv` everything of the host and its
/// guests. `HOST_LOG` overrides it, in the syntax of tracing's `EnvFilter`.
///
/// # Errors
/// [`VariableError`] where `HOST_LOG` is no filter.
pub fn start(verbose: u8, environment: &Environment) -> Result<(), VariableError> {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = match environment.text("HOST_LOG")? {
        Some(filter) => EnvFilter::try_new(filter).map_err(|error| VariableError::Invalid {
            name: "HOST_LOG".into(),
            problem: error.to_string(),
        })?,
        None => EnvFilter::new(format!("warn,host={level},guest={level}")),
    };
    // Without colours, so that nothing that looks like one has to be let through.
    fmt().with_env_filter(filter).with_writer(|| output::Log).with_ansi(false).without_time().init();
    Ok(())
}
