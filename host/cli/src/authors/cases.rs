//! `host plugin test`: an author's own cases. A case is a CSV file with the column `expected_score`:
//! empty if a row is not anomalous, else its score or `any`; and, if wanted, `expected_reason`.
//! `NAME.settings` beside `NAME.csv` has the settings, one `name=value` per line, and `NAME.reading.json` says how it
//! is read, if not by default: see [`capture`](mod@super::capture). Each case is classified
//! twice, with as many rows at once as possible and row by row: the answers must be the same.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use host_core::anomaly::Anomaly;
use host_core::batch::Batch;
use host_core::column::{Column, ColumnRequest, TextColumn};
use host_core::facts::Reading;
use host_core::text::printable;
use host_detector::{DetectorError, Plugin};
use host_source::InputRules;
use serde::Serialize;

use super::start::{Settings, start};
use super::workload;
use crate::error::{Error, ToolsError};

const SCORE: &str = "expected_score";
const REASON: &str = "expected_reason";
/// Stands for any score.
const ANY: &str = "any";

/// What came of a case; field names are part of the interface.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The file's name without its extension.
    pub case: String,
    /// How many rows it has.
    pub rows: usize,
    /// What is not as expected, one line each; empty if it passed.
    pub differences: Vec<String>,
    /// Whether the file was rewritten.
    pub updated: bool,
}

/// Runs all cases in a folder, in the order of their names. With `update`, the plugin's answers are what
/// is expected from now on, and the files are rewritten accordingly.
///
/// # Errors
/// If there are no cases, or one cannot be read or written. If the plugin fails on a case, that case fails.
pub fn run(plugin: &Plugin, folder: &Path, tolerance: f64, update: bool) -> Result<Vec<Outcome>, Error> {
    let files = files_in(folder)?;
    if files.is_empty() {
        return Err(ToolsError::NoCases(folder.to_owned()).into());
    }
    files.iter().map(|file| run_case(plugin, file, tolerance, update)).collect()
}

/// The cases in a folder, in the order of their names.
///
/// # Errors
/// If it cannot be read.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>, ToolsError> {
    let read_dir = fs::read_dir(folder).map_err(|source| ToolsError::File {
        doing: "read the cases in",
        path: folder.to_owned(),
        source,
    })?;
    let mut files: Vec<PathBuf> = read_dir.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "csv"));
    files.sort();
    Ok(files)
}

/// The rows of a case, without what is expected of them, and its settings.
///
/// # Errors
/// If they cannot be read, or the plugin does not take the settings.
pub fn rows_of(plugin: &Plugin, file: &Path) -> Result<(Vec<(String, String)>, Batch), Error> {
    let settings = settings_of(file)?;
    let columns = start(plugin, &settings)?.columns;
    let rows = workload::read(file, &rules_of(file)?, &columns)?;
    Ok((settings, rows))
}

