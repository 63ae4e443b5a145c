//! `host plugin check`: does a plugin keep the contract? It is loaded as strictly as can be and put
//! through rule after rule, each on fresh instances, so that one that fails hides no other. The rules
//! are in [`answers`] (does it answer as it must, whatever it is given), [`promises`] (are the answers
//! the same when they must be) and [`endurance`] (a thousand calls, time, memory).

mod answers;
mod endurance;
mod promises;

use std::fmt::Write as _;
use std::path::Path;

use host_core::anomaly::Anomaly;
use host_core::batch::Batch;
use host_core::digest::Sha256Digest;
use host_core::text::{listed, printable};
use host_detector::{
    self, Access, Anatomy, Cache, Demands, Detector, DetectorError, Limits, Metadata, Plugin, Sandbox,
};
use serde::Serialize;

use super::cases::chain;
use super::{Settings, start, workload};
use crate::error::Error;

/// Rows of a batch where nothing else is the point, as `host run` passes them.
const BATCH_ROWS: usize = 8_192;
/// Rows that most rules are tried on; what needs more takes more.
const ROWS: usize = 20_000;

/// What is allowed in a check, beside the limits of the sandbox.
#[derive(Clone, Debug)]
pub struct Budgets {
    /// Nanoseconds a row, in batches of usual size.
    pub row_nanos: f64,
    /// The most memory, in all rules.
    pub memory_bytes: usize,
    /// Whether importing WASI is worth a warning only.
    pub allows_wasi: bool,
}

/// What came of all rules; field names are part of the interface.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The file.
    pub file: String,
    /// Whether no rule failed.
    pub passed: bool,
    /// One by one.
    pub rules: Vec<RuleReport>,
}

/// What came of a rule; field names are part of the interface.
#[derive(Debug, Serialize)]
pub struct RuleReport {
    /// The rule's name.
    pub rule: &'static str,
    /// What came of it.
    pub result: Verdict,
    /// What was found.
    pub detail: String,
    /// What the author can do about it.
    pub mend: Option<&'static str>,
}

/// What comes of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is kept.
    Ok,
    /// It does not concern this plugin, or could not be tried.
    Skipped,
    /// It is kept, but not well.
    Warning,
    /// It is broken.
    Failed,
}

/// A rule's result before it has its name: what was found, and how to mend it.
struct Finding(Verdict, String, Option<&'static str>);

fn ok(detail: impl Into<String>) -> Finding {
    Finding(Verdict::Ok, detail.into(), None)
}

fn skipped(detail: impl Into<String>) -> Finding {
    Finding(Verdict::Skipped, detail.into(), None)
}

fn warning(detail: impl Into<String>, mend: &'static str) -> Finding {
    Finding(Verdict::Warning, detail.into(), Some(mend))
}

fn failed(detail: impl Into<String>, mend: &'static str) -> Finding {
    Finding(Verdict::Failed, detail.into(), Some(mend))
}

/// A rule, which tells `Err` where the plugin itself gave up on the way.
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

/// The rule without which those after it say nothing.
const USUAL_ROWS: &str = "usual-rows";

/// What is put through the rules.
struct Subject<'a> {
    plugin: &'a Plugin,
    settings: &'a Settings,
    metadata: Metadata,
    anatomy: Anatomy,
    /// [`workload::MAX_BATCH_ROWS`] generated rows, or the first of a file.
    rows: Batch,
    budgets: &'a Budgets,
    /// The digest of the answers in another process.
    elsewhere: &'a dyn Fn() -> Result<String, String>,
}

/// One row that a run flagged.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    row: usize,
    score: f64,
    reason: String,
}

/// Checks a plugin, on generated rows or on those of a file. `elsewhere` gives what [`digest`] gives
/// in another process.
///
/// # Errors
/// Where the rows cannot be read. What is wrong with the plugin is in the report.
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
    let Some((plugin, metadata, anatomy)) = loaded else { return Ok(report(rules)) };
    let rows = subject_rows(&metadata, rows)?;
    let subject = Subject { plugin: &plugin, settings, metadata, anatomy, rows, budgets, elsewhere };
    for (name, rule) in RULES {
        let is_hopeless = rules.iter().any(|rule| rule.rule == USUAL_ROWS && rule.result == Verdict::Failed);
        let finding = if is_hopeless {
            skipped(format!("not tried while `{USUAL_ROWS}` is broken"))
        } else {
            rule(&subject).unwrap_or_else(|error| failed(chain(&error), mend(&error)))
        };
        rules.push(RuleReport::new(name, finding));
    }
    Ok(report(rules))
}

