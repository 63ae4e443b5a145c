//! What a run would do, found out without a database.

use std::sync::Arc;

use super::stages::{End, Message, Prepared, Stages, prepare};
use super::unless_interrupted;
use crate::config::IngestConfig;
use crate::error::Error;
use crate::interrupt::Interrupts;
use crate::progress::Progress;
use crate::sink::PluginFacts;
use crate::source::{FileFacts, RejectedRow, Tally};

/// What a run would do, found out without a database.
#[derive(Debug)]
pub struct Checked {
    /// The files.
    pub files: Vec<FileFacts>,
    /// The plugin.
    pub plugin: PluginFacts,
    /// Rows that a run would write.
    pub rows: u64,
    /// Those of them that are anomalous.
    pub anomalies: u64,
    /// What was rejected.
    pub tally: Tally,
}

/// Does everything that a run does but the writing. `rejected` is called with every record that
/// is no row.
///
/// # Errors
/// Those of [`run`](super::run) that are not the database's.
pub async fn check(
    config: &IngestConfig,
    progress: &Arc<Progress>,
    mut rejected: impl FnMut(&[RejectedRow]),
    interrupts: &mut Interrupts,
) -> Result<Checked, Error> {
    let Prepared { source, detectors, plugin, .. } =
        unless_interrupted(interrupts, prepare(config, progress)).await?;
    let mut stages = Stages::start(source, detectors);
    let (mut rows, mut anomalies) = (0, 0);
    loop {
        match unless_interrupted(interrupts, stages.next()).await? {
            Message::Rows(part, _reserved) => {
                rejected(&part.rejected);
                rows += part.batch.len() as u64;
                anomalies += part.anomalies.len() as u64;
                progress.rows(part.batch.len() as u64);
                stages.give_back(part.batch);
            }
            Message::End(end) => {
                let End { files, tally, .. } = *end;
                return Ok(Checked { files, plugin, rows, anomalies, tally });
            }
        }
    }
}
