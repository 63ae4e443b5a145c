//! For authors of plugins.

mod conformance;
mod ensemble;
mod mistakes;
mod mistakes_native;
mod packages;
mod templates;
mod tools;