fn run_case(plugin: &Plugin, file: &Path, tolerance: f64, update: bool) -> Result<Outcome, Error> {
    let settings = settings_of(file)?;
    let rules = rules_of(file)?;
    let header = header_of(file, &rules)?;
    let has = |column: &str| header.iter().any(|name| name.eq_ignore_ascii_case(column));
    let case = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |rows, error: &DetectorError| Outcome {
        case: case.clone(),
        rows,
        differences: vec![chain(error)],
        updated: false,
    };
    // The columns that a detector needs are known only once it has been configured.
    let mut columns = match start(plugin, &settings) {
        Ok(detector) => detector.columns,
        Err(error) => return Ok(failed(0, &error)),
    };
    let asked = columns.len();
    columns
        .extend([SCORE, REASON].map(|name| ColumnRequest { required: false, ..ColumnRequest::text(name) }));
    let mut rows = workload::read_all(file, &rules, &columns, None)?;
    let expected = expected(file, &rows.columns.split_off(asked), rows.len(), update)?;

    let found = match judge(plugin, &settings, &rows, workload::MAX_BATCH_ROWS) {
        Ok(found) => found,
        Err(error) => return Ok(failed(rows.len(), &error)),
    };
    let mut differences = match judge(plugin, &settings, &rows, 1) {
        Ok(cut) if cut == found => Vec::new(),
        Ok(_) => vec!["row by row, the answers differ from those for all rows at once".to_owned()],
        Err(error) => vec![format!("row by row: {}", chain(&error))],
    };
    // A plugin that fails fails whatever is expected.
    if !has(SCORE) && !update {
        return match differences.is_empty() {
            true => Err(ToolsError::NoExpectation(file.to_owned()).into()),
            false => Ok(Outcome { case, rows: rows.len(), differences, updated: false }),
        };
    }
    let unlike: Vec<String> = (0..rows.len())
        .filter_map(|row| difference(row, &expected[row], found[row].as_ref(), tolerance))
        .collect();
    let updated = update && differences.is_empty() && (!unlike.is_empty() || !has(SCORE));
    if updated {
        write(file, &rules, &header, &expected, &found, tolerance)?;
    } else {
        differences.extend(unlike);
    }
    Ok(Outcome { case, rows: rows.len(), differences, updated })
}

/// What a row is expected to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Expected {
    /// `None` if it is not anomalous; `Some(None)` if any score will do.
    pub(super) score: Option<Option<f64>>,
    /// `None` if any will do.
    pub(super) reason: Option<String>,
}

/// What the columns with the expected scores and reasons say, of which each may be absent.
fn expected(file: &Path, columns: &[Column], rows: usize, update: bool) -> Result<Vec<Expected>, ToolsError> {
    let [scores, reasons] = [0, 1].map(|at| columns.get(at).and_then(Column::as_text));
    let mut expected = vec![Expected::default(); rows];
    for (i, value) in scores.into_iter().flat_map(TextColumn::iter).enumerate() {
        expected[i].score = match value.trim() {
            "" => None,
            ANY => Some(None),
            number => match number.parse::<f64>() {
                Ok(score) => Some(Some(score)),
                // It will be rewritten.
                Err(_) if update => None,
                Err(_) => {
                    return Err(ToolsError::Expectation {
                        file: file.to_owned(),
                        row: i + 1,
                        value: value.to_owned(),
                    });
                }
            },
        };
    }
    for (i, value) in reasons.into_iter().flat_map(TextColumn::iter).enumerate() {
        expected[i].reason = Some(value.to_owned()).filter(|reason| !reason.is_empty());
    }
    Ok(expected)
}

/// The answer for every row, from one instance that is given them in batches of this size.
pub(super) fn judge(
    plugin: &Plugin,
    settings: &Settings,
    rows: &Batch,
    batch_rows: usize,
) -> Result<Vec<Option<Anomaly>>, DetectorError> {
    let mut detector = start(plugin, settings)?;
    let mut found = vec![None; rows.len()];
    let all: Vec<usize> = (0..rows.len()).collect();
    for indices in all.chunks(batch_rows) {
        for anomaly in detector.classify(&workload::select(rows, indices, indices[0] as u64))? {
            let index = indices[anomaly.row as usize];
            found[index] = Some(anomaly);
        }
    }
    detector.finish()?;
    // Rows are counted from the start of the batch, which is not the same for all.
    Ok(found.into_iter().map(|one| one.map(|one| Anomaly { row: 0, ..one })).collect())
}

