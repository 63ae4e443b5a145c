//! The run's one [`transaction`], on the [`options`] that were asked for: [`numbers`] and [`sequences`] say
//! where to go on, [`keys`] may put off the keys of empty tables, [`writer`] fills it with rows that
//! [`copy`] encodes and whose ids [`keep`] compares; others' [`triggers`] may refuse some, whose file and
//! line [`places`] knows.

pub mod copy;
mod keep;
mod keys;
mod numbers;
pub(crate) mod options;
mod places;
mod sequences;
pub(crate) mod transaction;
mod triggers;
mod writer;
