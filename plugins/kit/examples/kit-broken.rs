//! `kit-per-user` with a mistake that the kit must find: it forgets its users after each batch.

use detector_sdk::{Anomaly, Batch, Detector, Error, Metadata, Settings, export_detector};
use kit::PerUser;

/// The settings, which are all that it keeps.
pub struct Forgetful(Vec<(String, String)>);

impl Detector for Forgetful {
    fn describe() -> Metadata {
        PerUser::describe()
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        PerUser::configure(settings)?;
        let kept =
            ["count", "seconds"].map(|name| (name.into(), settings.text(name).unwrap_or_default().into()));
        Ok(Forgetful(kept.into()))
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        PerUser::configure(&Settings::new(&PerUser::describe(), &self.0)?)?.classify(batch)
    }
}

export_detector!(Forgetful);
