//! For authors of plugins.

mod conformance;
mod ensemble;
mod mistakes;
mod mistakes_native;
mod mistakes_table;
mod templates;
mod tools;
