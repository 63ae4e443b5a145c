//! `host plugin check --kit`: a plugin that is one of a kit's reference detectors is put through its cases. Each case
//! is run in several ways, which must all come to the same answer, bit by bit.

mod format;

use std::path::Path;

use host_core::anomaly::Anomaly;
use host_core::column::ColumnRequest;
use host_core::text::{counted, printable};
use host_detector::{Call, Detector, DetectorError, GuestErrorKind, Metadata, Plugin, PluginInfo};

use self::format::{Answer, Case, Column, Failure, Kit, Known, Labelled, Part, Run, Scored, Step, kind_name};
use super::abilities::changes;
use super::report::{Finding, RuleReport, Verdict, failed, ok};
use crate::authors::cases::{Expected, chain, difference};
use crate::authors::inspect::{ordering_name, setting_kind_name};
use crate::error::Error;

/// More calls than it takes to pass on the state of any case.
const MAX_SNAPSHOTS: usize = 1_001;
const MEND: &str = "the kit's README.md says what this detector does, and how to read its cases";

/// The results of a kit's cases, after those of what the detector says of itself.
///
/// # Errors
/// If the kit cannot be read, or does not have this detector.
pub fn run(
    plugin: &Plugin,
    info: &PluginInfo,
    metadata: &Metadata,
    folder: &Path,
) -> Result<Vec<RuleReport>, Error> {
    let kit = format::read(folder, &metadata.name)?;
    let mut reports = vec![RuleReport::new("describe", described(&kit, plugin, metadata))];
    if let Some(lacking) = kit.abilities.iter().find(|&ability| !has(info, ability)) {
        let found =
            format!("it is no {} detector: it does not export what such a one has", printable(lacking));
        reports.push(RuleReport::new("abilities", failed(found, MEND)));
        return Ok(reports);
    }
    for case in &kit.cases {
        let finding = match case.runs.iter().find_map(|run| Some((run, mismatch(plugin, case, run)?))) {
            None => ok(told(case)),
            Some((run, mismatch)) => {
                let is_first = reports.iter().all(|report| report.result != Verdict::Failed);
                let found = format!("{}: {mismatch}", printable(&run.name));
                Finding(Verdict::Failed, found, is_first.then_some(MEND))
            }
        };
        reports.push(RuleReport::new(case.name.clone(), finding));
    }
    Ok(reports)
}

/// Whether the plugin exports what a detector with this ability has.
fn has(info: &PluginInfo, ability: &str) -> bool {
    info.abilities.iter().any(|&known| <&str>::from(known) == ability)
}

fn told(case: &Case) -> String {
    let rows = case.runs.first().map_or(0, rows_of) as u64;
    format!("{}, {}", counted(rows, "row"), counted(case.runs.len() as u64, "run"))
}

/// The rows that all instances of a run judge.
fn rows_of(run: &Run) -> usize {
    let judged = run.instances.iter().flatten().filter(|step| !matches!(step, Step::Feedback(_)));
    judged.filter_map(Step::part).map(|part| part.rows.len()).sum()
}

/// Whether the detector says of itself what it must say.
fn described(kit: &Kit, plugin: &Plugin, metadata: &Metadata) -> Finding {
    if !plugin.contract_version.starts_with(&format!("{}.", kit.contract)) {
        let versions = (printable(&kit.contract), printable(&plugin.contract_version));
        return failed(format!("the kit is for contract {}, not {}", versions.0, versions.1), MEND);
    }
    let ordering = ordering_name(metadata.ordering);
    if ordering != kit.ordering {
        return failed(format!("its ordering is `{ordering}`, not `{}`", printable(&kit.ordering)), MEND);
    }
    let expected = kit.settings.iter().map(|setting| {
        format!("{} ({}, {:?})", setting.name, setting.kind, setting.default.as_deref().unwrap_or("none"))
    });
    let found = metadata.settings.iter().map(|setting| {
        let default = setting.default.as_deref().unwrap_or("none");
        format!("{} ({}, {default:?})", setting.name, setting_kind_name(setting.kind))
    });
    match unequal("setting", expected.collect(), found.collect()) {
        None => ok(format!("{}, ordering `{ordering}`", counted(kit.settings.len() as u64, "setting"))),
        Some(difference) => failed(difference, MEND),
    }
}

/// What is not as the case wants it, if anything.
fn mismatch(plugin: &Plugin, case: &Case, run: &Run) -> Option<String> {
    let rows = rows_of(run);
    let mut found = vec![None; rows];
    for steps in &run.instances {
        match (judge(plugin, case, steps, &mut found), &case.answer) {
            (Ok(None), _) => {}
            (Ok(Some(difference)), _) => return Some(difference),
            (Err(error), Answer::Error(expected)) if failure(&error).as_ref() == Some(expected) => {
                return None;
            }
            (Err(error), Answer::Error(Failure { function, kind, .. })) => {
                return Some(format!("`{function}` must return the error `{kind}`: {}", chain(&error)));
            }
            (Err(error), Answer::Anomalies(_)) => return Some(chain(&error)),
        }
    }
    let anomalies = match &case.answer {
        Answer::Anomalies(anomalies) => anomalies,
        Answer::Error(Failure { function, kind, .. }) => {
            return Some(format!("it ends well, but `{function}` must return the error `{kind}`"));
        }
    };
    let mut expected = vec![Expected::default(); rows];
    for format::Anomaly { row, score, reason } in anomalies {
        let Some(expected) = expected.get_mut(*row) else {
            return Some(format!("the case expects an anomaly in row {}, and has {rows} rows", row + 1));
        };
        *expected = Expected { score: Some(Some(*score)), reason: Some(reason.clone()) };
    }
    (0..rows).find_map(|row| difference(row, &expected[row], found[row].as_ref(), 0.0))
}

