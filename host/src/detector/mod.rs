//! The sandboxed detector: from a plugin's name to anomalies that can be trusted to be
//! well-formed. Knows nothing of CSV or SQL.
//!
//! Every plugin is taken to be hostile. The way of a plugin: [`mod@lookup`] finds the file, [`mod@examine`]
//! checks what the bytes are and which version of the contract they speak before anything of
//! them runs, [`mod@load`] makes of them what can be started, by a [`compiler`] in a process of its
//! own, [`instance`] is the one gate through which every call passes (deadline, memory limit, traps
//! explained), [`contract`] has one bindings module a released contract version, and [`verify`] checks all
//! that comes back.

mod cache;
pub mod compiler;
mod contract;
mod engine;
mod error;
mod examine;
mod guest_log;
mod instance;
mod limits;
mod load;
mod lookup;
mod refusal;
mod state_size;
pub mod verify;
mod wasi;

pub use cache::Cache;
pub use contract::{Metadata, Ordering, SettingDescription, SettingKind};
pub use engine::{EngineKind, NO_DEADLINE};
pub use error::{Call, DetectorError, GuestErrorKind, TransferLimit};
pub use examine::{Access, Anatomy, Form, Import, examine};
pub use instance::Detector;
pub use limits::{Limits, MIN_COMPILE_MEMORY_BYTES};
pub use load::{Demands, Plugin, Sandbox, load};
pub use lookup::{EXTENSION, folders, lookup, plugins_in, user_folder};
pub use refusal::Refusal;

/// One row that the detector called anomalous, verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    /// Its index in the batch, from 0.
    pub row: u32,
    /// How anomalous, on the detector's own scale; finite.
    pub score: f64,
    /// Why: one line of printable text.
    pub reason: String,
}

impl Anomaly {
    /// What it takes in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Anomaly>() + self.reason.len()
    }
}
