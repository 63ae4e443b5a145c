//! Arbitrary bytes as a CSV file: it is refused as a whole, or every record of it is a row or a reject.
//! Seeds: the files of data/malformed. The first byte chooses how the file is read.
#![no_main]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use host_core::column::{Column, ColumnKind, ColumnRequest};
use host_source::timestamp::{TimestampForm, TimestampRules};
use host_source::{Encoding, FileList, InputRules, RejectLimit, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, content)) = bytes.split_first() else { return };
    let rules = InputRules {
        delimiter: if choice & 1 == 0 { None } else { Some(b';') },
        decimal_point: if choice & 2 == 0 { b'.' } else { b',' },
        encoding: if choice & 4 == 0 {
            Encoding::Utf8
        } else {
            Encoding::by_name("utf-16le").expect("it is known")
        },
        timestamps: TimestampRules {
            form: if choice & 8 == 0 {
                TimestampForm::Iso
            } else {
                TimestampForm::Pattern("%d/%m/%Y %H:%M:%S".into())
            },
            ..TimestampRules::default()
        },
        max_rejects: RejectLimit::Percent(100.0),
        batch_rows: 1 + usize::from(choice >> 4),
        ..InputRules::default()
    };
    let batch_rows = rules.batch_rows;
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), content).expect("write the temporary file");
    let list = FileList { files: vec![file.path().to_owned()], ..FileList::default() };
    // Names that the header has, or has not.
    let column = |name: &str, kind| ColumnRequest { name: name.into(), kind, required: false };
    let columns = [
        column("amount", ColumnKind::Text),
        column("user_id", ColumnKind::Number),
        column("city", ColumnKind::Text),
    ];
    let read_bytes = Arc::new(AtomicU64::new(0));
    let Ok(mut source) = Source::open(list, rules, &columns, read_bytes) else { return };
    let (mut rows, mut rejected, mut last_line) = (0, 0, 1);
    loop {
        match source.next_part(Default::default()) {
            Ok(Some(part)) => {
                assert!(part.batch.len() <= batch_rows);
                assert_eq!(part.batch.first_row, rows);
                for column in &part.batch.columns {
                    check(column, part.batch.len());
                }
                rows += part.batch.len() as u64;
                rejected += part.rejected.len() as u64;
                for &line in &part.batch.lines {
                    assert!(line > last_line);
                    last_line = line;
                }
            }
            Ok(None) => break,
            Err(_) => return,
        }
    }
    let (files, tally, _) = source.finish();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].bytes, content.len() as u64);
    assert_eq!((files[0].rows_read, files[0].rows_rejected), (rows + rejected, rejected));
    assert_eq!(tally.count, rejected);
});

/// What the contract promises about a further column.
fn check(column: &Column, rows: usize) {
    match column {
        Column::Absent => {}
        Column::Number(numbers) => {
            assert!(numbers.len() == rows && numbers.iter().all(|number| !number.is_infinite()));
        }
        Column::Text(texts) if rows > 0 => {
            let entries: Vec<&str> = texts.dictionary().split('\0').collect();
            assert_eq!(entries.iter().collect::<HashSet<_>>().len(), entries.len());
            assert_eq!(texts.codes().len(), rows);
            // In order of first appearance, and none that no row has.
            let mut seen = 0;
            for &code in texts.codes() {
                assert!(code <= seen);
                seen = seen.max(code + 1);
            }
            assert_eq!(seen as usize, entries.len());
        }
        Column::Text(texts) => assert!(texts.dictionary().is_empty() && texts.codes().is_empty()),
    }
}
