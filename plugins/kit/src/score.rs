//! `kit-score`: gives every row a score.

use std::collections::HashMap;

use detector_sdk::{
    Anomaly, Batch, Detector, Error, Metadata, Ordering, Row, Scoring, SettingKind, Settings,
};

use crate::divided;

const LIMIT: &str = "limit";

/// The detector with each user's latest amount.
pub struct Score {
    limit_cents: i64,
    amounts_cents: HashMap<i64, i64>,
}

impl Score {
    /// The difference to the user's row before.
    fn difference_cents(&mut self, row: &Row<'_>) -> i64 {
        let before = self.amounts_cents.insert(row.user_id(), row.amount_cents());
        before.map_or(0, |before| row.amount_cents() - before)
    }
}

impl Detector for Score {
    fn describe() -> Metadata {
        Metadata::new(
            "kit-score",
            env!("CARGO_PKG_VERSION"),
            "Flags amounts far above the one before of the same user. The score is the difference.",
            Ordering::PerUser,
        )
        .setting(
            LIMIT,
            SettingKind::Integer,
            "10000",
            "Differences above it are flagged, in hundredths.",
        )
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let limit_cents = settings.integer(LIMIT)?.unwrap_or_default();
        Ok(Score { limit_cents, amounts_cents: HashMap::new() })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            let difference = self.difference_cents(&row);
            if difference > self.limit_cents {
                let reason = format!("{difference} above {}", self.limit_cents);
                anomalies.push(row.anomaly(divided(difference, 100), reason));
            }
        }
        Ok(anomalies)
    }
}

impl Scoring for Score {
    fn score(&mut self, batch: &Batch) -> Result<Vec<f64>, Error> {
        Ok(batch.rows().map(|row| divided(self.difference_cents(&row), 100)).collect())
    }
}
