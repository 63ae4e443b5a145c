//! Flags transactions far from what their user usually spends: the z-score against the user's
//! running mean and standard deviation, which are kept by Welford's method (B. P. Welford,
//! "Note on a method for calculating corrected sums of squares and products", Technometrics
//! 4(3), 1962): one pass, and no cancellation where the mean is large and the spread small.
//!
//! What is known of users outlives the run. It does not depend on the settings, so a run may have other ones than
//! the run that it continues.

use detector_sdk::{
    Anomaly, Batch, Decoder, Detector, Encoder, Entry, Error, Metadata, Ordering, SettingKind, Settings,
    State, Stateful, Users, export_detector, log,
};

/// The smallest deviation that is used, one hundredth: for a user who always paid the same, any other amount
/// would otherwise be infinitely far away.
const MIN_DEVIATION_CENTS: f64 = 1.0;

/// The detector with what it knows about each user.
pub struct ZScore {
    deviations: f64,
    /// A whole number.
    minimum_history: f64,
    users: Users<Running>,
    /// How many rows this run has, and of how many of them the user had too short a history.
    rows: u64,
    unjudged: u64,
}

impl Detector for ZScore {
    fn describe() -> Metadata {
        Metadata::new(
            "zscore",
            env!("CARGO_PKG_VERSION"),
            "Flags transactions that lie more than `deviations` standard deviations from the mean \
             of the same user's earlier ones. The score is that number of deviations.",
            Ordering::PerUser,
        )
        .setting(
            "deviations",
            SettingKind::Decimal,
            "4",
            "How many standard deviations from the mean are anomalous.",
        )
        .setting(
            "minimum-history",
            SettingKind::Integer,
            "10",
            "How many earlier transactions a user must have before any is judged; at least 2.",
        )
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let deviations = settings.number("deviations")?.unwrap_or_default();
        if deviations <= 0.0 {
            return Err(Settings::refuse("deviations", "it must be above 0"));
        }
        let minimum_history = settings
            .integer("minimum-history")?
            .and_then(|count| u64::try_from(count).ok())
            .filter(|&count| count >= 2)
            .ok_or_else(|| Settings::refuse("minimum-history", "it must be at least 2"))?;
        Ok(ZScore {
            deviations,
            minimum_history: minimum_history as f64,
            users: Users::default(),
            rows: 0,
            unjudged: 0,
        })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        self.rows += batch.len() as u64;
        for row in batch.rows() {
            let cents = row.amount_cents() as f64;
            let user = self.users.change(row.user_id());
            if user.count < self.minimum_history {
                self.unjudged += 1;
            } else if user.may_be_far(cents, self.deviations) {
                // The root and the quotient are computed only for these few.
                let z = (cents - user.mean) / user.deviation();
                if z.abs() > self.deviations {
                    let side = if z > 0.0 { "above" } else { "below" };
                    anomalies.push(row.anomaly(
                        z.abs(),
                        format!(
                            "{} is {:.1} deviations {side} the user's mean of {:.2} over {} earlier",
                            row.amount(),
                            z.abs(),
                            user.mean / 100.0,
                            user.count,
                        ),
                    ));
                }
            }
            user.add(cents);
        }
        Ok(anomalies)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let ZScore { rows, unjudged, minimum_history, .. } = self;
        let told = format!(
            "rows not judged: {unjudged} of {rows}; their users had fewer than {minimum_history} earlier rows"
        );
        // With so little history, too little was judged for the result to be relied on.
        if *unjudged > *rows / 2 {
            log::warn!("{told}");
        } else if *unjudged > 0 {
            log::info!("{told}");
        }
        Ok(())
    }
}

impl Stateful for ZScore {
    fn snapshot(&mut self) -> Result<State, Error> {
        Ok(self.users.snapshot())
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.users.restore(state)
    }
}

/// Mean and spread of a growing set of values, in hundredths.
#[derive(Debug, Default, PartialEq)]
struct Running {
    /// A whole number, exact up to 2^53; a float because it is only used in divisions.
    count: f64,
    mean: f64,
    /// Sum of the squared distances from the mean.
    squares: f64,
}

impl Running {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    /// False only if the value is certainly closer than that many deviations, whatever is lost in rounding.
    fn may_be_far(&self, value: f64, deviations: f64) -> bool {
        const MARGIN: f64 = 0.999;
        let distance = value - self.mean;
        let degrees = self.count - 1.0;
        let spread = self.squares.max(degrees * MIN_DEVIATION_CENTS * MIN_DEVIATION_CENTS);
        distance * distance * degrees > deviations * deviations * spread * MARGIN
    }

