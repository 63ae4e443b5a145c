//! What is odd in files that are read all the same: nothing of it fails a run, but whoever expects other
//! files should hear of it, once a run and with counts.

use std::sync::Arc;

use host_core::text::{counted, listed, printable};

/// Columns that are ignored by rule, so that nobody need be told: what the tables' own column says is the
/// detector's, a delimiter at the end of each line makes one without a name, and the others are those that a
/// file of rejected rows has in front.
fn is_expected(column: &str) -> bool {
    let column = column.trim().to_ascii_lowercase();
    column.is_empty() || column == "is_anomalous" || column.starts_with("rejected_")
}

/// Columns that are kept; a header may have very many.
const MAX_COLUMNS: usize = 1_000;
/// Names that a note lists.
const SHOWN_NAMES: usize = 8;

/// What is odd in the files of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noticed {
    /// Rows whose time is earlier than that of the row before them.
    pub rows_back_in_time: u64,
    /// File and line of the first of them.
    pub first_back_in_time: Option<(String, u64)>,
    /// Columns that nobody asked for, in the order in which they were met.
    pub ignored_columns: Vec<String>,
    /// Files that end in ^Z, which is not part of them.
    pub ended_by_mark: Vec<String>,
    /// The time of the last row.
    last_micros: Option<i64>,
}

impl Noticed {
    /// The next row, in the order of the run. Called for each, so it does nearly nothing.
    pub(crate) fn row(&mut self, file: &Arc<str>, line: u64, micros: i64) {
        if self.last_micros.replace(micros).is_some_and(|last| micros < last) {
            self.rows_back_in_time += 1;
            self.first_back_in_time.get_or_insert_with(|| (file.to_string(), line));
        }
    }

    /// A column of the next file that nobody asked for.
    pub(crate) fn ignored(&mut self, column: &str) {
        let is_new = |known: &Vec<String>| !known.iter().any(|known| known == column);
        if !is_expected(column) && self.ignored_columns.len() < MAX_COLUMNS && is_new(&self.ignored_columns) {
            self.ignored_columns.push(column.to_owned());
        }
    }

    /// In words, for somebody whose detector, of this name, minds the order of rows if `minds_order`.
    #[must_use]
    pub fn notes(&self, detector: &str, minds_order: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.ended_by_mark.is_empty() {
            let files = listed(&self.ended_by_mark, SHOWN_NAMES);
            notes.push(format!("the mark (^Z) with which DOS ends a file was ignored at the end of {files}"));
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
    fn columns_are_told_once_and_not_our_own() {
        let mut noticed = Noticed::default();
        for column in ["channel", "Is_Anomalous", "rejected_line", "x\u{1b}", "channel"] {
            noticed.ignored(column);
        }
        assert_eq!(noticed.notes("x", true), ["ignored 2 columns: `channel`, `x\\u{1b}`"]);
    }
}