/// Takes an instance through its steps; what it finds is put where it belongs among the case's rows. Returns what is
/// not as the steps want it.
fn judge(
    plugin: &Plugin,
    case: &Case,
    steps: &[Step],
    found: &mut [Option<Anomaly>],
) -> Result<Option<String>, DetectorError> {
    let mut detector = Detector::start(plugin)?;
    let settings: Vec<_> = case.settings.clone().into_iter().collect();
    detector.configure(&settings)?;
    if let Some(difference) = unlike_columns(&case.columns, &detector.columns) {
        return Ok(Some(difference));
    }
    for step in steps {
        let difference = match step {
            Step::Classify(part) => classify(&mut detector, part, found)?,
            Step::Score(scored) => score(&mut detector, scored)?,
            Step::Feedback(Labelled { part, labels }) => {
                detector.feedback(&part.batch, labels)?;
                None
            }
            Step::Restore(known) => match known.state() {
                Some(state) => {
                    detector.restore(&state)?;
                    None
                }
                None => Some("the case has a state that is not written in hexadecimal digits".into()),
            },
            Step::Snapshot(expected) => unlike_state(expected, &mut detector)?,
        };
        if difference.is_some() {
            return Ok(difference);
        }
    }
    detector.finish()?;
    Ok(None)
}

fn classify(
    detector: &mut Detector,
    Part { rows, batch }: &Part,
    found: &mut [Option<Anomaly>],
) -> Result<Option<String>, DetectorError> {
    for anomaly in detector.classify(batch)? {
        let row = rows[anomaly.row as usize];
        match found.get_mut(row) {
            Some(found) => *found = Some(anomaly),
            None => return Ok(Some(format!("the case has a row {}, and fewer rows", row + 1))),
        }
    }
    Ok(None)
}

fn score(detector: &mut Detector, Scored { part, scores }: &Scored) -> Result<Option<String>, DetectorError> {
    let found = detector.score(&part.batch)?;
    let differs = |at: &usize| found[*at].to_bits() != scores[*at].to_bits();
    Ok((0..scores.len()).find(differs).map(|at| {
        let (row, found, expected) = (part.rows[at] + 1, found[at], scores[at]);
        format!("`score` gives row {row} the score {found:?}, not {expected:?}")
    }))
}

/// What is passed on until nothing more is.
fn unlike_state(expected: &Known, detector: &mut Detector) -> Result<Option<String>, DetectorError> {
    let Some(parts) = changes(detector, MAX_SNAPSHOTS)? else {
        return Ok(Some("`snapshot` does not come to an end".into()));
    };
    let mut found = Known::default();
    for Known { shared, users } in parts.iter().map(Known::of) {
        found.shared = shared.or(found.shared);
        found.users.extend(users);
    }
    if found.shared != expected.shared {
        let told = |shared: &Option<String>| shared.clone().unwrap_or_else(|| "none".into());
        let (found, expected) = (told(&found.shared), told(&expected.shared));
        return Ok(Some(format!("`snapshot` passes on {found} as `shared`, not {expected}")));
    }
    let users = expected.users.keys().chain(found.users.keys());
    let differs = |user: &&i64| expected.users.get(user) != found.users.get(user);
    Ok(users.into_iter().find(differs).map(|user| {
        let told = |known: &Known| match known.users.get(user).map(String::as_str) {
            None => "nothing".into(),
            Some("") => "no bytes".into(),
            Some(hex) => printable(hex).into_owned(),
        };
        format!("`snapshot` passes on {} of user {user}, not {}", told(&found), told(expected))
    }))
}

fn unlike_columns(expected: &[Column], found: &[ColumnRequest]) -> Option<String> {
    let told = |name: &str, kind: &str, required| {
        format!("{name} ({kind}, {})", if required { "required" } else { "optional" })
    };
    let expected = expected.iter().map(|column| told(&column.name, &column.kind, column.required));
    let found = found.iter().map(|column| told(&column.name, kind_name(column.kind), column.required));
    unequal("column", expected.collect(), found.collect())
}

/// The first place where two lists differ.
fn unequal(what: &str, expected: Vec<String>, found: Vec<String>) -> Option<String> {
    let at = (0..expected.len().max(found.len())).find(|&at| expected.get(at) != found.get(at))?;
    let told =
        |list: &[String]| list.get(at).map_or_else(|| "none".into(), |one| printable(one).into_owned());
    Some(format!("its {what} number {} is {}, not {}", at + 1, told(&found), told(&expected)))
}

/// An error that the detector returned, in the kit's words; `None` if it did not return one.
fn failure(error: &DetectorError) -> Option<Failure> {
    let (function, kind, setting) = match error {
        DetectorError::Setting { setting, .. } => ("configure", "invalid-setting", Some(setting.clone())),
        DetectorError::Guest { call, kind, .. } => {
            let function = match call {
                Call::Configure => "configure",
                Call::Classify(_) => "classify",
                Call::Restore => "restore",
                Call::Finish => "finish",
                _ => return None,
            };
            let kind = match kind {
                GuestErrorKind::InvalidInput => "invalid-input",
                GuestErrorKind::Internal => "internal",
            };
            (function, kind, None)
        }
        _ => return None,
    };
    Some(Failure { function: function.into(), kind: kind.into(), setting })
}
