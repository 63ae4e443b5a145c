//! `host plugin check`: does a plugin keep the contract? It is loaded as strictly as possible and put
//! through rule after rule, each on fresh instances, so that one failure does not hide another. The rules
//! are in [`answers`] (does it answer correctly, whatever it is given), [`promises`] (are the answers
//! the same when they must be) and [`endurance`] (a thousand calls, time, memory). They use [`trial`] runs,
//! and the result is a [`report`].

mod answers;
mod endurance;
mod promises;
mod report;
mod trial;

use std::path::Path;

use host_core::batch::Batch;
use host_core::text::{listed, printable};
use host_detector::{
    Access, Cache, Detector, DetectorError, Limits, Metadata, Plugin, PluginInfo, Requirements, Sandbox,
};

use self::report::{Finding, failed, fix, ok, skipped, warning};
pub use self::report::{Report, RuleReport, Verdict};
pub use self::trial::Budgets;
use self::trial::{BATCH_ROWS, Subject, digest_of, indices, run};
use super::cases::chain;
use super::start::Settings;
use super::workload;
use crate::error::Error;

/// A rule; it returns `Err` if the plugin itself failed on the way.
type Rule = fn(&Subject<'_>) -> Result<Finding, DetectorError>;

const RULES: [(&str, Rule); 18] = [
    ("describe", answers::describe),
    ("unknown-setting", answers::unknown_setting),
    ("wrong-value", answers::wrong_value),
    ("no-rows", answers::no_rows),
    ("one-row", answers::one_row),
    (USUAL_ROWS, answers::usual_rows),
    ("defaults", answers::defaults),
    ("empty-batch", answers::empty_batch),
    ("large-batch", answers::large_batch),
    ("extreme-values", answers::extreme_values),
    ("determinism", promises::determinism),
    ("other-process", promises::other_process),
    ("batch-size", promises::batch_size),
    ("instances", promises::instances),
    ("state", promises::state),
    ("soak", endurance::soak),
    ("time", endurance::time),
    ("memory", endurance::memory),
];

/// The rule without which those after it mean nothing.
const USUAL_ROWS: &str = "usual-rows";

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
    let loaded = load(file, limits, budgets, &mut rules);
    let report = |rules: Vec<RuleReport>| Report {
        file: file.display().to_string(),
        passed: rules.iter().all(|rule| rule.result != Verdict::Failed),
        rules,
    };
    let Some((plugin, metadata, info)) = loaded else { return Ok(report(rules)) };
    let rows = subject_rows(&metadata, rows)?;
    let subject = Subject { plugin: &plugin, settings, metadata, info, rows, budgets, elsewhere };
    for (name, rule) in RULES {
        let is_hopeless = rules.iter().any(|rule| rule.rule == USUAL_ROWS && rule.result == Verdict::Failed);
        let finding = if is_hopeless {
            skipped(format!("not tried while `{USUAL_ROWS}` is broken"))
        } else {
            rule(&subject).unwrap_or_else(|error| failed(chain(&error), fix(&error)))
        };
        rules.push(RuleReport::new(name, finding));
    }
    Ok(report(rules))
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
    let metadata = Detector::start(&plugin)?.metadata;
    let rows = subject_rows(&metadata, rows)?;
    Ok(digest_of(&run(&plugin, settings, &rows, &indices(&rows, BATCH_ROWS))?))
}

fn subject_rows(metadata: &Metadata, file: Option<&Path>) -> Result<Batch, Error> {
    match file {
        Some(file) => workload::read(file, &metadata.attributes),
        None => Ok(workload::generated(workload::MAX_BATCH_ROWS, &metadata.attributes)),
    }
}

/// The rules that must pass before others can be tried: `loads` and `imports`.
fn load(
    file: &Path,
    limits: &Limits,
    budgets: &Budgets,
    rules: &mut Vec<RuleReport>,
) -> Option<(Plugin, Metadata, PluginInfo)> {
    let load = || -> Result<(Plugin, Metadata, PluginInfo), DetectorError> {
        let sandbox = Sandbox::new(limits.clone(), Requirements::default(), Cache::of_user())?;
        let info = host_detector::examine(&sandbox, file)?;
        let plugin = host_detector::load(&sandbox, file)?;
        let metadata = Detector::start(&plugin)?.metadata;
        Ok((plugin, metadata, info))
    };
    match load() {
        Ok(loaded) => {
            let (_, metadata, info) = &loaded;
            let detail = format!(
                "{} {} for ingest:detector {}",
                metadata.name,
                metadata.version,
                printable(&info.contract_version)
            );
            rules.push(RuleReport::new("loads", ok(detail)));
            rules.push(RuleReport::new("imports", imports(info, budgets)));
            Some(loaded)
        }
        Err(error) => {
            let fix = "nothing else can be tried before it loads and describes itself; see the message";
            rules.push(RuleReport::new("loads", failed(chain(&error), fix)));
            None
        }
    }
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
