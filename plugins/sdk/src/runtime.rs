//! What [`export_detector!`](crate::export_detector) expands to calls: the one detector of a
//! plugin instance, and the panic hook. Not for use by hand.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Once;

use crate::{
    Anomaly, Batch, ColumnRequest, Detector, Error, Learning, Metadata, Scoring, Settings, State, Stateful,
    log,
};

pub use crate::bindings::Guest;
pub use crate::bindings::ingest::detector::types::{Batch as RawBatch, Setting};
pub use crate::bindings::stateful::State as RawState;
pub use wit_bindgen::rt as wit_bindgen_rt;

/// Holds the detector from `configure` to the end of the instance.
pub struct Slot<D>(RefCell<Option<Configured<D>>>);

/// A detector, and the names of the columns that it asked for.
struct Configured<D> {
    detector: D,
    columns: Rc<[String]>,
}

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
    /// Creates the detector; returns the columns that it needs.
    ///
    /// # Errors
    /// Those of [`Settings::new`] and of [`Detector::configure`].
    pub fn configure(&self, given: Vec<Setting>) -> Result<Vec<ColumnRequest>, Error> {
        log_panics();
        let settings = Settings::from_contract(&D::describe(), given)?;
        let detector = D::configure(&settings)?;
        let requests = detector.columns();
        let columns = requests.iter().map(|request| request.name.clone()).collect();
        self.0.replace(Some(Configured { detector, columns }));
        Ok(requests)
    }

    /// Judges a batch.
    ///
    /// # Errors
    /// Those of [`Detector::classify`].
    pub fn classify(&self, batch: RawBatch) -> Result<Vec<Anomaly>, Error> {
        self.with_batch(batch, Detector::classify)
    }

    /// Ends the run.
    ///
    /// # Errors
    /// Those of [`Detector::finish`].
    pub fn finish(&self) -> Result<(), Error> {
        self.with_configured(|configured| configured.detector.finish())
    }

    /// Scores a batch.
    ///
    /// # Errors
    /// Those of [`Scoring::score`].
    pub fn score(&self, batch: RawBatch) -> Result<Vec<f64>, Error>
    where
        D: Scoring,
    {
        self.with_batch(batch, Scoring::score)
    }

    /// Passes on what was learned.
    ///
    /// # Errors
    /// Those of [`Stateful::snapshot`].
    pub fn snapshot(&self) -> Result<RawState, Error>
    where
        D: Stateful,
    {
        self.with_configured(|configured| configured.detector.snapshot()).map(State::into_contract)
    }

    /// Takes over what was learned.
    ///
    /// # Errors
    /// Those of [`Stateful::restore`].
    pub fn restore(&self, state: RawState) -> Result<(), Error>
    where
        D: Stateful,
    {
        self.with_configured(|configured| configured.detector.restore(&State::from_contract(state)))
    }

    /// Passes on what has become known of rows.
    ///
    /// # Errors
    /// Those of [`Learning::feedback`].
    pub fn feedback(&self, batch: RawBatch, labels: &[bool]) -> Result<(), Error>
    where
        D: Learning,
    {
        self.with_batch(batch, |detector, batch| detector.feedback(batch, labels))
    }

    fn with_batch<T>(
        &self,
        batch: RawBatch,
        act: impl FnOnce(&mut D, &Batch) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.with_configured(|Configured { detector, columns }| {
            act(detector, &Batch::new(batch, columns.clone()))
        })
    }

    fn with_configured<T>(
        &self,
        act: impl FnOnce(&mut Configured<D>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.0.borrow_mut().as_mut() {
            Some(configured) => act(configured),
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
        std::panic::set_hook(Box::new(|panic| {
            let message = panic.to_string();
            match lacking(&message) {
                Some(what) => log::error!(
                    "{message}\n(a detector has no {what}: its answers may depend on its settings and rows only)"
                ),
                None => log::error!("{message}"),
            }
        }));
    });
}

/// What a plugin does not have, as far as the standard library says so in its own words.
fn lacking(panic: &str) -> Option<&'static str> {
    let said = [
        ("time not implemented on this platform", "clock"),
        ("can't sleep", "clock"),
        ("operation not supported on this platform", "files, network, threads or processes"),
    ];
    said.iter().find(|(words, _)| panic.contains(words)).map(|(_, what)| *what)
}
