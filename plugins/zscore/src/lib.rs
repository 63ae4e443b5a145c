//! Flags transactions far from what their user usually spends: the z-score against the user's
//! running mean and standard deviation, which are kept by Welford's method (B. P. Welford,
//! "Note on a method for calculating corrected sums of squares and products", Technometrics
//! 4(3), 1962): one pass, and no cancellation where the mean is large and the spread small.

use detector_sdk::{
    Anomaly, Batch, Detector, Error, Metadata, Ordering, SettingKind, Settings, export_detector, log,
};
use rustc_hash::FxHashMap;

/// The smallest deviation that is used, one hundredth: for a user who always paid the same, any other amount
/// would otherwise be infinitely far away.
const MIN_DEVIATION_CENTS: f64 = 1.0;

/// The detector with what it knows about each user.
pub struct ZScore {
    deviations: f64,
    /// A whole number.
    minimum_history: f64,
    users: FxHashMap<i64, Running>,
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
        Ok(ZScore { deviations, minimum_history: minimum_history as f64, users: FxHashMap::default() })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            let cents = row.amount_cents() as f64;
            let user = self.users.entry(row.user_id()).or_default();
            // The root and the quotient are computed only for the few that may be anomalous.
            if user.count >= self.minimum_history && user.may_be_far(cents, self.deviations) {
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
        let rows: f64 = self.users.values().map(|user| user.count).sum();
        let unjudged: f64 = self.users.values().map(|user| user.count.min(self.minimum_history)).sum();
        let told = format!(
            "rows not judged: {unjudged} of {rows}; their users had fewer than {} earlier rows in this run",
            self.minimum_history
        );
        // In so short a file, too little was judged for the result to be relied on.
        if unjudged * 2.0 > rows {
            log::warn!("{told}");
        } else if unjudged > 0.0 {
            log::info!("{told}");
        }
        Ok(())
    }
}

/// Mean and spread of a growing set of values, in hundredths.
#[derive(Default)]
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

export_detector!(ZScore);

#[cfg(test)]
mod tests {
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

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for given in
            [("deviations", "0"), ("deviations", "-1"), ("minimum-history", "1"), ("minimum-history", "-5")]
        {
            assert!(matches!(detector(&[given]), Err(Error::InvalidSetting(_))), "{given:?}");
        }
    }
}
