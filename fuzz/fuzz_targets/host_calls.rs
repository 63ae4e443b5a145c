//! Arbitrary calls of the host, in any order, with any arguments; the guest is always the same.
#![no_main]

#[path = "../../host/cli/tests/suite/sandbox/forged.rs"]
#[allow(dead_code, reason = "the tests' own")]
mod forged;
mod sandboxed;
#[path = "../../host/cli/tests/suite/sandbox/scripted.rs"]
mod scripted;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|calls: Vec<(u8, i64, i64)>| {
    let calls = &calls[..calls.len().min(1_000)];
    if !calls.is_empty() {
        sandboxed::run(scripted::guest(), &scripted::batch(calls));
    }
});
