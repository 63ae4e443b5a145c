//! For authors of plugins.

mod abi;
mod conformance;
mod ensemble;
mod kit;
mod mistakes;
mod mistakes_native;
mod semantics;
mod templates;
mod tools;
