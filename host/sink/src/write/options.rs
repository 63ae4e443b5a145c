//! What a transaction is asked to do.

use std::time::Duration;

use host_core::facts::IdKind;

use crate::ledger::facts::Once;
use crate::ledger::runs::{ASSIGN, KEEP};

/// What a transaction is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct TransactionOptions {
    /// How long to wait for other sessions that write to the same tables; `None` for ever.
    pub lock_timeout: Option<Duration>,
    /// Where ids come from.
    pub ids: IdPolicy,
    /// What the files have as ids of transactions; numbers, if they are to be kept.
    pub transaction_ids: IdKind,
    /// What they have as ids of users.
    pub user_ids: IdKind,
    /// What must not be ingested a second time.
    pub once: Option<Once>,
    /// Whether the keys of empty tables are built after the rows.
    pub defer_keys: DeferKeys,
}

/// Where `transaction_id` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdPolicy {
    /// The host allots it, after the highest one; the file's id goes to `source_id`.
    Assign,
    /// The file's id is used.
    Keep(OnConflict),
}

impl IdPolicy {
    /// As recorded in the ledger.
    pub(crate) fn recorded(self) -> &'static str {
        match self {
            IdPolicy::Assign => ASSIGN,
            IdPolicy::Keep(_) => KEEP,
        }
    }
}

/// What to do about a row whose id is already taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// End the run; nothing is written.
    Fail,
    /// Leave the existing row, write the other rows, and record the skipped one in `skipped_rows`.
    Skip,
    /// Write the row in place of the existing one, and keep what that was in `replaced_rows`.
    Replace,
}

/// Whether the keys of empty tables are built after the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeferKeys {
    /// For files that are large enough for it to matter.
    #[default]
    Auto,
    /// Whatever the files' size.
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
