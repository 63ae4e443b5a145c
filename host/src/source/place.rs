//! Looking at files apart from the run itself: how many rows they have, which digest, and where
//! one of their rows is. Only files that can be read again can be looked at.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::{FileList, InputRules, RejectLimit, Source, SourceError};
use crate::digest::{Measured, Sha256Digest};

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

/// The digest of each file; none where one cannot be read twice.
///
/// # Errors
/// Where a file cannot be read.
pub fn hash_files(files: &FileList) -> Result<Option<Vec<Sha256Digest>>, SourceError> {
    if files.size_bytes.is_none() {
        return Ok(None);
    }
    let digest = |path: &std::path::PathBuf| {
        let file = File::open(path).map_err(|source| SourceError::Open { file: path.clone(), source })?;
        let mut measured = Measured::new(io::BufReader::with_capacity(BUFFER_BYTES, file), Arc::default());
        io::copy(&mut measured, &mut io::sink())
            .map_err(|source| SourceError::Read { file: path.clone(), source })?;
        Ok(measured.digest().0)
    };
    files.files.iter().map(digest).collect::<Result<_, _>>().map(Some)
}

const BUFFER_BYTES: usize = 256 * 1024;

/// The files once more, whatever is rejected of them.
fn again(files: &FileList, rules: &InputRules) -> Option<Result<Source, SourceError>> {
    files.size_bytes?;
    let rules = InputRules { max_rejects: RejectLimit::Count(u64::MAX), ..rules.clone() };
    Some(Source::open(files.clone(), rules, &[], Arc::default()))
}
