//! What is known of a file once it was read, and how it was read: what the ledger keeps of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;

/// What is known of a file after its last byte.
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
    /// The names of its columns, as the header has them, cut to what a ledger should keep; `None`
    /// if it was read without a header.
    pub header: Option<String>,
    /// Records after the header.
    pub rows_read: u64,
    /// Those of them that are no rows.
    pub rows_rejected: u64,
}

/// Those of the rules for reading that decide which values a file has. Named as on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Between fields.
    pub delimiter: char,
    /// What text it is.
    pub encoding: String,
    /// Whether the first record is a row.
    pub no_header: bool,
    /// Columns with other names, or, without a header, positions.
    pub columns: BTreeMap<String, String>,
    /// Whether amounts have a decimal comma.
    pub decimal_comma: bool,
    /// How timestamps are written.
    pub timestamp_format: String,
    /// The zone to which timestamps were converted.
    pub timezone: Option<String>,
}
