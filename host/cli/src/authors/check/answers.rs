//! Rules about answering correctly, whatever the plugin is given.

use host_core::batch::Batch;
use host_core::text::printable;
use host_detector::DetectorError;

use super::advice::advice;
use super::report::{Finding, failed, ok, warning};
use super::trial::{Subject, USUAL, indices, judge, run};
use crate::authors::cases::chain;
use crate::authors::workload;

/// `describe` must say the same in every instance, and before and after a run.
pub fn describe(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut again = subject.start()?;
    // An instance that fails here has broken another rule, and cannot be used afterwards.
    let after = match judge(&mut again, subject.rows(), &[0], 0) {
        Ok(_) => again.describe()?,
        Err(_) => again.metadata.clone(),
    };
    if again.metadata == subject.metadata && after == subject.metadata {
        return Ok(ok("the same before and after a run"));
    }
    Ok(failed(
        "it describes itself differently in another instance, or after a run",
        "`describe` must not depend on anything; if it is a constant, memory was damaged: in C and C++, build with `make debug`",
    ))
}

/// A file may have no rows at all: `finish` comes straight after `configure`.
pub fn no_rows(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut detector = subject.start()?;
    detector.finish()?;
    Ok(ok("a run without rows ends well"))
}

/// The smallest batch.
pub fn one_row(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    run(subject.plugin, subject.settings, subject.rows(), &[vec![0]])?;
    Ok(ok("a run of one row ends well"))
}

/// The contract rules it out, but it is better if a detector survives one.
pub fn empty_batch(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut detector = subject.start()?;
    let empty = Batch::new(&subject.columns);
    Ok(match detector.classify(&empty) {
        Ok(_) => ok("no anomalies among no rows"),
        Err(error) => {
            warning(chain(&error), "this host never sends one, but another may; return no anomalies")
        }
    })
}

/// Ordinary rows. Some should be anomalous, else nothing is seen of what could be wrong.
pub fn usual_rows(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let flagged = match subject.answers(0, USUAL) {
        Ok(answers) => answers.len(),
        Err(DetectorError::Guest { message, .. }) => {
            return Ok(failed(
                format!("it fails on them: {}", printable(&message)),
                "if it needs a special kind of rows, give a file of them: `host plugin check PLUGIN FILE`",
            ));
        }
        Err(error) => return Err(error),
    };
    // What fails here is found by another rule.
    let in_case = |input| subject.answers(input, USUAL).map_or(0, |answers| answers.len());
    let in_cases: usize = (1..subject.inputs.len()).map(in_case).sum();
    let found = format!("{flagged} of {} rows are anomalous", subject.usual());
    Ok(match (flagged, in_cases) {
        (0, 0) => warning(
            format!("none of {} rows is anomalous, so this shows little", subject.usual()),
            "give a file with rows that it flags, `host plugin check PLUGIN FILE`, or a case in the folder `cases`",
        ),
        (_, 0) => ok(found),
        (_, 1) => ok(format!("{found}, and 1 in its cases")),
        (_, _) => ok(format!("{found}, and {in_cases} in its cases")),
    })
}

/// The largest batch that a host passes.
pub fn large_batch(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let rows = subject.rows().len();
    run(
        subject.plugin,
        subject.settings,
        subject.rows(),
        &indices(subject.rows(), workload::MAX_BATCH_ROWS),
    )?;
    Ok(ok(format!("{rows} rows at once")))
}

/// The largest, smallest and strangest values that the contract allows.
pub fn extreme_values(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let rows = workload::extremes(&subject.columns);
    // Three times, so that detectors that learn have something to compare with.
    let batches: Vec<Vec<usize>> = std::iter::repeat_n((0..rows.len()).collect(), 3).collect();
    Ok(match run(subject.plugin, subject.settings, &rows, &batches) {
        Ok(_) => ok("amounts, ids, times and texts at their limits"),
        Err(error @ DetectorError::Guest { .. }) => {
            warning(chain(&error), "an error ends the run; return one only if rows cannot be judged at all")
        }
        Err(error) => failed(chain(&error), advice(&error)),
    })
}
