//! Where guests spend their time: at each tick of the engine's clock, the functions that a guest is in are written
//! down. Ticks are noticed where a guest loops or calls a function, and time in the host does not count.

use std::time::Duration;

use wasmtime::component::Component;
use wasmtime::{AsContext, GuestProfiler};

use crate::error::DetectorError;
use crate::runtime::engine;

/// How often one looks. More often than deadlines are checked: calls are short.
const INTERVAL: Duration = Duration::from_millis(1);

/// What was seen of one or several instances of a plugin, one after the other.
pub struct Profile {
    profiler: GuestProfiler,
    samples: u64,
}

impl Profile {
    /// An empty one. From now on, its engine's clock ticks more often.
    pub(crate) fn new(component: &Component, name: &str) -> wasmtime::Result<Profile> {
        let engine = component.engine();
        engine::start_ticking(engine, INTERVAL)?;
        let profiler = GuestProfiler::new_component(engine, name, INTERVAL, component.clone(), [])?;
        Ok(Profile { profiler, samples: 0 })
    }

    /// Writes down where the guest in this store is.
    pub(crate) fn sample(&mut self, store: impl AsContext) {
        self.profiler.sample(store, Duration::ZERO);
        self.samples += 1;
    }

    /// How often one has looked so far.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The profile as JSON, in the format that <https://profiler.firefox.com> opens.
    ///
    /// # Errors
    /// [`DetectorError::Engine`] if the engine cannot do it.
    pub fn json(self) -> Result<Vec<u8>, DetectorError> {
        let mut json = Vec::new();
        self.profiler.finish(&mut json).map_err(|source| DetectorError::Engine { source })?;
        Ok(without_hashes(&String::from_utf8_lossy(&json)).into_bytes())
    }
}

/// What Rust's compiler appends to names: `::h`, and a number of this many digits.
const HASH: &str = "::h";
const HASH_DIGITS: usize = 16;

/// JSON whose strings do not end in such a hash.
fn without_hashes(json: &str) -> String {
    let mut parts = json.split(HASH);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_at_checked(HASH_DIGITS) {
            Some((digits, rest))
                if rest.starts_with('"') && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
            {
                text.push_str(rest);
            }
            _ => text.extend([HASH, part]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_are_taken_away() {
        let json =
            r#"["a::b::h0123456789abcdef","::hello","h::h0123456789abcdeg","::h0123456789abcdef::x","é::h"]"#;
        let shown = r#"["a::b","::hello","h::h0123456789abcdeg","::h0123456789abcdef::x","é::h"]"#;
        assert_eq!(without_hashes(json), shown);
    }
}
