//! The sandboxed detector: from a plugin's file to anomalies that can be trusted to be
//! well-formed. Knows nothing of CSV or SQL.
//!
//! Every plugin is taken to be hostile. The way of a plugin: [`plugin`] checks what the bytes are and which
//! version of the contract they speak before anything of them runs, and makes of them what can be started;
//! [`runtime`] is what it lives in; [`instance`] is the one gate through which every call passes (deadline,
//! memory limit, traps explained); [`contract`] has one bindings module a released contract version, and
//! [`verify`] checks all that comes back. What the system refuses is no plugin's fault: [`refusal`].

mod contract;
mod error;
mod instance;
mod plugin;
mod refusal;
mod runtime;
pub mod verify;

pub use contract::types::{GuestErrorKind, Metadata, Ordering, SettingDescription, SettingKind};
pub use error::{Call, DetectorError};
pub use instance::Detector;
pub use plugin::cache::Cache;
pub use plugin::compiler;
pub use plugin::examine::{Access, Anatomy, Form, Import, examine};
pub use plugin::load::{Plugin, load};
pub use plugin::sandbox::{Demands, Sandbox};
pub use refusal::Refusal;
pub use runtime::engine::NO_DEADLINE;
pub use runtime::limits::{EngineKind, Limits, MIN_COMPILE_MEMORY_BYTES};