/// How a row differs from what is expected. Without a tolerance, every bit of a score counts.
pub(super) fn difference(
    row: usize,
    expected: &Expected,
    found: Option<&Anomaly>,
    tolerance: f64,
) -> Option<String> {
    let number = row + 1;
    let (found, score) = match (found, expected.score) {
        (None, None) => return None,
        (None, Some(_)) => return Some(format!("row {number} is not anomalous, but should be")),
        (Some(found), None) => {
            let (score, reason) = (found.score, printable(&found.reason));
            return Some(format!("row {number} is anomalous (score {score}, `{reason}`), but should not be"));
        }
        (Some(found), Some(score)) => (found, score),
    };
    let is_near = |score: f64| match tolerance {
        0.0 => found.score.to_bits() == score.to_bits(),
        _ => (found.score - score).abs() <= tolerance * score.abs().max(1.0),
    };
    if let Some(score) = score.filter(|&score| !is_near(score)) {
        return Some(format!("row {number} has the score {}, not {score}", found.score));
    }
    match &expected.reason {
        Some(reason) if *reason != found.reason => {
            let [found, reason] = where_they_differ(&found.reason, reason);
            Some(format!("row {number} has the reason `{}`, not `{}`", printable(&found), printable(&reason)))
        }
        _ => None,
    }
}

/// Two texts as far as somebody can compare them: of long ones, what is around the first difference.
fn where_they_differ(one: &str, other: &str) -> [String; 2] {
    const SHORT_CHARS: usize = 80;
    const BEFORE_CHARS: usize = 20;
    let alike = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    [one, other].map(|text| {
        let start = if text.chars().count() > SHORT_CHARS { alike.saturating_sub(BEFORE_CHARS) } else { 0 };
        let rest: String = text.chars().skip(start).take(SHORT_CHARS).collect();
        let is_cut = text.chars().count() > start + SHORT_CHARS;
        format!("{}{rest}{}", if start > 0 { "…" } else { "" }, if is_cut { "…" } else { "" })
    })
}

fn settings_of(file: &Path) -> Result<Vec<(String, String)>, ToolsError> {
    let path = file.with_extension("settings");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(ToolsError::File { doing: "read", path, source }),
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(ToolsError::CaseSetting { file: path.clone(), line: line.to_owned() }),
        })
        .collect()
}

/// How the case is read: as a file of its own says, or else by default.
fn rules_of(file: &Path) -> Result<InputRules, ToolsError> {
    let path = reading_file(file);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(InputRules::default()),
        Err(source) => return Err(ToolsError::File { doing: "read", path, source }),
    };
    let reading = serde_json::from_str::<Reading>(&text).ok();
    let rules =
        reading.filter(|reading| !reading.no_header).and_then(|reading| InputRules::of_reading(&reading));
    rules.ok_or(ToolsError::CaseReading(path))
}

/// The file that says how a case is read.
pub(super) fn reading_file(case: &Path) -> PathBuf {
    case.with_extension("reading.json")
}

fn header_of(file: &Path, rules: &InputRules) -> Result<csv::StringRecord, ToolsError> {
    let fail = |source| ToolsError::Csv { file: file.to_owned(), source };
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.delimiter(rules.delimiter).quote(rules.quote).trim(csv::Trim::Headers);
    let mut reader = reader.from_path(file).map_err(fail)?;
    Ok(reader.headers().map_err(fail)?.clone())
}

