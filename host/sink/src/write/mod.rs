//! The run's one [`transaction`], with the [`options`] that were asked for: [`numbers`] and [`sequences`]
//! say where to continue, [`keys`] may defer the keys of empty tables, [`writer`] fills it with rows that
//! [`copy`] encodes and whose ids [`keep`] compares; [`users`] numbers users whose ids are texts, [`replace`] writes
//! rows in place of stored ones, [`state`] what the detector has learned
//! ([`continuing`]: since another run; [`merge`]: what many runs wrote). The operator's [`triggers`] may refuse some
//! rows; [`places`] knows their files and lines. [`feedback`] is another transaction, for what becomes known of rows
//! later, which [`learning`] hands to detectors; [`shrink`] a third, which removes what is stored of a state.

mod continuing;
pub mod copy;
pub(crate) mod feedback;
mod keep;
mod keys;
mod learning;
mod merge;
mod numbers;
pub(crate) mod options;
mod places;
mod replace;
pub(crate) mod sequences;
pub(crate) mod shrink;
mod state;
pub(crate) mod transaction;
pub(crate) mod triggers;
mod users;
mod writer;
