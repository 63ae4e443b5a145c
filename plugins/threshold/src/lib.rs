//! Flags transactions above a fixed amount, and optionally those below another. The simplest detector, and
//! the one that others are measured against.

use detector_sdk::{
    Anomaly, Batch, Decimal, Detector, Error, Metadata, Ordering, SettingKind, Settings, export_detector,
};

/// The detector with its two limits, in hundredths.
pub struct Threshold {
    limit_cents: i64,
    below_cents: Option<i64>,
}

impl Detector for Threshold {
    fn describe() -> Metadata {
        Metadata::new(
            "threshold",
            env!("CARGO_PKG_VERSION"),
            "Flags every transaction above `limit` or, if set, below `below`. \
             The score is the distance to the limit that was passed.",
            Ordering::Any,
        )
        .setting("limit", SettingKind::Decimal, "500", "Amounts above this are anomalous.")
        .optional_setting("below", SettingKind::Decimal, "Amounts below this are anomalous.")
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let limit_cents = settings.cents("limit")?.unwrap_or(i64::MAX);
        let below_cents = settings.cents("below")?;
        if below_cents.is_some_and(|below| below > limit_cents) {
            return Err(Settings::refuse(
                "below",
                format!("it must not be above `limit`, which is {}", Decimal::new(limit_cents, 2)),
            ));
        }
        Ok(Threshold { limit_cents, below_cents })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let below_cents = self.below_cents.unwrap_or(i64::MIN);
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            let cents = row.amount_cents();
            if cents > self.limit_cents {
                anomalies.push(row.anomaly(
                    distance(cents, self.limit_cents),
                    format!("{} is above {}", row.amount(), Decimal::new(self.limit_cents, 2)),
                ));
            } else if cents < below_cents {
                anomalies.push(row.anomaly(
                    distance(below_cents, cents),
                    format!("{} is below {}", row.amount(), Decimal::new(below_cents, 2)),
                ));
            }
        }
        Ok(anomalies)
    }
}

/// In currency units. Amounts are far below 2^53 hundredths, so the conversion is exact; limits
/// are 64 bits wide, so the difference saturates.
fn distance(higher_cents: i64, lower_cents: i64) -> f64 {
    higher_cents.saturating_sub(lower_cents) as f64 / 100.0
}

export_detector!(Threshold);

#[cfg(test)]
mod tests {
    use super::*;

    fn flagged(given: &[(&str, &str)], amounts_cents: &[i64]) -> Vec<(u32, f64, String)> {
        let settings = Settings::new(&Threshold::describe(), given).unwrap();
        let rows: Vec<_> = amounts_cents.iter().map(|&cents| (1, cents, 0)).collect();
        let mut detector = Threshold::configure(&settings).unwrap();
        let anomalies = detector.classify(&Batch::from_rows(&rows)).unwrap();
        anomalies.into_iter().map(|found| (found.row, found.score, found.reason)).collect()
    }

    #[test]
    fn the_limit_itself_is_not_above_it() {
        assert_eq!(
            flagged(&[], &[50_000, 50_001, -50_001, 9_999_999_999]),
            [
                (1, 0.01, "500.01 is above 500.00".into()),
                (3, 99_999_499.99, "99999999.99 is above 500.00".into()),
            ]
        );
    }

    #[test]
    fn below_flags_the_other_side() {
        assert_eq!(
            flagged(&[("limit", "10"), ("below", "-1.5")], &[1_001, -150, -151]),
            [(0, 0.01, "10.01 is above 10.00".into()), (2, 0.01, "-1.51 is below -1.50".into())]
        );
    }

    #[test]
    fn limits_that_cross_are_refused() {
        let settings = Settings::new(&Threshold::describe(), &[("below", "501")]).unwrap();
        assert!(matches!(Threshold::configure(&settings), Err(Error::InvalidSetting(_))));
    }
}
