//! What can be wrong with files, and what to do about it.

use std::num::NonZero;
use std::path::PathBuf;

use host_core::rejected::{Problem, RejectedRow, RowProblem};
use host_core::text::{counted, listed, printable, shell_quoted};
use thiserror::Error;

use crate::hints;
use crate::input::format::Foreign;
use crate::input::identity::Change;
use crate::input::list::Note;
use crate::tally::{RejectLimit, Tally};

/// How many of a file's columns a message names.
const SHOWN_COLUMNS: usize = 20;

/// Why files could not be turned into rows. `file` is the name as it was given.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "input_")]
#[non_exhaustive]
pub enum SourceError {
    /// It cannot be opened.
    #[error("could not open `{}`", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A folder or a pattern without files.
    #[error("there are no CSV files in `{}`", given.display())]
    NoFiles {
        /// What was given.
        given: PathBuf,
        /// What is there.
        left_out: Vec<Note>,
    },
    /// Something in a folder, or matched by a pattern, that should be a file and cannot be read.
    #[error("could not read `{}`, which is part of `{}`", file.display(), within.display())]
    Entry {
        /// The file, or a folder on the way to it.
        file: PathBuf,
        /// The folder or the pattern.
        within: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A pattern that is invalid.
    #[error("the pattern `{}` is invalid", given.display())]
    Pattern {
        /// What was given.
        given: PathBuf,
        /// Why.
        source: glob::PatternError,
    },
    /// Reading failed.
    #[error("could not read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has no bytes, or only blank lines.
    #[error("`{}` is empty: it does not even have a header line", printable(file))]
    Empty {
        /// The file.
        file: String,
    },
    /// A file of labels that has no bytes, or only blank lines.
    #[error("`{}` is empty: it does not even have a header line", printable(file))]
    NoLabels {
        /// The file.
        file: String,
    },
    /// No delimiter divides its lines into columns.
    #[error("`{}` has no columns: none of `,`, `;`, `|` and tabs divides its lines", printable(file))]
    NoColumns {
        /// The file.
        file: String,
    },
    /// It is not CSV text.
    #[error("`{}` is not CSV text: it looks like {found}", file.display())]
    NotCsv {
        /// The file.
        file: PathBuf,
        /// What it looks like.
        found: Foreign,
    },
    /// A column is missing.
    #[error(
        "`{}` has no column `{}`; its header has {}",
        printable(file),
        printable(column),
        listed(found, SHOWN_COLUMNS)
    )]
    MissingColumn {
        /// The file.
        file: String,
        /// The column that is needed.
        column: String,
        /// The columns that it has.
        found: Vec<String>,
        /// Its name, by which `--column` gives it another one; or the option that names it.
        name: Box<str>,
        /// The physical line of a record further down that looks like the header.
        header_line: Option<NonZero<u64>>,
    },
    /// Nothing is left of it.
    #[error(
        "`{}` has only {}, and `--skip-lines {skip_lines}` leaves nothing of it",
        printable(file),
        counted(*lines, "line")
    )]
    TooFewLines {
        /// The file.
        file: String,
        /// How many physical lines it has.
        lines: u64,
        /// How many of them are left out.
        skip_lines: u32,
    },
    /// No record has the text by which the header is recognised.
    #[error(
        "`{}` has no header with `{}`: no cell on lines {} to {} contains it",
        printable(file),
        printable(text),
        lines.0,
        lines.1
    )]
    HeaderNotFound {
        /// The file.
        file: String,
        /// The text.
        text: String,
        /// The first and the last physical line that was searched.
        lines: (u64, u64),
        /// The first of them: where, and what.
        shown: Vec<(String, String)>,
    },
    /// Its first line names another delimiter than the one that was given.
    #[error(
        "the first line of `{}` says that `{}` separates its fields, but `--delimiter` is `{}`",
        printable(file),
        named.escape_debug(),
        given.escape_debug()
    )]
    OtherDelimiter {
        /// The file.
        file: String,
        /// The one that the line names.
        named: char,
        /// The one that was given.
        given: char,
    },
    /// The records that are to be left out at the end are too large to find out which they are.
    #[error(
        "{} of `{}`, from line {line}, are too large to be held back until the end of the file is known",
        counted(*records as u64, "record"),
        printable(file)
    )]
    HeldBack {
        /// The file.
        file: String,
        /// The physical line on which the first of them starts.
        line: u64,
        /// How many they are.
        records: usize,
    },
    /// A file without a header has too few columns, or nothing says which one is needed.
    #[error(
        "`{}` has no column `{}`; its first record has {fields} fields",
        printable(file),
        printable(column)
    )]
    MissingPosition {
        /// The file.
        file: String,
        /// The column that is needed.
        column: String,
        /// The number of fields in the first record.
        fields: usize,
        /// Its name, by which `--column` gives its position; or the option that names it.
        name: String,
    },
    /// Two columns have the name.
    #[error(
        "`{}` has the column `{}` more than once: columns {first} and {second}",
        printable(file),
        printable(column)
    )]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// Position of the first, from 1.
        first: usize,
        /// Position of the second, from 1.
        second: usize,
    },
    /// A quote that swallows the rest of the file.
    #[error("the quote that opens in `{}` at line {line} is never closed", printable(file))]
    UnclosedQuote {
        /// The file.
        file: String,
        /// The physical line of the quote.
        line: u64,
    },
    /// A record longer than allowed.
    #[error("the record in `{}` at line {line} is longer than {max_bytes} bytes", printable(file))]
    RecordTooLong {
        /// The file.
        file: String,
        /// The physical line on which it starts.
        line: u64,
        /// The limit.
        max_bytes: usize,
        /// The physical line of a quote that is not closed within the limit.
        quote_line: Option<u64>,
    },
    /// More than may be cut out of a file.
    #[error("the records to be cut out of `{}` have more than {max_bytes} bytes", printable(file))]
    ExcerptTooLong {
        /// The file.
        file: String,
        /// The limit.
        max_bytes: usize,
    },
    /// It changed between the start and the end of reading.
    #[error("`{}` changed while it was read: {change}", file.display())]
    Changed {
        /// The file.
        file: PathBuf,
        /// How.
        change: Change,
    },
    /// An invalid record, where none may be rejected.
    #[error("{0}")]
    Row(Box<RejectedRow>, #[source] Option<ValueProblem>),
    /// More invalid records than may be rejected.
    #[error("{} of {records} records were rejected; at most {limit} are allowed", tally.count)]
    TooManyRejects {
        /// The limit.
        limit: RejectLimit,
        /// Records read so far.
        records: u64,
        /// What was rejected.
        tally: Box<Tally>,
        /// The last of them, which have not been passed on.
        last: Vec<RejectedRow>,
        /// How to see them all.
        listing: &'static str,
    },
    /// Fewer rows than the user requires of a delivery.
    #[error("the run has {} to write, fewer than --min-rows {min_rows}", counted(*rows, "row"))]
    TooFewRows {
        /// Rows that would have been written.
        rows: u64,
        /// The required minimum.
        min_rows: u64,
    },
    /// Nobody is there any more to number users: whoever was has failed, and says so itself.
    #[error("nobody numbers the users any more")]
    UsersNotNumbered,
    /// The last record is not the trailer.
    #[error("`{}` does not end in the trailer `{}`", printable(file), printable(trailer))]
    NoTrailer {
        /// The file.
        file: String,
        /// What it looks like.
        trailer: String,
        /// What separates its fields, and those of the file.
        delimiter: char,
        /// The last record: its physical line, and what it is.
        found: Option<(u64, String)>,
    },
    /// The trailer says something else than what was read.
    #[error(
        "the trailer of `{}` at line {line} says that the {what} is `{expected}`, but it is {found}",
        printable(file)
    )]
    TrailerDisagrees {
        /// The file.
        file: String,
        /// The physical line of the trailer.
        line: u64,
        /// What it says something about.
        what: &'static str,
        /// What it says.
        expected: Box<str>,
        /// What was read.
        found: Box<str>,
        /// Records that were rejected, and are not in what was read.
        rejected: u64,
    },
    /// The last line has no line break.
    #[error("the last line of `{}` has no line break: it may have been cut off", printable(file))]
    NoFinalNewline {
        /// The file.
        file: String,
    },
    /// The file is another than the one that is expected.
    #[error("the sha256 of `{}` is {found}, but `--expect-sha256` is {expected}", printable(file))]
    OtherDigest {
        /// The file.
        file: String,
        /// The digest that it should have.
        expected: String,
        /// The one it has.
        found: String,
    },
    /// More or fewer records than expected.
    #[error("the run has read {}, but `--expect-rows` is {expected}", counted(*found, "record"))]
    OtherRowCount {
        /// How many there should be.
        expected: u64,
        /// How many there are, also those that were rejected.
        found: u64,
    },
    /// Another sum of amounts than expected.
    #[error("the amounts that the run has read sum up to {found}, but `--expect-total` is {expected}")]
    OtherTotal {
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
        /// Records that were rejected, whose amounts are not in it.
        rejected: u64,
    },
    /// The rejected rows were written, but not under the requested name.
    #[error("could not move the rejected rows to `{}`; they are in `{}`", file.display(), kept.display())]
    RejectsNotInPlace {
        /// The requested name.
        file: PathBuf,
        /// Where they are.
        kept: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file for rejected rows is one that the run reads.
    #[error("rejected rows cannot go to `{}`: the run reads it, as `{}`", file.display(), other.display())]
    RejectsOverInput {
        /// The file for rejected rows.
        file: PathBuf,
        /// The name under which the run reads it.
        other: PathBuf,
    },
    /// The file for rejected rows cannot be written.
    #[error("could not write the rejected rows to `{}`", file.display())]
    RejectsFile {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// A [`Problem`] as a cause in a chain of errors.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ValueProblem(pub Problem);

impl SourceError {
    /// The error for the first rejected row, where none may be rejected.
    fn row(rejected: RejectedRow) -> SourceError {
        let problem = match &rejected.problem {
            RowProblem::FieldCount { .. } => None,
            RowProblem::Value { problem, .. } => Some(ValueProblem(*problem)),
        };
        SourceError::Row(Box::new(rejected), problem)
    }

    /// Whether it may go on after these rejected rows, the last of `records`; with `at_end`, there are no more. `listing`
    /// says how to see them all.
    ///
    /// # Errors
    /// If too many were rejected.
    pub fn unless_too_many(
        tally: &Tally,
        limit: RejectLimit,
        last: &[RejectedRow],
        (records, at_end): (u64, bool),
        listing: &'static str,
    ) -> Result<(), SourceError> {
        if !tally.exceeds(limit, records, at_end) {
            return Ok(());
        }
        match last.first() {
            // If no row may be rejected, the first one is reported in full.
            Some(first) if limit == RejectLimit::Count(0) => Err(SourceError::row(first.clone())),
            _ => Err(SourceError::TooManyRejects {
                limit,
                records,
                tally: Box::new(tally.clone()),
                last: last.to_vec(),
                listing,
            }),
        }
    }

    /// If the file could be read and the error is about its rows: the last rejected rows, which have not been
    /// passed on.
    #[must_use]
    pub fn refused_rows(&self) -> Option<&[RejectedRow]> {
        match self {
            SourceError::Row(row, _) => Some(std::slice::from_ref(row)),
            SourceError::TooManyRejects { last, .. } => Some(last),
            _ => None,
        }
    }

    /// Further details, each with a label.
    #[must_use]
    pub fn details(&self) -> Vec<(String, &str)> {
        let tally = match self {
            SourceError::TooManyRejects { tally, .. } => tally,
            SourceError::HeaderNotFound { shown, .. } => {
                return shown.iter().map(|(line, text)| (line.clone(), text.as_str())).collect();
            }
            SourceError::NoTrailer { found: Some((line, text)), .. } => {
                return vec![(format!("line {line}"), text.as_str())];
            }
            _ => return Vec::new(),
        };
        let reasons =
            tally.by_reason.iter().map(|(reason, count)| (counted(*count, "time"), reason.as_str()));
        reasons.chain(tally.first.iter().map(|first| ("for instance".to_owned(), first.as_str()))).collect()
    }

    /// What the user can do, if anything.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            SourceError::MissingColumn { column, found, name, header_line, .. } => {
                Some(hints::on_header(name, column, found, header_line.map(NonZero::get)))
            }
            SourceError::HeaderNotFound { .. } => {
                Some("the text must be in the header as it is there, in the same case; or say how many lines come before the header, with `--skip-lines`".into())
            }
            SourceError::OtherDelimiter { .. } => Some("leave out `--delimiter`".into()),
            SourceError::HeldBack { .. } => {
                Some("are there really so many records at the end that are not rows? `--stop-at` needs no memory".into())
            }
            SourceError::NoTrailer { delimiter, .. } => Some(format!(
                "a file without its trailer is not complete; fields of the template are separated as in the file, by `{}`",
                delimiter.escape_debug()
            )),
            SourceError::TrailerDisagrees { rejected, .. } | SourceError::OtherTotal { rejected, .. }
                if *rejected > 0 =>
            {
                let records = counted(*rejected, "record");
                Some(format!("the sum is without {records} that could not be read; `host check` with the same arguments lists what could not be read"))
            }
            SourceError::TrailerDisagrees { .. }
            | SourceError::NoFinalNewline { .. }
            | SourceError::OtherDigest { .. }
            | SourceError::OtherRowCount { .. }
            | SourceError::OtherTotal { .. } => {
                Some("is it complete? Ask its sender for the whole file, or check what was expected of it".into())
            }
            SourceError::MissingPosition { name, fields, .. } if name.starts_with("--") => {
                Some(format!("name it in {name} by its position, from 1 to {fields}"))
            }
            SourceError::MissingPosition { name, fields, .. } => {
                let argument = shell_quoted(name);
                let without = hints::without(name).map_or(String::new(), |without| format!("; {without}"));
                Some(format!("pass `--column {argument}=POSITION`, from 1 to {fields}{without}"))
            }
            SourceError::RejectsOverInput { .. } => Some("name another file with --rejects".into()),
            SourceError::Changed { .. } => Some("run again when it is complete; a program that delivers files should write them under another name and rename them once they are complete".into()),
            SourceError::DuplicateColumn { .. } => Some("remove or rename one of them".into()),
            SourceError::NotCsv { file, found } => Some(found.help(file)),
            SourceError::NoFiles { left_out, .. } if !left_out.is_empty() => {
                Some(left_out.iter().map(Note::to_string).collect::<Vec<_>>().join("; "))
            }
            SourceError::Entry { .. } => {
                Some("what looks like data must be readable: remove it, or name the files one by one".into())
            }
            SourceError::UnclosedQuote { .. } => {
                Some("close the quote; a quote inside a quoted field is written twice".into())
            }
            SourceError::RecordTooLong { quote_line: Some(line), .. } => {
                Some(format!("the quote at line {line} is not closed within that length; should it be?"))
            }
            SourceError::RecordTooLong { .. } => Some("is it CSV, and is `--delimiter` right?".into()),
            SourceError::Row(rejected, _) => Some(match (hints::on_row(rejected), &rejected.problem) {
                (Some(hint), _) => format!("{hint}; {GO_ON}"),
                (None, RowProblem::Value { kind, .. }) if kind.expected().is_empty() => GO_ON.into(),
                (None, RowProblem::Value { kind, .. }) => format!("{}; {GO_ON}", kind.expected()),
                (None, RowProblem::FieldCount { .. }) => {
                    format!("a field that contains the delimiter or a line break must be quoted; {GO_ON}")
                }
            }),
            SourceError::TooManyRejects { tally, listing, .. } => {
                Some(tally.hint.as_ref().map_or((*listing).into(), |hint| format!("{hint}; {listing}")))
            }
            SourceError::NoLabels { .. } => {
                Some("its first line must name the columns, such as `transaction_id,is_fraud,known_at`".into())
            }
            SourceError::Empty { .. } => Some("the first line must be `transaction_id,user_id,amount,timestamp`, followed by one line a transaction".into()),
            _ => None,
        }
    }
}

const GO_ON: &str = "to go on past bad rows, pass `--max-rejects 10`";
