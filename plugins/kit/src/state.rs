//! `kit-state`: what it knows of each user outlives the run.

use detector_sdk::{
    Anomaly, Batch, Decoder, Detector, Encoder, Entry, Error, Metadata, Ordering, Settings, State as Part,
    Stateful, Users,
};

use crate::divided;

/// How many rows there were, and the sum of their amounts.
#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) rows: i64,
    pub(crate) sum_cents: i64,
}

impl Counted {
    pub(crate) fn add(&mut self, amount_cents: i64) {
        self.rows += 1;
        self.sum_cents += amount_cents;
    }

    pub(crate) fn score(&self) -> f64 {
        divided(self.sum_cents, 100)
    }
}

impl Entry for Counted {
    const VERSION: u8 = 1;

    fn encode(&self, to: &mut Encoder<'_>) {
        to.i64(self.rows);
        to.i64(self.sum_cents);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Counted, Error> {
        Ok(Counted { rows: from.i64()?, sum_cents: from.i64()? })
    }
}

/// The detector with what it knows of each user.
pub struct State {
    users: Users<Counted>,
}

impl Detector for State {
    fn describe() -> Metadata {
        Metadata::new(
            "kit-state",
            env!("CARGO_PKG_VERSION"),
            "Flags every row, and forgets its user if the amount is 0. The score is the sum of the user's amounts.",
            Ordering::PerUser,
        )
    }

    fn configure(_: &Settings) -> Result<Self, Error> {
        Ok(State { users: Users::default() })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            if row.amount_cents() == 0 {
                self.users.remove(row.user_id());
                continue;
            }
            let known = self.users.change(row.user_id());
            known.add(row.amount_cents());
            let reason = format!("row {} of the user, sum {}", known.rows, known.sum_cents);
            anomalies.push(row.anomaly(known.score(), reason));
        }
        Ok(anomalies)
    }
}

impl Stateful for State {
    fn snapshot(&mut self) -> Result<Part, Error> {
        Ok(self.users.snapshot())
    }

    fn restore(&mut self, state: &Part) -> Result<(), Error> {
        self.users.restore(state)
    }
}
