//! `kit-learning`: learns from what has become known of rows.

use std::collections::HashMap;

use detector_sdk::{
    Anomaly, Batch, ColumnRequest, Detector, Error, Learning as Learns, Metadata, Ordering, Settings,
};

const NOTE: &str = "note";

/// What it was told of a user's rows.
#[derive(Default)]
struct Told {
    rows: i64,
    frauds: i64,
    /// Of the last that was fraud.
    note: String,
}

/// The detector with what it was told of each user.
pub struct Learning {
    users: HashMap<i64, Told>,
}

impl Detector for Learning {
    fn describe() -> Metadata {
        Metadata::new(
            "kit-learning",
            env!("CARGO_PKG_VERSION"),
            "Flags users who are known for fraud. The score is the share of their rows that were.",
            Ordering::PerUser,
        )
    }

    fn configure(_: &Settings) -> Result<Self, Error> {
        Ok(Learning { users: HashMap::new() })
    }

    fn columns(&self) -> Vec<ColumnRequest> {
        vec![ColumnRequest::text(NOTE)]
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            let Some(Told { rows, frauds, note }) = self.users.get(&row.user_id()) else { continue };
            if *frauds > 0 {
                let reason = format!("{frauds} of {rows} were fraud, the last one {note}");
                anomalies.push(row.anomaly(*frauds as f64 / *rows as f64, reason));
            }
        }
        Ok(anomalies)
    }
}

impl Learns for Learning {
    fn feedback(&mut self, batch: &Batch, labels: &[bool]) -> Result<(), Error> {
        for (row, is_fraud) in batch.rows().zip(labels) {
            let told = self.users.entry(row.user_id()).or_default();
            told.rows += 1;
            if *is_fraud {
                told.frauds += 1;
                told.note = row.text(NOTE).unwrap_or_default().to_owned();
            }
        }
        Ok(())
    }
}
