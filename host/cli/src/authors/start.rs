//! An instance for an author's tools.

use host_detector::{Detector, DetectorError, Plugin};

/// A plugin's settings, by name and value.
pub type Settings = [(String, String)];

/// An instance that has been configured.
///
/// # Errors
/// If it cannot be started or refuses a setting.
pub fn start(plugin: &Plugin, settings: &Settings) -> Result<Detector, DetectorError> {
    let mut detector = Detector::start(plugin)?;
    detector.configure(settings)?;
    Ok(detector)
}
