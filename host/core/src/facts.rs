//! What is known about a file once it has been read, and how it was read: what the ledger keeps of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;

/// What is known about a file after its last byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// The name as it was given.
    pub name: String,
    /// Its size on disk.
    pub bytes: u64,
    /// The digest of its bytes on disk.
    pub sha256: Sha256Digest,
    /// The digest of its bytes after decompression.
    pub content_sha256: Sha256Digest,
    /// The names of its columns, as in the header, truncated to what the ledger keeps; `None` if it was read
    /// without a header.
    pub header: Option<String>,
    /// Records after the header.
    pub rows_read: u64,
    /// Those of them that are not valid rows.
    pub rows_rejected: u64,
    /// The sum of the amounts of the valid ones.
    pub total_cents: i128,
}

/// The reading rules that determine a file's values. Named as on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The character between fields.
    pub delimiter: char,
    /// The text encoding.
    pub encoding: String,
    /// Whether the first record is a row.
    pub no_header: bool,
    /// Columns that have other names in the file, or, without a header, their positions.
    pub columns: BTreeMap<String, String>,
    /// Whether amounts have a decimal comma.
    pub decimal_comma: bool,
    /// How timestamps are written.
    pub timestamp_format: String,
    /// The zone to which timestamps were converted.
    pub timezone: Option<String>,
    /// What the files have as ids of transactions. Absent in JSON if they are numbers, as in the ledgers of hosts
    /// that knew no others; so are those of users.
    #[serde(default, skip_serializing_if = "IdKind::is_number")]
    pub transaction_ids: IdKind,
    /// What they have as ids of users.
    #[serde(default, skip_serializing_if = "IdKind::is_number")]
    pub user_ids: IdKind,
    /// The character around fields that contain delimiters or line breaks. Absent in JSON if it is the usual one.
    #[serde(default = "usual_quote", skip_serializing_if = "is_usual_quote")]
    pub quote: char,
    // What follows is left out if it was not given, so that a run reads as it did before there were these.
    /// The columns that make up a timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_columns: Option<String>,
    /// How amounts are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_format: Option<String>,
    /// Whether amounts such as `1.250`, which may be in thousands, were rejected. Earlier hosts read them as 1.25.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rejects_three_decimals: bool,
    /// The column of amounts that are negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debit: Option<String>,
    /// The column of amounts that are positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<String>,
    /// The column that says the sign of an amount, and its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<String>,
    /// The column of currencies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// How many physical lines were left out at the beginning of each file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip_lines: u32,
    /// A text in a cell of the header, which may be further down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_contains: Option<String>,
    /// How many records were left out at the end of each file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip_last: u32,
    /// The beginning of the first line that was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_at: Option<String>,
    /// The record that each file had to end in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailer: Option<String>,
}

/// What is as by default is not stored, so that what earlier hosts stored has the same digest.
fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn usual_quote() -> char {
    '"'
}

/// Takes a reference because serde hands one over.
fn is_usual_quote(quote: &char) -> bool {
    *quote == usual_quote()
}

/// What a file has as ids of its transactions, or of its users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdKind {
    /// Whole numbers.
    #[default]
    Number,
    /// Texts, or numbers that are too large for the tables.
    Text,
    /// No such column.
    None,
}

impl IdKind {
    /// Whether these are numbers.
    #[must_use]
    pub fn is_number(&self) -> bool {
        *self == IdKind::Number
    }
}
