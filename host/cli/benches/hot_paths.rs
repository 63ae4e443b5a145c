//! What a row costs in the host's own stages: bytes to columns, and columns to binary COPY. What it
//! costs in the plugin, against the same detector compiled natively, is `sandbox`. Criterion prints
//! the time of a hundred thousand rows; 10 ms are 100 ns a row.
//!
//! `cargo xtask bench hot_paths`
#![allow(clippy::unwrap_used, reason = "a benchmark stops where it cannot go on")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use host_core::batch::Batch;
use host_core::digest::Sha256Digest;
use host_sink::copy::{CopyBuffer, TransactionRow};
use host_sink::{Encoding, TableWidths};
use host_source::{InputRules, Source, expand};

const ROWS: u64 = 100_000;
const USERS: u64 = 10_000;

/// Two in a hundred are above 500.
fn csv() -> String {
    let mut text = String::from("transaction_id,user_id,amount,timestamp\n");
    for i in 0..ROWS {
        let cents = i.wrapping_mul(7_919) % 50_000 + if i % 50 == 0 { 50_000 } else { 0 };
        writeln!(
            text,
            "{},{},{}.{:02},2024-{:02}-{:02} {:02}:{:02}:{:02}",
            i + 1,
            i.wrapping_mul(2_654_435_761) % USERS,
            cents / 100,
            cents % 100,
            i % 12 + 1,
            i % 28 + 1,
            i % 24,
            i % 60,
            i / 60 % 60
        )
        .unwrap();
    }
    text
}

fn batches(file: &std::path::Path) -> Vec<Batch> {
    let list = expand(&[file.to_owned()]).unwrap();
    let mut source = Source::open(list, InputRules::default(), &[], Arc::default()).unwrap();
    std::iter::from_fn(|| source.next_part(Batch::default()).unwrap()).map(|part| part.batch).collect()
}

fn source(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    let text = csv();
    std::fs::write(&file, &text).unwrap();
    let mut group = criterion.benchmark_group("source");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("read, hash and parse", |bencher| {
        let mut spent = Batch::default();
        bencher.iter(|| {
            let list = expand(std::slice::from_ref(&file)).unwrap();
            let mut source = Source::open(list, InputRules::default(), &[], Arc::default()).unwrap();
            while let Some(part) = source.next_part(std::mem::take(&mut spent)).unwrap() {
                spent = black_box(part.batch);
            }
        });
    });
    group.bench_function("of which the hash", |bencher| {
        bencher.iter(|| Sha256Digest::of(black_box(text.as_bytes())));
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, csv()).unwrap();
    let batches = batches(&file);
    let mut group = criterion.benchmark_group("sink");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("encode for COPY", |bencher| {
        let mut buffer = CopyBuffer::new(TableWidths::NARROW, Encoding::named(None));
        bencher.iter(|| {
            for batch in &batches {
                buffer.start_if_empty();
                for i in 0..batch.len() {
                    let row = TransactionRow {
                        transaction_id: batch.transaction_ids[i],
                        user_id: batch.user_ids[i],
                        amount_cents: batch.amounts_cents[i],
                        timestamp_micros: batch.timestamps_micros[i],
                    };
                    buffer.put_transaction(row, false, batch.source_id(i));
                }
                black_box(buffer.take());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, source, encode);
criterion_main!(benches);
