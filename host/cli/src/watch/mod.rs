//! `host watch`: the files that arrive in a folder are ingested, each once and in a run of its own, and moved away.
//!
//! Nothing about a file is remembered outside of the folder and the database: a file that lies in the folder has not
//! been dealt with, or it has, and the ledger says so (`--once`), in which case it is only moved. So the program may be
//! killed at any moment. What fails because of what is in a file goes to `failed`; whatever else fails is waited for,
//! and the file stays.
//!
//! [`watcher`] is the loop. [`inbox`] looks into the folder and tells which files are complete; [`folder`] holds the lock
//! and moves files; [`notices`] is how the system tells that something has happened. [`metrics`] counts, [`http`] answers
//! those who ask, [`hook`] tells another program.

mod config;
mod folder;
mod hook;
mod http;
mod inbox;
mod metrics;
mod notices;
mod watcher;

pub use self::config::WatchConfig;
pub use self::watcher::watch;
