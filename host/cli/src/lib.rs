//! `host` streams the rows of a transactions CSV through a sandboxed anomaly detector (a
//! WebAssembly component) and writes all rows and all anomalies to PostgreSQL in one committed
//! transaction. Read [`pipeline`] first: it is the one place that knows the order of the stages.

pub mod authors;
pub mod cli;
pub mod commands;
pub mod config;
pub mod diagnostic;
pub mod error;
pub mod interrupt;
pub mod logging;
pub mod output;
pub mod panics;
pub mod pipeline;
pub mod plugins;
pub mod profiles;
pub mod progress;
pub mod remarks;
pub mod report;
pub mod status;
pub mod verify;
pub mod watch;
