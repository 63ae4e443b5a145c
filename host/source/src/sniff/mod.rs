//! What a file of unknown shape may be: the options with which it could be read, with examples of values read so.
//!
//! Nothing here is acted upon. Every option is proposed because the very code that reads files in a run reads the
//! file's values with it; if it does so with several, and the values are not the same, all of them are named and
//! none is chosen. Names of columns only say where to look first.
//!
//! [`finding`] is what comes out. [`head`] gets at the text, [`layout`] finds out how it is divided, [`names`] and
//! [`columns`] which column is meant for what ([`amounts`] and [`times`] may be spread over several), and [`readings`]
//! how their cells are read. Files of the same shape are looked at together: what is ambiguous in one of them may be
//! clear from another.

mod amounts;
mod columns;
mod finding;
mod head;
mod layout;
mod names;
mod readings;
mod times;

use std::path::{Path, PathBuf};

use host_core::text::{counted, printable};

use self::columns::Table;
pub use self::finding::{About, Example, Finding, Flag, Reading, Sniffed};
use self::head::Head;
use self::layout::Layout;
use crate::error::SourceError;

/// Files are looked at together up to so much text; those after it are only compared with the others.
const MAX_TOGETHER_BYTES: usize = 16 * 1024 * 1024;

/// Looks at the beginnings of files.
///
/// # Errors
/// If one cannot be read, is no text, or has no columns.
pub fn sniff(paths: &[PathBuf]) -> Result<Vec<Sniffed>, SourceError> {
    let mut groups: Vec<Group> = Vec::new();
    for path in paths {
        let head = Head::read(path)?;
        let layout = Layout::of(&head, path)?;
        let table = Table::of(&layout);
        let file = Group::new(path, head, layout, table);
        match groups.iter_mut().find(|group| group.differs(&file).is_none()) {
            Some(group) => group.add(file),
            None => groups.push(file),
        }
    }
    let differences: Vec<Option<String>> = groups.iter().map(|group| groups[0].differs(group)).collect();
    Ok(groups.into_iter().zip(differences).map(|(group, differs)| group.sniffed(differs)).collect())
}

/// Files of the same shape; what is said of them was found in the first, and in the rows of all.
struct Group {
    files: Vec<(PathBuf, u64)>,
    head: Head,
    layout: Layout,
    table: Table,
    is_whole: bool,
    bytes: usize,
}

impl Group {
    fn new(path: &Path, head: Head, layout: Layout, table: Table) -> Group {
        let files = vec![(path.to_owned(), table.rows.len() as u64)];
        let (is_whole, bytes) = (head.is_whole, head.text.len());
        Group { files, head, layout, table, is_whole, bytes }
    }

    /// In what they differ, if they cannot be read in the same way.
    fn differs(&self, other: &Group) -> Option<String> {
        let ((dialect, names, fields), (others, other_names, other_fields)) =
            (self.layout.shape(), other.layout.shape());
        let lines = |group: &Group| lines(&group.head, &group.layout, &group.table).readings;
        let options = |group: &Group| -> Vec<Flag> {
            lines(group).into_iter().flat_map(|reading| reading.flags).collect()
        };
        let differing = [
            ("encoding", !self.head.is_encoded_like(&other.head)),
            ("delimiter", dialect.delimiter != others.delimiter),
            ("quotes", dialect.quote != others.quote),
            ("columns", (names, fields) != (other_names, other_fields)),
            ("lines around the rows", options(self) != options(other)),
        ];
        let names: Vec<&str> = differing.into_iter().filter_map(|(name, is)| is.then_some(name)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    fn add(&mut self, file: Group) {
        self.files.extend(file.files);
        self.is_whole &= file.is_whole;
        self.bytes += file.bytes;
        // The one whose encoding shows.
        if self.head.text.is_ascii() {
            self.head = file.head;
        }
        if self.bytes <= MAX_TOGETHER_BYTES {
            self.table.extend(file.table);
        }
    }

    fn sniffed(self, differs: Option<String>) -> Sniffed {
        let Group { files, head, layout, table, is_whole, .. } = self;
        let mut findings = vec![head.finding(), layout.delimiter_finding()];
        findings.extend(layout.quote_finding());
        findings.push(lines(&head, &layout, &table));
        findings.extend(table.findings());
        let records = files.iter().map(|(_, records)| records).sum();
        Sniffed { files, differs, is_whole, records, findings }
    }
}

/// Which lines are data.
fn lines(head: &Head, layout: &Layout, table: &Table) -> Finding {
    let mut flags = Vec::new();
    let mut what = match &layout.header {
        Some(header) => format!("the header is line {}", header.line),
        None => "there is no header".to_owned(),
    };
    if layout.header.is_none() {
        flags.push(Flag::switch("no-header"));
    }
    let mut cannot = Vec::new();
    if let Some(before) = layout.lines_before() {
        what += &format!(", after {}", counted(before, "line"));
        flags.push(match layout.header_text() {
            Some(text) => Flag::new("header-contains", text),
            None => Flag::new("skip-lines", before.to_string()),
        });
    }
    if let [first, ..] = table.trailers.as_slice() {
        let cell = first.cells.iter().find(|cell| !cell.is_empty()).map_or("", String::as_str);
        let count = table.trailers.len() as u64;
        what += &format!(
            "; {} after the data, from line {}: `{}`",
            counted(count, "record"),
            first.line,
            printable(cell)
        );
        flags.push(match table.end_text() {
            Some(text) => Flag::new("stop-at", text),
            None => Flag::new("skip-last", count.to_string()),
        });
    }
    if !head.is_whole {
        what += "; what follows the data was not looked at, since the file is long";
    }
    if table.uneven > 0 {
        cannot.push(format!(
            "; {} not have {} fields",
            if table.uneven == 1 { "1 record does".into() } else { format!("{} records do", table.uneven) },
            layout.fields
        ));
    }
    what += &cannot.concat();
    if table.uneven > 0 {
        Finding::open(About::Lines, what)
    } else {
        Finding::proposed(About::Lines, what, flags, Vec::new())
    }
}
