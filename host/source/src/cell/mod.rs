//! From one cell to one exact value: ids and amounts ([`value`], or as an [example](amount_example) says, [`amount`];
//! [`total`] of many; [`thousands`] may be meant), textual ids ([`key`]), what a row has turned out to be ([`label`]),
//! dates and times ([`timestamp`], in [`iso`] format, by a [`pattern`] or as [`excel`]'s day numbers).

pub mod amount;
mod amount_example;
pub mod excel;
pub(crate) mod iso;
pub(crate) mod key;
pub(crate) mod label;
pub(crate) mod pattern;
pub(crate) mod thousands;
pub mod timestamp;
pub(crate) mod total;
pub mod value;
