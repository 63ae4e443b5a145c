//! What is stored, read back: [`look`](mod@look) takes a [`snapshot`] of it, in which [`rows`] are looked
//! up by their ids, and rejected and skipped [`records`] come by a [`cursor`]; [`listing`] is for commands
//! that show them.

pub(crate) mod cursor;
pub(crate) mod listing;
pub(crate) mod look;
pub(crate) mod records;
pub(crate) mod rows;
pub(crate) mod snapshot;
