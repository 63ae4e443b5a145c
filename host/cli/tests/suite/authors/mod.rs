//! For authors of plugins.

mod abi;
mod capture;
pub mod conformance;
mod dev;
mod ensemble;
mod kit;
mod mistakes;
mod mistakes_native;
mod mistakes_table;
mod packages;
mod project;
mod semantics;
mod stateful;
mod templates;
mod tools;
