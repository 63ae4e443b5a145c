//! `host` streams the rows of a transactions CSV through a sandboxed anomaly detector (a
//! WebAssembly component) and writes all rows and all anomalies to PostgreSQL in one committed
//! transaction. Read [`pipeline`] first: it is the one place that knows the order of the stages.

mod advice;
pub mod batch;
pub mod cli;
pub mod commands;
pub mod config;
pub mod detector;
pub mod diagnostic;
pub mod digest;
pub mod environment;
pub mod error;
pub mod exit;
pub mod folders;
pub mod interrupt;
pub mod logging;
pub mod output;
pub mod panics;
pub mod pipeline;
pub mod plugin_tools;
pub mod progress;
pub mod remarks;
pub mod report;
mod secret;
pub mod sink;
pub mod source;
pub mod text;
mod threads;
pub mod verify;
