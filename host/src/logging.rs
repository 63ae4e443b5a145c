//! The log: on stderr, for whoever wants to know more. What a guest says comes here too.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Starts logging: warnings, with `-v` what happens, with `-vv` everything of the host and its
/// guests. `HOST_LOG` overrides it, in the syntax of tracing's `EnvFilter`.
pub fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let default = format!("warn,host={level},guest={level}");
    let filter = EnvFilter::try_from_env("HOST_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .init();
}