/// For what a plugin does wrong anywhere.
fn mend(error: &DetectorError) -> &'static str {
    match error {
        DetectorError::Violation { .. } | DetectorError::Malformation { .. } => {
            "check scores for infinity and NaN, sort by row, cut reasons to 1,000 bytes and keep control characters out of them"
        }
        DetectorError::Trap { .. } => {
            "a crash ends the run; where the message says too little, build with WASI and without stripping"
        }
        DetectorError::Memory { .. } => {
            "free what belongs to a batch; keep something for each user, not for each row"
        }
        DetectorError::Deadline { .. } => "a call must end; see `host plugin bench` for what it costs",
        DetectorError::Setting { .. } => "give the settings that it needs: `--set NAME=VALUE`",
        _ => "this ends a run; see the message",
    }
}

/// The digest of what a plugin answers on the rows of a check: the same in every process.
///
/// # Errors
/// Where the plugin or the rows cannot be used.
pub fn digest(
    file: &Path,
    settings: &Settings,
    limits: &Limits,
    rows: Option<&Path>,
) -> Result<String, Error> {
    let sandbox = Sandbox::new(limits.clone(), Demands::default(), Cache::of_user())?;
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

/// The rules that come before there is anything to try others on: `loads` and `imports`.
fn load(
    file: &Path,
    limits: &Limits,
    budgets: &Budgets,
    rules: &mut Vec<RuleReport>,
) -> Option<(Plugin, Metadata, Anatomy)> {
    let load = || -> Result<(Plugin, Metadata, Anatomy), DetectorError> {
        let sandbox = Sandbox::new(limits.clone(), Demands::default(), Cache::of_user())?;
        let anatomy = host_detector::examine(&sandbox, file)?;
        let plugin = host_detector::load(&sandbox, file)?;
        let metadata = Detector::start(&plugin)?.metadata;
        Ok((plugin, metadata, anatomy))
    };
    match load() {
        Ok(loaded) => {
            let (_, metadata, anatomy) = &loaded;
            let detail = format!(
                "{} {} for ingest:detector {}",
                metadata.name,
                metadata.version,
                printable(&anatomy.contract_version)
            );
            rules.push(RuleReport::new("loads", ok(detail)));
            rules.push(RuleReport::new("imports", imports(anatomy, budgets)));
            Some(loaded)
        }
        Err(error) => {
            let mend = "nothing else can be tried before it loads and describes itself; see the message";
            rules.push(RuleReport::new("loads", failed(chain(&error), mend)));
            None
        }
    }
}

fn imports(anatomy: &Anatomy, budgets: &Budgets) -> Finding {
    let others = anatomy.imports.iter().filter(|import| import.access != Access::Granted);
    let others: Vec<String> = others.map(|import| import.name.clone()).collect();
    if others.is_empty() {
        return ok("nothing but the contract");
    }
    let found = format!("beside the contract: {}", listed(&others, 3));
    let mend = "`host run --strict` refuses it; build without WASI (Rust: wasm32-unknown-unknown; Python and JavaScript: --stub-wasi), or pass `--allow-wasi`";
    if budgets.allows_wasi { warning(found, mend) } else { failed(found, mend) }
}

impl Subject<'_> {
    fn start(&self) -> Result<Detector, DetectorError> {
        start(self.plugin, self.settings)
    }

    /// The rows that most rules use.
    fn usual(&self) -> usize {
        self.rows.len().min(ROWS)
    }

    /// A whole run of one instance over the usual rows, in batches of so many.
    fn run(&self, batch_rows: usize) -> Result<Vec<Answer>, DetectorError> {
        let indices: Vec<usize> = (0..self.usual()).collect();
        let batches: Vec<Vec<usize>> = indices.chunks(batch_rows).map(<[usize]>::to_vec).collect();
        run(self.plugin, self.settings, &self.rows, &batches)
    }
}

fn indices(rows: &Batch, batch_rows: usize) -> Vec<Vec<usize>> {
    let all: Vec<usize> = (0..rows.len()).collect();
    all.chunks(batch_rows).map(<[usize]>::to_vec).collect()
}

