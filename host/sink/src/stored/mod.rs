//! Reading back what is stored: [`look`](mod@look) takes a [`snapshot`] of it, in which [`rows`] and [`users`] are
//! looked up by their ids, and rejected and skipped [`records`] are read with a [`cursor`]; [`listing`] is for
//! commands that show them. [`replaced`] rows are those that a later run has written anew, [`feedback`] is what has
//! become known of rows, [`writers`] says which run wrote a row; [`state`] is what detectors have learned.

pub(crate) mod cursor;
pub(crate) mod feedback;
pub(crate) mod listing;
pub(crate) mod look;
pub(crate) mod records;
pub(crate) mod replaced;
pub(crate) mod rows;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod users;
pub(crate) mod writers;
