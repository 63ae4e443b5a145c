//! Tools for those who write and choose plugins: the commands `host plugin …`. They use the detector
//! and the source as a run does, and write to no database.
//!
//! [`new`] starts a plugin from a template, [`inspect`] says what one is, [`check`] finds out whether
//! it keeps the contract, [`cases`] runs an author's own tests, [`bench`](mod@bench) measures, and
//! [`library`] keeps plugins where they are found by name. [`workload`] makes the rows.

pub mod bench;
pub mod cases;
pub mod check;
pub mod inspect;
pub mod new;
pub mod workload;

use host_detector::{Detector, DetectorError, Plugin};

/// A plugin's settings, by name and value.
pub type Settings = [(String, String)];

/// An instance that has been configured.
///
/// # Errors
/// Where it does not come that far.
pub fn start(plugin: &Plugin, settings: &Settings) -> Result<Detector, DetectorError> {
    let mut detector = Detector::start(plugin)?;
    detector.configure(settings)?;
    Ok(detector)
}
