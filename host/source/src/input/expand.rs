//! Which files the arguments mean: a file means itself, a folder the CSV files in it, a pattern whatever it
//! matches, and `-` standard input.
//!
//! A run over a folder that misses one of its files has the wrong data, so nothing is left out silently: what
//! looks like data and cannot be read is an error; what is left out because it is not data is reported in a
//! [`Note`].

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glob::{MatchOptions, Pattern};

use crate::error::SourceError;
use crate::input::encoding::Encoding;
use crate::input::identity::is_stdin;
use crate::input::list::{FileList, Note};
use crate::input::open::open;

/// The endings of the files that are taken from a folder.
const ENDINGS: [&str; 3] = [".csv", ".csv.gz", ".csv.zst"];
/// How deep `**` goes.
const MAX_DEPTH: usize = 64;
/// A longer file has content, even if it is compressed.
const MAX_EMPTY_BYTES: u64 = 1_024;

/// Expands the arguments to files. The files of each argument are sorted by name; files without content are
/// left out if there are others.
///
/// # Errors
/// If a name does not exist, or something cannot be read.
pub fn expand(given: &[PathBuf]) -> Result<FileList, SourceError> {
    let mut list = FileList::default();
    for path in given {
        let found = if path.is_dir() {
            in_folder(path)?
        } else if path.to_str().is_some_and(is_pattern) && fs::symlink_metadata(path).is_err() {
            by_pattern(path)?
        } else {
            list.files.push(path.clone());
            continue;
        };
        let (files, notes) = found.sorted();
        if files.is_empty() {
            return Err(SourceError::NoFiles { given: path.clone(), left_out: notes });
        }
        list.files.extend(files);
        list.notes.extend(notes);
    }
    list.leave_out_empty()?;
    list.size_bytes = Some(0);
    for file in &list.files {
        let size = if is_stdin(file) {
            None
        } else {
            let metadata =
                fs::metadata(file).map_err(|source| SourceError::Open { file: file.clone(), source })?;
            metadata.is_file().then_some(metadata.len())
        };
        list.size_bytes = list.size_bytes.zip(size).and_then(|(sum, size)| sum.checked_add(size));
    }
    Ok(list)
}

impl FileList {
    /// Drops the files at these positions, from 0. The size remains an upper bound.
    pub fn leave_out(&mut self, positions: &BTreeSet<usize>) {
        let mut position = 0..;
        self.files.retain(|_| position.next().is_some_and(|position| !positions.contains(&position)));
    }

    /// Makes an empty file an error even if there are others.
    ///
    /// # Errors
    /// If one was left out.
    pub fn without_empty_files(self) -> Result<FileList, SourceError> {
        let empty = self.notes.iter().find_map(|note| match note {
            Note::Empty { files } => files.first(),
            _ => None,
        });
        match empty {
            Some(file) => Err(SourceError::Empty { file: file.display().to_string() }),
            None => Ok(self),
        }
    }

    fn leave_out_empty(&mut self) -> Result<(), SourceError> {
        if self.files.len() < 2 {
            return Ok(());
        }
        let (empty, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.files).into_iter().partition(|file| is_empty(file));
        match empty.first() {
            Some(first) if others.is_empty() => {
                return Err(SourceError::Empty { file: first.display().to_string() });
            }
            Some(_) => self.notes.push(Note::Empty { files: empty }),
            None => {}
        }
        self.files = others;
        Ok(())
    }
}

/// Whether a file has no content: no bytes, or only line breaks and the mark that ends a DOS file, compressed
/// or not. A file that cannot be read is noticed later.
fn is_empty(file: &Path) -> bool {
    let may_be =
        fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= MAX_EMPTY_BYTES);
    if !may_be || is_stdin(file) {
        return false;
    }
    let utf16 = |head: &[u8]| head == b"\xff\xfe" || head == b"\xfe\xff";
    if fs::read(file).is_ok_and(|bytes| utf16(&bytes)) {
        return true;
    }
    let Ok(input) = open(file, Encoding::Utf8, Arc::default()) else { return false };
    let mut text = Vec::new();
    let read = input.take(MAX_EMPTY_BYTES).read_to_end(&mut text);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    read.is_ok() && text.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b'\x1a'))
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// What is in a folder or matches a pattern.
struct Found<'a> {
    /// The folder or the pattern.
    within: &'a Path,
    files: Vec<PathBuf>,
    hidden: Vec<String>,
    other_names: Vec<String>,
    sub_folders: Vec<String>,
}

