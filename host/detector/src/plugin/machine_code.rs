//! The compiler's output for a plugin, on its way between processes and to and from the cache: preceded by a
//! digest, because what is loaded will be executed.

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::confined;

/// Compiled code, as the engine serialises it, preceded by its digest.
pub struct MachineCode(Vec<u8>);

impl MachineCode {
    /// `None` if the digest does not match the rest.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<MachineCode> {
        confined::content_of(&bytes).is_some().then_some(MachineCode(bytes))
    }

    /// The digest, then the content.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Fails if it was made by another version of the engine or for another machine.
    pub fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        #[allow(unsafe_code, reason = "there is no safe way to load compiled code")]
        // SAFETY: the content is what `Engine::precompile_component` returned: its digest is right, and it
        // comes from a process that this program started, or from a folder that only this user, who could
        // run any code anyway, can write to.
        unsafe {
            Component::deserialize(engine, &self.0[confined::DIGEST_BYTES..])
        }
    }
}
