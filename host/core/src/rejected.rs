//! Rejected rows: records that could not be parsed, with everything that is needed to fix them.

use std::fmt;
use std::sync::Arc;

use crate::text::{printable, printable_bytes, printable_up_to};

/// A record that is not a valid row, with everything that is needed to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// The file's position in the run, from 1; names may occur twice.
    pub file_position: i32,
    /// The file's header record, verbatim; `None` with `--no-header`.
    pub header: Option<Arc<[u8]>>,
    /// The byte between its fields.
    pub delimiter: u8,
    /// The physical line on which the record starts, from 1.
    pub line: u64,
    /// Its position in the decompressed and decoded file.
    pub byte_offset: u64,
    /// The column's name in the file, if a single cell is to blame.
    pub column: Option<String>,
    /// What is wrong.
    pub problem: RowProblem,
    /// The record's bytes, without the line break.
    pub raw: Vec<u8>,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowProblem {
    /// Too few or too many fields.
    FieldCount {
        /// The number of fields in the header.
        expected: usize,
        /// The number of fields in the record.
        found: usize,
    },
    /// A cell that is not an exact value of its kind.
    Value {
        /// What it should be.
        kind: Kind,
        /// The cell.
        value: Vec<u8>,
        /// What is wrong with it.
        problem: Problem,
    },
}

impl RejectedRow {
    /// Its size in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let value = match &self.problem {
            RowProblem::Value { value, .. } => value.len(),
            RowProblem::FieldCount { .. } => 0,
        };
        size_of::<RejectedRow>() + self.raw.len() + value + self.column.as_ref().map_or(0, String::len)
    }

    /// A word for counting and searching, such as `amount_out_of_range`; part of the interface.
    #[must_use]
    pub fn reason(&self) -> String {
        match &self.problem {
            RowProblem::FieldCount { .. } => "field_count".into(),
            RowProblem::Value { kind, problem, .. } => {
                format!("{}_{}", kind.noun().replace(' ', "_"), problem.code())
            }
        }
    }

    /// What is wrong, for people, without saying where.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.problem {
            RowProblem::FieldCount { expected, found: 1 } => {
                format!("1 field where the header has {expected}: `{}`", self.shown())
            }
            RowProblem::FieldCount { expected, found } => {
                format!("{found} fields where the header has {expected}")
            }
            RowProblem::Value { value, problem, .. } => format!("`{}`: {problem}", printable_bytes(value)),
        }
    }
}

impl RejectedRow {
    /// The beginning of the record, even if it is a single odd byte.
    fn shown(&self) -> String {
        printable_up_to(&printable_bytes(&self.raw), SHOWN_CHARS).into_owned()
    }
}

/// How much of a record with a single field a message shows, in characters.
const SHOWN_CHARS: usize = 40;

impl fmt::Display for RejectedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = (printable(&self.file), self.line);
        match &self.problem {
            RowProblem::FieldCount { expected, found: 1 } => write!(
                f,
                "wrong number of fields in `{file}` at line {line}: 1 where the header has {expected}: `{}`",
                self.shown(),
            ),
            RowProblem::FieldCount { expected, found } => write!(
                f,
                "wrong number of fields in `{file}` at line {line}: {found} where the header has {expected}"
            ),
            RowProblem::Value { kind, value, .. } => write!(
                f,
                "invalid {} in `{file}` at line {line}, column `{}`: `{}`",
                kind.noun(),
                printable(self.column.as_deref().unwrap_or_default()),
                printable_bytes(value),
            ),
        }
    }
}

