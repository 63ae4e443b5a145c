//! From text to fields: [`records`] splits it, [`columns`] says which [`field`] is where, [`cells`] what several of
//! them mean together.

pub(crate) mod cells;
pub(crate) mod columns;
pub(crate) mod field;
pub(crate) mod records;
