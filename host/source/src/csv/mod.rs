//! From text to fields: [`records`] splits it, [`lines`] leaves out what is not CSV, [`body`] says which records are
//! rows, and [`columns`] which [`field`] is where.

pub(crate) mod body;
pub(crate) mod columns;
pub(crate) mod field;
mod lines;
#[cfg(test)]
mod pieces;
pub(crate) mod records;
