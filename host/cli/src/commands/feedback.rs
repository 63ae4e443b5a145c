//! `host feedback`.

use host_core::exit;

use super::start::catch_interrupts;
use super::told::note_unless_told;
use crate::cli::FeedbackArgs;
use crate::config::FeedbackConfig;
use crate::error::Failure;
use crate::report::{self, Reporter};
use crate::{pipeline, remarks};

/// Records what has become known of rows.
pub(super) async fn record(arguments: FeedbackArgs, reporter: &Reporter) -> Result<u8, Failure> {
    let config = FeedbackConfig::new(arguments)?;
    let mut interrupts = catch_interrupts()?;
    let recorded = pipeline::record_feedback(&config, &mut interrupts).await?;
    recorded.notes.iter().for_each(|note| remarks::note(&note.to_string()));
    if let Some(note) = report::on_ids(&recorded) {
        remarks::note(&note);
    }
    let object = report::FeedbackObject::new(&recorded, config.rejects_file.as_deref());
    let told = reporter.end(exit::COMMITTED, object, || report::recorded(&recorded));
    note_unless_told(told, "the feedback is recorded, but the summary", None);
    Ok(exit::COMMITTED)
}
