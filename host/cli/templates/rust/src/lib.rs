//! Flags round amounts: people who make up transactions tend to make up round ones.

// With its macros: `println!` writes into the host's log.
#[macro_use]
extern crate detector_sdk;

use detector_sdk::{Anomaly, Batch, Detector, Error, Metadata, Ordering, SettingKind, Settings};

/// The detector with its setting, in hundredths.
pub struct MyDetector {
    minimum_cents: i64,
}

impl Detector for MyDetector {
    fn describe() -> Metadata {
        Metadata::new(
            "my-detector",
            env!("CARGO_PKG_VERSION"),
            "Flags round amounts from `minimum` up. The score is the amount.",
            // Each row is judged by itself. See the WIT for the other two orderings.
            Ordering::Any,
        )
        .setting("minimum", SettingKind::Decimal, "10", "Round amounts from this one up are anomalous.")
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let minimum_cents = settings.cents("minimum")?.unwrap_or(i64::MAX);
        if minimum_cents < 0 {
            return Err(Settings::refuse("minimum", "it must not be negative"));
        }
        Ok(MyDetector { minimum_cents })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            let cents = row.amount_cents();
            if cents >= self.minimum_cents && cents % 100 == 0 {
                anomalies.push(row.anomaly(cents as f64 / 100.0, format!("{} is a round amount", row.amount())));
            }
        }
        Ok(anomalies)
    }
}

export_detector!(MyDetector);

#[cfg(test)]
mod tests {
    use detector_sdk::testing::run;

    use super::*;

    #[test]
    fn the_minimum_itself_is_flagged() {
        let found = run::<MyDetector>(&[], "amount\n10.00\n9.00\n10.50\n-20.00\n").unwrap();
        found.assert_rows(&[0]);
        found.assert_score(0, 10.0);
        found.assert_reason(0, "10.00 is a round amount");
    }

    #[test]
    fn a_negative_minimum_is_refused() {
        let refused = run::<MyDetector>(&[("minimum", "-1")], "amount\n1\n").unwrap_err();
        assert_eq!(refused.setting(), Some("minimum"));
    }
}
