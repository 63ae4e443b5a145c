//! A guest that does with a column what detectors do, and nothing else: it counts how often each value was
//! seen before, each value of a batch looked up once. For measuring what a column costs, and, with `every`, what
//! an anomaly costs.

use detector_sdk::{
    Anomaly, Batch, ColumnRequest, Detector, Error, Metadata, Ordering, SettingKind, Settings,
    export_detector,
};
use rustc_hash::FxHashMap;

/// The guest.
pub struct Counting {
    column: Option<String>,
    every: usize,
    /// By value: its position in `counts`.
    positions: FxHashMap<String, usize>,
    counts: Vec<u64>,
}

impl Detector for Counting {
    fn describe() -> Metadata {
        Metadata::new("counting", env!("CARGO_PKG_VERSION"), "Counts values.", Ordering::File)
            .optional_setting("column", SettingKind::Text, "A column of texts to count.")
            .setting("every", SettingKind::Integer, "0", "One row in so many is anomalous; 0: none.")
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let every = usize::try_from(settings.integer("every")?.unwrap_or_default());
        Ok(Counting {
            column: settings.text("column").map(str::to_owned),
            every: every.map_err(|_| Settings::refuse("every", "it must not be negative"))?,
            positions: FxHashMap::default(),
            counts: Vec::new(),
        })
    }

    fn columns(&self) -> Vec<ColumnRequest> {
        self.column.iter().map(|name| ColumnRequest::text(name)).collect()
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let most = self.column.as_deref().and_then(|name| batch.texts(name)).map_or(0, |texts| {
            let positions: Vec<usize> = texts.values().map(|value| self.position(value)).collect();
            let count = |code: &u32| {
                let count = &mut self.counts[positions[*code as usize]];
                *count += 1;
                *count
            };
            texts.codes().iter().map(count).max().unwrap_or_default()
        });
        if self.every == 0 {
            return Ok(Vec::new());
        }
        let reason = |cents| format!("{most} of one value, and {cents} as amount");
        let flagged = batch.rows().step_by(self.every);
        Ok(flagged.map(|row| row.anomaly(1.0, reason(row.amount_cents()))).collect())
    }
}

impl Counting {
    fn position(&mut self, value: &str) -> usize {
        if let Some(position) = self.positions.get(value) {
            return *position;
        }
        self.counts.push(0);
        self.positions.insert(value.to_owned(), self.counts.len() - 1);
        self.counts.len() - 1
    }
}

export_detector!(Counting);
