//! Messages into the host's log. On native targets, in tests, they go to stderr.

use crate::bindings::ingest::detector::host::Level;

/// For yourself, while looking for a mistake; shown by `host -vv`.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// Good to know; shown by `host -v`.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// The result stands, but somebody should look.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}

/// Something failed.
pub fn error(message: &str) {
    log(Level::Error, message);
}

#[cfg(target_family = "wasm")]
fn log(level: Level, message: &str) {
    crate::bindings::ingest::detector::host::log(level, message);
}

#[cfg(not(target_family = "wasm"))]
#[allow(clippy::print_stderr, reason = "natively there is no host to log to")]
fn log(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}
