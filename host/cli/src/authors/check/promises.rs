//! Rules about answers that must be the same: in a second run, in another process, however rows are cut
//! into batches, and over as many instances as `ordering` allows.

use host_detector::{DetectorError, Ordering};

use super::report::{Finding, failed, ok, skipped};
use super::trial::{Answer, BATCH_ROWS, Subject, difference, digest_of, indices, run};

/// Unusual batch sizes that do not divide anything evenly.
const ODD_BATCHES: [usize; 3] = [1, 7, 997];
/// Rows per batch when instances share the work.
const SHARED_BATCH_ROWS: usize = 1_000;
/// One row per call is slow in slow languages; this many rows show enough.
const ROWS_ONE_BY_ONE: usize = 4_000;
/// How many instances share the work.
const INSTANCES: usize = 3;

const MEND_RANDOM: &str = "no clock, random number, memory address or hash map order may influence an answer";

/// Two runs must give the same.
pub fn determinism(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let (first, second) = (subject.run(BATCH_ROWS)?, subject.run(BATCH_ROWS)?);
    Ok(match difference(&first, &second) {
        None => ok("two runs give the same"),
        Some(difference) => failed(format!("two runs differ: {difference}"), MEND_RANDOM),
    })
}

/// So must a run in another process, where nothing is left of the first run.
pub fn other_process(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let here = run(subject.plugin, subject.settings, &subject.rows, &indices(&subject.rows, BATCH_ROWS))?;
    Ok(match (subject.elsewhere)() {
        Ok(there) if there == digest_of(&here) => ok("another process gives the same"),
        Ok(_) => failed("another process gives different answers", MEND_RANDOM),
        Err(error) => failed(format!("in another process: {error}"), MEND_RANDOM),
    })
}

/// The answers must not depend on how rows are cut into batches.
pub fn batch_size(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    const MEND: &str = "keep what is learned across `classify` calls, and never judge a row by its batch";
    for batch_rows in ODD_BATCHES {
        let rows = if batch_rows == 1 { subject.usual().min(ROWS_ONE_BY_ONE) } else { subject.usual() };
        let cut = |batch_rows: usize| {
            let all: Vec<usize> = (0..rows).collect();
            let batches: Vec<Vec<usize>> = all.chunks(batch_rows).map(<[usize]>::to_vec).collect();
            run(subject.plugin, subject.settings, &subject.rows, &batches)
        };
        if let Some(difference) = difference(&cut(BATCH_ROWS)?, &cut(batch_rows)?) {
            let found = format!("batches of {BATCH_ROWS} and of {batch_rows} rows differ: {difference}");
            return Ok(failed(found, MEND));
        }
    }
    Ok(ok("batches of 1, 7, 997 and 8192 rows give the same"))
}

/// Several instances must give what `ordering` promises.
pub fn instances(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    const MEND: &str =
        "if a row's answer depends on other rows, `ordering` must be `per-user` or `file`; see the WIT";
    let ordering = subject.metadata.ordering;
    let mut shares: Vec<Vec<Vec<usize>>> = vec![Vec::new(); INSTANCES];
    let all: Vec<usize> = (0..subject.usual()).collect();
    match ordering {
        Ordering::File => return Ok(skipped("file: there is only ever one")),
        // Any batch may go to any instance, in any order.
        Ordering::Any => {
            for (i, batch) in all.chunks(SHARED_BATCH_ROWS).enumerate().collect::<Vec<_>>().into_iter().rev()
            {
                shares[i % INSTANCES].push(batch.to_vec());
            }
        }
        Ordering::PerUser => {
            for (instance, share) in shares.iter_mut().enumerate() {
                let is_mine =
                    |row: &usize| subject.rows.user_ids[*row].rem_euclid(INSTANCES as i64) == instance as i64;
                let mine: Vec<usize> = all.iter().copied().filter(is_mine).collect();
                *share = mine.chunks(SHARED_BATCH_ROWS).map(<[usize]>::to_vec).collect();
            }
        }
    }
    let mut together: Vec<Answer> = Vec::new();
    for share in &shares {
        together.extend(run(subject.plugin, subject.settings, &subject.rows, share)?);
    }
    together.sort_by_key(|answer| answer.row);
    Ok(match difference(&subject.run(BATCH_ROWS)?, &together) {
        None => ok(format!("{INSTANCES} instances give what one gives")),
        Some(difference) => failed(format!("one and {INSTANCES} instances differ: {difference}"), MEND),
    })
}
