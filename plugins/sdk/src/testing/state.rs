//! Runs that continue what earlier ones have learned.

use super::{Found, row_alone, run};
use crate::testing::batch;
use crate::{Anomaly, Error, Settings, State, Stateful};

/// More parts than the snapshot of any test has.
const MAX_PARTS: usize = 10_000;

/// A whole run over the rows of a CSV text, as [`run`] does it, and as many runs as there are rows, each of which
/// continues what those before it have learned: they must find the same.
///
/// # Errors
/// What the detector returns, also for wrong settings.
///
/// # Panics
/// Like [`run`], or if the runs that continue each other find something else.
pub fn run_stateful<D: Stateful>(settings: &[(&str, &str)], csv: &str) -> Result<Found, Error> {
    let found = run::<D>(settings, csv)?;
    let settings = Settings::new(&D::describe(), settings)?;
    let rows = batch(csv, &D::configure(&settings)?.columns());
    let mut states = Vec::new();
    let mut continued = Vec::new();
    for row in 0..rows.len() {
        let mut detector = D::configure(&settings)?;
        for state in &states {
            detector.restore(state)?;
        }
        let anomalies = detector.classify(&row_alone(&rows, row))?;
        continued.extend(anomalies.into_iter().map(|one| Anomaly { row: row as u32, ..one }));
        states.extend(snapshot(&mut detector)?);
        detector.finish()?;
    }
    assert_eq!(
        *found, *continued,
        "one run (left) and a run per row that continues (right) must find the same"
    );
    Ok(found)
}

/// All that a detector passes on, part by part, as the host gives it to later runs.
///
/// # Errors
/// Those of [`Stateful::snapshot`].
///
/// # Panics
/// If it passes on a user twice in a part, or does not come to an end.
pub fn snapshot<D: Stateful>(detector: &mut D) -> Result<Vec<State>, Error> {
    let mut parts = Vec::new();
    loop {
        let part = detector.snapshot()?;
        if part.is_empty() {
            return Ok(parts);
        }
        let raw = part.into_contract();
        for pair in raw.users.windows(2) {
            assert!(pair[0] < pair[1], "a part of the snapshot has user {} twice", pair[0]);
        }
        parts.push(State::from_contract(raw));
        assert!(parts.len() <= MAX_PARTS, "the snapshot does not come to an end: it must become empty");
    }
}
