//! From text to fields: [`records`] splits it, [`lines`] leaves out what is not CSV, [`body`] says which records are
//! rows, [`columns`] which [`field`] is where, and [`cells`] what several of them mean together.

pub(crate) mod body;
pub(crate) mod cells;
pub(crate) mod columns;
pub(crate) mod field;
mod lines;
#[cfg(test)]
mod pieces;
pub(crate) mod records;
