//! Files that change while they are read: what is committed is what was there, or nothing is.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use crate::support::{Database, Files, Finished, host_run, sample, start};

/// Runs a copy of the sample, and changes it when it has been opened but not read to its end.
fn run_while(change: impl FnOnce(&Path) + Send, arguments: &[&str]) -> (Database, Files, Finished) {
    let (database, files) = (Database::migrated(), Files::new());
    let file = files.write("file.csv", fs::read(sample()).unwrap());
    let mut run = host_run(&database, "threshold", &file);
    let mut running = None;
    database.while_locked(|| {
        running = Some(start(run.args(arguments)));
        database.wait_for(
            "SELECT count(*) FROM pg_locks WHERE relation = 'transactions'::regclass AND NOT granted",
            1,
        );
        change(&file);
    });
    let finished = running.unwrap().finish();
    (database, files, finished)
}

fn append(file: &Path) {
    OpenOptions::new()
        .append(true)
        .open(file)
        .unwrap()
        .write_all(b"1801,7,1.00,2024-01-01 00:00:00,0\n")
        .unwrap();
}

/// What is done to a file.
type Change = fn(&Path);

#[test]
fn a_file_that_changes_is_an_error() {
    let changes: [(&str, Change); 4] = [
        ("grows", append),
        ("shrinks", |file| OpenOptions::new().write(true).open(file).unwrap().set_len(1_000).unwrap()),
        ("is written to", |file| {
            let mut open = OpenOptions::new().write(true).open(file).unwrap();
            open.write_all(b"transaction_id").unwrap();
            open.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }),
        ("is replaced", |file| {
            let other = file.with_extension("other");
            fs::copy(file, &other).unwrap();
            fs::rename(other, file).unwrap();
        }),
    ];
    for (name, change) in changes {
        let (database, files, finished) = run_while(change, &[]);
        assert_eq!(finished.code, 3, "{name}: {}", finished.stderr);
        assert!(finished.stderr.contains("changed while it was read"), "{name}: {}", finished.stderr);
        assert_eq!(database.counts(), (0, 0, 0), "{name}");
        if name == "grows" {
            insta::assert_snapshot!(files.anonymous(&finished.stderr));
        }
    }
}

/// With `--once` it was looked at before.
#[test]
fn a_file_that_changes_after_it_was_looked_at_is_an_error_too() {
    let (database, _files, finished) = run_while(append, &["--once"]);
    assert_eq!((finished.code, database.counts()), (3, (0, 0, 0)), "{}", finished.stderr);
}

/// It is still all there.
#[test]
fn a_file_may_be_moved_or_removed() {
    let moves: [Change; 2] = [
        |file| fs::rename(file, file.with_extension("done")).unwrap(),
        |file| fs::remove_file(file).unwrap(),
    ];
    for change in moves {
        let (database, _files, finished) = run_while(change, &[]);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert_eq!(database.counts(), (1_800, 38, 1));
    }
}
