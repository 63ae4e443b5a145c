//! A file whose content was ingested before.

use serde::Serialize;

/// A file whose content was ingested before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownFile {
    /// The file's name, as given.
    pub name: String,
    /// Where that content was seen.
    #[serde(flatten)]
    pub from: KnownFrom,
}

/// Where a file's content was seen before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownFrom {
    /// A run that was committed.
    RunId(i64),
    /// Another file of this run, by its name.
    SameAs(String),
}
