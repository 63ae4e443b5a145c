//! What the contract and the sandbox cost: nanoseconds a row of the same detector compiled
//! natively, as a plugin without limits, and as a plugin with them, all in one run. Rounds
//! alternate, so that whatever else the machine does falls on all alike; medians are shown.
//!
//! `cargo xtask bench sandbox`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops where it cannot go on"
)]

mod common;

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use detector_sdk::Settings;
use host_core::batch::{Batch, Row};
use host_detector::{Cache, Detector, Limits, NO_DEADLINE, Requirements, Sandbox, compiler, load};

use common::{folder, median};

const BATCH_ROWS: usize = 4_096;
const BATCHES: usize = 64;
const USERS: u64 = 10_000;
const ROUNDS: usize = 15;

fn main() {
    let batches = batches();
    println!(
        "{} rows, {BATCH_ROWS} a call, {USERS} users, 1 % above the threshold; ns a row, medians of {ROUNDS} alternating rounds",
        BATCH_ROWS * BATCHES
    );
    println!("{:<12}{:<34}{:>8}{:>10}{:>14}", "detector", "", "ns/row", "× native", "× no limits");
    for plugin in ["threshold", "zscore"] {
        let settings: Vec<(&str, Limits)> = vec![
            ("plugin, no limits", Limits { call_deadline: NO_DEADLINE, ..Limits::default() }),
            ("plugin, all limits (default)", Limits::default()),
            ("plugin, and fuel", Limits { fuel: Some(u64::MAX / 2), ..Limits::default() }),
            ("plugin, and --deterministic", Limits { deterministic_nan: true, ..Limits::default() }),
        ];
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); settings.len() + 1];
        for _ in 0..ROUNDS {
            times[0].push(match plugin {
                "threshold" => native::<threshold::Threshold>(&batches),
                _ => native::<zscore::ZScore>(&batches),
            });
            for (i, (_, limits)) in settings.iter().enumerate() {
                times[i + 1].push(sandboxed(plugin, limits, &batches));
            }
        }
        let medians: Vec<f64> = times.into_iter().map(median).collect();
        let names = std::iter::once("native").chain(settings.iter().map(|(name, _)| *name));
        for (i, name) in names.enumerate() {
            let (to_native, to_unlimited) = (medians[i] / medians[0], medians[i] / medians[1]);
            println!("{plugin:<12}{name:<34}{:>8.2}{to_native:>10.2}{to_unlimited:>14.2}", medians[i]);
        }
    }
}

/// Amounts up to 505.05, so that one in a hundred is above 500.
fn batches() -> Vec<Batch> {
    let mut state = 1_u64;
    let mut random = |bound: u64| {
        // Numerical Recipes' generator: good enough for amounts.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    (0..BATCHES)
        .map(|i| {
            let mut batch = Batch { first_row: (i * BATCH_ROWS) as u64, ..Batch::default() };
            for j in 0..BATCH_ROWS as u64 {
                batch.push(Row {
                    transaction_id: Some(j as i64),
                    user_id: random(USERS) as i64,
                    amount_cents: random(50_505) as i64,
                    timestamp_micros: j as i64,
                    line: j + 2,
                });
            }
            batch
        })
        .collect()
}

fn native<D: detector_sdk::Detector>(batches: &[Batch]) -> f64 {
    let rows: Vec<detector_sdk::Batch> = batches
        .iter()
        .map(|batch| {
            let rows = batch.user_ids.iter().zip(&batch.amounts_cents).zip(&batch.timestamps_micros);
            let rows: Vec<_> = rows.map(|((&user, &amount), &time)| (user, amount, time)).collect();
            detector_sdk::Batch::from_rows(&rows)
        })
        .collect();
    let mut detector = D::configure(&Settings::new::<&str, &str>(&D::describe(), &[]).unwrap()).unwrap();
    per_row(|| rows.iter().for_each(|batch| drop(black_box(detector.classify(batch).unwrap()))))
}

fn sandboxed(plugin: &str, limits: &Limits, batches: &[Batch]) -> f64 {
    compiler::compile_with(PathBuf::from(env!("CARGO_BIN_EXE_host")));
    let sandbox = Sandbox::new(limits.clone(), Requirements::default(), Cache::of_user()).unwrap();
    let plugin = load(&sandbox, &folder("plugins").join(plugin).with_extension("wasm")).unwrap();
    let mut detector = Detector::start(&plugin).unwrap();
    detector.configure(&[]).unwrap();
    per_row(|| batches.iter().for_each(|batch| drop(black_box(detector.classify(batch).unwrap()))))
}

fn per_row(act: impl FnOnce()) -> f64 {
    let started = Instant::now();
    act();
    started.elapsed().as_secs_f64() * 1e9 / (BATCH_ROWS * BATCHES) as f64
}
