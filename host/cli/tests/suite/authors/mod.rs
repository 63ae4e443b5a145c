//! For authors of plugins.

mod conformance;
mod ensemble;
mod mistakes;
mod templates;
mod tools;
