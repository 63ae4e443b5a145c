//! What all plugins of a process share.

use host_core::digest::Sha256Digest;
use wasmtime::Engine;

use crate::error::DetectorError;
use crate::plugin::cache::Cache;
use crate::runtime::engine;
use crate::runtime::limits::Limits;

/// The engine, the limits and the requirements that all plugins of a process share.
pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) settings: engine::Settings,
    pub(crate) cache: Cache,
    pub(crate) limits: Limits,
    pub(crate) requirements: Requirements,
}

/// What is required of a plugin, beyond being one.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    /// It must import nothing but the contract.
    pub strict: bool,
    /// Its file must have this digest.
    pub sha256: Option<Sha256Digest>,
}

impl Sandbox {
    /// A sandbox with these limits and requirements, which keeps compiled plugins in `cache`.
    ///
    /// # Errors
    /// [`DetectorError::Engine`] if the machine cannot run WebAssembly.
    pub fn new(limits: Limits, requirements: Requirements, cache: Cache) -> Result<Sandbox, DetectorError> {
        let settings = engine::Settings::new(&limits);
        let engine = engine::new(&settings).map_err(|source| DetectorError::Engine { source })?;
        Ok(Sandbox { engine, settings, cache, limits, requirements })
    }
}
