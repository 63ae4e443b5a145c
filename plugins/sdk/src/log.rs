//! Messages to the host's log: `log::info!("{} users so far", users.len())`. On native targets, in tests,
//! they go to stderr. After 1,000 lines per run the host drops the rest.
//!
//! | macro | for | shown by |
//! | --- | --- | --- |
//! | [`log::debug!`](debug) | yourself, while debugging | `host -vv` |
//! | [`log::info!`](info) | what is good to know | `host -v` |
//! | [`log::warn!`](warn) | the result stands, but the user should look | always |
//! | [`log::error!`](error) | something failed | always |
//!
//! A panic's message is logged automatically.

pub use crate::bindings::ingest::detector::host::Level;
pub use crate::{__debug as debug, __error as error, __info as info, __warn as warn};

/// Logs one message; the macros are shorter.
#[cfg(target_family = "wasm")]
pub fn log(level: Level, message: &str) {
    crate::bindings::ingest::detector::host::log(level, message);
}

/// Logs one message; the macros are shorter.
#[cfg(not(target_family = "wasm"))]
#[allow(clippy::print_stderr, reason = "natively there is no host to log to")]
pub fn log(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}

/// For yourself, while debugging; shown by `host -vv`.
#[doc(hidden)]
#[macro_export]
macro_rules! __debug {
    ($($argument:tt)*) => { $crate::log::log($crate::log::Level::Debug, &::std::format!($($argument)*)) };
}

/// Good to know; shown by `host -v`.
#[doc(hidden)]
#[macro_export]
macro_rules! __info {
    ($($argument:tt)*) => { $crate::log::log($crate::log::Level::Info, &::std::format!($($argument)*)) };
}

/// The result stands, but the user should look.
#[doc(hidden)]
#[macro_export]
macro_rules! __warn {
    ($($argument:tt)*) => { $crate::log::log($crate::log::Level::Warn, &::std::format!($($argument)*)) };
}

/// Something failed.
#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($($argument:tt)*) => { $crate::log::log($crate::log::Level::Error, &::std::format!($($argument)*)) };
}
