//! Plugins that a generator made up: whatever they do, it stays in the sandbox. (The fuzz targets
//! in fuzz/ do the same for hours.)

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use arbitrary::Unstructured;
use host_core::batch::{Batch, Row};
use host_detector::{Cache, Detector, DetectorError, Limits, Requirements, Sandbox, load};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::sandbox::{forged, scripted};
use crate::support::{self, Files};

fn runner() -> TestRunner {
    TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() })
}

fn sandbox() -> Sandbox {
    let limits = Limits {
        // Fuel is what ends a loop, after the same number of instructions on every machine.
        call_deadline: Duration::from_secs(60),
        memory_bytes: 16 << 20,
        transfer_bytes: 1 << 20,
        fuel: Some(100_000),
        ..Limits::default()
    };
    support::sandbox(limits, Requirements::default(), Cache::none()).unwrap()
}

/// A whole run; says how far it came.
fn run(sandbox: &Sandbox, files: &Files, bytes: &[u8]) -> Result<(), DetectorError> {
    let mut batch = Batch::default();
    batch.push(Row { transaction_id: Some(1), user_id: 1, amount_cents: 1, timestamp_micros: 0, line: 2 });
    let mut detector = Detector::start(&load(sandbox, &files.write("p.wasm", bytes))?)?;
    detector.configure(&[])?;
    let anomalies = detector.classify(&batch)?;
    assert!(anomalies.iter().all(|anomaly| anomaly.row == 0 && anomaly.score.is_finite()));
    detector.finish()
}

/// Modules with the contract's functions and memory, whose bodies are random.
#[test]
fn random_code_with_the_contracts_exports() {
    let (sandbox, files) = (sandbox(), Files::new());
    let outcomes = RefCell::new(BTreeMap::<String, u32>::new());
    runner()
        .run(&proptest::collection::vec(any::<u8>(), 256..4096), |seed| {
            let config = wasm_smith::Config {
                max_memories: 1,
                max_imports: 0,
                memory64_enabled: false,
                ..forged::generator()
            };
            let module = wasm_smith::Module::new(config, &mut Unstructured::new(&seed));
            let Ok(module) = module else { return Ok(()) };
            let outcome = match run(&sandbox, &files, &forged::with_contract(module.to_bytes())) {
                Ok(()) => "ran to its end".to_owned(),
                Err(error) => format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
            };
            *outcomes.borrow_mut().entry(outcome).or_default() += 1;
            Ok(())
        })
        .unwrap();
    // Otherwise all were refused before anything of them ran, and this shows nothing.
    let outcomes = outcomes.into_inner();
    let ran: u32 = ["Trap", "Malformation", "Violation", "Fuel", "Memory"]
        .iter()
        .filter_map(|kind| outcomes.get(*kind))
        .sum();
    assert!(ran >= 30, "{outcomes:?}");
}

/// Any calls of the host, in any order, with any arguments.
#[test]
fn random_calls_of_the_host() {
    let (files, outcomes) = (Files::new(), RefCell::new(BTreeMap::<String, u32>::new()));
    let limits =
        Limits { call_deadline: Duration::from_secs(60), memory_bytes: 16 << 20, ..Limits::default() };
    let sandbox = support::sandbox(limits, Requirements::default(), Cache::none()).unwrap();
    let plugin = load(&sandbox, &files.write("p.wasm", scripted::guest())).unwrap();
    // Small numbers are addresses and lengths that there are; the others are not.
    let number = || prop_oneof![9 => 0..600_i64, 1 => any::<i64>()];
    runner()
        .run(&proptest::collection::vec((any::<u8>(), number(), number()), 1..8), |calls| {
            let mut detector = Detector::start(&plugin).unwrap();
            detector.configure(&[]).unwrap();
            let outcome = match detector.classify(&scripted::batch(&calls)) {
                Ok(anomalies) => format!("{} anomalies", anomalies.len()),
                Err(error) => format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned(),
            };
            prop_assert!(detector.peak_memory_bytes() <= 16 << 20);
            *outcomes.borrow_mut().entry(outcome).or_default() += 1;
            Ok(())
        })
        .unwrap();
    let outcomes = outcomes.into_inner();
    assert!(outcomes.get("0 anomalies").is_some_and(|ended| *ended >= 15), "{outcomes:?}");
    assert!(outcomes.len() >= 2, "{outcomes:?}");
}

/// Real plugins with a few bytes changed, anywhere.
#[test]
fn damaged_plugins() {
    let (sandbox, files) = (sandbox(), Files::new());
    let honest = forged::honest();
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    runner()
        .run(&changes, |changes| {
            let mut bytes = honest.clone();
            for (index, byte) in changes {
                *index.get_mut(&mut bytes) = byte;
            }
            // Whatever comes of it: it comes back.
            let _ = run(&sandbox, &files, &bytes);
            Ok(())
        })
        .unwrap();
}

/// Bytes that only start like WebAssembly.
#[test]
fn random_bytes_after_the_magic_number() {
    let (sandbox, files) = (sandbox(), Files::new());
    let heads = prop_oneof![Just(&b"\0asm\x01\0\0\0"[..]), Just(&b"\0asm\x0d\0\x01\0"[..])];
    runner()
        .run(&(heads, proptest::collection::vec(any::<u8>(), 0..512)), |(head, rest)| {
            prop_assert!(run(&sandbox, &files, &[head, &rest].concat()).is_err());
            Ok(())
        })
        .unwrap();
}
