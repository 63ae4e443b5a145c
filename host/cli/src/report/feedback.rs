//! What `host feedback` prints.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use host_core::text::{counted, grouped};
use serde::Serialize;

use super::notes::{self, LeftOut};
use crate::pipeline::Recorded;

/// [`recorded`] for programs.
#[derive(Serialize)]
pub struct FeedbackObject<'a> {
    records_read: u64,
    labels_recorded: u64,
    /// Those of them that say fraud.
    frauds: u64,
    /// Those of them that correct an earlier one.
    corrections: u64,
    /// Labels that were recorded before.
    labels_known: u64,
    records_rejected: u64,
    rejected_by_reason: &'a BTreeMap<String, u64>,
    /// Where rejected records were written.
    rejects: Option<String>,
    left_out: Vec<LeftOut<'a>>,
    files: Vec<String>,
    database: &'a str,
}

impl<'a> FeedbackObject<'a> {
    /// The object for what was recorded.
    #[must_use]
    pub fn new(recorded: &'a Recorded, rejects: Option<&Path>) -> FeedbackObject<'a> {
        let named = |file: &Path| file.to_string_lossy().into_owned();
        FeedbackObject {
            records_read: recorded.records,
            labels_recorded: recorded.appended.recorded,
            frauds: recorded.appended.frauds,
            corrections: recorded.appended.corrections,
            labels_known: recorded.appended.known,
            records_rejected: recorded.tally.count,
            rejected_by_reason: &recorded.tally.by_reason,
            rejects: rejects.map(named),
            left_out: notes::left_out(&recorded.notes, &[]),
            files: recorded.files.iter().map(|file| named(file)).collect(),
            database: &recorded.server,
        }
    }
}

/// What was recorded.
#[must_use]
pub fn recorded(recorded: &Recorded) -> String {
    let appended = recorded.appended;
    let mut text = match appended.recorded {
        0 => "recorded nothing new".to_owned(),
        count => format!("recorded {}, of which {} fraud", counted(count, "label"), grouped(appended.frauds)),
    };
    // Writing into a String cannot fail.
    if appended.corrections > 0 {
        let _ = write!(
            text,
            "; {} earlier ones",
            match appended.corrections {
                1 => "1 corrects".into(),
                count => format!("{} correct", grouped(count)),
            }
        );
    }
    if appended.known > 0 {
        let _ = write!(text, "; {} known before", grouped(appended.known));
    }
    if recorded.tally.count > 0 {
        let _ = write!(text, "; {} rejected", counted(recorded.tally.count, "record"));
    }
    text.push('\n');
    for (reason, count) in &recorded.tally.by_reason {
        let _ = writeln!(text, "  {} {reason}", counted(*count, "time"));
    }
    text
}

/// What is odd about it.
#[must_use]
pub fn on_ids(recorded: &Recorded) -> Option<String> {
    (recorded.with_other_ids > 0).then(|| {
        format!(
            "{} had another id in its own file: `transaction_id` is the database's number; if yours are the ids of the \
             files, these labels are of the wrong rows: correct them, and pass `--column source_id=transaction_id`",
            counted(recorded.with_other_ids, "row"),
        )
    })
}
