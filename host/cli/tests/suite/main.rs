//! The built program against a real PostgreSQL and real plugins, as its users run it.
//!
//! `cargo xtask test` builds the plugins, starts a throwaway server and runs this.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, that is how to fail")]
#![allow(clippy::disallowed_methods, reason = "the tests have an environment of their own")]

mod authors;
mod command_line;
mod database;
mod sandbox;
mod source;
mod support;
