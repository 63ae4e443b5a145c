//! Flags users who make many transactions in a short time: a detector that keeps state for each user, bounded
//! however long the file is, and known to the next run.
//!
//! `cargo test --example velocity` runs its tests. In a separate crate it would be `src/lib.rs`.

use std::collections::VecDeque;

use detector_sdk::{
    Anomaly, Batch, Decoder, Detector, Encoder, Entry, Error, Metadata, Ordering, SettingKind, Settings,
    State, Stateful, Users, export_detector,
};

/// The detector, with the times of each user's latest transactions.
pub struct Velocity {
    count: usize,
    window_micros: i64,
    users: Users<Times>,
}

/// When a user's latest transactions were, in microseconds.
#[derive(Default)]
struct Times(VecDeque<i64>);

impl Detector for Velocity {
    fn describe() -> Metadata {
        Metadata::new(
            "velocity",
            env!("CARGO_PKG_VERSION"),
            "Flags a user's transaction when it and the `count` before it fall within `seconds`. \
             The score is how many times faster than allowed they were.",
            // Users do not affect each other, so different users may go to different instances.
            Ordering::PerUser,
        )
        .setting(
            "count",
            SettingKind::Integer,
            "5",
            "How many earlier transactions are allowed within `seconds`.",
        )
        .setting("seconds", SettingKind::Integer, "60", "The length of the window, in seconds.")
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let positive = |name| match settings.integer(name) {
            Ok(Some(value @ 1..=1_000_000)) => Ok(value),
            Ok(_) => Err(Settings::refuse(name, "it must be from 1 to 1000000")),
            Err(error) => Err(error),
        };
        Ok(Velocity {
            // Within a million, so it fits.
            count: positive("count")? as usize,
            window_micros: positive("seconds")? * 1_000_000,
            users: Users::default(),
        })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            let Times(times) = self.users.change(row.user_id());
            // More than that are known from a run with a higher `count`.
            times.drain(..times.len().saturating_sub(self.count));
            if times.len() == self.count
                && let Some(first) = times.pop_front()
            {
                let took_micros = row.timestamp_micros() - first;
                // Rows that go back in time say nothing about speed.
                if (0..self.window_micros).contains(&took_micros) {
                    let score = self.window_micros as f64 / took_micros.max(1) as f64;
                    let seconds = took_micros as f64 / 1e6;
                    anomalies.push(row.anomaly(score, format!("{} within {seconds:.1} s", self.count + 1)));
                }
            }
            times.push_back(row.timestamp_micros());
        }
        Ok(anomalies)
    }
}

impl Stateful for Velocity {
    fn snapshot(&mut self) -> Result<State, Error> {
        Ok(self.users.snapshot())
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.users.restore(state)
    }
}

impl Entry for Times {
    const VERSION: u8 = 1;

    fn encode(&self, to: &mut Encoder<'_>) {
        self.0.iter().for_each(|time| to.i64(*time));
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Times, Error> {
        let mut times = VecDeque::new();
        while !from.is_at_end() {
            times.push_back(from.i64()?);
        }
        Ok(Times(times))
    }
}

export_detector!(Velocity: Stateful);

#[cfg(test)]
mod tests {
    use detector_sdk::testing::{batch, run, run_stateful, snapshot};

    use super::*;

    const ROWS: &str = "
        user_id, timestamp
        7, 2024-01-01 09:00:00
        8, 2024-01-01 09:00:01
        7, 2024-01-01 09:00:30
        7, 2024-01-01 09:00:40
        8, 2024-01-01 09:05:00
        8, 2024-01-01 09:10:00
    ";

    #[test]
    fn the_third_within_a_minute_is_flagged_for_that_user_only() {
        // As one run, and as runs that continue each other.
        let found = run_stateful::<Velocity>(&[("count", "2")], ROWS).unwrap();
        found.assert_rows(&[3]);
        found.assert_score(3, 1.5);
        found.assert_reason(3, "3 within 40.0 s");
    }

    #[test]
    fn a_run_with_a_lower_count_continues() {
        let start = |count| {
            Velocity::configure(&Settings::new(&Velocity::describe(), &[("count", count)]).unwrap()).unwrap()
        };
        let (mut first, mut second) = (start("5"), start("1"));
        first.classify(&batch("user_id\n7\n7\n7\n", &[])).unwrap();
        for state in snapshot(&mut first).unwrap() {
            second.restore(&state).unwrap();
        }
        let found = second.classify(&batch("timestamp\n1970-01-01 00:00:12\n", &[])).unwrap();
        assert!(found.is_empty(), "user 1");
        let found = second.classify(&batch("user_id, timestamp\n7, 1970-01-01 00:00:12\n", &[])).unwrap();
        assert_eq!((found.len(), found[0].score), (1, 6.0));
    }

    #[test]
    fn no_time_at_all_is_refused() {
        assert_eq!(run::<Velocity>(&[("seconds", "0")], ROWS).unwrap_err().setting(), Some("seconds"));
    }
}
