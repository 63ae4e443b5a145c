//! A guest that returns as much as a detector may: every row is anomalous, for a reason as long as its
//! setting `reason-bytes` says. For measuring memory, with any number of instances.

use detector_sdk::{
    Anomaly, Batch, Detector, Error, Metadata, Ordering, SettingKind, Settings, export_detector,
};

/// The guest.
pub struct Talkative {
    reason: String,
}

impl Detector for Talkative {
    fn describe() -> Metadata {
        Metadata::new("talkative", env!("CARGO_PKG_VERSION"), "Flags every row, at length.", Ordering::Any)
            .setting("reason-bytes", SettingKind::Integer, "950", "The length of each reason.")
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let bytes = settings.integer("reason-bytes")?.unwrap_or_default();
        Ok(Talkative { reason: "x".repeat(usize::try_from(bytes).unwrap_or_default()) })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        Ok(batch.rows().map(|row| row.anomaly(1.0, self.reason.clone())).collect())
    }
}

export_detector!(Talkative);
