//! The WebAssembly engine: how guests are compiled and stopped.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use serde::{Deserialize, Serialize};
use wasmtime::{Config, Engine, WasmBacktraceDetails};

use crate::runtime::limits::{EngineKind, Limits};
use crate::trace::MAX_FRAMES;

/// How often the engine asks whether a guest still has time; less often on a busy machine.
const TICK: Duration = Duration::from_millis(10);

/// This much address space is enough for the engine's preferred memory layout, for hundreds of instances.
const AMPLE_BYTES: u64 = 1 << 42;
/// How much a memory reserves if address space is limited, and how far it may grow before it has to be moved,
/// which copies all of it.
const RESERVED_BYTES: u64 = 16 << 20;
const GROWTH_BYTES: u64 = 64 << 20;

/// The target that code for the interpreter is compiled for.
#[cfg(target_pointer_width = "64")]
const PULLEY: &str = "pulley64";
#[cfg(target_pointer_width = "32")]
const PULLEY: &str = "pulley32";

/// For measuring what the deadline costs; no command-line option sets it.
pub const NO_DEADLINE: Duration = Duration::MAX;

/// Everything that affects the compiler's output. It is passed to the compiler process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Settings {
    kind: EngineKind,
    has_deadline: bool,
    has_fuel: bool,
    stack_bytes: usize,
    deterministic_nan: bool,
    /// Whether memories must also be small in address space.
    saves_address_space: bool,
}

impl Settings {
    /// For guests with these limits, on this machine.
    pub fn new(limits: &Limits) -> Settings {
        Settings {
            kind: limits.engine,
            has_deadline: limits.call_deadline < NO_DEADLINE,
            has_fuel: limits.fuel.is_some(),
            stack_bytes: limits.stack_bytes,
            deterministic_nan: limits.deterministic_nan,
            saves_address_space: address_space_is_limited(),
        }
    }

    fn config(&self) -> wasmtime::Result<Config> {
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .epoch_interruption(self.has_deadline)
            .max_wasm_stack(self.stack_bytes)
            .wasm_backtrace_max_frames(NonZeroUsize::new(MAX_FRAMES))
            // Not here: see `plugin/debug_info.rs`. The default is an environment variable's.
            .wasm_backtrace_details(WasmBacktraceDetails::Disable)
            .consume_fuel(self.has_fuel)
            // A guest's results must not depend on the machine that it runs on.
            .relaxed_simd_deterministic(true)
            .cranelift_nan_canonicalization(self.deterministic_nan);
        if self.kind == EngineKind::Interpreter {
            config.target(PULLEY)?;
        }
        if self.saves_address_space {
            // Instead of the 4 GiB and more per memory that make bounds checks unnecessary; slower.
            config
                .memory_reservation(RESERVED_BYTES)
                .memory_reservation_for_growth(GROWTH_BYTES)
                .memory_guard_size(0);
        }
        Ok(config)
    }
}

/// An engine that runs guests; its epoch advances every [`TICK`] for as long as it lives.
pub fn new(settings: &Settings) -> wasmtime::Result<Engine> {
    let engine = Engine::new(&settings.config()?)?;
    start_ticking(&engine, TICK)?;
    Ok(engine)
}

/// An engine that only compiles, with or without threads.
pub fn for_compiling(settings: &Settings, has_threads: bool) -> wasmtime::Result<Engine> {
    Engine::new(settings.config()?.parallel_compilation(has_threads))
}

/// Whether memories must also be small in address space (`ulimit -v`).
fn address_space_is_limited() -> bool {
    getrlimit(Resource::As).current.is_some_and(|bytes| bytes < AMPLE_BYTES)
}

/// Advances the epoch of an engine in these intervals, for as long as it lives.
pub(crate) fn start_ticking(engine: &Engine, interval: Duration) -> wasmtime::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        loop {
            thread::sleep(interval);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    };
    thread::Builder::new().spawn(tick)?;
    Ok(())
}
