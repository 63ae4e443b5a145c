//! `kit-per-user`: users know nothing of each other.

use std::collections::{HashMap, VecDeque};

use detector_sdk::{Anomaly, Batch, Detector, Error, Metadata, Ordering, SettingKind, Settings};

use crate::{divided, within};

const COUNT: &str = "count";
const SECONDS: &str = "seconds";
const MICROS: i32 = 1_000_000;

/// The detector with the times of each user's latest rows.
pub struct PerUser {
    count: usize,
    window_micros: i64,
    users: HashMap<i64, VecDeque<i64>>,
}

impl Detector for PerUser {
    fn describe() -> Metadata {
        Metadata::new(
            "kit-per-user",
            env!("CARGO_PKG_VERSION"),
            "Flags many rows of a user within a short time. The score is the seconds that were left.",
            Ordering::PerUser,
        )
        .setting(COUNT, SettingKind::Integer, "3", "How many rows are too many.")
        .setting(SECONDS, SettingKind::Integer, "60", "Within how many seconds.")
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        Ok(PerUser {
            // It is small, and not negative.
            count: within(settings, COUNT, 1, 1_000)? as usize,
            window_micros: within(settings, SECONDS, 1, 86_400)? * i64::from(MICROS),
            users: HashMap::new(),
        })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            let times = self.users.entry(row.user_id()).or_default();
            times.push_back(row.timestamp_micros());
            if times.len() < self.count {
                continue;
            }
            let Some(first) = times.pop_front() else { continue };
            let passed_micros = row.timestamp_micros().saturating_sub(first);
            if (0..self.window_micros).contains(&passed_micros) {
                let score = divided(self.window_micros - passed_micros, MICROS);
                anomalies.push(row.anomaly(score, format!("{} within {passed_micros} us", self.count)));
            }
        }
        Ok(anomalies)
    }
}
