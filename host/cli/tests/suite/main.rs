//! The built program against a real PostgreSQL and real plugins, as its users run it.
//!
//! `cargo xtask test` builds the plugins, starts a throwaway server and runs this.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, that is how to fail")]
#![allow(clippy::disallowed_methods, reason = "the tests have an environment of their own")]

mod adopted;
mod advice;
mod append;
mod authors;
mod changing;
mod compiler;
mod completions;
mod compose;
mod conformance;
mod connection;
mod embedded;
mod ensemble;
mod errors;
mod exact;
mod faults;
mod folders;
mod forged;
mod generated;
mod hardened;
mod input;
mod json;
mod keys;
mod ledger;
mod lookup;
mod migrations;
mod outcome;
mod output;
mod places;
mod plugins;
mod pooler;
mod rejects_file;
mod remarks;
mod replays;
mod run;
mod sandbox;
mod scripted;
mod signals;
mod support;
mod tls;
mod together;
mod tools;
mod troubles;
mod verify;
mod versions;
mod waiting;
