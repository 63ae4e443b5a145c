//! Plugins that are found by name: [`mod@lookup`] finds the file of one, [`library`] lists them and stores
//! those that a user adds.

pub mod library;
mod lookup;

pub use self::lookup::{EXTENSION, lookup};
