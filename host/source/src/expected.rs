//! What the sender of a delivery says about it: if what was read is something else, nothing is written.

use host_core::digest::Sha256Digest;
use host_core::facts::FileFacts;

use crate::cell::total::Total;
use crate::error::SourceError;

/// What must be true of the files of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// How many records are read, also those that are rejected.
    pub rows: Option<u64>,
    /// The sum of the amounts of all rows, in hundredths.
    pub total_cents: Option<i128>,
    /// The digests of the files on disk, in their order; none, or one for each file.
    pub sha256: Vec<Sha256Digest>,
    /// Whether each file must end in a line break.
    pub final_newline: bool,
}

impl Expectations {
    /// Compares with a file that was read to its end; `given` is its position among the files that were given,
    /// from 0.
    pub(crate) fn check_file(
        &self,
        given: usize,
        facts: &FileFacts,
        ends_in_line_break: bool,
    ) -> Result<(), SourceError> {
        let file = || facts.name.clone();
        if self.final_newline && !ends_in_line_break {
            return Err(SourceError::NoFinalNewline { file: file() });
        }
        match self.sha256.get(given) {
            Some(expected) if *expected != facts.sha256 => {
                let (expected, found) = (expected.to_string(), facts.sha256.to_string());
                Err(SourceError::OtherDigest { file: file(), expected, found })
            }
            _ => Ok(()),
        }
    }

    /// Compares with everything that was read.
    pub(crate) fn check_all(&self, files: &[FileFacts]) -> Result<(), SourceError> {
        let rows = files.iter().map(|file| file.rows_read).sum();
        if let Some(expected) = self.rows.filter(|expected| *expected != rows) {
            return Err(SourceError::OtherRowCount { expected, found: rows });
        }
        let total = files.iter().map(|file| file.total_cents).sum();
        if let Some(expected) = self.total_cents.filter(|expected| *expected != total) {
            let rejected = files.iter().map(|file| file.rows_rejected).sum();
            let (expected, found) = (Total(expected).to_string(), Total(total).to_string());
            return Err(SourceError::OtherTotal { expected, found, rejected });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use host_core::batch::Batch;

    use super::*;
    use crate::input::list::FileList;
    use crate::reader::Source;
    use crate::rules::{InputRules, LineRules};
    use crate::tally::RejectLimit;

    const HEADER: &str = "transaction_id,user_id,timestamp,amount\n";
    /// The amounts sum up to 1,262.50.
    const ROWS: &str = "1,1,2024-01-01 00:00:00,12.50\n2,1,2024-01-01 00:00:00,1250.00\n";

    /// Reads a file with this content to its end; whatever cannot be read is rejected.
    fn read(text: &str, lines: &LineRules, expected: &Expectations) -> Result<(), SourceError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let max_rejects = RejectLimit::Count(u64::MAX);
        let rules = InputRules { max_rejects, lines: lines.clone(), ..InputRules::default() };
        let files = FileList { files: vec![file.path().to_owned()], ..FileList::default() };
        let mut source = Source::open(files, rules, &[], Arc::default())?;
        source.expect(expected.clone());
        while source.next_part(Batch::default())?.is_some() {}
        Ok(())
    }

    #[test]
    fn no_part_of_a_file_passes_for_all_of_it() {
        let (no_lines, nothing) = (LineRules::default(), Expectations::default());
        let trailer =
            LineRules { trailer: Some("T,{rows},{total}".parse().unwrap()), ..LineRules::default() };
        let counted = Expectations { rows: Some(2), final_newline: true, ..Expectations::default() };
        let summed = Expectations { total_cents: Some(126_250), ..Expectations::default() };
        let sha256 = vec![Sha256Digest::of(format!("{HEADER}{ROWS}").as_bytes())];
        let hashed = Expectations { sha256, ..Expectations::default() };
        // How many bytes may be missing: those that say nothing that was not said.
        for (end, lines, expected, dispensable) in [
            ("T,2,1262.50\n", &trailer, &nothing, "0\n".len()),
            ("", &no_lines, &counted, 0),
            ("", &no_lines, &summed, ".00\n".len()),
            ("", &no_lines, &hashed, 0),
        ] {
            let text = format!("{HEADER}{ROWS}{end}");
            read(&text, lines, expected).unwrap();
            for bytes in 0..text.len() {
                let part = &text[..bytes];
                let is_whole = text.len() - bytes <= dispensable && !part.ends_with('.');
                assert_eq!(read(part, lines, expected).is_ok(), is_whole, "{part:?}");
            }
        }
    }
}
