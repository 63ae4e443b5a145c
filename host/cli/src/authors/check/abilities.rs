//! Rules for what only some detectors can do: give every row a score, pass on what they have learned, and learn
//! from what has become known of rows.

use host_core::state::State;
use host_detector::{Ability, Detector, DetectorError};

use super::report::{Finding, failed, ok, skipped, warning};
use super::trial::{Answer, BATCH_ROWS, Subject, USUAL, difference, judge};
use crate::authors::cases::chain;
use crate::authors::workload;

/// A state that never ends would be asked for forever.
const MAX_STATE_PARTS: usize = 10_000;
/// One row in this many is said to be fraud.
const FRAUD_EVERY: usize = 50;

/// `score` must say of the rows that `classify` flags what `classify` says, and learn the same.
pub fn scores(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    const MEND: &str =
        "let `classify` be `score` and a comparison: one place where rows are judged and learned";
    if !subject.info.abilities.contains(&Ability::Scoring) {
        return Ok(skipped("not a scoring detector"));
    }
    let mut detector = subject.start()?;
    let rows: Vec<usize> = (0..subject.usual()).collect();
    let mut scores = Vec::new();
    for batch in rows.chunks(BATCH_ROWS) {
        scores.extend(detector.score(&workload::select(subject.rows(), batch, batch[0] as u64))?);
    }
    detector.finish()?;
    let flagged = subject.answers(0, USUAL)?;
    Ok(match flagged.iter().find(|answer| answer.score.to_bits() != scores[answer.row].to_bits()) {
        None => ok(format!("the {} rows that `classify` flags have the same scores", flagged.len())),
        Some(Answer { row, score, .. }) => failed(
            format!("row {}: `classify` gives the score {score}, `score` {}", row + 1, scores[*row]),
            MEND,
        ),
    })
}

/// What is learned must survive being saved and restored, in parts and by any number of runs.
pub fn state(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    const MEND: &str = "put everything that `classify` learns into `snapshot`, and restore all of it";
    if !subject.info.abilities.contains(&Ability::Stateful) {
        return Ok(skipped("not a stateful detector"));
    }
    let rows: Vec<usize> = (0..subject.usual()).collect();
    let mut continuous = subject.start()?;
    let mut kept = Vec::new();
    let (mut expected, mut restored) = (Vec::new(), Vec::new());
    for part in rows.chunks(rows.len().div_ceil(3).max(1)) {
        let mut run = subject.start()?;
        for state in &kept {
            run.restore(state)?;
        }
        expected.extend(judge(&mut continuous, subject.rows(), part, part[0] as u64)?);
        restored.extend(judge(&mut run, subject.rows(), part, 0)?);
        match changes(&mut run, MAX_STATE_PARTS)? {
            Some(changed) => kept.extend(changed),
            None => {
                return Ok(failed(
                    format!("{MAX_STATE_PARTS} parts of a state, and no end"),
                    "return an empty state once everything that has changed was passed on",
                ));
            }
        }
        run.finish()?;
    }
    if let Some(difference) = difference(&expected, &restored) {
        return Ok(failed(format!("a restored detector continues differently: {difference}"), MEND));
    }
    let bytes: usize =
        kept.iter().map(|state| state.bytes.len() + state.shared.as_ref().map_or(0, Vec::len)).sum();
    Ok(match subject.start()?.restore(&foreign()) {
        Err(DetectorError::Guest { .. }) => {
            ok(format!("{bytes} bytes restore it over three runs; an invalid state is refused"))
        }
        Ok(()) => warning("it accepts an invalid state", "begin a value with a version, and refuse others"),
        Err(error) => failed(
            format!("an invalid state: {}", chain(&error)),
            "let `restore` return an error for what it cannot read",
        ),
    })
}

/// All that has changed, part by part; `None` if there is no end of it within so many calls.
pub(super) fn changes(
    detector: &mut Detector,
    max_calls: usize,
) -> Result<Option<Vec<State>>, DetectorError> {
    let mut parts = Vec::new();
    while parts.len() < max_calls {
        let state = detector.snapshot()?;
        if state.is_empty() {
            return Ok(Some(parts));
        }
        parts.push(state);
    }
    Ok(None)
}

/// A state that no detector has written.
fn foreign() -> State {
    let bytes = b"not a state of this detector".to_vec();
    State { shared: None, users: vec![1_000], ends: vec![bytes.len() as u32], bytes }
}

/// A detector must take what has become known of rows, and give the same answers each time.
pub fn feedback(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    if !subject.info.abilities.contains(&Ability::Learning) {
        return Ok(skipped("not a learning detector"));
    }
    let rows: Vec<usize> = (0..subject.usual()).collect();
    let (known, new) = rows.split_at(rows.len() / 2);
    let labels: Vec<bool> = known.iter().map(|row| row % FRAUD_EVERY == 0).collect();
    let run = |batch_rows: usize| -> Result<Vec<Answer>, DetectorError> {
        let mut detector = subject.start()?;
        for (rows, labels) in known.chunks(batch_rows).zip(labels.chunks(batch_rows)) {
            detector.feedback(&workload::select(subject.rows(), rows, 0), labels)?;
        }
        let answers = judge(&mut detector, subject.rows(), new, 0)?;
        detector.finish()?;
        Ok(answers)
    };
    Ok(match difference(&run(BATCH_ROWS)?, &run(97)?) {
        None => ok(format!("{} rows with labels, at once and in parts", known.len())),
        Some(difference) => failed(
            format!("the same rows in parts are learned differently: {difference}"),
            "learn from each row, never from how rows are cut into batches",
        ),
    })
}
