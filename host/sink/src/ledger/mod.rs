//! The ledger: one row of `ingest_runs` a committed run, and those of its files. [`facts`] are what a run
//! knows of itself, [`runs`] what the ledger has of it, [`record`] writes and [`read`] reads it, [`once`]
//! knows what was ingested before, [`ids`] are those that rows are given, and [`skips`] has the digest of
//! skipped rows.

pub(crate) mod facts;
pub(crate) mod ids;
pub(crate) mod once;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod runs;
pub(crate) mod skips;
