//! `host plugin check`: does a plugin keep the contract? It is loaded as strictly as possible and put
//! through rule after rule, each on fresh instances, so that one failure does not hide another. The rules
//! are in [`answers`] (does it answer correctly, whatever it is given), [`promises`] (are the answers
//! the same when they must be), [`abilities`] (what only some detectors can do) and [`endurance`] (a thousand
//! calls, time, memory). They use [`trial`] runs, and the result is a [`report`]. With `--kit`, a
//! reference detector is put through the cases of a [`kit`] instead.

mod abilities;
mod advice;
mod answers;
mod endurance;
mod kit;
mod promises;
mod report;
mod trial;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use host_core::batch::Batch;
use host_core::column::ColumnRequest;
use host_core::text::{counted, listed, printable};
use host_detector::{
    Access, Cache, Detector, DetectorError, Limits, Metadata, Plugin, PluginInfo, Requirements, Sandbox,
};
use host_source::InputRules;

use self::advice::advice;
use self::report::{Finding, failed, ok, skipped, warning};
pub use self::report::{Report, RuleReport, Verdict};
pub use self::trial::Budgets;
use self::trial::{BATCH_ROWS, Input, Subject, digest_of, indices, run};
use super::cases::{self, chain};
use super::project::{CASES, Project};
use super::start::{Settings, start};
use super::workload;
use crate::error::Error;

/// A rule; it returns `Err` if the plugin itself failed on the way.
type Rule = fn(&Subject<'_>) -> Result<Finding, DetectorError>;

/// Those that must pass before others can be tried.
const FIRST_RULES: [&str; 3] = ["loads", "imports", "configure"];
const RULES: [(&str, Rule); 17] = [
    ("describe", answers::describe),
    ("no-rows", answers::no_rows),
    ("one-row", answers::one_row),
    (USUAL_ROWS, answers::usual_rows),
    ("empty-batch", answers::empty_batch),
    ("large-batch", answers::large_batch),
    ("extreme-values", answers::extreme_values),
    (DETERMINISM, promises::determinism),
    ("other-process", promises::other_process),
    (BATCH_SIZE, promises::batch_size),
    ("instances", promises::instances),
    ("scores", abilities::scores),
    ("state", abilities::state),
    ("feedback", abilities::feedback),
    ("soak", endurance::soak),
    ("time", endurance::time),
    ("memory", endurance::memory),
];

/// The rule without which those after it mean nothing.
const USUAL_ROWS: &str = "usual-rows";
/// Of the rules that compare answers, each means nothing without those before it: what is random differs in
/// another process, too, and instances get other batches.
const COMPARING: [&str; 4] = [DETERMINISM, "other-process", BATCH_SIZE, "instances"];
const DETERMINISM: &str = "determinism";
const BATCH_SIZE: &str = "batch-size";
/// How many of a project's cases are tried; `host plugin test` takes all of them.
const MAX_CASES: usize = 10;

/// Checks a plugin, on generated rows or on those of a file. `elsewhere` returns what [`digest`] returns
/// in another process.
///
/// # Errors
/// If the rows cannot be read. What is wrong with the plugin is in the report.
pub fn check(
    file: &Path,
    settings: &Settings,
    limits: &Limits,
    budgets: &Budgets,
    rows: Option<&Path>,
    elsewhere: &dyn Fn() -> Result<String, String>,
) -> Result<Report, Error> {
    let mut rules = Vec::new();
    let loaded = load(file, settings, limits, budgets, &mut rules);
    let Some(Loaded { plugin, info, metadata, columns }) = loaded else {
        return Ok(Report::new(file, rules));
    };
    let rows = subject_rows(&columns, rows)?;
    let mut inputs = vec![Input { place: String::new(), settings: settings.to_vec(), rows }];
    inputs.extend(case_inputs(&plugin));
    let reseeded = plugin.with_chance(1);
    let subject = Subject {
        plugin: &plugin,
        reseeded: &reseeded,
        settings,
        metadata,
        columns,
        info,
        inputs,
        budgets,
        elsewhere,
        answered: RefCell::new(HashMap::new()),
    };
    for (name, rule) in RULES {
        let finding = match without(name, &rules) {
            Some(broken) => skipped(format!("not tried while `{broken}` is broken")),
            None => rule(&subject).unwrap_or_else(|error| failed(chain(&error), advice(&error))),
        };
        rules.push(RuleReport::new(name, finding));
    }
    Ok(Report::new(file, rules))
}

/// Puts a plugin that is one of the detectors of a kit, which is in a folder, through its cases.
///
/// # Errors
/// If the kit cannot be read, or does not have this detector. What is wrong with the plugin is in the report.
pub fn check_kit(file: &Path, folder: &Path, limits: &Limits, budgets: &Budgets) -> Result<Report, Error> {
    let mut rules = Vec::new();
    if let Some(Loaded { plugin, info, metadata, .. }) = load(file, &[], limits, budgets, &mut rules) {
        rules.extend(kit::run(&plugin, &info, &metadata, folder)?);
    }
    Ok(Report::new(file, rules))
}

/// The names of all rules, in the order in which they are reported.
pub fn rule_names() -> impl Iterator<Item = &'static str> {
    FIRST_RULES.into_iter().chain(RULES.iter().map(|(name, _)| *name))
}

