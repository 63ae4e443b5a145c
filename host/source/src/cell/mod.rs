//! From one cell to one exact value: ids and amounts ([`value`]), textual ids ([`key`]), dates and times ([`timestamp`], in [`iso`]
//! format or by a [`pattern`]).

pub(crate) mod iso;
pub(crate) mod key;
pub(crate) mod pattern;
pub mod timestamp;
pub mod value;
