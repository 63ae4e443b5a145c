//! The ledger: one row in `ingest_runs` for each committed run, and a row for each of its files. [`facts`]
//! are what a run knows about itself, [`runs`] what the ledger stores about it, [`record`] writes and
//! [`read`] reads that, [`once`] finds out what was ingested before, [`ids`] allots ids to rows,
//! [`skips`] computes the digest of skipped rows, [`prunes`] removes what old runs have recorded, and [`states`] lists
//! what detectors have left.

pub(crate) mod facts;
pub(crate) mod ids;
pub(crate) mod once;
pub(crate) mod prunes;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod runs;
pub(crate) mod skips;
pub(crate) mod states;
