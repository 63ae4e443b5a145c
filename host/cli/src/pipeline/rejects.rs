//! The file of a run's rejected rows, from its opening to the run's verdict.

use std::path::Path;

use host_core::threads::in_thread;
use host_source::SourceError;
use host_source::rejects_file::{FinishedRejects, RejectsFile};

use super::prepare::Prepared;
use crate::config::IngestConfig;
use crate::error::Error;

/// Opens the file of rejected rows, which must not be one that this run reads.
pub(super) async fn open(
    path: &Path,
    config: &IngestConfig,
    prepared: &Prepared,
) -> Result<RejectsFile, Error> {
    let (path, rules) = (path.to_owned(), config.rules.clone());
    let mut read = prepared.list.files.clone();
    read.extend(prepared.history.iter().flat_map(|history| history.list.files.clone()));
    read.push(prepared.plugin_file.clone());
    Ok(in_thread(move || RejectsFile::create(&path, &rules, &read)).await??)
}

/// If a run is refused because of its rows, the file is put in place, too. Without a run, there is no number of one.
pub(super) async fn keep(mut rejects: RejectsFile, run_id: Option<i64>, error: &Error) -> Result<(), Error> {
    let Error::Source(error) = error else { return Ok(()) };
    let Some(last) = error.refused_rows() else { return Ok(()) };
    let written = match rejects.write(run_id, last).await {
        Ok(()) => rejects.finish().await,
        Err(error) => Err(error),
    };
    match written {
        Ok(finished) => put_in_place(finished),
        Err(error) => warn_of(&error),
    }
    Ok(())
}

/// Puts the file in place. The run's verdict stands; a failure here does not change it.
pub(super) fn put_in_place(rejects: FinishedRejects) {
    if let Err(error) = rejects.put_in_place() {
        warn_of(&error);
    }
}

fn warn_of(error: &SourceError) {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    tracing::warn!("{error}{}", cause.unwrap_or_default());
}
