//! For authors of plugins.

mod conformance;
mod ensemble;
mod templates;
mod tools;
