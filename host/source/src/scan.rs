//! Looking at files outside the run itself: how many rows they have, and their digests. This works only for
//! files that can be read again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_core::batch::Batch;

use crate::error::SourceError;
use crate::input::list::FileList;
use crate::input::open::{self, FileDigests};
use crate::layout::{Opened, open_rows, source_error};
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
    // Who they are does not matter.
    source.number_users_by(Box::new(|keys| Some(Box::new(move || Some(vec![0; keys.len()])))));
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

/// Records of a file as they are in it: decompressed and decoded, but otherwise unchanged.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The header, which is empty if there is none, and the records, each with a line break.
    pub text: Vec<u8>,
    /// The physical lines of the first and the last record; `None` if there are none.
    pub lines: Option<(u64, u64)>,
    /// How many records there are, not counting the header.
    pub records: u64,
    /// How many fields the header has, or the first record if there is no header.
    pub columns: usize,
    /// The byte between fields.
    pub delimiter: u8,
}

/// Cuts out those records of a file that start on a wanted physical line, and its header.
///
/// # Errors
/// If the file cannot be read, or if this is more than `max_bytes`.
pub fn excerpt(
    path: &Path,
    rules: &InputRules,
    is_wanted: &dyn Fn(u64) -> bool,
    max_bytes: usize,
) -> Result<Excerpt, SourceError> {
    let name = path.display().to_string();
    let Opened { mut body, header, first, dialect, .. } = open_rows(path, &name, rules, Arc::default())?;
    let mut excerpt = Excerpt { columns: first.len(), delimiter: dialect.delimiter, ..Excerpt::default() };
    if let Some(header) = header {
        excerpt.text.extend_from_slice(&header);
        excerpt.text.push(b'\n');
    }
    while let Some(record) = body.next().map_err(|error| source_error(path, &name, error))? {
        if !is_wanted(record.line) {
            continue;
        }
        excerpt.lines = Some((excerpt.lines.map_or(record.line, |(first, _)| first), record.line));
        excerpt.records += 1;
        excerpt.text.extend(record.raw);
        excerpt.text.push(b'\n');
        if excerpt.text.len() > max_bytes {
            return Err(SourceError::ExcerptTooLong { file: name, max_bytes });
        }
    }
    Ok(excerpt)
}

/// Opens the files again, with no limit on rejected rows; `None` if one of them has no size.
fn again(files: &FileList, rules: &InputRules) -> Option<Result<Source, SourceError>> {
    files.size_bytes?;
    let rules = InputRules { max_rejects: RejectLimit::Count(u64::MAX), ..rules.clone() };
    Some(Source::open(files.clone(), rules, &[], Arc::default()))
}
