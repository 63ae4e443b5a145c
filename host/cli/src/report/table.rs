//! Tables for people.

use std::fmt::Write as _;

/// Lines of cells, of which the first is the head, in columns as wide as the widest of each. These columns have numbers,
/// which are aligned to the right.
pub(super) fn aligned<const COLUMNS: usize>(lines: Vec<[String; COLUMNS]>, numbers: &[usize]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if numbers.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}
