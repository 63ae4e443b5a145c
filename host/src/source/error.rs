//! What can be wrong with a file, and what to do about it.

use std::path::PathBuf;

use thiserror::Error;

use super::value::{Kind, Problem};
use crate::text::{listed, nearest, printable, printable_bytes};

/// How many of a file's columns a message names.
const SHOWN_COLUMNS: usize = 20;

/// Why a file could not be turned into rows. `file` is the name as it was given.
#[derive(Debug, Error)]
pub enum SourceError {
    /// It cannot be opened.
    #[error("open the file `{}`", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is a folder, a device or the like.
    #[error("`{}` is {what}, not a file", file.display())]
    NotAFile {
        /// What was given.
        file: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Reading failed on the way.
    #[error("read the file `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has no bytes, or blank lines only.
    #[error("`{}` is empty: there is not even a header line", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// It is something else than CSV in UTF-8.
    #[error("`{}` is not CSV text: it looks like {found}", file.display())]
    NotCsv {
        /// The file.
        file: PathBuf,
        /// What it looks like.
        found: &'static str,
    },
    /// A column is not there.
    #[error("`{}` has no column `{column}`; its header has {}", file.display(), listed(found, SHOWN_COLUMNS))]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The column that is needed.
        column: String,
        /// The columns that are there.
        found: Vec<String>,
        /// Whether the detector asked for it.
        for_detector: bool,
    },
    /// Two columns would serve.
    #[error("`{}` has the column `{column}` more than once: columns {first} and {second}", file.display())]
    DuplicateColumn {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
        /// Position of the one, from 1.
        first: usize,
        /// Position of the other, from 1.
        second: usize,
    },
    /// A record with too few or too many fields.
    #[error("wrong number of fields in `{}` at line {line}: {found} where the header has {expected}", file.display())]
    FieldCount {
        /// The file.
        file: PathBuf,
        /// The physical line on which the record starts.
        line: u64,
        /// Fields of the header.
        expected: usize,
        /// Fields of the record.
        found: usize,
    },
    /// A cell that is no exact value.
    #[error("invalid {} in `{}` at line {line}, column `{}`: `{}`", kind.noun(), file.display(), printable(column), printable_bytes(value))]
    Value {
        /// The file.
        file: PathBuf,
        /// The physical line on which the record starts.
        line: u64,
        /// The column's name in the file.
        column: String,
        /// The cell's bytes.
        value: Vec<u8>,
        /// What the cell should be.
        kind: Kind,
        /// What is wrong.
        source: ValueProblem,
    },
    /// A cell of a column that the detector asked for is no text.
    #[error("invalid text in `{}` at line {line}, column `{}`: `{}`", file.display(), printable(column), printable_bytes(value))]
    Attribute {
        /// The file.
        file: PathBuf,
        /// The physical line on which the record starts.
        line: u64,
        /// The column's name.
        column: String,
        /// The cell's bytes.
        value: Vec<u8>,
        /// What is wrong.
        source: ValueProblem,
    },
}

/// A [`Problem`] as the cause in a chain of errors.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ValueProblem(pub Problem);

impl SourceError {
    /// What the user can do, where there is something.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            SourceError::MissingColumn { column, found, for_detector, .. } => {
                let near = nearest(column, found.iter().map(String::as_str));
                Some(match (near, for_detector) {
                    (Some(near), _) => format!("is it the column `{}`? Then rename it to `{column}`", printable(near)),
                    (None, true) => format!("the detector asks for `{column}`; add it to the file or choose another detector"),
                    (None, false) => "the header must name transaction_id, user_id, amount and timestamp, in any order".into(),
                })
            }
            SourceError::DuplicateColumn { .. } => Some("remove or rename one of them".into()),
            SourceError::NotCsv { found, .. } => Some(format!("convert the {found} to CSV in UTF-8 first")),
            SourceError::Value { kind, .. } => Some(kind.expected().into()),
            SourceError::FieldCount { .. } => {
                Some("a field that contains a comma or a line break must be quoted, and every quote closed".into())
            }
            SourceError::Empty { .. } => Some("the first line must be `transaction_id,user_id,amount,timestamp`, followed by one line a transaction".into()),
            _ => None,
        }
    }
}
