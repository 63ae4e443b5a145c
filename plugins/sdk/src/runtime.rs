//! What [`export_detector!`](crate::export_detector) expands to calls: the one detector of a
//! plugin instance, and the panic hook. Not for use by hand.

use std::cell::RefCell;
use std::sync::Once;

use crate::{Anomaly, Batch, Detector, Error, Metadata, Settings, log};

pub use crate::bindings::Guest;
pub use crate::bindings::ingest::detector::types::Setting;
pub use wit_bindgen::rt as wit_bindgen_rt;

/// Holds the detector from `configure` to the end of the instance.
pub struct Slot<D>(RefCell<Option<D>>);

impl<D> Slot<D> {
    /// An empty slot.
    #[must_use]
    pub const fn new() -> Slot<D> {
        Slot(RefCell::new(None))
    }
}

impl<D> Default for Slot<D> {
    fn default() -> Slot<D> {
        Slot::new()
    }
}

impl<D: Detector> Slot<D> {
    /// Creates the detector.
    ///
    /// # Errors
    /// Those of [`Settings::new`] and of [`Detector::configure`].
    pub fn configure(&self, given: Vec<Setting>) -> Result<(), Error> {
        log_panics();
        let settings = Settings::from_contract(&D::describe(), given)?;
        self.0.replace(Some(D::configure(&settings)?));
        Ok(())
    }

    /// Judges a batch.
    ///
    /// # Errors
    /// Those of [`Detector::classify`].
    pub fn classify(&self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        self.with_detector(|detector| detector.classify(batch))
    }

    /// Ends the run.
    ///
    /// # Errors
    /// Those of [`Detector::finish`].
    pub fn finish(&self) -> Result<(), Error> {
        self.with_detector(Detector::finish)
    }

    fn with_detector<T>(&self, act: impl FnOnce(&mut D) -> Result<T, Error>) -> Result<T, Error> {
        match self.0.borrow_mut().as_mut() {
            Some(detector) => act(detector),
            None => Err(Error::Internal("the host called before `configure`".into())),
        }
    }
}

/// Describes the detector.
#[must_use]
pub fn describe<D: Detector>() -> Metadata {
    log_panics();
    D::describe()
}

/// A plugin without WASI has no stderr; without this, a panic's message would be lost.
fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    });
}
