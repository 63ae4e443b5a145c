//! What is asked of a transaction.

use std::time::Duration;

use crate::ledger::facts::Once;
use crate::ledger::runs::{ASSIGN, KEEP};

/// What is asked of a transaction.
#[derive(Clone, Copy, Debug)]
pub struct TransactionOptions {
    /// How long to wait for others that write to the same tables.
    pub lock_timeout: Option<Duration>,
    /// Where ids come from.
    pub ids: IdPolicy,
    /// What must not be written a second time.
    pub once: Option<Once>,
    /// Whether, in empty tables, keys are built after the rows.
    pub defer_keys: DeferKeys,
}

/// Where `transaction_id` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdPolicy {
    /// The host allots it, after the highest one; the file's goes to `source_id`.
    Assign,
    /// The file's own.
    Keep(OnConflict),
}

impl IdPolicy {
    /// As the ledger has it.
    pub(crate) fn recorded(self) -> &'static str {
        match self {
            IdPolicy::Assign => ASSIGN,
            IdPolicy::Keep(_) => KEEP,
        }
    }
}

/// What to do about a row whose id is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// End the run; nothing is written.
    Fail,
    /// Leave what is there, write the other rows, and keep account in `skipped_rows`.
    Skip,
}

/// Whether the keys of empty tables are built after the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeferKeys {
    /// For files that are large enough for it to matter.
    #[default]
    Auto,
    /// Whatever the size.
    Always,
    /// Keys stay in place.
    Never,
}

impl DeferKeys {
    pub(crate) fn applies_to(self, size_bytes: Option<u64>) -> bool {
        const LARGE_BYTES: u64 = 4 * 1024 * 1024;
        match self {
            DeferKeys::Auto => size_bytes.is_some_and(|bytes| bytes >= LARGE_BYTES),
            DeferKeys::Always => true,
            DeferKeys::Never => false,
        }
    }
}
