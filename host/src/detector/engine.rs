//! The WebAssembly engine: how guests are compiled and stopped.

use std::thread;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use serde::{Deserialize, Serialize};
use wasmtime::{Config, Engine};

use super::Limits;

/// How often it is looked whether a guest still has time; on a busy machine less often.
pub const TICK: Duration = Duration::from_millis(10);

/// So much address space is enough for memories as the engine likes them, for hundreds of instances.
const AMPLE_BYTES: u64 = 1 << 42;
/// What a memory gets where address space is limited, and by how much it may grow before it is moved,
/// which is a copy of all of it.
const RESERVED_BYTES: u64 = 16 << 20;
const GROWTH_BYTES: u64 = 64 << 20;

/// How the code of guests is executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum EngineKind {
    /// As machine code.
    #[default]
    Native,
    /// By an interpreter, Pulley, which needs no memory that can be executed and is many times slower.
    Interpreter,
}

/// What the interpreter's code is compiled for.
#[cfg(target_pointer_width = "64")]
const PULLEY: &str = "pulley64";
#[cfg(target_pointer_width = "32")]
const PULLEY: &str = "pulley32";

/// For measuring what the deadline costs; no flag gives it.
pub const NO_DEADLINE: Duration = Duration::MAX;

/// What decides what the compiler makes of a plugin. The process that compiles is told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Settings {
    kind: EngineKind,
    has_deadline: bool,
    has_fuel: bool,
    stack_bytes: usize,
    deterministic_nan: bool,
    /// Whether memories must be small in address space, too.
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
            .consume_fuel(self.has_fuel)
            // A guest's results must not depend on the machine that it runs on.
            .relaxed_simd_deterministic(true)
            .cranelift_nan_canonicalization(self.deterministic_nan);
        if self.kind == EngineKind::Interpreter {
            config.target(PULLEY)?;
        }
        if self.saves_address_space {
            // Instead of the 4 GiB and more for each memory that make bounds checks needless; slower.
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
    start_ticking(&engine)?;
    Ok(engine)
}

/// An engine that only compiles, with threads of its own or without.
pub fn for_compiling(settings: &Settings, has_threads: bool) -> wasmtime::Result<Engine> {
    Engine::new(settings.config()?.parallel_compilation(has_threads))
}

/// Whether memories must be small in address space, too (`ulimit -v`).
fn address_space_is_limited() -> bool {
    getrlimit(Resource::As).current.is_some_and(|bytes| bytes < AMPLE_BYTES)
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
