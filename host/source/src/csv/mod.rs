//! From text to fields: [`records`] splits it, [`columns`] says which [`field`] is where.

pub(crate) mod columns;
pub(crate) mod field;
pub(crate) mod records;
