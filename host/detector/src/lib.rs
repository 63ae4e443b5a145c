//! The sandboxed detector: from a plugin's file to anomalies that can be trusted to be
//! well-formed. Knows nothing of CSV or SQL.
//!
//! Every plugin is taken to be hostile. The way of a plugin: [`plugin`] checks what the bytes are and which
//! version of the contract they speak before anything of them runs, and makes of them what can be started;
//! [`runtime`] is what it lives in; [`instance`] is the one gate through which every call passes (deadline,
//! memory limit, traps explained); [`contract`] has one bindings module a released contract version, and
//! [`verify`] checks all that comes back. What the system refuses is no plugin's fault: [`refusal`].
//!
//! A plugin in a test of its own. The process that compiles is the program `host`; where that is not what
//! runs, somebody has to say where it is.
//!
//! ```no_run
//! use host_core::batch::{Batch, Row};
//! use host_detector::{Cache, Detector, Limits, Requirements, Sandbox, compiler, load};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! compiler::compile_with("target/release/host".into());
//! let sandbox = Sandbox::new(Limits::default(), Requirements::default(), Cache::none())?;
//! let mut detector = Detector::start(&load(&sandbox, "my-detector.wasm".as_ref())?)?;
//! detector.configure(&[("limit".to_owned(), "500".to_owned())])?;
//! let mut batch = Batch::default();
//! batch.push(Row { transaction_id: 1, user_id: 7, amount_cents: 50_001, timestamp_micros: 0, line: 2 });
//! assert_eq!(detector.classify(&batch)?.len(), 1);
//! detector.finish()?;
//! # Ok(())
//! # }
//! ```

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
pub use plugin::examine::{Access, Form, Import, PluginInfo, examine};
pub use plugin::load::{Plugin, load};
pub use plugin::sandbox::{Requirements, Sandbox};
pub use refusal::Refusal;
pub use runtime::engine::NO_DEADLINE;
pub use runtime::limits::{EngineKind, Limits, MIN_COMPILE_MEMORY_BYTES, TransferLimit};
