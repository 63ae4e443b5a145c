//! Gets source and detector ready: what can fail cheaply comes first.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use host_core::text::{counted, path};
use host_core::threads::in_thread;
use host_detector::{Ability, Cache, Detector, Ordering, Plugin, Sandbox};
use host_sink::PluginFacts;
use host_source::{FileList, InputRules, Source};
use jiff::Timestamp;

use super::history::{self, History};
use super::{budget, state};
use crate::config::{IngestConfig, RunConfig};
use crate::error::{ConfigError, Error};
use crate::plugins;
use crate::progress::Progress;
use crate::remarks;

/// Source and detector, ready to run.
pub(crate) struct Prepared {
    /// When the run was asked for.
    pub started_at: Timestamp,
    pub list: FileList,
    pub source: Source,
    /// Earlier files to learn from.
    pub history: Option<History>,
    /// At least one; more than one only if `ordering` allows it.
    pub detectors: Vec<Detector>,
    pub plugin: PluginFacts,
    /// What the detector can do beyond what every detector can.
    pub abilities: Vec<Ability>,
    /// Whether the detector's answers depend on the order of rows.
    pub minds_order: bool,
    pub plugin_file: PathBuf,
}

/// Finds the files, loads the plugin, reads the first header: what can fail cheaply comes first.
/// Compiling a plugin takes long, so it happens on a thread.
pub(crate) async fn prepare(config: &IngestConfig, progress: &Arc<Progress>) -> Result<Prepared, Error> {
    let (config, progress) = (config.clone(), progress.clone());
    in_thread(move || prepare_here(&config, &progress)).await?
}

/// Loads the plugin, and sees whether it takes its settings and can have the state: what would make every run fail.
///
/// # Errors
/// Those of [`prepare`] that concern the plugin.
pub async fn try_plugin(config: &RunConfig) -> Result<(), Error> {
    let config = config.clone();
    in_thread(move || {
        let (_, plugin) = load(&config.ingest)?;
        let detector = start(&plugin, &config.ingest)?;
        demand_known_columns(&config.ingest, &detector)?;
        history::demand_that_it_learns(&config.ingest, &detector)?;
        state::of_run(&config, &facts(&plugin, &detector, &config.ingest), &plugin.abilities)?;
        Ok(())
    })
    .await?
}

/// The current time, in microseconds, as the ledger stores it.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

fn prepare_here(config: &IngestConfig, progress: &Progress) -> Result<Prepared, Error> {
    let started_at = now();
    let mut list = host_source::expand(&config.files)?;
    if config.rules.strict_files {
        list = list.without_empty_files()?;
    }
    list.notes.iter().for_each(|note| remarks::note(&note.to_string()));
    let (digests, files) = (config.expected.sha256.len(), list.files.len());
    if digests > 0 && digests != files {
        return Err(ConfigError::DigestCount { digests, files }.into());
    }
    let (plugin_file, plugin) = load(config)?;
    let mut detectors = vec![start(&plugin, config)?];
    let (metadata, columns) = (detectors[0].metadata.clone(), detectors[0].columns.clone());
    demand_known_columns(config, &detectors[0])?;
    if metadata.ordering == Ordering::File && config.jobs > 1 {
        tracing::warn!("`{}` judges a file as a whole, so only one instance is used", metadata.name);
    } else {
        for _ in 1..config.jobs {
            detectors.push(start(&plugin, config)?);
        }
    }
    let minds_order = metadata.ordering != Ordering::Any;
    tracing::info!(
        "started {} of `{}` {} from `{}`",
        counted(detectors.len() as u64, "instance"),
        metadata.name,
        metadata.version,
        path(&plugin_file)
    );
    let read_bytes = Arc::new(AtomicU64::new(0));
    progress.start(list.size_bytes, read_bytes.clone());
    let batch_rows = config.rules.batch_rows.min(budget::rows_a_part(detectors.len()));
    let rules = InputRules { batch_rows, ..config.rules.clone() };
    let history = History::open(config, &rules, &list, &detectors[0])?;
    let mut source = Source::open(list.clone(), rules, &columns, read_bytes)?;
    source.expect(config.expected.clone());
    let (abilities, plugin) = (plugin.abilities.clone(), facts(&plugin, &detectors[0], config));
    Ok(Prepared { started_at, list, source, history, detectors, plugin, abilities, minds_order, plugin_file })
}

fn facts(plugin: &Plugin, detector: &Detector, config: &IngestConfig) -> PluginFacts {
    PluginFacts {
        name: detector.metadata.name.clone(),
        version: detector.metadata.version.clone(),
        sha256: plugin.sha256.to_string(),
        contract_version: plugin.contract_version.clone(),
        settings: config.settings.iter().cloned().collect(),
    }
}

/// Every `--column` must name a column of every file, or one that the detector asks for.
fn demand_known_columns(config: &IngestConfig, detector: &Detector) -> Result<(), Error> {
    let Some(name) = config.rules.columns.unknown(&detector.columns) else { return Ok(()) };
    let asked = detector.columns.iter().map(|column| column.name.clone()).collect();
    Err(ConfigError::UnknownColumn { name: name.to_owned(), asked }.into())
}

/// The plugin, and its file.
fn load(config: &IngestConfig) -> Result<(PathBuf, Plugin), Error> {
    let sandbox = Sandbox::new(config.limits.clone(), config.requirements.clone(), Cache::of_user())?;
    let file = plugins::lookup(&config.plugin)?;
    let plugin = host_detector::load(&sandbox, &file)?;
    Ok((file, plugin))
}

fn start(plugin: &Plugin, config: &IngestConfig) -> Result<Detector, Error> {
    let mut detector = Detector::start(plugin)?;
    detector.configure(&config.settings)?;
    Ok(detector)
}
