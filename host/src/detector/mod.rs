//! The sandboxed detector: from a plugin's name to anomalies that can be trusted to be
//! well-formed. Knows nothing of CSV or SQL.
//!
//! Every plugin is taken to be hostile. The way of a plugin: [`mod@examine`] checks what the bytes are and which version of the contract they speak before anything of
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
mod refusal;
mod state_size;
pub mod verify;
mod wasi;

pub use cache::Cache;
pub use contract::{Metadata, Ordering, SettingDescription, SettingKind};
pub use engine::{EngineKind, NO_DEADLINE};
pub use error::{Call, DetectorError, GuestErrorKind};
pub use examine::{Access, Anatomy, Form, Import, examine};
pub use instance::Detector;
pub use limits::{Limits, MIN_COMPILE_MEMORY_BYTES};
pub use load::{Demands, Plugin, Sandbox, load};
pub use refusal::Refusal;
