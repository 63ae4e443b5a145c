//! What was found out about a file, and what is still to be decided.

use std::path::{Path, PathBuf};

/// What was found out about files that can be read in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sniffed {
    /// The files, and how many of the records are in each.
    pub files: Vec<(PathBuf, u64)>,
    /// In what they differ from the first of all files, if there are others.
    pub differs: Option<String>,
    /// Whether all of it was looked at.
    pub is_whole: bool,
    /// How many records were looked at, not counting the header and what surrounds the data.
    pub records: u64,
    /// What was found out.
    pub findings: Vec<Finding>,
}

/// What was found out about a part of the file's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which part.
    pub about: About,
    /// What it is, in words.
    pub what: String,
    /// How it can be read: in one way, in none, or in several, of which the user has to choose one.
    pub readings: Vec<Reading>,
}

/// A part of a file's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum About {
    /// What its bytes mean.
    Encoding,
    /// What separates its fields.
    Delimiter,
    /// What is around fields.
    Quote,
    /// Which lines are data.
    Lines,
    /// The column of the file's own ids.
    TransactionId,
    /// The column of the users.
    UserId,
    /// The column of the amounts, and how they are written.
    Amount,
    /// The column that says whether an amount is negative.
    Sign,
    /// The column of the currencies.
    Currency,
    /// The column of the times, and how they are written.
    Timestamp,
    /// To which zone's local time they are converted.
    Timezone,
}

/// A way to read something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The options for it; none if it is the way in which files are read anyway.
    pub flags: Vec<Flag>,
    /// Cells of the file, and what they mean then.
    pub examples: Vec<Example>,
}

/// An option of `host run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Its long name, without hyphens.
    pub name: &'static str,
    /// Its value, if it takes one.
    pub value: Option<String>,
}

/// A cell, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// As it is in the file, printable.
    pub cell: String,
    /// Its meaning.
    pub meaning: String,
}

impl Finding {
    /// The user has to say what is meant.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.readings.len() != 1
    }

    /// As files are read anyway.
    pub(super) fn usual(about: About, what: String, examples: Vec<Example>) -> Finding {
        Finding { about, what, readings: vec![Reading { flags: Vec::new(), examples }] }
    }

    pub(super) fn proposed(about: About, what: String, flags: Vec<Flag>, examples: Vec<Example>) -> Finding {
        Finding { about, what, readings: vec![Reading { flags, examples }] }
    }

    /// There is no option for it.
    pub(super) fn open(about: About, what: String) -> Finding {
        Finding { about, what, readings: Vec::new() }
    }
}

impl Flag {
    pub(super) fn new(name: &'static str, value: impl Into<String>) -> Flag {
        Flag { name, value: Some(value.into()) }
    }

    pub(super) fn switch(name: &'static str) -> Flag {
        Flag { name, value: None }
    }
}

impl Sniffed {
    /// Leaves out ways for which there is no option. What is left of several would not be all that is possible, so
    /// none is.
    pub fn without(&mut self, is_missing: impl Fn(&Flag) -> bool) {
        for finding in &mut self.findings {
            let missing =
                finding.readings.iter().flat_map(|reading| &reading.flags).find(|flag| is_missing(flag));
            if let Some(flag) = missing {
                finding.what += &format!("; there is no option for it (`{}`)", flag.name);
                finding.readings.clear();
            }
        }
    }

    /// The first of the files.
    #[must_use]
    pub fn first(&self) -> &Path {
        self.files.first().map_or(Path::new(""), |(file, _)| file)
    }

    /// The options on which nobody has to decide any more.
    pub fn flags(&self) -> impl Iterator<Item = &Flag> {
        let decided = self.findings.iter().filter(|finding| !finding.is_open());
        decided.flat_map(|finding| &finding.readings).flat_map(|reading| &reading.flags)
    }
}
