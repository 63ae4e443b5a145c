//! Looking at files apart from the run itself: how many rows they have, which digest, and where
//! one of their rows is. Only files that can be read again can be looked at.

use std::path::PathBuf;
use std::sync::Arc;

use super::open::{self, FileDigests};
use super::{FileList, InputRules, RejectLimit, Source, SourceError};

/// Where a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPlace {
    /// The file's name as it was given.
    pub file: String,
    /// The physical line on which the row starts, from 1.
    pub line: u64,
}

/// The place of a row by its position in the run, from 0; none where the files cannot be read
/// again or are others by now.
#[must_use]
pub fn place_of_row(files: &FileList, rules: &InputRules, row: u64) -> Option<RowPlace> {
    let mut source = again(files, rules)?.ok()?;
    while let Some(parsed) = source.next_part().ok()? {
        let batch = parsed.batch;
        if row < batch.first_row + batch.len() as u64 {
            let line = *batch.lines.get(usize::try_from(row - batch.first_row).ok()?)?;
            return Some(RowPlace { file: batch.file.to_string(), line });
        }
    }
    None
}

/// How many rows there are; none where the files cannot be read twice.
///
/// # Errors
/// Those of [`Source`].
pub fn count_rows(files: &FileList, rules: &InputRules) -> Result<Option<u64>, SourceError> {
    let Some(source) = again(files, rules) else { return Ok(None) };
    let mut source = source?;
    let mut rows = 0;
    while let Some(parsed) = source.next_part()? {
        rows += parsed.batch.len() as u64;
    }
    Ok(Some(rows))
}

/// The digests of each file; `None` for one that cannot be read twice, such as a pipe.
///
/// # Errors
/// Where a file cannot be read.
pub fn hash_files(files: &FileList) -> Result<Vec<Option<FileDigests>>, SourceError> {
    let hash = |path: &PathBuf| match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => open::digests(path).map(Some),
        // Whether it can be opened at all is found out when it is read.
        _ => Ok(None),
    };
    files.files.iter().map(hash).collect()
}

/// The files once more, whatever is rejected of them.
fn again(files: &FileList, rules: &InputRules) -> Option<Result<Source, SourceError>> {
    files.size_bytes?;
    let rules = InputRules { max_rejects: RejectLimit::Count(u64::MAX), ..rules.clone() };
    Some(Source::open(files.clone(), rules, &[], Arc::default()))
}
