//! The WebAssembly engine: how guests are compiled and stopped.

use std::thread;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use wasmtime::{Config, Engine};

use super::Limits;

/// How often the clock of deadlines ticks.
pub const TICK: Duration = Duration::from_millis(10);

/// So much address space is enough for memories as the engine likes them, for hundreds of instances.
const AMPLE_BYTES: u64 = 1 << 42;
/// What a memory gets where address space is limited, and by how much it may grow before it is moved,
/// which is a copy of all of it.
const RESERVED_BYTES: u64 = 16 << 20;
const GROWTH_BYTES: u64 = 64 << 20;

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
    if address_space_is_limited() {
        // Instead of the 4 GiB and more for each memory that make bounds checks needless; slower.
        config
            .memory_reservation(RESERVED_BYTES)
            .memory_reservation_for_growth(GROWTH_BYTES)
            .memory_guard_size(0);
    }
    let engine = Engine::new(&config)?;
    start_ticking(&engine)?;
    Ok(engine)
}

/// Whether memories must be small in address space, too (`ulimit -v`).
fn address_space_is_limited() -> bool {
    getrlimit(Resource::As).current.is_some_and(|bytes| bytes < AMPLE_BYTES)
}

/// The number of epochs after which a call has certainly had its time.
pub fn deadline_ticks(deadline: Duration) -> u64 {
    let ticks = deadline.as_millis().div_ceil(TICK.as_millis());
    // The tick that is under way when the call starts does not count.
    u64::try_from(ticks).unwrap_or(u64::MAX / 2).saturating_add(1)
}

fn start_ticking(engine: &Engine) -> wasmtime::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        loop {
            thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    };
    thread::Builder::new().spawn(tick)?;
    Ok(())
}
