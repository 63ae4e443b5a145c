//! Earlier files from which a detector learns before the first row, and which are not written: a run whose detector
//! would otherwise know nothing. They are read by the run's own rules, and pass through the same stages; what the
//! detector says about their rows is dropped.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_core::capacity::Capacity;
use host_core::facts::FileFacts;
use host_core::rejected::RejectedRow;
use host_detector::{Detector, Ordering};
use host_source::{FileList, InputRules, Source, Tally};

use super::message::{End, Message};
use super::stages::{Learned, Stages};
use crate::config::IngestConfig;
use crate::error::{ConfigError, Error};
use crate::remarks;

/// Earlier files, of which the first header has been read.
pub(crate) struct History {
    pub list: FileList,
    source: Source,
}

/// Earlier files from which a detector has learned.
#[derive(Debug, Default)]
pub(crate) struct LearnedFrom {
    /// The files, in order.
    pub files: Vec<FileFacts>,
    /// What was rejected, and not learned from.
    pub tally: Tally,
}

impl History {
    /// Finds the files; `None` if there are to be none. `run` are the files of the run.
    ///
    /// # Errors
    /// [`ConfigError::HistoryUnused`], [`ConfigError::HistoryOfItself`] for a file that both lists name, or, as
    /// [`Error::History`], what is wrong with the files.
    pub fn open(
        config: &IngestConfig,
        rules: &InputRules,
        run: &FileList,
        detector: &Detector,
    ) -> Result<Option<History>, Error> {
        demand_that_it_learns(config, detector)?;
        if config.history.is_empty() {
            return Ok(None);
        }
        let list = host_source::expand(&config.history).map_err(of_history)?;
        list.notes.iter().for_each(|note| remarks::note(&note.to_string()));
        let of_run: Vec<PathBuf> = run.files.iter().map(|file| place(file)).collect();
        if let Some(file) = list.files.iter().find(|file| of_run.contains(&place(file))) {
            return Err(ConfigError::HistoryOfItself { file: file.display().to_string() }.into());
        }
        let source = Source::open(list.clone(), rules.clone(), &detector.columns, Arc::default());
        Ok(Some(History { list, source: source.map_err(of_history)? }))
    }
}

/// A detector that judges each row by itself learns nothing.
///
/// # Errors
/// [`ConfigError::HistoryUnused`]
pub(super) fn demand_that_it_learns(config: &IngestConfig, detector: &Detector) -> Result<(), ConfigError> {
    let metadata = &detector.metadata;
    if config.history.is_empty() || metadata.ordering != Ordering::Any {
        return Ok(());
    }
    Err(ConfigError::HistoryUnused { plugin: metadata.name.clone() })
}

/// What is wrong with a file of the history, or what stops a detector there.
fn of_history(error: impl Into<Error>) -> Error {
    Error::History(Box::new(error.into()))
}

/// Where a file really is.
fn place(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| file.to_owned())
}

/// Lets the detectors learn from the history. `rejected` is called with all rejected records, and `number` for the
/// numbers of users whose ids are texts.
///
/// # Errors
/// [`Error::History`], and those of `number`.
pub(crate) async fn learn(
    History { mut source, .. }: History,
    detectors: Vec<Detector>,
    capacity: Capacity,
    mut rejected: impl FnMut(&[RejectedRow]),
    mut number: impl AsyncFnMut(&[String]) -> Result<Vec<i64>, Error>,
) -> Result<(Vec<Detector>, LearnedFrom), Error> {
    source.fit(capacity);
    let mut stages = Stages::start(source, detectors, Learned::Kept)?;
    loop {
        match stages.next().await.map_err(of_history)? {
            Message::Rows(part, _reserved) => {
                rejected(&part.rejected);
                stages.give_back(part.batch);
            }
            Message::Users(question) => {
                let numbers = number(&question.keys).await?;
                question.answer(numbers);
            }
            Message::State(_) => return Err(Error::Internal("a stage has sent what nobody wanted")),
            Message::End(End { files, tally, detectors, .. }) => {
                return Ok((detectors, LearnedFrom { files, tally }));
            }
        }
    }
}

impl LearnedFrom {
    /// Rows that were learned from would be judged as if they came again.
    ///
    /// # Errors
    /// [`ConfigError::HistoryOfItself`] if one of the run's files has the content of one of these.
    pub fn demand_others(&self, files: &[FileFacts]) -> Result<(), ConfigError> {
        let is_same =
            |file: &&FileFacts| self.files.iter().any(|of| of.content_sha256 == file.content_sha256);
        match files.iter().find(is_same) {
            Some(file) => Err(ConfigError::HistoryOfItself { file: file.name.clone() }),
            None => Ok(()),
        }
    }
}
