//! Where in its author's source a plugin went wrong. That is hardly ever asked, so nothing is kept for it: the
//! file is read once more.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use host_core::digest::Sha256Digest;

use crate::confined::{self, Bounds, Job};
use crate::plugin::debug_info::{self, Place};
use crate::plugin::examine;

/// What looking up places may take: many times what it takes for a plugin with ten megabytes of debug information.
/// It counts the processor's time, so that a busy machine makes no difference.
const PROCESSOR_SECONDS: u64 = 2;
const MEMORY_BYTES: u64 = 256 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// A plugin's file, with what is known about its source.
pub(crate) struct Source {
    file: PathBuf,
    sha256: Sha256Digest,
    max_bytes: u64,
    /// Whether it may have something to say; asked by one instance at a time.
    is_of_use: Mutex<bool>,
}

impl Source {
    /// That of a file which had this digest.
    pub fn new(file: PathBuf, sha256: Sha256Digest, max_bytes: u64) -> Source {
        Source { file, sha256, max_bytes, is_of_use: Mutex::new(true) }
    }

    /// For each offset of an instruction in the component, the functions that it belongs to, as
    /// [`debug_info::places`] has them; nothing if that is not known.
    pub fn places(&self, offsets: &[usize]) -> Vec<Vec<Place>> {
        let mut is_of_use = self.is_of_use.lock().unwrap_or_else(PoisonError::into_inner);
        let places = if *is_of_use && !offsets.is_empty() { self.look_up(offsets) } else { None };
        *is_of_use &= places.is_some();
        places.unwrap_or_default()
    }

    fn look_up(&self, offsets: &[usize]) -> Option<Vec<Vec<Place>>> {
        let bytes = examine::read(&self.file, self.max_bytes).ok()?;
        if Sha256Digest::of(&bytes) != self.sha256 {
            return None;
        }
        let (_, component) = examine::as_component(&self.file, bytes).ok()?;
        if !debug_info::is_in(&component) {
            return None;
        }
        let bounds = Bounds {
            memory_bytes: confined::inherited_memory_bytes().min(MEMORY_BYTES),
            processor_seconds: Some(PROCESSOR_SECONDS),
            give_up: Instant::now().checked_add(PATIENCE),
        };
        let ended = confined::run(Job::Locate(offsets.to_vec()), component, &bounds);
        let places = ended.as_ref().ok().filter(|ended| ended.status.success()).and_then(|ended| {
            let places: Vec<_> = serde_json::from_slice(confined::content_of(&ended.answer)?).ok()?;
            (places.len() == offsets.len()).then_some(places)
        });
        if places.is_none() {
            let how = ended.map_or_else(|lost| format!("{lost:?}"), |ended| ended.in_words());
            tracing::info!("the plugin's debug information is of no use: {how}");
        }
        places
    }
}