impl<'a> Found<'a> {
    fn new(within: &'a Path) -> Found<'a> {
        Found { within, files: vec![], hidden: vec![], other_names: vec![], sub_folders: vec![] }
    }

    /// Files and notes.
    fn sorted(mut self) -> (Vec<PathBuf>, Vec<Note>) {
        self.files.sort();
        self.files.dedup();
        let within = self.within.to_owned();
        let mut notes = vec![
            (Note::Hidden { within: within.clone(), names: vec![] }, self.hidden),
            (Note::OtherNames { within: within.clone(), names: vec![] }, self.other_names),
            (Note::SubFolders { within, names: vec![] }, self.sub_folders),
        ];
        notes.retain(|(_, names)| !names.is_empty());
        let filled = notes.into_iter().map(|(mut note, mut found)| {
            found.sort();
            if let Note::Hidden { names, .. }
            | Note::OtherNames { names, .. }
            | Note::SubFolders { names, .. } = &mut note
            {
                *names = found;
            }
            note
        });
        (self.files, filled.collect())
    }

    /// Adds a file, or notes a sub-folder.
    fn add(&mut self, path: PathBuf) -> Result<(), SourceError> {
        let metadata = self.look_at(&path)?;
        let kind = metadata.file_type();
        if kind.is_file() {
            self.files.push(path);
            return Ok(());
        }
        if kind.is_dir() {
            self.sub_folders.push(self.name_of(&path));
            return Ok(());
        }
        let what = match kind {
            _ if kind.is_fifo() => "it is a named pipe, not a file; it can be read if given by name",
            _ if kind.is_socket() => "it is a socket, not a file",
            _ => "it is a device, not a file",
        };
        Err(self.cannot_read(&path, io::Error::other(what)))
    }

    /// Follows all links.
    fn look_at(&self, path: &Path) -> Result<fs::Metadata, SourceError> {
        fs::metadata(path).map_err(|source| self.cannot_read(path, source))
    }

    fn cannot_read(&self, path: &Path, source: io::Error) -> SourceError {
        SourceError::Entry { file: path.to_owned(), within: self.within.to_owned(), source }
    }

    /// The name of an entry in a folder; the whole path for a pattern.
    fn name_of(&self, path: &Path) -> String {
        path.strip_prefix(self.within).unwrap_or(path).display().to_string()
    }
}

fn in_folder(folder: &Path) -> Result<Found<'_>, SourceError> {
    let mut found = Found::new(folder);
    for path in entries(folder, &found)? {
        let name = found.name_of(&path);
        let lower = name.to_lowercase();
        let is_data = data_ending(&name).is_some();
        if name.starts_with('.') {
            // Others, such as `.DS_Store`, would not be mistaken for data.
            if lower.contains(".csv") {
                found.hidden.push(name);
            }
        } else if is_data {
            found.add(path)?;
        } else if path.is_dir() {
            found.sub_folders.push(name);
        } else if lower.contains(".csv") {
            found.other_names.push(name);
        }
    }
    Ok(found)
}

/// The ending of a file that is taken from a folder, which says that it is data: `.csv`, `.csv.gz`, `.csv.zst`, in
/// upper or lower case; `None` if the name has none of these.
#[must_use]
pub fn data_ending(name: &str) -> Option<&str> {
    let lower = name.to_lowercase();
    let ending = ENDINGS.iter().find(|ending| lower.ends_with(*ending))?;
    // In another case, a character may have another length.
    name.get(name.len().checked_sub(ending.len())?..)
}

fn entries(folder: &Path, found: &Found<'_>) -> Result<Vec<PathBuf>, SourceError> {
    let listed = if folder == Path::new("") { Path::new(".") } else { folder };
    let entry = |entry: io::Result<fs::DirEntry>| Ok(folder.join(entry?.file_name()));
    let entries = fs::read_dir(listed).and_then(|entries| entries.map(entry).collect::<io::Result<Vec<_>>>());
    entries.map_err(|source| found.cannot_read(listed, source))
}

fn by_pattern(pattern: &Path) -> Result<Found<'_>, SourceError> {
    // `expand` has checked that it is text.
    let text = pattern.to_string_lossy();
    let mut found = Found::new(pattern);
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    let base = if text.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
    walk(&base, &parts, 0, &mut found)?;
    Ok(found)
}

/// Adds what the remaining parts of a pattern match below `base`.
fn walk(base: &Path, parts: &[&str], depth: usize, found: &mut Found<'_>) -> Result<(), SourceError> {
    let Some((part, rest)) = parts.split_first() else {
        return found.add(base.to_owned());
    };
    if !is_pattern(part) {
        let path = base.join(part);
        return match fs::symlink_metadata(&path) {
            Ok(_) => walk(&path, rest, depth, found),
            Err(error) if is_absent(&error) => Ok(()),
            Err(source) => Err(found.cannot_read(&path, source)),
        };
    }
    let is_any_depth = *part == "**";
    if is_any_depth {
        walk(base, rest, depth, found)?;
    }
    let wrong = |source| SourceError::Pattern { given: found.within.to_owned(), source };
    let pattern = Pattern::new(part).map_err(wrong)?;
    let visible = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    for path in entries(base, found)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !pattern.matches_with(&name, visible) {
            // It begins with a dot, which the pattern does not ask for.
            if pattern.matches(&name) && rest.is_empty() && !path.is_dir() {
                found.hidden.push(found.name_of(&path));
            }
        } else if is_any_depth {
            // Links to folders are not followed, so there are no loops.
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
            if is_folder && depth < MAX_DEPTH {
                walk(&path, parts, depth + 1, found)?;
            }
        } else if rest.is_empty() {
            found.add(path)?;
        } else if found.look_at(&path)?.is_dir() {
            walk(&path, rest, depth, found)?;
        }
    }
    Ok(())
}

/// Whether the pattern simply matches nothing there, which is not a failure.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
