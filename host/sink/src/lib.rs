//! From classified batches to one committed PostgreSQL transaction. Knows nothing of CSV or
//! WebAssembly.
//!
//! [`parameters`] are libpq's; [`local_server`] is the server that is used if no other is given.
//! [`connection`] reaches a server and queries it, [`schema`] ensures that the tables exist and fit.
//! [`write`](mod@write) is the run's one transaction, at the end of which the [`ledger`] records what was
//! done; [`stored`] reads back what earlier runs have written, [`undo`] removes it.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use host_core::environment::Environment;
//! use host_sink::{Patience, RunFilter, Target, look};
//!
//! # async fn latest() -> Result<(), Box<dyn std::error::Error>> {
//! let patience = Patience { connect: None, answer: Duration::from_secs(60) };
//! let target = Target::choose(Some("postgres://me@localhost/ingest"), patience, &Environment::of_process())?;
//! if let Some(snapshot) = look(&target).await? {
//!     let (runs, not_shown) = snapshot.runs(&RunFilter::default(), 20).await?;
//!     println!("{} runs, and {not_shown} more", runs.len());
//!     snapshot.close().await;
//! }
//! # Ok(())
//! # }
//! ```

mod connection;
mod error;
mod known_file;
mod ledger;
mod local_server;
mod parameters;
mod schema;
mod server_error;
mod session_attributes;
mod stored;
mod turned_away;
mod undo;
mod write;

pub use connection::connect::{Connection, connect};
pub use connection::encoding::Encoding;
pub use connection::target::{Patience, Target};
pub use error::{IdOwner, SinkError, StateDamage, Work};
pub use known_file::{KnownFile, KnownFrom};
pub use ledger::facts::{Candidate, FeedbackSpan, Once, PluginFacts, RunFacts, StateRecord};
pub use ledger::ids::AllottedIds;
pub use ledger::once::{AlreadyIngested, Known};
pub use ledger::prunes::{Prunable, PruneRequest, Pruned, Removed, prune};
pub use ledger::read::RunFilter;
pub use ledger::record::EarlierHeader;
pub use ledger::runs::{ASSIGN, FileRecord, KEEP, LedgerRun, RunRecord};
pub use ledger::skips::SkipDigest;
pub use ledger::states::{StateRun, StateSummary};
pub use local_server::cluster::{Cluster, DATABASE, State};
pub use local_server::error::EmbeddedError;
pub use local_server::{InUse, Stopped};
pub use parameters::server::ServerTarget;
pub use schema::columns::{IntType, TableWidths, Widths, check as check_columns};
pub use schema::ensure as ensure_schema;
pub use schema::migrations::{Applied, Known as KnownMigration, Migration, status as migration_status};
pub use server_error::{ErrorClass, ServerError};
pub use stored::cursor::{Cursor, RowOfRun};
pub use stored::feedback::{FeedbackRows, KeptRow, LabelledRow};
pub use stored::listing::{Listing, RejectRecord, ReplacedRecord, SkipRecord};
pub use stored::look::{look, reach};
pub use stored::records::{StoredReject, StoredSkip};
pub use stored::replaced::{ReplacedRow, ReplacingRun};
pub use stored::rows::{StoredAnomaly, StoredRow};
pub use stored::snapshot::Snapshot;
pub use stored::state::{StateChain, StateEntries};
pub use turned_away::TurnedAway;
pub use undo::error::{Difference, Need, UndoError};
pub use undo::remove::Undone;
pub use undo::transaction::{CommittedUndo, UndoRequest, UndoTransaction};
pub use write::copy;
pub use write::feedback::{Appended, FeedbackTransaction, FoundRow, NewLabel, RowId};
pub use write::options::{DeferKeys, IdPolicy, OnConflict, TransactionOptions};
pub use write::shrink::{Shrunk, StateTransaction};
pub use write::transaction::{Committed, Completed, Recorded, Transaction};
