//! `kit-file`: the order of all rows matters. It also returns every kind of error.

use detector_sdk::{Anomaly, Batch, Detector, Error, Metadata, Ordering, SettingKind, Settings};

use crate::{divided, within};

const EVERY: &str = "every";
const SORTED: &str = "sorted";
const AT_LEAST: &str = "at-least";

/// The detector with what it knows of the rows so far.
pub struct File {
    every: i64,
    is_sorted: bool,
    least_rows: i64,
    rows: i64,
    sum_cents: i64,
    last_micros: i64,
}

impl Detector for File {
    fn describe() -> Metadata {
        Metadata::new(
            "kit-file",
            env!("CARGO_PKG_VERSION"),
            "Flags every so manyth row. The score is the sum of all amounts up to it.",
            Ordering::File,
        )
        .setting(EVERY, SettingKind::Integer, "3", "Each row whose number is divisible by it is flagged.")
        .setting(SORTED, SettingKind::Boolean, "false", "Whether rows must be in order of time.")
        .optional_setting(AT_LEAST, SettingKind::Integer, "With fewer rows, the run fails.")
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        Ok(File {
            every: within(settings, EVERY, 1, 1_000_000)?,
            is_sorted: settings.boolean(SORTED)?.unwrap_or_default(),
            least_rows: settings.integer(AT_LEAST)?.unwrap_or_default(),
            rows: 0,
            sum_cents: 0,
            last_micros: i64::MIN,
        })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            if self.is_sorted && row.timestamp_micros() < self.last_micros {
                return Err(Error::InvalidInput("a row is earlier than the one before it".into()));
            }
            self.rows += 1;
            self.sum_cents += row.amount_cents();
            self.last_micros = row.timestamp_micros();
            if self.rows % self.every == 0 {
                let reason = format!("row {}, sum {}", self.rows, self.sum_cents);
                anomalies.push(row.anomaly(divided(self.sum_cents, 100), reason));
            }
        }
        Ok(anomalies)
    }

    fn finish(&mut self) -> Result<(), Error> {
        if self.rows < self.least_rows {
            return Err(Error::Internal(format!("{} rows are too few", self.rows)));
        }
        Ok(())
    }
}
