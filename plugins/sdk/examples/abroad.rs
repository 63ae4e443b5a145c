//! Flags a user's first transaction in another country: a detector that asks for a further CSV column,
//! `country`, and whose knowledge outlives the run.
//!
//! `cargo test --example abroad` runs its tests. In a separate crate it would be `src/lib.rs`.

use std::collections::{BTreeMap, BTreeSet};

use detector_sdk::{
    Anomaly, Batch, ColumnRequest, Detector, Error, Metadata, Ordering, Settings, State, Stateful,
    export_detector, log, quoted,
};

/// The column with the country; `--column country=NAME` makes it another one of the file.
const COUNTRY: &str = "country";
/// How many users one part of a state has.
const PART_USERS: usize = 10_000;

/// The detector, with each user's latest country.
pub struct Abroad {
    countries: BTreeMap<i64, String>,
    /// The users whose country has changed since it was passed on.
    changed: BTreeSet<i64>,
}

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
        Ok(Abroad { countries: BTreeMap::new(), changed: BTreeSet::new() })
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
            match self.countries.get(&user) {
                Some(before) if before == country => continue,
                Some(before) => {
                    anomalies.push(row.anomaly(1.0, format!("{} after {}", quoted(country), quoted(before))));
                }
                None => {}
            }
            self.countries.insert(user, country.to_owned());
            self.changed.insert(user);
        }
        log::debug!("{} users so far", self.countries.len());
        Ok(anomalies)
    }
}

impl Stateful for Abroad {
    fn snapshot(&mut self) -> Result<State, Error> {
        let mut state = State::default();
        for _ in 0..PART_USERS {
            let Some(user) = self.changed.pop_first() else { break };
            // A changed user is a known one.
            let country = self.countries.get(&user).map(String::as_str).unwrap_or_default();
            // A version first, so that a later one can tell. No value is empty: that would mean an unknown user.
            state.keep(user, format!("1{country}"));
        }
        Ok(state)
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        for (user, value) in state.users() {
            match str::from_utf8(value).ok().and_then(|text| text.strip_prefix('1')) {
                Some(country) => self.countries.insert(user, country.to_owned()),
                None if value.is_empty() => self.countries.remove(&user),
                None => return Err(Error::Internal("this is not a state of `abroad` 0.1".into())),
            };
        }
        Ok(())
    }
}

export_detector!(Abroad: Stateful);

#[cfg(test)]
mod tests {
    use detector_sdk::testing::{batch, run};

    use super::*;

    #[test]
    fn a_move_is_flagged_once() {
        let rows = "user_id, country\n7, DE\n7, DE\n8, FR\n7, FR\n7, FR\n";
        let found = run::<Abroad>(&[], rows).unwrap();
        found.assert_rows(&[3]);
        found.assert_reason(3, "`FR` after `DE`");
    }

    #[test]
    fn what_is_known_outlives_the_run() {
        let start = || Abroad { countries: BTreeMap::new(), changed: BTreeSet::new() };
        let (mut first, mut second) = (start(), start());
        let columns = first.columns();
        first.classify(&batch("user_id, country\n7, DE\n8, FR\n", &columns)).unwrap();
        let state = first.snapshot().unwrap();
        assert!(first.snapshot().unwrap().is_empty());
        second.restore(&state).unwrap();
        let found = second.classify(&batch("user_id, country\n7, FR\n8, FR\n", &columns)).unwrap();
        assert_eq!(found.len(), 1);
        let mut other = State::default();
        other.keep(7, *b"no state");
        assert!(second.restore(&other).is_err());
    }
}
