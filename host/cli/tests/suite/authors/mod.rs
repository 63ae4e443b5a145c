//! For authors of plugins.

mod conformance;
mod dev;
mod ensemble;
mod mistakes;
mod mistakes_native;
mod project;
mod templates;
mod tools;