    /// The sample's standard deviation; needs two values.
    fn deviation(&self) -> f64 {
        (self.squares / (self.count - 1.0)).sqrt().max(MIN_DEVIATION_CENTS)
    }
}

impl Entry for Running {
    const VERSION: u8 = 1;

    fn encode(&self, to: &mut Encoder<'_>) {
        to.f64(self.count);
        to.f64(self.mean);
        to.f64(self.squares);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Running, Error> {
        let running = Running { count: from.f64()?, mean: from.f64()?, squares: from.f64()? };
        let is_possible = running.count >= 1.0
            && running.count.fract() == 0.0
            && running.squares >= 0.0
            && [running.count, running.mean, running.squares].iter().all(|number| number.is_finite());
        match is_possible {
            true => Ok(running),
            false => Err(Error::Internal("it has numbers that no rows can have led to".into())),
        }
    }
}

export_detector!(ZScore: Stateful);

#[cfg(test)]
mod tests {
    use detector_sdk::testing::{run_stateful, snapshot};
    use proptest::prelude::*;

    use super::*;

    fn detector(given: &[(&str, &str)]) -> Result<ZScore, Error> {
        ZScore::configure(&Settings::new(&ZScore::describe(), given)?)
    }

    #[test]
    fn welford_agrees_with_two_passes_where_naive_sums_cancel() {
        let values: Vec<f64> = (0..1000).map(|i| 9e9 + f64::from(i % 7)).collect();
        let mut running = Running::default();
        values.iter().for_each(|&value| running.add(value));
        let mean = values.iter().sum::<f64>() / 1000.0;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        assert!((running.mean - mean).abs() < 1e-3);
        assert!((running.deviation() - (squares / 999.0).sqrt()).abs() < 1e-6);
    }

