//! From classified batches to one committed PostgreSQL transaction. Knows nothing of CSV or
//! WebAssembly.
//!
//! [`target`] decides which server, [`mod@connect`] reaches it, [`migrations`] and [`schema`] see to
//! it that the tables are there and fit, [`transaction`] is the run's one transaction, for which
//! [`copy`] encodes rows and [`ledger`] records what was done. [`embedded`] is the server that
//! is there when there is no other.

mod connect;
mod copy;
pub mod embedded;
mod error;
mod ledger;
mod libpq;
mod migrations;
mod schema;
mod target;
mod tls;
mod transaction;

pub use connect::{Connection, connect};
pub use error::{EmbeddedError, SinkError};
pub use ledger::{PluginFacts, RejectRecord, RunFacts, rejects};
pub use migrations::{Applied, Migration, migrate, status};
pub use schema::{IdType, check as check_schema};
pub use target::{ServerTarget, Target};
pub use transaction::{Committed, Recorded, Transaction};

use crate::batch::Batch;
use crate::detector::Anomaly;
use crate::source::RejectedRow;

/// A batch, what the detector said of it, and the records between its rows that are none.
#[derive(Debug)]
pub struct Classified {
    /// The rows; may be empty.
    pub batch: Batch,
    /// Records that could not be typed.
    pub rejected: Vec<RejectedRow>,
    /// The anomalies among them, verified: strictly increasing, in range, printable.
    pub anomalies: Vec<Anomaly>,
}
