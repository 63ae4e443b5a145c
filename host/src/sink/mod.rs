//! From classified batches to one committed PostgreSQL transaction. Knows nothing of CSV or
//! WebAssembly.
//!
//! [`target`] decides which server, [`mod@connect`] reaches it, [`query`] asks it, [`encoding`] says what
//! its texts can hold, [`schema`] sees to it that the tables are there and fit. [`transaction`] is the
//! run's one transaction: [`session`] begins it, [`lock`] keeps others out, [`numbers`] and [`sequences`]
//! say where to go on, [`keys`] may put off the keys of empty tables, [`writer`] fills it with rows that
//! [`copy`] encodes and whose ids [`keep`] compares (others' [`triggers`] may refuse some), [`ledger`]
//! records what was done, [`once`] knows what was done before, [`outcome`] finds out what became of it
//! where the connection is lost. [`mod@runs`], [`listing`], [`stored`] and [`snapshot`]
//! read back what earlier runs have written. [`embedded`] is the server that is there when there is no
//! other.

mod connect;
pub mod copy;
pub mod embedded;
mod encoding;
mod error;
mod keep;
mod keys;
mod ledger;
mod libpq;
mod listing;
mod lock;
mod numbers;
mod once;
mod outcome;
mod places;
mod query;
mod runs;
mod schema;
mod sequences;
mod server_error;
mod session;
mod skips;
mod snapshot;
mod stored;
mod target;
mod tls;
mod transaction;
mod triggers;
mod turned_away;
mod writer;

pub use connect::{Connection, connect};
pub use encoding::Encoding;
pub use error::{EmbeddedError, SinkError, Taker};
pub use ledger::{PluginFacts, RunFacts};
pub use listing::{Cursor, Listing, RejectRecord, RowOfRun, SkipRecord};
pub use once::{AlreadyIngested, Candidate, Known, KnownFile, KnownFrom, Once};
pub use runs::{ASSIGN, FileRecord, KEEP, LedgerRun, PluginRecord, RunFilter, RunRecord};
pub use schema::{Applied, IntType, Known as KnownMigration, Migration, TableWidths, Widths, check_columns};
pub use schema::{ensure as ensure_schema, look, status as migration_status};
pub use server_error::{ServerError, Trouble};
pub use skips::SkipDigest;
pub use snapshot::{Snapshot, StoredReject, StoredSkip};
pub use stored::{StoredAnomaly, StoredRow};
pub use target::{Patience, ServerTarget, Target};
pub use transaction::{Committed, Completed, Recorded, Terms, Transaction};
pub use turned_away::TurnedAway;

/// Where `transaction_id` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdPolicy {
    /// The host allots it, after the highest one; the file's goes to `source_id`.
    Assign,
    /// The file's own.
    Keep(OnConflict),
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
    fn applies_to(self, size_bytes: Option<u64>) -> bool {
        const LARGE_BYTES: u64 = 4 * 1024 * 1024;
        match self {
            DeferKeys::Auto => size_bytes.is_some_and(|bytes| bytes >= LARGE_BYTES),
            DeferKeys::Always => true,
            DeferKeys::Never => false,
        }
    }
}
