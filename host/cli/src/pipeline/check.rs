//! What a run would do, found out without a database.

use std::path::Path;
use std::sync::Arc;

use host_core::capacity::Capacity;
use host_core::facts::FileFacts;
use host_core::rejected::RejectedRow;
use host_detector::Ability;
use host_sink::PluginFacts;
use host_source::{Note, Noticed, Tally, UsersByAppearance};

use super::anomalies::AnomaliesFile;
use super::history::{LearnedFrom, learn};
use super::interrupted::unless_interrupted;
use super::message::{End, Message};
use super::prepare::{Prepared, prepare};
use super::rejects;
use super::stages::{Learned, Stages};
use crate::config::IngestConfig;
use crate::error::Error;
use crate::interrupt::Interrupts;
use crate::progress::Progress;

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
    /// Records of earlier files to learn from.
    pub history_records: u64,
    /// What was rejected of them.
    pub history_tally: Tally,
    /// What is odd in the files.
    pub noticed: Noticed,
    /// Whether the detector's answers depend on the order of rows.
    pub minds_order: bool,
    /// Whether they depend, in a run, on what it has learned in earlier ones.
    pub is_stateful: bool,
    /// What was left out.
    pub left_out: Vec<Note>,
}

/// Files to which a check writes, if they are named.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckFiles<'a> {
    /// For rejected records, as `run` writes them.
    pub rejects: Option<&'a Path>,
    /// For the anomalies.
    pub anomalies: Option<&'a Path>,
}

/// Does everything that a run does except the writing. `rejected` is called with all rejected records.
///
/// # Errors
/// Those of [`run`](super::run()), except for the database's.
pub async fn check(
    config: &IngestConfig,
    files: CheckFiles<'_>,
    progress: &Arc<Progress>,
    mut rejected: impl FnMut(&[RejectedRow]),
    interrupts: &mut Interrupts,
) -> Result<Checked, Error> {
    let prepared = unless_interrupted(interrupts, prepare(config, progress)).await?;
    let mut rejects = match files.rejects {
        Some(path) => Some(unless_interrupted(interrupts, rejects::open(path, config, &prepared)).await?),
        None => None,
    };
    let mut found = match files.anomalies {
        Some(path) => Some(unless_interrupted(interrupts, AnomaliesFile::create(path, &prepared)).await?),
        None => None,
    };
    let Prepared { list, source, history, detectors, plugin, abilities, minds_order, .. } = prepared;
    let is_stateful = abilities.contains(&Ability::Stateful);
    let mut users = UsersByAppearance::default();
    let (detectors, learned) = match history {
        Some(history) => {
            let answer = async |keys: &[String]| Ok(users.numbers(keys));
            let learning = learn(history, detectors, Capacity::default(), &mut rejected, answer);
            unless_interrupted(interrupts, learning).await?
        }
        None => (detectors, LearnedFrom::default()),
    };
    let mut stages = Stages::start(source, detectors, Learned::Dropped)?;
    let (mut rows, mut anomalies) = (0, 0);
    loop {
        match unless_interrupted(interrupts, stages.next()).await? {
            Message::Rows(part, _reserved) => {
                rejected(&part.rejected);
                if let Some(rejects) = &mut rejects {
                    let writing = async { rejects.write(None, &part.rejected).await.map_err(Error::from) };
                    unless_interrupted(interrupts, writing).await?;
                }
                if let Some(found) = &mut found {
                    unless_interrupted(interrupts, found.write(&part)).await?;
                }
                rows += part.batch.len() as u64;
                anomalies += part.anomalies.len() as u64;
                progress.rows(part.batch.len() as u64);
                stages.give_back(part.batch);
            }
            Message::Users(question) => {
                let numbers = users.numbers(&question.keys);
                question.answer(numbers);
            }
            Message::State(_) => {
                return Err(Error::Internal("a stage has sent what nobody wanted"));
            }
            Message::End(end) => {
                learned.demand_others(&end.files)?;
                if let Some(rejects) = rejects {
                    let finishing = async { rejects.finish().await.map_err(Error::from) };
                    rejects::put_in_place(unless_interrupted(interrupts, finishing).await?);
                }
                if let Some(found) = found {
                    unless_interrupted(interrupts, found.finish()).await?;
                }
                let End { files, tally, noticed, .. } = end;
                let left_out = list.notes;
                return Ok(Checked {
                    files,
                    plugin,
                    rows,
                    anomalies,
                    tally,
                    history_records: learned.files.iter().map(|file| file.rows_read).sum(),
                    history_tally: learned.tally,
                    noticed,
                    minds_order,
                    is_stateful,
                    left_out,
                });
            }
        }
    }
}
