//! What a further column and an anomaly cost: nanoseconds a row, each the difference to the same rows without,
//! in the host (reading a file into batches) and in the sandbox (the call, with a guest that looks each value of
//! a batch up). Rounds alternate, so that whatever else the machine does falls on all alike; medians are shown.
//!
//! `cargo xtask bench columns`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops where it cannot go on"
)]

mod common;

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use host_core::batch::Batch;
use host_core::column::ColumnRequest;
use host_detector::{Cache, Detector, Limits, Requirements, Sandbox, compiler, load};
use host_source::{InputRules, Source, expand};

use common::{folder, median};

const ROWS: usize = 262_144;
const ROUNDS: usize = 15;
/// As many as a batch has unless one is told.
const BATCH_ROWS: usize = 8_192;
/// The columns of the file, and how many different values of 15 bytes each of them has.
const COLUMNS: [(&str, usize); 4] =
    [("fives", 5), ("thousands", 2_000), ("batch's", BATCH_ROWS), ("file's", ROWS)];

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, csv()).unwrap();
    compiler::compile_with(PathBuf::from(env!("CARGO_BIN_EXE_host")));
    let sandbox = Sandbox::new(Limits::default(), Requirements::default(), Cache::of_user()).unwrap();

    println!("{ROWS} rows; ns a row, medians of {ROUNDS} alternating rounds");
    println!("{:<34}{:>8}{:>10}{:>8}", "", "host", "sandbox", "both");
    let mut rows = vec![vec![[0.0; 2]; COLUMNS.len() + 2]; ROUNDS];
    for round in &mut rows {
        let bare = read(&file, None);
        let bare_call = classify(&sandbox, &bare.1, &[]);
        round[0] = [bare.0, bare_call];
        for (i, (name, _)) in COLUMNS.iter().enumerate() {
            let (taken, batches) = read(&file, Some(name));
            round[i + 1] = [taken - bare.0, classify(&sandbox, &batches, &[("column", name)]) - bare_call];
        }
        let flagged = classify(&sandbox, &bare.1, &[("every", "50")]);
        round[COLUMNS.len() + 1] = [0.0, (flagged - bare_call) * 50.0];
    }
    let names = [
        "the row itself",
        "5 texts",
        "2,000 texts",
        "a batch's texts all different",
        "a file's texts all different",
        "an anomaly (one row in 50)",
    ];
    for (i, name) in names.iter().enumerate() {
        let [host, sandbox] = [0, 1].map(|side| median(rows.iter().map(|round| round[i][side]).collect()));
        println!("{name:<34}{host:>8.1}{sandbox:>10.1}{:>8.1}", host + sandbox);
    }
}

fn csv() -> String {
    let mut text = String::from("transaction_id,user_id,amount,timestamp");
    COLUMNS.iter().for_each(|(name, _)| write!(text, ",{name}").unwrap());
    text.push('\n');
    for i in 0..ROWS {
        // Neighbours differ; 7919 is a prime that divides none of these counts.
        let mixed = i.wrapping_mul(7_919);
        write!(text, "{},{},{}.{:02},2024-01-01 12:34:56", i + 1, mixed % 10_000, mixed % 500, i % 100)
            .unwrap();
        COLUMNS
            .iter()
            .for_each(|(name, different)| write!(text, ",{name:.5}{:010}", mixed % different).unwrap());
        text.push('\n');
    }
    text
}

/// Nanoseconds a row, and the batches.
fn read(file: &Path, column: Option<&str>) -> (f64, Vec<Batch>) {
    let requests: Vec<ColumnRequest> = column.map(ColumnRequest::text).into_iter().collect();
    let list = expand(&[file.to_owned()]).unwrap();
    let mut source = Source::open(list, InputRules::default(), &requests, Arc::default()).unwrap();
    // As in a run, where batches come back from the sink: what they have allocated is used again.
    let mut spent = Batch::default();
    while let Some(part) = source.next_part(std::mem::take(&mut spent)).unwrap() {
        spent = part.batch;
    }
    let list = expand(&[file.to_owned()]).unwrap();
    let mut source = Source::open(list, InputRules::default(), &requests, Arc::default()).unwrap();
    let mut batches = Vec::new();
    let mut taken = 0.0;
    loop {
        let started = Instant::now();
        let part = source.next_part(std::mem::take(&mut spent)).unwrap();
        taken += started.elapsed().as_secs_f64();
        let Some(part) = part else { break };
        batches.push(part.batch.clone());
        spent = part.batch;
    }
    (taken * 1e9 / ROWS as f64, batches)
}

/// Nanoseconds a row.
fn classify(sandbox: &Sandbox, batches: &[Batch], settings: &[(&str, &str)]) -> f64 {
    let plugin = load(sandbox, &folder("test-plugins").join("counting.wasm")).unwrap();
    let mut detector = Detector::start(&plugin).unwrap();
    let settings: Vec<(String, String)> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    detector.configure(&settings).unwrap();
    let started = Instant::now();
    batches.iter().for_each(|batch| drop(black_box(detector.classify(batch).unwrap())));
    started.elapsed().as_secs_f64() * 1e9 / ROWS as f64
}
