//! `host verify`: repeats a committed run and compares it with what is stored. The same files, plugin
//! and settings must give the same rows and the same anomalies, to the last bit of a score.
//!
//! This file prepares the run as the ledger describes it; [`comparison`] compares what the stages give
//! with the [`Snapshot`], from which [`stream`] reads the rejected and skipped rows;
//! [`replaced`] rows are compared with what they were.

mod comparison;
mod difference;
mod replaced;
mod rows;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;

use host_core::text::printable;
use host_core::threads::in_thread;
use host_detector::Requirements;
use host_sink::{FileRecord, LedgerRun, Prunable, Pruned, Snapshot, StateRecord};
use host_source::{Expectations, FileList, InputRules, RejectLimit};

use self::comparison::Comparison;
pub use self::difference::{Difference, Verified};
use crate::config::{IngestConfig, VerifyConfig};
use crate::error::{ConfigError, Error, VerifyError};
use crate::interrupt::Interrupts;
use crate::pipeline::{Prepared, learn, prepare, restore, teach, unless_interrupted};
use crate::progress::Progress;

/// Replays a run.
///
/// # Errors
/// If it cannot be replayed; differences are not an error.
pub async fn verify(
    config: &VerifyConfig,
    progress: &Arc<Progress>,
    interrupts: &mut Interrupts,
) -> Result<Verified, Error> {
    unless_interrupted(interrupts, async {
        let none = || ConfigError::NoRun(config.run_id);
        let snapshot = host_sink::look(&config.target).await?.ok_or_else(none)?;
        let run = snapshot.run(config.run_id).await?.ok_or_else(none)?;
        if let Some(at) = run.undone_at {
            return Err(VerifyError::Undone { run_id: config.run_id, at }.into());
        }
        let capacity = snapshot.capacity_of(&run).await?;
        check_skips(&run, &snapshot).await?;
        let ingest = ingest_config(config, &run)?;
        let run_id = config.run_id;
        let other = |problem| VerifyError::OtherFile { run_id, problem };
        check_files(&ingest.files, &run.record.files, other).await?;
        let other = |problem| VerifyError::OtherHistory { run_id, problem };
        check_files(&ingest.history, &run.record.history, other).await?;
        let mut prepared = prepare(&ingest, progress).await?;
        prepared.source.fit(capacity.clone());
        continue_state(&run, &mut prepared, &snapshot).await?;
        let mut comparison = Comparison::new(run.clone(), &snapshot).await?;
        if let Some(history) = prepared.history.take() {
            let detectors = std::mem::take(&mut prepared.detectors);
            let number = async |keys: &[String]| comparison.number_users(keys, &snapshot).await;
            (prepared.detectors, _) = learn(history, detectors, capacity, |_| (), number).await?;
        }
        teach_again(&run, &mut prepared, &snapshot).await?;
        let verified = comparison.replay(prepared, &snapshot, progress).await;
        snapshot.close().await;
        verified
    })
    .await
}

/// What the detector knew when the run began.
async fn continue_state(run: &LedgerRun, prepared: &mut Prepared, snapshot: &Snapshot) -> Result<(), Error> {
    let Some(StateRecord { predecessor: Some(predecessor), .. }) = run.record.state else { return Ok(()) };
    let chain = snapshot.state_after(predecessor).await?;
    let detectors = std::mem::take(&mut prepared.detectors);
    (prepared.detectors, _) = restore(snapshot.connection(), &chain, &prepared.plugin, detectors).await?;
    Ok(())
}

/// What the detector was given of what had become known until then.
async fn teach_again(run: &LedgerRun, prepared: &mut Prepared, snapshot: &Snapshot) -> Result<(), Error> {
    let (run_id, Some(span)) = (run.record.run_id, run.record.feedback) else { return Ok(()) };
    if let Some(undone) = snapshot.feedback_undone_since(run_id, span).await? {
        return Err(VerifyError::FeedbackUndone { run_id, undone }.into());
    }
    let detectors = std::mem::take(&mut prepared.detectors);
    (prepared.detectors, _) = teach(snapshot.connection(), (run_id, span), detectors).await?;
    Ok(())
}

/// Which rows a run skipped is known from what it recorded about them, and from nothing else.
async fn check_skips(run: &LedgerRun, snapshot: &Snapshot) -> Result<(), Error> {
    if run.record.rows_skipped == 0 {
        return Ok(());
    }
    let pruned = snapshot.pruned(run.record.run_id).await?;
    match pruned.into_iter().find(|pruned| pruned.table == Prunable::Skipped.table()) {
        Some(Pruned { at, .. }) => Err(VerifyError::SkipsPruned { run_id: run.record.run_id, at }.into()),
        None => Ok(()),
    }
}

/// The run, as it was asked for then.
fn ingest_config(config: &VerifyConfig, run: &LedgerRun) -> Result<IngestConfig, Error> {
    let record = &run.record;
    if run.is_intact == Some(false) {
        return Err(VerifyError::Altered { run_id: record.run_id }.into());
    }
    let rules = record.reading.as_ref().and_then(InputRules::of_reading);
    let rules = rules.filter(|_| run.is_intact.is_some()).ok_or_else(|| VerifyError::NotRecorded {
        run_id: record.run_id,
        host_version: record.host_version.clone(),
    })?;
    Ok(IngestConfig {
        files: config.files.clone(),
        history: config.history.clone(),
        plugin: config.plugin.clone().unwrap_or_else(|| record.plugin.name.clone().into()),
        settings: record.plugin.settings.clone().into_iter().collect(),
        jobs: 1,
        rules: InputRules { max_rejects: RejectLimit::Count(u64::MAX), ..rules },
        expected: Expectations::default(),
        limits: config.limits.clone(),
        // Exactly the bytes that the run used.
        requirements: Requirements {
            sha256: record.plugin.sha256.parse().ok(),
            ..config.requirements.clone()
        },
    })
}

/// These must be the recorded files; `other` is the error if they are not.
async fn check_files(
    given: &[PathBuf],
    recorded: &[FileRecord],
    other: impl Fn(String) -> VerifyError,
) -> Result<(), Error> {
    let files = given.to_owned();
    let hashed = in_thread(move || {
        let list = if files.is_empty() { FileList::default() } else { host_source::expand(&files)? };
        let digests = host_source::hash_files(&list)?;
        Ok::<_, Error>((list, digests))
    });
    let (list, digests) = hashed.await??;
    let digests: Option<Vec<_>> = digests.into_iter().map(|digests| Some(digests?.sha256)).collect();
    let digests = digests.ok_or_else(|| other("a pipe cannot be compared".into()))?;
    if digests.len() != recorded.len() {
        return Err(other(format!("{} were given, it had {}", digests.len(), recorded.len())).into());
    }
    for ((path, digest), recorded) in list.files.iter().zip(digests).zip(recorded) {
        if digest.to_string() != recorded.sha256 {
            let problem = format!("`{}` has the sha256 {digest}, not {}", path.display(), recorded.sha256);
            return Err(other(printable(&problem).into_owned()).into());
        }
    }
    Ok(())
}
