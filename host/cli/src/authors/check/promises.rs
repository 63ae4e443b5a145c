//! Rules about answers that must be the same: in a second run, in another process, however rows are cut
//! into batches, and over as many instances as `ordering` allows. Whether the very same calls are answered in
//! the same way comes first: else nothing else could be told from it.

use host_detector::{DetectorError, Ordering};

use super::advice::advice;
use super::report::{Finding, failed, ok, skipped};
use super::trial::{
    Answer, BATCH_ROWS, Cut, INSTANCES, Input, ROWS_ONE_BY_ONE, Subject, USUAL, difference, digest_of,
    indices, run,
};
use crate::authors::cases::chain;

/// Batch sizes that do not divide anything evenly.
const ODD_BATCHES: [usize; 3] = [1, 7, 997];

const MEND_RANDOM: &str = "no clock, random number, memory address or hash map order may influence an answer";

/// Two runs must give the same, whatever cut of the rows they are given.
pub fn determinism(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    for (input, Input { place, .. }) in subject.inputs.iter().enumerate() {
        for cut in cuts(subject, input).chain([USUAL, Cut::Instances]) {
            // What fails already for the first time breaks another rule.
            let Ok(first) = subject.answers(input, cut) else { continue };
            let difference = match subject.answers_again(input, cut) {
                Ok(second) => difference(&first, &second),
                Err(error) => Some(format!("the second one failed: {}", chain(&error))),
            };
            if let Some(difference) = difference {
                let found = format!("{place}two runs with the same batches differ: {difference}");
                return Ok(failed(found, MEND_RANDOM));
            }
        }
    }
    Ok(ok("two runs give the same"))
}

/// So must a run in another process, where nothing is left of the first run.
pub fn other_process(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let here = run(subject.plugin, subject.settings, subject.rows(), &indices(subject.rows(), BATCH_ROWS))?;
    Ok(match (subject.elsewhere)() {
        Ok(there) if there == digest_of(&here) => ok("another process gives the same"),
        Ok(_) => failed("another process gives different answers", MEND_RANDOM),
        Err(error) => failed(format!("in another process: {error}"), MEND_RANDOM),
    })
}

/// The answers must not depend on how rows are cut into batches.
pub fn batch_size(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    const MEND: &str = "keep what is learned across `classify` calls, and never judge a row by its batch; also addresses, the order of a hash map, and memory that is freed twice or too early can be different in other batches";
    for (input, Input { place, .. }) in subject.inputs.iter().enumerate() {
        // A case that fails in any case is for `host plugin test` to complain about.
        let Ok(usual) = subject.answers(input, USUAL) else { continue };
        for cut in cuts(subject, input) {
            let (rows, batches) = match cut {
                Cut::Batches(1) => (ROWS_ONE_BY_ONE, "of 1 row".to_owned()),
                Cut::Batches(size) => (usize::MAX, format!("of {size} rows")),
                _ => (usize::MAX, "of changing sizes".to_owned()),
            };
            let other = match subject.answers(input, cut) {
                Ok(other) => other,
                Err(error) => {
                    let found = format!("{place}in batches {batches}: {}", chain(&error));
                    return Ok(failed(found, advice(&error)));
                }
            };
            let usual: Vec<Answer> = usual.iter().take_while(|answer| answer.row < rows).cloned().collect();
            if let Some(difference) = difference(&usual, &other) {
                let found = format!("{place}batches of {BATCH_ROWS} rows and {batches} differ: {difference}");
                return Ok(failed(found, MEND));
            }
        }
    }
    Ok(ok(format!(
        "batches of 1, 7, 997, {BATCH_ROWS} and changing numbers of rows give the same{}",
        also(subject)
    )))
}

/// Several instances must give what `ordering` promises.
pub fn instances(subject: &Subject<'_>) -> Result<Finding, DetectorError> {
    let mend = match subject.metadata.ordering {
        Ordering::File => return Ok(skipped("file: there is only ever one")),
        Ordering::Any => {
            "if a row's answer depends on other rows, `ordering` must be `per-user` or `file`; if it should not, look for the order of a hash map or an address in memory"
        }
        Ordering::PerUser => {
            "with `per-user`, nothing of another user's rows may matter: keep everything by user, or let `ordering` be `file`; also the order of a hash map may not matter"
        }
    };
    for (input, Input { place, .. }) in subject.inputs.iter().enumerate() {
        let Ok(one) = subject.answers(input, USUAL) else { continue };
        let several = match subject.answers(input, Cut::Instances) {
            Ok(several) => several,
            Err(error) => {
                let found = format!("{place}in one of {INSTANCES} instances: {}", chain(&error));
                return Ok(failed(found, advice(&error)));
            }
        };
        if let Some(difference) = difference(&one, &several) {
            return Ok(failed(format!("{place}one and {INSTANCES} instances differ: {difference}"), mend));
        }
    }
    Ok(ok(format!("{INSTANCES} instances give what one gives{}", also(subject))))
}

/// How an input is cut, besides as usual: a case is often shorter than a batch.
fn cuts(subject: &Subject<'_>, input: usize) -> impl Iterator<Item = Cut> + use<> {
    let rows = subject.inputs[input].rows.len();
    let sizes = ODD_BATCHES.into_iter().filter(move |&size| size < rows).map(Cut::Batches);
    sizes.chain((rows > 1).then_some(Cut::Changing))
}

fn also(subject: &Subject<'_>) -> String {
    match subject.inputs.len() - 1 {
        0 => String::new(),
        1 => ", also in its case".to_owned(),
        cases => format!(", also in its {cases} cases"),
    }
}
