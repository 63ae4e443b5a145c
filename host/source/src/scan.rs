//! Looking at files outside the run itself: how many rows they have, and their digests. This works only for
//! files that can be read again.

use std::path::PathBuf;
use std::sync::Arc;

use host_core::batch::Batch;

use crate::error::SourceError;
use crate::input::list::FileList;
use crate::input::open::{self, FileDigests};
use crate::reader::Source;
use crate::rules::InputRules;
use crate::tally::RejectLimit;

/// How many rows each file has; `None` if one of them cannot be read twice.
///
/// # Errors
/// Those of [`Source`].
pub fn count_rows(files: &FileList, rules: &InputRules) -> Result<Option<Vec<u64>>, SourceError> {
    let Some(source) = again(files, rules) else { return Ok(None) };
    let mut source = source?;
    let mut spent = Batch::default();
    while let Some(parsed) = source.next_part(spent)? {
        spent = parsed.batch;
    }
    let (files, _, _) = source.finish();
    Ok(Some(files.iter().map(|file| file.rows_read - file.rows_rejected).collect()))
}

/// The digests of each file; `None` for one that cannot be read twice, such as a pipe.
///
/// # Errors
/// If a file cannot be read.
pub fn hash_files(files: &FileList) -> Result<Vec<Option<FileDigests>>, SourceError> {
    let hash = |path: &PathBuf| match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => open::digests(path).map(Some),
        // Whether it can be opened at all will show when it is read.
        _ => Ok(None),
    };
    files.files.iter().map(hash).collect()
}

/// Opens the files again, with no limit on rejected rows; `None` if one of them has no size.
fn again(files: &FileList, rules: &InputRules) -> Option<Result<Source, SourceError>> {
    files.size_bytes?;
    let rules = InputRules { max_rejects: RejectLimit::Count(u64::MAX), ..rules.clone() };
    Some(Source::open(files.clone(), rules, &[], Arc::default()))
}