    #[test]
    fn each_user_is_judged_by_the_own_history_only() {
        let mut detector = detector(&[("minimum-history", "4")]).unwrap();
        let mut rows = Vec::new();
        for i in 0..4 {
            rows.push((1, 1_000 + i % 2, 0));
            rows.push((2, 100_000 + i % 2, 0));
        }
        rows.push((1, 100_000, 0)); // usual for user 2, not for user 1
        rows.push((2, 100_000, 0));
        rows.push((3, 100_000, 0)); // no history
        let found = detector.classify(&Batch::from_rows(&rows)).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].row, 8);
        // Four values around 1000.5 with deviation 0.577: raised to the floor of 1.
        assert!((found[0].score - 98_999.5).abs() < 1e-6, "{}", found[0].score);
        assert_eq!(
            found[0].reason,
            "1000.00 is 98999.5 deviations above the user's mean of 10.01 over 4 earlier"
        );
    }

    #[test]
    fn the_answer_does_not_depend_on_where_batches_are_cut() {
        let rows: Vec<_> = (0..500_i64).map(|i| (i % 3, (i * i * 7_919) % 10_007, i)).collect();
        let whole = {
            let mut detector = detector(&[("deviations", "1.5")]).unwrap();
            let found = detector.classify(&Batch::from_rows(&rows)).unwrap();
            found.into_iter().map(|one| (u64::from(one.row), one.score)).collect::<Vec<_>>()
        };
        assert!(!whole.is_empty());
        for size in [1, 7, 499] {
            let mut detector = detector(&[("deviations", "1.5")]).unwrap();
            let mut cut = Vec::new();
            for (i, part) in rows.chunks(size).enumerate() {
                let found = detector.classify(&Batch::from_rows(part)).unwrap();
                cut.extend(found.into_iter().map(|one| ((i * size) as u64 + u64::from(one.row), one.score)));
            }
            assert_eq!(cut, whole, "batches of {size}");
        }
    }

    /// Row, bits of the score, reason.
    type Found = Vec<(usize, u64, String)>;

    /// Runs that continue each other: each has that many rows, the last one the others.
    fn runs(rows: &[(i64, i64, i64)], lengths: &[usize]) -> (Found, u64) {
        let (mut found, mut unjudged) = (Vec::new(), 0);
        let (mut states, mut first) = (Vec::new(), 0);
        let ends = lengths.iter().scan(0, |end, length| {
            *end += length;
            Some((*end).min(rows.len()))
        });
        for end in ends.chain([rows.len()]) {
            let mut detector = detector(&[("deviations", "1.5"), ("minimum-history", "3")]).unwrap();
            for state in &states {
                detector.restore(state).unwrap();
            }
            let anomalies = detector.classify(&Batch::from_rows(&rows[first..end])).unwrap();
            found.extend(
                anomalies.into_iter().map(|one| (first + one.row as usize, one.score.to_bits(), one.reason)),
            );
            states.extend(snapshot(&mut detector).unwrap());
            detector.finish().unwrap();
            unjudged += detector.unjudged;
            first = end;
        }
        (found, unjudged)
    }

    proptest! {
        #[test]
        fn runs_that_continue_each_other_find_what_one_run_finds(
            rows in prop::collection::vec((-2..3_i64, -9_999_999_999..=9_999_999_999_i64), 0..120),
            lengths in prop::collection::vec(0..40_usize, 0..8),
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(user, cents)| (user, cents, 0)).collect();
            prop_assert_eq!(runs(&rows, &lengths), runs(&rows, &[]));
        }

        #[test]
        fn what_is_known_is_written_exactly(count in 1..1_u64 << 53, mean: f64, squares: f64) {
            let running = Running { count: count as f64, mean, squares: squares.abs() };
            let is_possible = mean.is_finite() && squares.is_finite();
            match Running::from_bytes(&running.to_bytes()) {
                Ok(back) => prop_assert_eq!((back, is_possible), (running, true)),
                Err(_) => prop_assert!(!is_possible),
            }
        }

        #[test]
        fn no_bytes_are_a_reason_to_panic(bytes: Vec<u8>) {
            let mut state = State::default();
            state.keep(7, bytes);
            let _ = detector(&[]).unwrap().restore(&state);
        }
    }

    #[test]
    fn only_users_of_this_run_are_passed_on() {
        let mut first = detector(&[]).unwrap();
        first.classify(&Batch::from_rows(&[(1, 100, 0), (2, 100, 0)])).unwrap();
        let states = snapshot(&mut first).unwrap();
        let mut second = detector(&[]).unwrap();
        second.restore(&states[0]).unwrap();
        second.classify(&Batch::from_rows(&[(2, 100, 0), (3, 100, 0)])).unwrap();
        let changed = snapshot(&mut second).unwrap();
        assert_eq!(changed[0].users().map(|(user, _)| user).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn history_is_of_all_runs_and_rows_that_were_not_judged_are_of_this_one() {
        let rows: String = (0..12).map(|i| format!("7, {}\n", 10 + i % 2)).collect();
        let found = run_stateful::<ZScore>(&[], &format!("user_id, amount\n{rows}7, 1000\n")).unwrap();
        found.assert_rows(&[12]);
        let rows: Vec<_> = (0..30).map(|i| (i % 2, 1_000, 0)).collect();
        assert_eq!(runs(&rows, &[4, 4, 4]).1, 6);
    }

    #[test]
    fn what_is_no_state_is_refused() {
        let of = |numbers: [f64; 3]| {
            let [count, mean, squares] = numbers;
            Running { count, mean, squares }.to_bytes()
        };
        let good = of([2.0, 100.0, 0.0]);
        let other_version = [&[2], &good[1..]].concat();
        let cases = [
            ("version 2", other_version),
            ("shorter", good[..24].to_vec()),
            ("longer", [&good[..], &[0]].concat()),
            ("no rows", of([2.5, 0.0, 0.0])),
            ("no rows", of([0.0, 0.0, 0.0])),
            ("no rows", of([2.0, f64::NAN, 0.0])),
            ("no rows", of([2.0, 0.0, -1.0])),
            ("no rows", of([f64::INFINITY, 0.0, 1.0])),
        ];
        for (expected, bytes) in cases {
            let mut state = State::default();
            state.keep(7, bytes);
            let Err(Error::Internal(why)) = detector(&[]).unwrap().restore(&state) else {
                panic!("{expected}");
            };
            assert!(why.starts_with("what earlier runs knew of user 7") && why.contains(expected), "{why}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for given in
            [("deviations", "0"), ("deviations", "-1"), ("minimum-history", "1"), ("minimum-history", "-5")]
        {
            assert!(matches!(detector(&[given]), Err(Error::InvalidSetting(_))), "{given:?}");
        }
    }
}
