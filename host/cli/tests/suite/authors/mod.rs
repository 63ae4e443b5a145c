//! For authors of plugins.

mod capture;
mod conformance;
mod dev;
mod ensemble;
mod mistakes;
mod mistakes_native;
mod project;
mod templates;
mod tools;