/// Why a cell is not a value. Says what is wrong; [`Kind::expected`] says what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Nothing (or only blanks) where a value is required.
    Empty,
    /// A character that is not allowed there.
    Unexpected(char),
    /// Bytes that are not UTF-8 text.
    InvalidUtf8,
    /// The cell ends where more is needed.
    Incomplete,
    /// More than two decimals, and they are not all zero.
    TooPrecise,
    /// Three digits behind a mark that may stand before decimals or between thousands.
    Thousands,
    /// More than six decimals of a second, and they are not all zero.
    FinerThanMicroseconds,
    /// Beyond what the column can hold.
    OutOfRange(&'static str),
    /// A day, hour, minute or second that does not exist.
    NoSuch(&'static str),
    /// A time zone or offset, which the column cannot hold.
    HasOffset,
    /// The name of a time zone that is unknown or ambiguous.
    UnknownZone,
    /// A local time that occurs twice in its zone, because clocks were set back.
    Ambiguous,
    /// Not in the format that `--timestamp-format` or `--amount-format` asks for.
    OtherForm,
    /// Both `--debit` and `--credit` have an amount.
    DebitAndCredit,
    /// A sign of its own, where another column says what the sign is.
    SignTwice,
    /// None of the values that `--sign` names.
    UnknownSign,
    /// None of the words that a label can be.
    UnknownLabel,
    /// The id of no row in the database.
    NoSuchRow,
    /// The id of several rows in the database.
    SeveralRows,
    /// The id of a row that no run has written.
    OfNoRun,
}

impl Problem {
    /// A word for counting and searching; part of the interface.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Problem::Empty => "empty",
            Problem::Unexpected(_) => "unexpected_character",
            Problem::InvalidUtf8 => "invalid_utf8",
            Problem::Incomplete => "incomplete",
            Problem::TooPrecise | Problem::FinerThanMicroseconds => "too_precise",
            Problem::Thousands => "ambiguous",
            Problem::OutOfRange(_) => "out_of_range",
            Problem::NoSuch(_) => "no_such_time",
            Problem::HasOffset => "has_offset",
            Problem::UnknownZone => "unknown_zone",
            Problem::Ambiguous => "ambiguous_time",
            Problem::OtherForm => "other_form",
            Problem::DebitAndCredit => "debit_and_credit",
            Problem::SignTwice => "sign_twice",
            Problem::UnknownSign | Problem::UnknownLabel => "unknown",
            Problem::NoSuchRow => "not_found",
            Problem::SeveralRows => "not_unique",
            Problem::OfNoRun => "of_no_run",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Empty => f.write_str("the value is empty"),
            Problem::Unexpected(found) => write!(f, "unexpected character `{}`", found.escape_debug()),
            Problem::InvalidUtf8 => f.write_str("the bytes are not UTF-8 text"),
            Problem::Incomplete => f.write_str("the value ends too early"),
            Problem::TooPrecise => f.write_str("more than two decimals cannot be stored exactly"),
            Problem::Thousands => f.write_str("it may be in thousands, or have three decimals"),
            Problem::FinerThanMicroseconds => {
                f.write_str("more than six decimals of a second cannot be stored exactly")
            }
            Problem::OutOfRange(range) => write!(f, "out of range: {range}"),
            Problem::NoSuch(what) => write!(f, "there is no such {what}"),
            Problem::OtherForm => f.write_str("it does not have the requested format"),
            Problem::DebitAndCredit => f.write_str("both debit and credit have an amount"),
            Problem::SignTwice => f.write_str("it has a minus sign, but its sign is said by another column"),
            Problem::UnknownSign => f.write_str("it is none of the values that `--sign` names"),
            Problem::UnknownLabel => f.write_str("it is none of the words that a label can be"),
            Problem::NoSuchRow => f.write_str("no row in the database has it"),
            Problem::SeveralRows => f.write_str("several rows in the database have it"),
            Problem::OfNoRun => f.write_str("the row that has it was not written by a run in the ledger"),
            Problem::HasOffset => f.write_str(
                "a time zone or offset would be lost, as the column has none; `--timezone` converts it",
            ),
            Problem::UnknownZone => f.write_str("the name of its time zone is unknown or ambiguous"),
            Problem::Ambiguous => {
                f.write_str("this local time occurs twice in its zone, before and after clocks were set back")
            }
        }
    }
}

/// What a column's cells are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The file's own transaction id.
    TransactionId,
    /// The file's own transaction id, as text.
    TransactionKey,
    /// A user's id.
    UserId,
    /// A user's id, as text.
    UserKey,
    /// An amount of money.
    Amount,
    /// What says whether an amount is negative.
    Sign,
    /// A date and time.
    Timestamp,
    /// A currency.
    Currency,
    /// The text of a further column.
    Text,
    /// The number of a further column.
    Number,
    /// Whether a row has turned out to be fraud.
    Label,
}

impl Kind {
    /// Its name in messages.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Kind::TransactionId | Kind::TransactionKey => "transaction id",
            Kind::UserId | Kind::UserKey => "user id",
            Kind::Amount => "amount",
            Kind::Sign => "sign",
            Kind::Timestamp => "timestamp",
            Kind::Currency => "currency",
            Kind::Text => "text",
            Kind::Number => "number",
            Kind::Label => "label",
        }
    }

    /// What a valid cell looks like.
    #[must_use]
    pub fn expected(self) -> &'static str {
        match self {
            Kind::TransactionId | Kind::UserId => "ids are whole numbers such as `4182`",
            Kind::TransactionKey | Kind::UserKey => "ids are texts of 1 to 255 bytes",
            Kind::Amount => "amounts look like `12.50`",
            Kind::Sign | Kind::Text => "",
            Kind::Currency => "currencies look like `EUR`",
            Kind::Label => {
                "labels are `1`, `true`, `yes` or `fraud`, and `0`, `false`, `no` or `genuine`, in any case"
            }
            Kind::Number => "numbers look like `12.5`, `-3` or `1e-9`",
            Kind::Timestamp => "timestamps look like `2024-02-29 23:59:59` or `2024-02-29T23:59:59.123456`",
        }
    }
}