/// The digest of a plugin's answers on the rows of a check, which must be the same in every process.
///
/// # Errors
/// If the plugin or the rows cannot be used.
pub fn digest(
    file: &Path,
    settings: &Settings,
    limits: &Limits,
    rows: Option<&Path>,
) -> Result<String, Error> {
    let sandbox = Sandbox::new(limits.clone(), Requirements::default(), Cache::of_user())?;
    let plugin = host_detector::load(&sandbox, file)?;
    let rows = subject_rows(&start(&plugin, settings)?.columns, rows)?;
    Ok(digest_of(&run(&plugin, settings, &rows, &indices(&rows, BATCH_ROWS))?))
}

/// The broken rule, if there is one, without which this one means nothing.
fn without<'a>(name: &str, rules: &'a [RuleReport]) -> Option<&'a str> {
    let comparing = |rule: &str| COMPARING.iter().position(|comparing| *comparing == rule);
    let is_needed = |rule: &str| {
        rule == USUAL_ROWS || [DETERMINISM, BATCH_SIZE].contains(&rule) && comparing(rule) < comparing(name)
    };
    rules
        .iter()
        .map(|rule| (&*rule.rule, rule.result))
        .find_map(|(rule, result)| (result == Verdict::Failed && is_needed(rule)).then_some(rule))
}

/// The cases of the plugin's project. Those that cannot be used are for `host plugin test` to complain about.
fn case_inputs(plugin: &Plugin) -> Vec<Input> {
    let Some(files) = cases_folder(&plugin.file).and_then(|folder| cases::files_in(&folder).ok()) else {
        return Vec::new();
    };
    let input = |file: &PathBuf| {
        let (settings, rows) = cases::rows_of(plugin, file).ok()?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        Some(Input { place: format!("in the case `{}`, ", printable(&name)), settings, rows })
    };
    files.iter().filter_map(input).take(MAX_CASES).collect()
}

/// The cases of the project that makes the plugin; or those beside it, or in the current folder if it is anywhere
/// below.
fn cases_folder(plugin: &Path) -> Option<PathBuf> {
    let of_project = Project::that_makes(plugin).map(|project| project.cases());
    let beside = plugin.with_file_name(CASES);
    let (plugin, here) = (plugin.canonicalize().ok()?, std::env::current_dir().ok()?.canonicalize().ok()?);
    let above = plugin.starts_with(&here).then(|| here.join(CASES));
    of_project.into_iter().chain([beside]).chain(above).find(|folder| folder.is_dir())
}

fn subject_rows(columns: &[ColumnRequest], file: Option<&Path>) -> Result<Batch, Error> {
    match file {
        Some(file) => workload::read(file, &InputRules::default(), columns),
        None => Ok(workload::generated(workload::MAX_BATCH_ROWS, columns)),
    }
}

/// A plugin that has described itself and accepted its settings.
struct Loaded {
    plugin: Plugin,
    info: PluginInfo,
    metadata: Metadata,
    columns: Vec<ColumnRequest>,
}

/// The [`FIRST_RULES`].
fn load(
    file: &Path,
    settings: &Settings,
    limits: &Limits,
    budgets: &Budgets,
    rules: &mut Vec<RuleReport>,
) -> Option<Loaded> {
    let load = || -> Result<(Plugin, PluginInfo, Detector), DetectorError> {
        let sandbox = Sandbox::new(limits.clone(), Requirements::default(), Cache::of_user())?;
        let info = host_detector::examine(&sandbox, file)?;
        let plugin = host_detector::load(&sandbox, file)?;
        let detector = Detector::start(&plugin)?;
        Ok((plugin, info, detector))
    };
    let (plugin, info, mut detector) = match load() {
        Ok(loaded) => loaded,
        Err(error) => {
            let fix = "nothing else can be tried before it loads and describes itself; see the message";
            rules.push(RuleReport::new("loads", failed(chain(&error), fix)));
            return None;
        }
    };
    let Metadata { name, version, .. } = &detector.metadata;
    let detail = format!("{name} {version} for ingest:detector {}", printable(&info.contract_version));
    rules.push(RuleReport::new("loads", ok(detail)));
    rules.push(RuleReport::new("imports", imports(&info, budgets)));
    if let Err(error) = detector.configure(settings) {
        rules.push(RuleReport::new("configure", failed(chain(&error), advice(&error))));
        return None;
    }
    let (settings, columns) = (detector.metadata.settings.len() as u64, detector.columns.len() as u64);
    let detail = format!("{}, {}", counted(settings, "setting"), counted(columns, "further column"));
    rules.push(RuleReport::new("configure", ok(detail)));
    Some(Loaded { plugin, info, metadata: detector.metadata, columns: detector.columns })
}

fn imports(info: &PluginInfo, budgets: &Budgets) -> Finding {
    let others = info.imports.iter().filter(|import| import.access != Access::Granted);
    let others: Vec<String> = others.map(|import| import.name.clone()).collect();
    if others.is_empty() {
        return ok("nothing but the contract");
    }
    let found = format!("besides the contract: {}", listed(&others, 3));
    let fix = "`host run --strict` refuses it; build without WASI (Rust: wasm32-unknown-unknown; Python and JavaScript: --stub-wasi), or pass `--allow-wasi`";
    if budgets.allows_wasi { warning(found, fix) } else { failed(found, fix) }
}
