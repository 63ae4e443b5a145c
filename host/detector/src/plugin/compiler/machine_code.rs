//! The compiler's output for a plugin, on its way between processes and to and from the cache: preceded by a
//! digest, because what is loaded will be executed.

use host_core::digest::Sha256Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

const DIGEST_BYTES: usize = 32;

/// Compiled code, as the engine serialises it, preceded by its digest.
pub struct MachineCode(Vec<u8>);

impl MachineCode {
    /// The digest that goes before `content`.
    pub fn digest_of(content: &[u8]) -> Sha256Digest {
        Sha256Digest::of(content)
    }

    /// `None` if the digest does not match the rest.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<MachineCode> {
        let (digest, content) = bytes.split_at_checked(DIGEST_BYTES)?;
        (Sha256Digest::of(content).as_bytes() == digest).then_some(MachineCode(bytes))
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
            Component::deserialize(engine, &self.0[DIGEST_BYTES..])
        }
    }
}
