//! All loads of one file, in alternating rounds, and their medians.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::contenders::Contender;
use super::measure::{Measured, measure};
use super::spec::{Bench, Data};
use crate::shell::say;

/// Who loaded a file of so many rows, and what it took in every round.
pub struct Loads {
    pub rows: u64,
    pub rounds: usize,
    pub by_contender: Vec<(Contender, Vec<Measured>)>,
}

impl Loads {
    /// Every round begins with another contender, so that none is always after the same one.
    pub fn measure(bench: &Bench, data: &Data, rounds: usize) -> Result<Loads> {
        let taking_part = Contender::ALL.into_iter().filter(|who| who.takes_part(bench, data.rows));
        let mut by_contender: Vec<(Contender, Vec<Measured>)> =
            taking_part.map(|who| (who, Vec::new())).collect();
        for round in 0..rounds {
            let count = by_contender.len();
            for turn in 0..count {
                let (who, measured) = &mut by_contender[(round + turn) % count];
                bench.database.empty()?;
                let load = measure(who.command(bench, data), &bench.database)
                    .and_then(|load| data.check(bench).map(|()| load))
                    .with_context(|| format!("{} rows by {}", data.rows, who.name()))?;
                say(&format!(
                    "{} rows, round {} of {rounds}: {:.3} s, {}",
                    data.rows,
                    round + 1,
                    load.wall.as_secs_f64(),
                    who.name()
                ));
                measured.push(load);
            }
        }
        Ok(Loads { rows: data.rows, rounds, by_contender })
    }

    /// What a contender took, where it took part.
    pub fn of(&self, who: Contender) -> Option<&[Measured]> {
        self.by_contender.iter().find(|(other, _)| *other == who).map(|(_, measured)| measured.as_slice())
    }

    /// The median of the ratios of wall times, each of two loads of the same round.
    pub fn ratio(&self, who: Contender, to: Contender) -> Option<f64> {
        let pairs = self.of(who)?.iter().zip(self.of(to)?);
        Some(median(pairs.map(|(who, to)| who.wall.as_secs_f64() / to.wall.as_secs_f64()).collect()))
    }
}

/// Of times, in seconds.
pub fn median_seconds(measured: &[Measured], time: impl Fn(&Measured) -> Duration) -> f64 {
    median(measured.iter().map(|load| time(load).as_secs_f64()).collect())
}

/// Of an even number the mean of the two in the middle; of none, not a number.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_one_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }
}
