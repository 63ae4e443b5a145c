//! Rules about endurance: ten thousand calls, the time a row takes, memory.

use std::time::Instant;

use bytesize::ByteSize;
use host_core::batch::Batch;
use host_detector::DetectorError;

use super::report::{Finding, failed, ok, warning};
use super::trial::{BATCH_ROWS, Subject, indices};
use crate::authors::workload::{self, Endless};

/// Enough for what shows late: a leak, or a garbage collector that traps after a few dozen calls.
const SOAK_CALLS: usize = 10_000;
const SOAK_BATCH_ROWS: usize = 64;
/// By then, a detector has logged enough to see whether it logs for every batch.
const LOGGING_CALLS: usize = 1_000;
/// How much memory a row may add in the second half of the soak. By then every user has come several times, so
/// that only what is kept for each row still grows; what a memory takes at a time is rounded up.
const SOAK_GROWTH_BYTES: usize = 4;
/// What a call costs must not count as what a row costs: fewer rows are repeated.
const TIMED_ROWS: usize = BATCH_ROWS;
/// The fastest of this many rounds counts: the others were disturbed.
const ROUNDS: usize = 3;

/// Ten thousand calls into one instance, with the same rows again and again, each time later.
pub fn soak(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut detector = subject.start()?;
    let file = Endless::new(subject.rows());
    let (mut half_bytes, mut dropped_lines) = (0, 0);
    for call in 0..SOAK_CALLS {
        let start = call * SOAK_BATCH_ROWS;
        detector.classify(&file.batch(start..start + SOAK_BATCH_ROWS))?;
        if call == SOAK_CALLS / 2 {
            half_bytes = detector.peak_memory_bytes();
        }
        if call == LOGGING_CALLS - 1 {
            dropped_lines = detector.dropped_log_lines();
        }
    }
    detector.finish()?;
    let grown_bytes = detector.peak_memory_bytes() - half_bytes;
    let rows = SOAK_CALLS / 2 * SOAK_BATCH_ROWS;
    if grown_bytes > SOAK_GROWTH_BYTES * rows {
        let (grown, per_row) = (ByteSize::b(grown_bytes as u64), grown_bytes / rows);
        return Ok(failed(
            format!("the second half of {SOAK_CALLS} calls took {grown} more, {per_row} bytes a row"),
            "free what belongs to a batch, and keep something for each user rather than for each row: files are long",
        ));
    }
    Ok(match dropped_lines {
        0 => ok(format!("{SOAK_CALLS} calls")),
        dropped => warning(
            format!("in {LOGGING_CALLS} calls, {dropped} log lines were dropped"),
            "log once per run or for rare events, not for every row or batch",
        ),
    })
}

/// The time a row takes, in batches of the usual size.
pub fn time(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let batches = timed(subject.rows());
    let rows: usize = batches.iter().map(Batch::len).sum();
    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut detector = subject.start()?;
        let started = Instant::now();
        for batch in &batches {
            detector.classify(batch)?;
        }
        fastest = fastest.min(started.elapsed().as_secs_f64() * 1e9 / rows as f64);
    }
    let found = format!("{fastest:.0} ns a row; {:.0} are allowed", subject.budgets.row_nanos);
    Ok(if fastest <= subject.budgets.row_nanos {
        ok(found)
    } else {
        failed(
            found,
            "see `host plugin bench`; build reasons only for anomalies, and iterate over columns, not rows",
        )
    })
}

/// All rows in batches of the usual size; at least one such batch.
fn timed(rows: &Batch) -> Vec<Batch> {
    let (file, count) = (Endless::new(rows), rows.len().max(TIMED_ROWS));
    let starts = (0..count).step_by(BATCH_ROWS);
    starts.map(|start| file.batch(start..(start + BATCH_ROWS).min(count))).collect()
}

/// The memory that the largest batch takes, together with everything before and after it.
pub fn memory(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut detector = subject.start()?;
    for indices in indices(subject.rows(), workload::MAX_BATCH_ROWS) {
        detector.classify(&workload::select(subject.rows(), &indices, indices[0] as u64))?;
    }
    let (used, allowed) = (detector.peak_memory_bytes(), subject.budgets.memory_bytes);
    let found = format!("{} at most; {} are allowed", ByteSize::b(used as u64), ByteSize::b(allowed as u64));
    Ok(if used <= allowed {
        ok(found)
    } else {
        failed(found, "free what belongs to a batch before the next one, and do not copy columns")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else eight rows would have to pay for a whole call.
    #[test]
    fn few_rows_are_timed_as_many() {
        let lengths =
            |rows| timed(&workload::generated(rows, &[])).iter().map(Batch::len).collect::<Vec<_>>();
        assert_eq!(lengths(8), [BATCH_ROWS]);
        assert_eq!(lengths(20_000), [BATCH_ROWS, BATCH_ROWS, 20_000 - 2 * BATCH_ROWS]);
    }
}
