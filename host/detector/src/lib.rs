//! The sandboxed detector: from a plugin's file to anomalies that are guaranteed to be well-formed. Knows
//! nothing of CSV or SQL.
//!
//! Every plugin is assumed to be hostile. A plugin's path: [`plugin`] checks what its bytes are and which
//! version of the contract they speak before any of its code runs, and turns them into something that can be
//! started ([`confined`]: in a process of its own); [`runtime`] is the environment in which it lives; [`instance`] is the one gate through which
//! every call passes (deadline, memory limit, traps explained); [`contract`] has one bindings module per
//! released contract version, and [`verify`] checks everything that comes back; [`trace`] is where a guest was when it was stopped. What the system refuses is
//! not the plugin's fault: [`refusal`].
//!
//! Running a plugin from a test. Compiling is done by the program `host` in another process; a program other
//! than `host` has to say where to find it.
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
//! batch.push(Row { transaction_id: Some(1), user_id: 7, amount_cents: 50_001, timestamp_micros: 0, line: 2 });
//! assert_eq!(detector.classify(&batch)?.len(), 1);
//! detector.finish()?;
//! # Ok(())
//! # }
//! ```

mod confined;
mod contract;
mod error;
mod instance;
mod plugin;
mod refusal;
mod runtime;
mod trace;
pub mod verify;

pub use contract::types::{GuestErrorKind, Metadata, Ordering, SettingDescription, SettingKind};
pub use contract::version::Ability;
pub use error::{BatchSpan, Call, DetectorError, TrapReport};
pub use instance::Detector;
pub use plugin::cache::Cache;
pub use plugin::compiler;
pub use plugin::examine::{Access, Form, Import, PluginInfo, examine};
pub use plugin::load::{Plugin, load};
pub use plugin::sandbox::{Requirements, Sandbox};
pub use refusal::Refusal;
pub use runtime::engine::NO_DEADLINE;
pub use runtime::limits::{EngineKind, Limits, MIN_COMPILE_MEMORY_BYTES, TransferLimit};
pub use runtime::profile::Profile;
pub use trace::Trace;