/// Rewrites the case so that what was found is expected; expectations that still hold stay as they are.
fn write(
    file: &Path,
    rules: &InputRules,
    header: &csv::StringRecord,
    expected: &[Expected],
    found: &[Option<Anomaly>],
    tolerance: f64,
) -> Result<(), ToolsError> {
    let fail = |source| ToolsError::Csv { file: file.to_owned(), source };
    let position = |column: &str| header.iter().position(|name| name.eq_ignore_ascii_case(column));
    let (score_at, reason_at) = (position(SCORE), position(REASON));
    let (mut reader, mut writer) = (csv::ReaderBuilder::new(), csv::WriterBuilder::new());
    let reader = reader.delimiter(rules.delimiter).quote(rules.quote);
    let mut reader = reader.from_path(file).map_err(fail)?;
    let mut writer = writer.delimiter(rules.delimiter).quote(rules.quote).from_writer(Vec::new());
    let mut names: Vec<String> = header.iter().map(str::to_owned).collect();
    names.extend(score_at.is_none().then(|| SCORE.to_owned()));
    writer.write_record(&names).map_err(fail)?;
    for (row, record) in reader.records().enumerate() {
        let mut fields: Vec<String> = record.map_err(fail)?.iter().map(str::to_owned).collect();
        let is_unlike = difference(row, &expected[row], found[row].as_ref(), tolerance).is_some();
        let score = found[row].as_ref().map_or(String::new(), |found| found.score.to_string());
        match score_at {
            None => fields.push(score),
            Some(at) if is_unlike => fields[at] = score,
            Some(_) => {}
        }
        if let Some(at) = reason_at.filter(|_| is_unlike) {
            fields[at] = found[row].as_ref().map_or(String::new(), |found| found.reason.clone());
        }
        writer.write_record(&fields).map_err(fail)?;
    }
    let fail = |source| ToolsError::File { doing: "write", path: file.to_owned(), source };
    let text = writer.into_inner().map_err(|error| fail(error.into_error()))?;
    fs::write(file, text).map_err(fail)
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &DetectorError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        // Writing into a String cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    for (label, detail) in error.details().into_iter().take(3) {
        let _ = write!(text, "; {label}: {detail}");
    }
    text
}

/// For people.
#[must_use]
pub fn human(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    for Outcome { case, rows, differences, updated } in outcomes {
        let result = match (differences.is_empty(), updated) {
            (_, true) => "updated",
            (true, false) => "ok",
            (false, false) => "FAILED",
        };
        let _ = writeln!(text, "{result:<8} {} ({rows} rows)", printable(case));
        for difference in differences {
            let _ = writeln!(text, "         {difference}");
        }
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.differences.is_empty()).count();
    let _ = writeln!(text, "{} cases, {failed} failed", outcomes.len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_reasons_the_difference_is_shown() {
        let long = |middle: &str| format!("{}{middle}{}", "ä".repeat(90), "b".repeat(90));
        let [one, other] = where_they_differ(&long("x"), &long("yz"));
        assert_eq!(one, format!("…{}x{}…", "ä".repeat(20), "b".repeat(59)));
        assert_eq!(other, format!("…{}yz{}…", "ä".repeat(20), "b".repeat(58)));
        assert_eq!(where_they_differ("a", "b"), ["a", "b"]);
        assert_eq!(where_they_differ("a", &"a".repeat(81))[1], format!("{}…", "a".repeat(80)));
    }

    #[test]
    fn scores_have_a_tolerance_and_reasons_have_none() {
        let found = Anomaly { row: 0, score: 1_000.000_1, reason: "r".into() };
        let expect = |score: Option<Option<f64>>, reason: Option<&str>| Expected {
            score,
            reason: reason.map(str::to_owned),
        };
        let is_alike =
            |expected: &Expected, tolerance| difference(0, expected, Some(&found), tolerance).is_none();
        assert!(is_alike(&expect(Some(Some(1_000.0)), None), 1e-6));
        assert!(!is_alike(&expect(Some(Some(1_000.0)), None), 1e-8));
        assert!(is_alike(&expect(Some(None), Some("r")), 0.0));
        assert!(!is_alike(&expect(Some(None), Some("R")), 0.0));
        assert!(!is_alike(&expect(None, None), 1e9));
        let zero = Anomaly { score: 0.0, ..found.clone() };
        assert!(difference(0, &expect(Some(Some(-0.0)), None), Some(&zero), 0.0).is_some());
        assert!(difference(0, &expect(Some(Some(-0.0)), None), Some(&zero), 1e-9).is_none());
        assert!(difference(0, &expect(Some(None), None), None, 1e9).is_some());
        assert!(difference(0, &expect(None, None), None, 0.0).is_none());
    }
}
