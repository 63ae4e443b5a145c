//! From one cell to one exact value: ids and amounts ([`value`], [`total`]), dates and times ([`timestamp`], in [`iso`]
//! format or by a [`pattern`]).

pub(crate) mod iso;
pub(crate) mod pattern;
pub mod timestamp;
pub(crate) mod total;
pub mod value;
