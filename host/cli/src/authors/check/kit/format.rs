//! The files of a kit; the README.md in `wit/kit` describes them. What is read here is consistent: lists are equally
//! long, and dictionaries are as a host makes them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;

use host_core::batch::{Batch, Row};
use host_core::column::{self, ColumnKind, TextColumn};
use host_core::state::{Entry, State};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::{Error, ToolsError};

/// A kit's file is some hundred kilobytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// A reference detector: what it must say of itself, and its cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kit {
    /// The version of the contract, such as `0.1`.
    pub(super) contract: String,
    /// Its name.
    pub(super) detector: String,
    pub(super) ordering: String,
    /// Those of the contract's names for what it can do beyond judging rows.
    #[serde(default)]
    pub(super) abilities: Vec<String>,
    pub(super) settings: Vec<Setting>,
    pub(super) cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) default: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    #[serde(rename = "case")]
    pub(super) name: String,
    #[serde(rename = "about")]
    _about: String,
    /// Those that are given.
    pub(super) settings: BTreeMap<String, String>,
    pub(super) columns: Vec<Column>,
    pub(super) answer: Answer,
    /// The same rows, cut and shared in several ways.
    pub(super) runs: Vec<Run>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) required: bool,
}

/// What a case must come to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Anomalies(Vec<Anomaly>),
    Error(Failure),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Anomaly {
    /// Which row of the case.
    pub(super) row: usize,
    #[serde(deserialize_with = "number")]
    pub(super) score: f64,
    pub(super) reason: String,
}

/// An error that the detector must return.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failure {
    #[serde(rename = "in")]
    pub(super) function: String,
    pub(super) kind: String,
    /// For an invalid setting.
    pub(super) setting: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    #[serde(rename = "run")]
    pub(super) name: String,
    /// The steps of each instance.
    pub(super) instances: Vec<Vec<Step>>,
}

/// What an instance is called for, and what is expected of it beyond the case's answer.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum Step {
    Classify(Part),
    Score(Scored),
    Feedback(Labelled),
    Restore(Known),
    Snapshot(Known),
}

/// A batch, and the score of each of its rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scored {
    #[serde(rename = "score")]
    pub(super) part: Part,
    #[serde(deserialize_with = "numbers")]
    pub(super) scores: Vec<f64>,
}

/// A batch, and what has become known of its rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Labelled {
    #[serde(rename = "feedback")]
    pub(super) part: Part,
    pub(super) labels: Vec<bool>,
}

/// A state: bytes in hexadecimal digits.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    pub(super) shared: Option<String>,
    #[serde(deserialize_with = "by_user")]
    pub(super) users: BTreeMap<i64, String>,
}

/// A batch, and which rows of the case it has.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Lists")]
pub(super) struct Part {
    pub(super) rows: Vec<usize>,
    pub(super) batch: Batch,
}

