//! `--capture`, around a run or its check: rows are kept before it, and after it has failed.

use std::path::{Path, PathBuf};

use host_core::threads::in_thread;

use crate::authors::capture::{self, Failed};
use crate::config::IngestConfig;
use crate::error::Error;
use crate::interrupt::Interrupts;
use crate::pipeline::unless_interrupted;
use crate::{diagnostic, remarks};

/// Keeps the lines that are asked for, and says so.
///
/// # Errors
/// If that is not possible: then nothing else is done.
pub async fn lines(
    config: &IngestConfig,
    folder: Option<&Path>,
    lines: Option<(u64, u64)>,
    interrupts: &mut Interrupts,
) -> Result<(), Error> {
    let Some((folder, lines)) = folder.zip(lines) else { return Ok(()) };
    let (config, folder) = (config.clone(), folder.to_owned());
    let keeping = in_thread(move || capture::lines(&config, lines, &folder));
    let captured = unless_interrupted(interrupts, async { keeping.await? }).await?;
    match captured {
        Some(captured) => remarks::note(&captured.note()),
        None => remarks::note(&format!(
            "no record starts on a line from {} to {}, so nothing is kept",
            lines.0, lines.1
        )),
    }
    Ok(())
}

/// If it was the plugin that failed, keeps the rows on which it did, and says so. The failure itself is what counts, so
/// anything that prevents this is only a warning.
pub async fn failure(
    config: &IngestConfig,
    folder: Option<PathBuf>,
    error: &Error,
    interrupts: &mut Interrupts,
) {
    let (Some(folder), Error::Detector(failed)) = (folder, error) else { return };
    let Some(failed) = Failed::of(failed) else { return };
    let config = config.clone();
    let keeping = in_thread(move || capture::failure(&config, &failed, &folder));
    match unless_interrupted(interrupts, async { keeping.await? }).await {
        Ok(Some(captured)) => remarks::note(&captured.note()),
        Ok(None) => remarks::note("it did not fail on rows, so nothing is kept"),
        Err(error) => {
            let causes = diagnostic::causes(&error).into_iter().map(|cause| format!(": {cause}"));
            tracing::warn!("the rows on which it failed are not kept: {error}{}", causes.collect::<String>());
        }
    }
}
