//! Undoing runs: everything that a run wrote is removed, rows that it had replaced are put back, and its row in the
//! ledger is marked; all in one transaction, under the lock that runs take, too.
//!
//! [`plan`] says which runs have to be undone together, [`examine`] compares what is there of one with what the ledger
//! says, [`remove`] removes it, [`transaction`] is the order of these, up to COMMIT; [`error`] says why not.

pub(crate) mod error;
pub(crate) mod examine;
pub(crate) mod plan;
pub(crate) mod remove;
pub(crate) mod transaction;
