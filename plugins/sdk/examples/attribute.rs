//! Flags a user's first transaction in another country: a detector that asks for an additional CSV column,
//! `country`. The host refuses a file without it.
//!
//! `cargo test --example attribute` runs its tests. In a separate crate it would be `src/lib.rs`.

use std::collections::HashMap;

use detector_sdk::{Anomaly, Batch, Detector, Error, Metadata, Ordering, Settings, export_detector, log};

/// The detector, with each user's latest country.
pub struct Abroad {
    countries: HashMap<i64, String>,
}

impl Detector for Abroad {
    fn describe() -> Metadata {
        Metadata::new(
            "abroad",
            env!("CARGO_PKG_VERSION"),
            "Flags a transaction in another country than the user's previous one. The score is always 1.",
            Ordering::PerUser,
        )
        .attribute("country")
    }

    fn configure(_: &Settings) -> Result<Self, Error> {
        Ok(Abroad { countries: HashMap::new() })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            let country = row.attribute("country").unwrap_or_default();
            let before = self.countries.insert(row.user_id(), country.to_owned());
            if let Some(before) = before.filter(|before| before != country) {
                // Text from the file may have line breaks and the like; a reason may not.
                anomalies.push(row.anomaly(1.0, format!("{country:?} after {before:?}")));
            }
        }
        log::debug!("{} users so far", self.countries.len());
        Ok(anomalies)
    }
}

export_detector!(Abroad);

#[cfg(test)]
mod tests {
    use detector_sdk::testing::run;

    use super::*;

    #[test]
    fn a_move_is_flagged_once() {
        let rows = "user_id, country\n7, DE\n7, DE\n8, FR\n7, FR\n7, FR\n";
        let found = run::<Abroad>(&[], rows).unwrap();
        found.assert_rows(&[3]);
        found.assert_reason(3, "\"FR\" after \"DE\"");
    }
}
