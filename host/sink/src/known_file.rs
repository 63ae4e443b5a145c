//! A file whose content was ingested before.

use serde::Serialize;

/// A file whose content is known already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownFile {
    /// The file's name as it was given.
    pub name: String,
    /// From where it is known.
    #[serde(flatten)]
    pub from: KnownFrom,
}

/// From where a content is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownFrom {
    /// A run that was committed.
    RunId(i64),
    /// Another file of this run, by its name.
    SameAs(String),
}
