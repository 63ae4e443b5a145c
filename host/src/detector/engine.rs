//! The WebAssembly engine: how guests are compiled and stopped.

use std::thread;
use std::time::Duration;

use wasmtime::{Config, Engine};

use super::Limits;

/// How often the clock of deadlines ticks.
pub const TICK: Duration = Duration::from_millis(10);

/// For measuring what the deadline costs; no flag gives it.
pub const NO_DEADLINE: Duration = Duration::MAX;

/// An engine for guests with these limits, whose epoch advances every [`TICK`] for as long as
/// the engine lives.
pub fn new(limits: &Limits) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(limits.call_deadline < NO_DEADLINE)
        .max_wasm_stack(limits.stack_bytes)
        .consume_fuel(limits.fuel.is_some())
        // A guest's results must not depend on the machine that it runs on.
        .relaxed_simd_deterministic(true)
        .cranelift_nan_canonicalization(limits.deterministic_nan);
    let engine = Engine::new(&config)?;
    start_ticking(&engine);
    Ok(engine)
}

/// The number of epochs after which a call has certainly had its time.
pub fn deadline_ticks(deadline: Duration) -> u64 {
    let ticks = deadline.as_millis().div_ceil(TICK.as_millis());
    // The tick that is under way when the call starts does not count.
    u64::try_from(ticks).unwrap_or(u64::MAX / 2).saturating_add(1)
}

fn start_ticking(engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        loop {
            thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    });
}