/// A whole run of one instance over these batches, which are numbered as a file's would be.
fn run(
    plugin: &Plugin,
    settings: &Settings,
    rows: &Batch,
    batches: &[Vec<usize>],
) -> Result<Vec<Answer>, DetectorError> {
    let mut detector = start(plugin, settings)?;
    let mut answers = Vec::new();
    let mut first_row = 0;
    for indices in batches {
        answers.extend(judge(&mut detector, rows, indices, first_row)?);
        first_row += indices.len() as u64;
    }
    detector.finish()?;
    Ok(answers)
}

fn judge(
    detector: &mut Detector,
    rows: &Batch,
    indices: &[usize],
    first_row: u64,
) -> Result<Vec<Answer>, DetectorError> {
    let found = detector.classify(&workload::select(rows, indices, first_row))?;
    let answer =
        |one: Anomaly| Answer { row: indices[one.row as usize], score: one.score, reason: one.reason };
    Ok(found.into_iter().map(answer).collect())
}

/// What is the first difference between two runs over the same rows.
fn difference(first: &[Answer], second: &[Answer]) -> Option<String> {
    let differs = |(one, other): &(&Answer, &Answer)| one != other;
    if let Some((one, other)) = first.iter().zip(second).find(differs) {
        return Some(if one.row == other.row {
            format!("row {}: {} and {}", one.row + 1, told(one), told(other))
        } else {
            format!("row {} is anomalous only in one of them", one.row.min(other.row) + 1)
        });
    }
    let (short, long) = if first.len() < second.len() { (first, second) } else { (second, first) };
    long.get(short.len()).map(|extra| format!("row {} is anomalous only in one of them", extra.row + 1))
}

fn told(answer: &Answer) -> String {
    format!("score {} (`{}`)", answer.score, printable(&answer.reason))
}

fn digest_of(answers: &[Answer]) -> String {
    let mut text = String::new();
    for Answer { row, score, reason } in answers {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{row} {:016x} {reason}", score.to_bits());
    }
    Sha256Digest::of(text.as_bytes()).to_string()
}

impl RuleReport {
    fn new(rule: &'static str, Finding(result, detail, mend): Finding) -> RuleReport {
        RuleReport { rule, result, detail, mend }
    }
}

impl Report {
    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        for RuleReport { rule, result, detail, mend } in &self.rules {
            let result = match result {
                Verdict::Ok => "ok",
                Verdict::Skipped => "-",
                Verdict::Warning => "warning",
                Verdict::Failed => "FAILED",
            };
            let _ = writeln!(text, "{result:<8} {rule:<16} {}", printable(detail));
            if let Some(mend) = mend {
                let _ = writeln!(text, "{:25} {mend}", "");
            }
        }
        let count = |wanted| self.rules.iter().filter(|rule| rule.result == wanted).count();
        let _ = writeln!(
            text,
            "`{}`: {} rules kept, {} broken, {} warnings",
            printable(&self.file),
            count(Verdict::Ok),
            count(Verdict::Failed),
            count(Verdict::Warning),
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(row: usize, score: f64, reason: &str) -> Answer {
        Answer { row, score, reason: reason.into() }
    }

    #[test]
    fn the_first_difference_is_told() {
        let one = [answer(1, 1.0, "a"), answer(5, 2.0, "b")];
        let told = |other: &[Answer]| difference(&one, other).unwrap_or_default();
        assert_eq!(told(&one), "");
        assert_eq!(
            told(&[answer(1, 1.5, "a"), answer(5, 2.0, "b")]),
            "row 2: score 1 (`a`) and score 1.5 (`a`)"
        );
        assert_eq!(
            told(&[answer(1, 1.0, "a"), answer(5, 2.0, "c")]),
            "row 6: score 2 (`b`) and score 2 (`c`)"
        );
        assert_eq!(told(&[answer(5, 2.0, "b")]), "row 2 is anomalous only in one of them");
        assert_eq!(told(&one[..1]), "row 6 is anomalous only in one of them");
        assert_eq!(told(&[]), "row 2 is anomalous only in one of them");
        assert_ne!(digest_of(&one), digest_of(&one[..1]));
        // Another bit of a score, the same text of it.
        assert_ne!(digest_of(&[answer(1, 0.0, "")]), digest_of(&[answer(1, -0.0, "")]));
    }
}
