//! Random runs into one database, one after the other: whatever is in their files, and however they
//! are cut and spread, none of them differs from its replay afterwards.

use std::collections::HashSet;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use serde_json::Value;

use crate::support::{Database, Files, finish, host, host_run};

#[derive(Clone, Debug)]
enum Record {
    Row { id: u8, user: u8, cents: u32, has_long_note: bool },
    Rejected(&'static str),
}

#[derive(Clone, Copy, Debug)]
enum Ids {
    Assign,
    Skip,
    Replace,
}

#[derive(Clone, Debug)]
struct Run {
    /// Their records, and whether they are compressed.
    files: Vec<(Vec<Record>, bool)>,
    /// The first file comes once more at the end.
    is_first_again: bool,
    ids: Ids,
    plugin: &'static str,
    batch_rows: u8,
    jobs: u8,
}

fn record() -> impl Strategy<Value = Record> {
    let row = (1_u8..25, 0_u8..3, 0_u32..100_000, prop::bool::weighted(0.2));
    prop_oneof![
        4 => row.prop_map(|(id, user, cents, has_long_note)| Record::Row { id, user, cents, has_long_note }),
        1 => prop::sample::select(vec!["1,2", "x,1,1.00,2024-01-01 00:00:00,", "\"a\nb\",1,1.00,2024-01-01 00:00:00,"])
            .prop_map(Record::Rejected),
    ]
}

fn run() -> impl Strategy<Value = Run> {
    let files = vec((vec(record(), 0..12), any::<bool>()), 1..4);
    let plugin = prop::sample::select(vec!["threshold", "zscore"]);
    let ids = prop::sample::select(vec![Ids::Assign, Ids::Skip, Ids::Replace]);
    let how = (any::<bool>(), ids, plugin, 1_u8..6, 1_u8..4);
    (files, how).prop_map(|(files, (is_first_again, ids, plugin, batch_rows, jobs))| Run {
        files,
        is_first_again,
        ids,
        plugin,
        batch_rows,
        jobs,
    })
}

fn text(records: &[Record]) -> String {
    let mut text = String::from("transaction_id,user_id,amount,timestamp,note\n");
    for record in records {
        match record {
            Record::Rejected(raw) => text.push_str(raw),
            Record::Row { id, user, cents, has_long_note } => {
                let note = if *has_long_note { "\"one\ntwo\"" } else { "" };
                let (whole, part) = (cents / 100, cents % 100);
                text.push_str(&format!("{id},{user},{whole}.{part:02},2024-01-01 00:00:{user:02},{note}"));
            }
        }
        text.push('\n');
    }
    text
}

fn write(files: &Files, number: usize, run: &Run) -> Vec<PathBuf> {
    let replaces = matches!(run.ids, Ids::Replace);
    let mut ids = HashSet::new();
    let write = |(i, (records, is_compressed)): (usize, &(Vec<Record>, bool))| {
        // A run that replaces rows has each id once.
        let mut records = records.clone();
        records.retain(|record| match record {
            Record::Row { id, .. } => !replaces || ids.insert(*id),
            Record::Rejected(_) => true,
        });
        let (name, text) = (format!("{number}-{i}.csv"), text(&records));
        if *is_compressed { files.gzip(&name, text.as_bytes()) } else { files.write(&name, text) }
    };
    let mut paths: Vec<PathBuf> = run.files.iter().enumerate().map(write).collect();
    let is_first_again = run.is_first_again && !replaces;
    paths.extend(is_first_again.then(|| paths[0].clone()));
    paths
}

#[test]
fn a_run_that_nobody_touched_never_differs() {
    let mut runner = TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
    runner
        .run(&vec(run(), 1..5), |runs| {
            let (database, files) = (Database::migrated(), Files::new());
            let mut replays = Vec::new();
            for (number, run) in (1..).zip(&runs) {
                let paths = write(&files, number, run);
                let mut command = host_run(&database, run.plugin, &paths[0]);
                command.args(&paths[1..]).args(["--max-rejects", "100", "--jobs", &run.jobs.to_string()]);
                command.args(["--batch-rows", &run.batch_rows.to_string()]);
                match run.ids {
                    Ids::Assign => {}
                    Ids::Skip => drop(command.args(["--ids", "keep", "--on-conflict", "skip"])),
                    Ids::Replace => drop(command.args(["--ids", "keep", "--on-conflict", "replace"])),
                }
                let finished = finish(command.args(["--format", "json"]));
                let end: Value = serde_json::from_str(&finished.stdout).unwrap();
                prop_assert_eq!(finished.code, 0, "{}", finished.stderr);
                replays.push((end["run_id"].as_i64().unwrap(), paths));
            }
            for (number, paths) in replays {
                let mut verify = host();
                verify.args(["verify", &number.to_string(), "--database-url", &database.url()]);
                let verified = finish(verify.args(paths));
                prop_assert_eq!(verified.code, 0, "run {}: {}{}", number, verified.stdout, verified.stderr);
            }
            Ok(())
        })
        .unwrap();
}
