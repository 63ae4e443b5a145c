//! The plugin that is put through the rules, and trial runs of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;

use host_core::anomaly::Anomaly;
use host_core::batch::Batch;
use host_core::column::ColumnRequest;
use host_core::digest::Sha256Digest;
use host_core::text::printable;
use host_detector::{Detector, DetectorError, Metadata, Ordering, Plugin, PluginInfo};

use crate::authors::start::{Settings, start};
use crate::authors::workload;

/// Rows per batch where the size does not matter, as `host run` passes them.
pub(super) const BATCH_ROWS: usize = 8_192;
/// Rows that most rules are tried on; those that need more take more.
pub(super) const ROWS: usize = 20_000;
/// One row per call is slow in slow languages; this many rows show enough.
pub(super) const ROWS_ONE_BY_ONE: usize = 4_000;
/// Lists of these lengths go through a guest's memory one after the other: whoever frees what is still used,
/// or frees it twice, may get the same piece of it for two of them.
const CHANGING_BATCHES: [usize; 9] = [1, 4_096, 3, 64, 997, 2, 512, 7, 128];
/// How many instances share the work.
pub(super) const INSTANCES: usize = 3;
/// Rows per batch when instances share the work.
const SHARED_BATCH_ROWS: usize = 1_000;

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
    /// The same, but random numbers and clocks begin elsewhere.
    pub(super) reseeded: &'a Plugin,
    pub(super) settings: &'a Settings,
    pub(super) metadata: Metadata,
    /// The further columns that it needs.
    pub(super) columns: Vec<ColumnRequest>,
    pub(super) info: PluginInfo,
    /// First [`workload::MAX_BATCH_ROWS`] generated rows, or the first of a file; then the cases of its project.
    pub(super) inputs: Vec<Input>,
    pub(super) budgets: &'a Budgets,
    /// The digest of the answers in another process.
    pub(super) elsewhere: &'a dyn Fn() -> Result<String, String>,
    /// What trials have answered: several rules compare the same ones.
    pub(super) answered: RefCell<Answered>,
}

/// By the number of the input and how it was cut.
type Answered = HashMap<(usize, Cut), Rc<Vec<Answer>>>;

/// Rows, and the settings that they are for.
pub(super) struct Input {
    /// Before what is said of its rows: which case they are.
    pub(super) place: String,
    pub(super) settings: Vec<(String, String)>,
    pub(super) rows: Batch,
}

impl Input {
    /// The rows that most rules use.
    pub(super) fn usual(&self) -> usize {
        self.rows.len().min(ROWS)
    }
}

/// How rows are cut into batches and shared between instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cut {
    /// One instance, batches of so many rows.
    Batches(usize),
    /// One instance, batches of very different sizes, large and small by turns.
    Changing,
    /// Several instances, as `ordering` allows.
    Instances,
}

/// What a run usually gets.
pub(super) const USUAL: Cut = Cut::Batches(BATCH_ROWS);

impl Cut {
    /// What each instance gets, batch by batch.
    fn shares(self, rows: &Batch, ordering: Ordering) -> Vec<Vec<Vec<usize>>> {
        let all: Vec<usize> = (0..rows.len().min(ROWS)).collect();
        let batches = |rows: &[usize], size| rows.chunks(size).map(<[usize]>::to_vec).collect();
        match self {
            Cut::Batches(1) => vec![batches(&all[..all.len().min(ROWS_ONE_BY_ONE)], 1)],
            Cut::Batches(size) => vec![batches(&all, size)],
            Cut::Changing => {
                let (mut left, mut cut) = (&all[..], Vec::new());
                for size in CHANGING_BATCHES.into_iter().cycle() {
                    if left.is_empty() {
                        break;
                    }
                    let (batch, rest) = left.split_at(size.min(left.len()));
                    cut.push(batch.to_vec());
                    left = rest;
                }
                vec![cut]
            }
            Cut::Instances => {
                let mut shares = vec![Vec::new(); INSTANCES];
                match ordering {
                    // There is only ever one.
                    Ordering::File => return vec![batches(&all, SHARED_BATCH_ROWS)],
                    // Any batch may go to any instance, in any order.
                    Ordering::Any => {
                        for (i, batch) in
                            all.chunks(shared(all.len())).enumerate().collect::<Vec<_>>().iter().rev()
                        {
                            shares[i % INSTANCES].push(batch.to_vec());
                        }
                    }
                    Ordering::PerUser => {
                        for (instance, share) in (0..).zip(&mut shares) {
                            let is_mine =
                                |row: &usize| rows.user_ids[*row].rem_euclid(INSTANCES as i64) == instance;
                            let mine: Vec<usize> = all.iter().copied().filter(is_mine).collect();
                            *share = batches(&mine, SHARED_BATCH_ROWS);
                        }
                    }
                }
                shares
            }
        }
    }
}

/// Rows per batch when instances share so many: all of them get some.
fn shared(rows: usize) -> usize {
    rows.div_ceil(INSTANCES).clamp(1, SHARED_BATCH_ROWS)
}

/// One row that a run flagged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) row: usize,
    pub(super) score: f64,
    pub(super) reason: String,
}

impl Subject<'_> {
    /// The input of the rules that take only one.
    pub(super) fn rows(&self) -> &Batch {
        &self.inputs[0].rows
    }

    pub(super) fn usual(&self) -> usize {
        self.inputs[0].usual()
    }

    pub(super) fn start(&self) -> Result<Detector, DetectorError> {
        start(self.plugin, self.settings)
    }

    /// What is answered if an input is cut that way.
    pub(super) fn answers(&self, input: usize, cut: Cut) -> Result<Rc<Vec<Answer>>, DetectorError> {
        if let Some(answers) = self.answered.borrow().get(&(input, cut)) {
            return Ok(answers.clone());
        }
        let answers = Rc::new(self.tried(self.plugin, input, cut)?);
        self.answered.borrow_mut().insert((input, cut), answers.clone());
        Ok(answers)
    }

    /// The same once more, where random numbers and clocks begin elsewhere.
    pub(super) fn answers_again(&self, input: usize, cut: Cut) -> Result<Vec<Answer>, DetectorError> {
        self.tried(self.reseeded, input, cut)
    }

    fn tried(&self, plugin: &Plugin, input: usize, cut: Cut) -> Result<Vec<Answer>, DetectorError> {
        let Input { settings, rows, .. } = &self.inputs[input];
        let mut together = Vec::new();
        for share in cut.shares(rows, self.metadata.ordering) {
            together.extend(run(plugin, settings, rows, &share)?);
        }
        together.sort_by_key(|answer: &Answer| answer.row);
        Ok(together)
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
