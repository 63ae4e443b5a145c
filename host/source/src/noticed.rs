//! What is odd in files that are read all the same: none of it fails a run, but a user who expects other
//! files should hear of it, once per run and with counts.

use std::sync::Arc;

use host_core::text::{counted, listed, printable};

/// Columns that are expected to be ignored and so are not worth a note: `is_anomalous` is for the detector to
/// decide, a delimiter at the end of each line makes a column without a name, and a file of rejected rows
/// begins with columns of its own.
fn is_expected(column: &str) -> bool {
    let column = column.trim().to_ascii_lowercase();
    column.is_empty() || column == "is_anomalous" || column.starts_with("rejected_")
}

/// How many columns are kept; a header may have very many.
const MAX_COLUMNS: usize = 1_000;
/// How many names a note lists.
const SHOWN_NAMES: usize = 8;

/// What is odd in the files of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noticed {
    /// How many rows have an earlier time than the row before them.
    pub rows_back_in_time: u64,
    /// File and line of the first of them.
    pub first_back_in_time: Option<(String, u64)>,
    /// Columns that were not asked for, in the order in which they were found.
    pub ignored_columns: Vec<String>,
    /// Files that end in ^Z, which is ignored.
    pub ended_by_mark: Vec<String>,
    /// Lines that were left out before the header and after the rows, file after file.
    pub lines_left_out: Vec<LinesLeftOut>,
    /// Files whose first line named the delimiter, and the delimiter.
    pub separator_lines: Vec<(String, u8)>,
    /// Files without the line that would have ended their rows.
    pub never_stopped: Vec<String>,
    /// The time of the last row.
    last_micros: Option<i64>,
}

/// Lines of a file that were left out because they are neither its header nor rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinesLeftOut {
    /// The file's name as it was given.
    pub file: String,
    /// Their physical lines, from 1.
    pub first_line: u64,
    /// The last of them.
    pub last_line: u64,
}

impl Noticed {
    /// Takes the next row, in the order of the run. Called for each row, so it does very little.
    #[inline]
    pub(crate) fn row(&mut self, file: &Arc<str>, line: u64, micros: i64) {
        if self.last_micros.replace(micros).is_some_and(|last| micros < last) {
            self.rows_back_in_time += 1;
            self.first_back_in_time.get_or_insert_with(|| (file.to_string(), line));
        }
    }

    /// Takes a column of the next file that was not asked for.
    pub(crate) fn ignored(&mut self, column: &str) {
        let is_new = |known: &Vec<String>| !known.iter().any(|known| known == column);
        if !is_expected(column) && self.ignored_columns.len() < MAX_COLUMNS && is_new(&self.ignored_columns) {
            self.ignored_columns.push(column.to_owned());
        }
    }

    /// Notes for the user. `detector` is the detector's name; `minds_order` says whether the order of rows
    /// matters to it.
    #[must_use]
    pub fn notes(&self, detector: &str, minds_order: bool) -> Vec<String> {
        let mut notes = self.notes_on_lines();
        if !self.ended_by_mark.is_empty() {
            let files = listed(&self.ended_by_mark, SHOWN_NAMES);
            notes.push(format!("the mark (^Z) that ends a file on DOS was ignored at the end of {files}"));
        }
        if let Some((file, line)) = self.first_back_in_time.as_ref().filter(|_| minds_order) {
            notes.push(format!(
                "timestamps go back {}, first in `{}` at line {line}; `{}` judges rows in the order in which \
                 they are read",
                counted(self.rows_back_in_time, "time"),
                printable(file),
                printable(detector),
            ));
        }
        if !self.ignored_columns.is_empty() {
            let columns = listed(&self.ignored_columns, SHOWN_NAMES);
            notes
                .push(format!("ignored {}: {columns}", counted(self.ignored_columns.len() as u64, "column")));
        }
        notes
    }

    fn notes_on_lines(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.separator_lines.is_empty() {
            let of = |(file, delimiter): &(String, u8)| {
                format!("`{}` in `{}`", char::from(*delimiter).escape_debug(), printable(file))
            };
            let mut named: Vec<String> = self.separator_lines.iter().take(SHOWN_NAMES).map(of).collect();
            let more = self.separator_lines.len() - named.len();
            named.extend((more > 0).then(|| counted(more as u64, "more file")));
            notes.push(format!("fields are separated as the first line says: {}", named.join(", ")));
        }
        if let [first, ..] = self.lines_left_out.as_slice() {
            let mut files: Vec<&str> = self.lines_left_out.iter().map(|lines| lines.file.as_str()).collect();
            files.dedup();
            let of_first = self.lines_left_out.iter().take_while(|lines| lines.file == first.file);
            let ranges: Vec<String> = of_first.map(LinesLeftOut::range).collect();
            let lines: u64 = self.lines_left_out.iter().map(LinesLeftOut::count).sum();
            let more = match files.len() as u64 - 1 {
                0 => String::new(),
                more => format!(
                    ", and such lines of {}, {} in all",
                    counted(more, "more file"),
                    counted(lines, "line")
                ),
            };
            notes.push(format!("left out {} of `{}`{more}", ranges.join(" and "), printable(&first.file)));
        }
        if !self.never_stopped.is_empty() {
            let files = listed(&self.never_stopped, SHOWN_NAMES);
            notes.push(format!("no line begins with the text of `--stop-at` in {files}"));
        }
        notes
    }
}

impl LinesLeftOut {
    fn count(&self) -> u64 {
        self.last_line - self.first_line + 1
    }

    fn range(&self) -> String {
        match self.count() {
            1 => format!("line {}", self.first_line),
            _ => format!("lines {} to {}", self.first_line, self.last_line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_go_back_are_counted() {
        let mut noticed = Noticed::default();
        let file: Arc<str> = "a\n.csv".into();
        for (line, micros) in [(2, i64::MIN), (3, 5), (4, 5), (5, 4), (6, 9), (7, i64::MIN)] {
            noticed.row(&file, line, micros);
        }
        assert_eq!(noticed.rows_back_in_time, 2);
        assert_eq!(
            noticed.notes("x", true),
            [
                "timestamps go back 2 times, first in `a\\n.csv` at line 5; `x` judges rows in the order in which they are read"
            ]
        );
        assert!(noticed.notes("x", false).is_empty());
    }

    #[test]
    fn lines_are_told_with_their_numbers() {
        let mut noticed = Noticed::default();
        let mut add = |file: &str, first_line, last_line| {
            let lines = LinesLeftOut { file: file.into(), first_line, last_line };
            noticed.lines_left_out.push(lines);
            noticed.notes("x", true)
        };
        assert_eq!(add("a", 1, 5), ["left out lines 1 to 5 of `a`"]);
        assert_eq!(add("a", 9, 9), ["left out lines 1 to 5 and line 9 of `a`"]);
        add("b", 1, 5);
        assert_eq!(
            add("b", 8, 9),
            ["left out lines 1 to 5 and line 9 of `a`, and such lines of 1 more file, 13 lines in all"]
        );
    }

    #[test]
    fn columns_are_told_once_and_not_our_own() {
        let mut noticed = Noticed::default();
        for column in ["channel", "Is_Anomalous", "rejected_line", "x\u{1b}", "channel"] {
            noticed.ignored(column);
        }
        assert_eq!(noticed.notes("x", true), ["ignored 2 columns: `channel`, `x\\u{1b}`"]);
    }
}