/// A batch as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Lists {
    rows: Vec<usize>,
    #[serde(deserialize_with = "numbers")]
    user_ids: Vec<i64>,
    #[serde(deserialize_with = "numbers")]
    amounts: Vec<i64>,
    #[serde(deserialize_with = "numbers")]
    timestamps: Vec<i64>,
    columns: Vec<Values>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Values {
    Absent,
    Text { codes: Vec<u32>, dictionary: String },
    Number(#[serde(deserialize_with = "numbers")] Vec<f64>),
}

/// The detector of this name, from the files of a kit, and the names of those that are there.
///
/// # Errors
/// If the folder or a file cannot be read, or a file is not part of a kit.
pub(super) fn read(folder: &Path, detector: &str) -> Result<Kit, Error> {
    let fail =
        |path: &Path, source| ToolsError::File { doing: "read the kit", path: path.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(|source| fail(folder, source))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut known = Vec::new();
    for file in files {
        let mut text = String::new();
        let opened = File::open(&file).map_err(|source| fail(&file, source))?;
        opened.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|source| fail(&file, source))?;
        let kit: Kit =
            serde_json::from_str(&text).map_err(|source| ToolsError::Kit { file: file.clone(), source })?;
        if kit.detector == detector {
            return Ok(kit);
        }
        known.push(kit.detector);
    }
    Err(ToolsError::NotInKit { folder: folder.to_owned(), detector: detector.to_owned(), known }.into())
}

impl Step {
    /// The batch that it passes, if any.
    pub(super) fn part(&self) -> Option<&Part> {
        match self {
            Step::Classify(part)
            | Step::Score(Scored { part, .. })
            | Step::Feedback(Labelled { part, .. }) => Some(part),
            Step::Restore(_) | Step::Snapshot(_) => None,
        }
    }
}

impl TryFrom<Value> for Step {
    type Error = String;

    fn try_from(value: Value) -> Result<Step, String> {
        /// What only one kind of step has.
        fn field<T: DeserializeOwned>(value: &Value, name: &str) -> Result<T, serde_json::Error> {
            T::deserialize(&value[name])
        }
        let has = |name| value.get(name).is_some();
        let step = if has("score") {
            Scored::deserialize(&value).map(Step::Score)
        } else if has("feedback") {
            Labelled::deserialize(&value).map(Step::Feedback)
        } else if has("restore") {
            field(&value, "restore").map(Step::Restore)
        } else if has("snapshot") {
            field(&value, "snapshot").map(Step::Snapshot)
        } else {
            Part::deserialize(&value).map(Step::Classify)
        };
        let step = step.map_err(|error| error.to_string())?;
        let (rows, of_rows) = match &step {
            Step::Score(Scored { part, scores }) => (part.rows.len(), scores.len()),
            Step::Feedback(Labelled { part, labels }) => (part.rows.len(), labels.len()),
            Step::Classify(_) | Step::Restore(_) | Step::Snapshot(_) => return Ok(step),
        };
        if rows == of_rows { Ok(step) } else { Err(format!("{of_rows} scores or labels for {rows} rows")) }
    }
}

impl Known {
    /// A state of the contract, once more as it is written.
    pub(super) fn of(state: &State) -> Known {
        let mut known = Known::default();
        for Entry { user_id, value } in state.entries() {
            match user_id {
                Some(user_id) => drop(known.users.insert(user_id, hex(value))),
                None => known.shared = Some(hex(value)),
            }
        }
        known
    }

    /// It as the contract's; `None` if something is not hexadecimal.
    pub(super) fn state(&self) -> Option<State> {
        let mut state = State::default();
        let shared = self.shared.iter().map(|value| (None, value));
        for (user_id, value) in
            shared.chain(self.users.iter().map(|(user_id, value)| (Some(*user_id), value)))
        {
            state.push(Entry { user_id, value: &bytes(value)? });
        }
        Some(state)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

impl TryFrom<Lists> for Part {
    type Error = String;

    fn try_from(lists: Lists) -> Result<Part, String> {
        let Lists { rows, user_ids, amounts, timestamps, columns } = lists;
        let count = rows.len();
        if count == 0 || [user_ids.len(), amounts.len(), timestamps.len()] != [count; 3] {
            return Err(format!("a batch of {count} rows whose lists have other lengths, or no rows"));
        }
        let mut batch = Batch::default();
        for i in 0..count {
            batch.push(Row {
                transaction_id: None,
                user_id: user_ids[i],
                amount_cents: amounts[i],
                timestamp_micros: timestamps[i],
                // As if a header came before the case's rows.
                line: rows[i] as u64 + 2,
            });
        }
        batch.first_row = rows[0] as u64;
        batch.columns = columns.into_iter().map(|values| values.column(count)).collect::<Result<_, _>>()?;
        Ok(Part { rows, batch })
    }
}

impl Values {
    fn column(self, rows: usize) -> Result<column::Column, String> {
        let column = match self {
            Values::Absent => return Ok(column::Column::Absent),
            Values::Text { codes, dictionary } => {
                let entries: Vec<&str> = dictionary.split(column::SEPARATOR).collect();
                let text = |&code: &u32| entries.get(code as usize).copied().unwrap_or_default();
                let texts: TextColumn = codes.iter().map(text).collect();
                if texts.codes() != codes || texts.dictionary() != dictionary {
                    return Err(
                        "a dictionary that does not have each text once, in order of appearance".into()
                    );
                }
                column::Column::Text(texts)
            }
            Values::Number(numbers) => column::Column::Number(numbers),
        };
        let found = match &column {
            column::Column::Text(texts) => texts.codes().len(),
            column::Column::Number(numbers) => numbers.len(),
            column::Column::Absent => rows,
        };
        if found == rows { Ok(column) } else { Err(format!("a column of {found} values for {rows} rows")) }
    }
}

/// The contract's name for a kind of column.
pub(super) fn kind_name(kind: ColumnKind) -> &'static str {
    kind.into()
}

/// A number of 64 bits, which is written as a string: not every JSON parser keeps all of it.
fn number<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    parsed(&String::deserialize(deserializer)?)
}

fn numbers<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|text| parsed(text)).collect()
}

/// Users are the names of an object's fields.
fn by_user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<i64, String>, D::Error> {
    let named = BTreeMap::<String, String>::deserialize(deserializer)?;
    named.into_iter().map(|(user, value)| Ok((parsed(&user)?, value))).collect()
}

fn parsed<T: FromStr<Err: Display>, E: serde::de::Error>(text: &str) -> Result<T, E> {
    text.parse().map_err(|error| E::custom(format_args!("`{text}`: {error}")))
}
