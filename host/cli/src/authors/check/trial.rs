//! The plugin that is put through the rules, and trial runs of it.

use std::fmt::Write as _;

use host_core::anomaly::Anomaly;
use host_core::batch::Batch;
use host_core::column::ColumnRequest;
use host_core::digest::Sha256Digest;
use host_core::text::printable;
use host_detector::{Detector, DetectorError, Metadata, Plugin, PluginInfo};

use crate::authors::start::{Settings, start};
use crate::authors::workload;

/// Rows per batch where the size does not matter, as `host run` passes them.
pub(super) const BATCH_ROWS: usize = 8_192;
/// Rows that most rules are tried on; those that need more take more.
pub(super) const ROWS: usize = 20_000;

/// What is allowed in a check, besides the limits of the sandbox.
#[derive(Clone, Debug)]
pub struct Budgets {
    /// Nanoseconds per row, in batches of the usual size.
    pub row_nanos: f64,
    /// The most memory, in any rule.
    pub memory_bytes: usize,
    /// Whether importing WASI is only worth a warning.
    pub allows_wasi: bool,
}

/// The plugin that is put through the rules.
pub(super) struct Subject<'a> {
    pub(super) plugin: &'a Plugin,
    pub(super) settings: &'a Settings,
    pub(super) metadata: Metadata,
    /// The further columns that it needs.
    pub(super) columns: Vec<ColumnRequest>,
    pub(super) info: PluginInfo,
    /// [`workload::MAX_BATCH_ROWS`] generated rows, or the first of a file.
    pub(super) rows: Batch,
    pub(super) budgets: &'a Budgets,
    /// The digest of the answers in another process.
    pub(super) elsewhere: &'a dyn Fn() -> Result<String, String>,
}

/// One row that a run flagged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) row: usize,
    pub(super) score: f64,
    pub(super) reason: String,
}

impl Subject<'_> {
    pub(super) fn start(&self) -> Result<Detector, DetectorError> {
        start(self.plugin, self.settings)
    }

    /// The rows that most rules use.
    pub(super) fn usual(&self) -> usize {
        self.rows.len().min(ROWS)
    }

    /// A whole run of one instance over the usual rows, in batches of this size.
    pub(super) fn run(&self, batch_rows: usize) -> Result<Vec<Answer>, DetectorError> {
        let indices: Vec<usize> = (0..self.usual()).collect();
        let batches: Vec<Vec<usize>> = indices.chunks(batch_rows).map(<[usize]>::to_vec).collect();
        run(self.plugin, self.settings, &self.rows, &batches)
    }
}

pub(super) fn indices(rows: &Batch, batch_rows: usize) -> Vec<Vec<usize>> {
    let all: Vec<usize> = (0..rows.len()).collect();
    all.chunks(batch_rows).map(<[usize]>::to_vec).collect()
}

/// A whole run of one instance over these batches, which are numbered as a file's would be.
pub(super) fn run(
    plugin: &Plugin,
    settings: &Settings,
    rows: &Batch,
    batches: &[Vec<usize>],
) -> Result<Vec<Answer>, DetectorError> {
    let mut detector = start(plugin, settings)?;
    let mut answers = Vec::new();
    let mut first_row = 0;
    for indices in batches {
        answers.extend(judge(&mut detector, rows, indices, first_row)?);
        first_row += indices.len() as u64;
    }
    detector.finish()?;
    Ok(answers)
}

pub(super) fn judge(
    detector: &mut Detector,
    rows: &Batch,
    indices: &[usize],
    first_row: u64,
) -> Result<Vec<Answer>, DetectorError> {
    let found = detector.classify(&workload::select(rows, indices, first_row))?;
    let answer =
        |one: Anomaly| Answer { row: indices[one.row as usize], score: one.score, reason: one.reason };
    Ok(found.into_iter().map(answer).collect())
}

/// The first difference between two runs over the same rows.
pub(super) fn difference(first: &[Answer], second: &[Answer]) -> Option<String> {
    let differs = |(one, other): &(&Answer, &Answer)| one != other;
    if let Some((one, other)) = first.iter().zip(second).find(differs) {
        return Some(if one.row == other.row {
            format!("row {}: {} and {}", one.row + 1, told(one), told(other))
        } else {
            format!("row {} is anomalous only in one of them", one.row.min(other.row) + 1)
        });
    }
    let (short, long) = if first.len() < second.len() { (first, second) } else { (second, first) };
    long.get(short.len()).map(|extra| format!("row {} is anomalous only in one of them", extra.row + 1))
}

fn told(answer: &Answer) -> String {
    format!("score {} (`{}`)", answer.score, printable(&answer.reason))
}

pub(super) fn digest_of(answers: &[Answer]) -> String {
    let mut text = String::new();
    for Answer { row, score, reason } in answers {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{row} {:016x} {reason}", score.to_bits());
    }
    Sha256Digest::of(text.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(row: usize, score: f64, reason: &str) -> Answer {
        Answer { row, score, reason: reason.into() }
    }

    #[test]
    fn the_first_difference_is_told() {
        let one = [answer(1, 1.0, "a"), answer(5, 2.0, "b")];
        let told = |other: &[Answer]| difference(&one, other).unwrap_or_default();
        assert_eq!(told(&one), "");
        assert_eq!(
            told(&[answer(1, 1.5, "a"), answer(5, 2.0, "b")]),
            "row 2: score 1 (`a`) and score 1.5 (`a`)"
        );
        assert_eq!(
            told(&[answer(1, 1.0, "a"), answer(5, 2.0, "c")]),
            "row 6: score 2 (`b`) and score 2 (`c`)"
        );
        assert_eq!(told(&[answer(5, 2.0, "b")]), "row 2 is anomalous only in one of them");
        assert_eq!(told(&one[..1]), "row 6 is anomalous only in one of them");
        assert_eq!(told(&[]), "row 2 is anomalous only in one of them");
        assert_ne!(digest_of(&one), digest_of(&one[..1]));
        // The scores differ in one bit, although their texts are equal.
        assert_ne!(digest_of(&[answer(1, 0.0, "")]), digest_of(&[answer(1, -0.0, "")]));
    }
}
