//! Flags a user's first transaction in another country: a detector that asks for a further CSV column,
//! `country`, and whose knowledge outlives the run.
//!
//! `cargo test --example abroad` runs its tests. In a separate crate it would be `src/lib.rs`.

use detector_sdk::{
    Anomaly, Batch, ColumnRequest, Decoder, Detector, Encoder, Entry, Error, Metadata, Ordering, Settings,
    State, Stateful, Users, export_detector, log, quoted,
};

/// The column with the country; `--column country=NAME` makes it another one of the file.
const COUNTRY: &str = "country";

/// The detector, with each user's latest country.
pub struct Abroad {
    users: Users<Country>,
}

/// Its name, as it is in the file.
#[derive(Default)]
struct Country(String);

impl Detector for Abroad {
    fn describe() -> Metadata {
        Metadata::new(
            "abroad",
            env!("CARGO_PKG_VERSION"),
            "Flags a transaction in another country than the user's previous one. The score is always 1.",
            Ordering::PerUser,
        )
    }

    fn configure(_: &Settings) -> Result<Self, Error> {
        Ok(Abroad { users: Users::default() })
    }

    fn columns(&self) -> Vec<ColumnRequest> {
        vec![ColumnRequest::text(COUNTRY)]
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        // The host refuses a file without the column.
        let Some(countries) = batch.texts(COUNTRY) else { return Ok(anomalies) };
        for row in batch.rows() {
            let (user, country) = (row.user_id(), countries.get(row.index()));
            match self.users.get(user) {
                Some(Country(before)) if before == country => continue,
                Some(Country(before)) => {
                    anomalies.push(row.anomaly(1.0, format!("{} after {}", quoted(country), quoted(before))));
                }
                None => {}
            }
            // Only those whose country has changed are passed on to the next run.
            self.users.change(user).0 = country.to_owned();
        }
        log::debug!("{} users so far", self.users.len());
        Ok(anomalies)
    }
}

impl Stateful for Abroad {
    fn snapshot(&mut self) -> Result<State, Error> {
        Ok(self.users.snapshot())
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.users.restore(state)
    }
}

impl Entry for Country {
    const VERSION: u8 = 1;

    fn encode(&self, to: &mut Encoder<'_>) {
        to.text(&self.0);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Country, Error> {
        Ok(Country(from.text()?.to_owned()))
    }
}

export_detector!(Abroad: Stateful);

#[cfg(test)]
mod tests {
    use detector_sdk::testing::run_stateful;

    use super::*;

    /// As one run, and as runs that continue each other.
    #[test]
    fn a_move_is_flagged_once() {
        let rows = "user_id, country\n7, DE\n7, DE\n8, FR\n7, FR\n7, FR\n";
        let found = run_stateful::<Abroad>(&[], rows).unwrap();
        found.assert_rows(&[3]);
        found.assert_reason(3, "`FR` after `DE`");
    }

    #[test]
    fn what_it_did_not_write_is_refused() {
        let mut state = State::default();
        state.keep(7, "no state");
        assert!(Abroad { users: Users::default() }.restore(&state).is_err());
    }
}
