//! Compiling, which happens in a [`confined`] process. Machine code is all that comes back from there.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Instant;

use crate::confined::{self, Bounds, EXIT_INVALID, EXIT_MEMORY, Ended, Job, Lost};
use crate::plugin::machine_code::MachineCode;
use crate::runtime::engine;
use crate::runtime::limits::{Limits, MIN_COMPILE_MEMORY_BYTES};

pub use crate::confined::{compile_with, serve};

/// Why there is no machine code.
#[derive(Debug)]
pub enum CompileError {
    /// The process could not be started, or its output could not be read.
    Start(io::Error),
    /// It took too long.
    Deadline,
    /// It needed more memory than it may have.
    Memory,
    /// It needed more address space than the system allows this process, which is less than the limit.
    SystemMemory,
    /// It died; in words.
    Crash(String),
    /// The component is not valid WebAssembly.
    Invalid(wasmtime::Error),
}

impl From<Lost> for CompileError {
    fn from(lost: Lost) -> CompileError {
        match lost {
            Lost::Start(error) => CompileError::Start(error),
            Lost::Deadline => CompileError::Deadline,
        }
    }
}

/// Compiles a component within the limits.
pub fn compile(
    component: Vec<u8>,
    settings: &engine::Settings,
    limits: &Limits,
) -> Result<MachineCode, CompileError> {
    let inherited_bytes = confined::inherited_memory_bytes();
    let memory_bytes = inherited_bytes.min(limits.compile_memory_bytes as u64);
    let bounds = Bounds {
        memory_bytes,
        processor_seconds: None,
        give_up: Instant::now().checked_add(limits.compile_deadline),
    };
    let ended = confined::run(Job::Compile(settings.clone()), component, &bounds)?;
    match ended.status.code() {
        Some(0) => MachineCode::from_bytes(ended.answer)
            .ok_or_else(|| CompileError::Crash("its output is damaged".into())),
        Some(EXIT_INVALID) => Err(CompileError::Invalid(confined::error_from(&ended.answer))),
        _ if ran_out_of_memory(&ended, memory_bytes) => {
            let is_ours = memory_bytes < inherited_bytes;
            Err(if is_ours { CompileError::Memory } else { CompileError::SystemMemory })
        }
        _ => Err(CompileError::Crash(ended.in_words())),
    }
}

fn ran_out_of_memory(ended: &Ended, memory_bytes: u64) -> bool {
    // If there is not even room for its own stack, the system kills it.
    let has_no_room = memory_bytes < MIN_COMPILE_MEMORY_BYTES as u64 && ended.status.signal().is_some();
    ended.status.code() == Some(EXIT_MEMORY) || has_no_room || ended.said.contains("memory allocation of")
}
