//! Rules about endurance: a thousand calls, the time a row takes, memory.

use std::time::Instant;

use bytesize::ByteSize;
use host_detector::DetectorError;

use super::report::{Finding, failed, ok, warning};
use super::trial::{BATCH_ROWS, Subject, indices};
use crate::authors::workload;

/// Enough for what shows late: a leak, or a garbage collector that traps after a few dozen calls.
const SOAK_CALLS: usize = 1_000;
const SOAK_BATCH_ROWS: usize = 64;
/// How much memory the second half of the soak may add: what is kept for each row adds up, what is kept
/// for each user does not.
const SOAK_GROWTH_BYTES: usize = 1024 * 1024;
/// The fastest of this many rounds counts: the others were disturbed.
const ROUNDS: usize = 3;

/// A thousand calls into one instance.
pub fn soak(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut detector = subject.start()?;
    let rows = &subject.rows;
    // The same rows again and again, each time later, as if the file went on.
    let (first, last) = (rows.timestamps_micros.iter().min(), rows.timestamps_micros.iter().max());
    let cycle_micros = last.zip(first).map_or(0, |(last, first)| last - first) + 1_000_000;
    let mut half_bytes = 0;
    for call in 0..SOAK_CALLS {
        let start = call * SOAK_BATCH_ROWS;
        let wanted: Vec<usize> = (start..start + SOAK_BATCH_ROWS).map(|row| row % rows.len()).collect();
        let mut batch = workload::select(rows, &wanted, start as u64);
        for (i, micros) in batch.timestamps_micros.iter_mut().enumerate() {
            *micros += ((start + i) / rows.len()) as i64 * cycle_micros;
        }
        detector.classify(&batch)?;
        if call == SOAK_CALLS / 2 {
            half_bytes = detector.peak_memory_bytes();
        }
    }
    detector.finish()?;
    let grown_bytes = detector.peak_memory_bytes() - half_bytes;
    let per_row = grown_bytes / (SOAK_CALLS / 2 * SOAK_BATCH_ROWS);
    if grown_bytes > SOAK_GROWTH_BYTES {
        let grown = ByteSize::b(grown_bytes as u64);
        return Ok(failed(
            format!("the second half of {SOAK_CALLS} calls took {grown} more, {per_row} bytes a row"),
            "free what belongs to a batch, and keep something for each user rather than for each row: files are long",
        ));
    }
    Ok(match detector.dropped_log_lines() {
        0 => ok(format!("{SOAK_CALLS} calls")),
        dropped => warning(
            format!("{SOAK_CALLS} calls, but {dropped} log lines were dropped"),
            "log once per run or for rare events, not for every row or batch",
        ),
    })
}

/// The time a row takes, in batches of the usual size.
pub fn time(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let batches: Vec<_> = indices(&subject.rows, BATCH_ROWS)
        .iter()
        .map(|indices| workload::select(&subject.rows, indices, indices[0] as u64))
        .collect();
    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut detector = subject.start()?;
        let started = Instant::now();
        for batch in &batches {
            detector.classify(batch)?;
        }
        fastest = fastest.min(started.elapsed().as_secs_f64() * 1e9 / subject.rows.len() as f64);
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

/// The memory that the largest batch takes, together with everything before and after it.
pub fn memory(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mut detector = subject.start()?;
    for indices in indices(&subject.rows, workload::MAX_BATCH_ROWS) {
        detector.classify(&workload::select(&subject.rows, &indices, indices[0] as u64))?;
    }
    let (used, allowed) = (detector.peak_memory_bytes(), subject.budgets.memory_bytes);
    let found = format!("{} at most; {} are allowed", ByteSize::b(used as u64), ByteSize::b(allowed as u64));
    Ok(if used <= allowed {
        ok(found)
    } else {
        failed(found, "free what belongs to a batch before the next one, and do not copy columns")
    })
}
