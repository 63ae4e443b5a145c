//! `kit-shared`: what it knows of all rows outlives the run.

use detector_sdk::{
    Anomaly, Batch, Detector, Entry as _, Error, Metadata, Ordering, Settings, State, Stateful,
};

use crate::state::Counted;

/// The detector with what it knows of all rows.
pub struct Shared {
    known: Counted,
    is_changed: bool,
}

impl Detector for Shared {
    fn describe() -> Metadata {
        Metadata::new(
            "kit-shared",
            env!("CARGO_PKG_VERSION"),
            "Flags every row. The score is the sum of all amounts up to it.",
            Ordering::File,
        )
    }

    fn configure(_: &Settings) -> Result<Self, Error> {
        Ok(Shared { known: Counted::default(), is_changed: false })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut judge = |row: detector_sdk::Row<'_>| {
            self.known.add(row.amount_cents());
            row.anomaly(self.known.score(), format!("row {}, sum {}", self.known.rows, self.known.sum_cents))
        };
        let anomalies: Vec<Anomaly> = batch.rows().map(&mut judge).collect();
        self.is_changed |= !anomalies.is_empty();
        Ok(anomalies)
    }
}

impl Stateful for Shared {
    fn snapshot(&mut self) -> Result<State, Error> {
        let mut state = State::default();
        if std::mem::take(&mut self.is_changed) {
            state.share(self.known.to_bytes());
        }
        Ok(state)
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        if let Some(value) = state.shared() {
            self.known = Counted::from_bytes(value)?;
        }
        Ok(())
    }
}
