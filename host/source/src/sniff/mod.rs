//! What a file of unknown shape may be: the options with which it could be read, with examples of values read so.
//!
//! Nothing here is acted upon. Every option is proposed because the very code that reads files in a run reads the
//! file's values with it; if it does so with several, and the values are not the same, all of them are named and
//! none is chosen. Names of columns only say where to look first.
//!
//! [`finding`] is what comes out. [`head`] gets at the text, [`layout`] finds out how it is divided, [`names`] and [`columns`] which column is meant
//! for what, and [`readings`] how its cells are read.

mod columns;
mod finding;
mod head;
mod layout;
mod names;
mod readings;

use std::path::Path;

use host_core::text::{counted, printable};

use self::columns::Table;
pub use self::finding::{About, Example, Finding, Flag, Reading, Sniffed};
use self::head::Head;
use self::layout::Layout;
use crate::error::SourceError;

/// Looks at the beginning of a file.
///
/// # Errors
/// If it cannot be read, is no text, or has no columns.
pub fn sniff(path: &Path) -> Result<Sniffed, SourceError> {
    let head = Head::read(path)?;
    let layout = Layout::of(&head, path)?;
    let mut findings = vec![head.finding(), layout.delimiter_finding()];
    let table = Table::of(&layout);
    let columns = table.findings();
    findings.push(lines(&head, &layout, &table));
    findings.extend(columns);
    Ok(Sniffed { is_whole: head.is_whole, records: table.rows.len() as u64, findings })
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
        flags.push(Flag::new("skip-lines", before.to_string()));
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
        flags.push(Flag::new("skip-last", count.to_string()));
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
