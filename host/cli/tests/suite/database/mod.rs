//! The server, the tables, and what becomes of a run whatever fails.

mod adopted_tables;
mod append;
mod commit_in_doubt;
mod concurrency;
mod connection;
mod deferred_keys;
mod failures;
mod faults;
mod ledger;
mod local_server;
mod migrations;
mod pooler;
mod postgresql_versions;
mod prune;
mod replace;
mod replays;
mod signals;
mod state;
mod tls;
mod users;
mod verify;
pub mod waiting;
mod watch;
mod watch_soak;
mod wide_columns;
