//! Looking at files apart from the run itself: how many rows they have, and which digest. Only
//! files that can be read again can be looked at.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::SourceError;
use crate::input::list::FileList;
use crate::input::open::{self, FileDigests};
use crate::reader::Source;
use crate::rules::InputRules;
use crate::tally::RejectLimit;

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
