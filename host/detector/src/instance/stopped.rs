//! What stopped a guest, worked out from the engine's error and from what the host noted on the way.

use host_core::text::printable;
use wasmtime::{Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::error::{Call, DetectorError, TrapReport};
use crate::instance::deadline::Deadline;
use crate::refusal::Refusal;
use crate::runtime::limits::{Denial, Limits, MAX_TABLE_ENTRIES};
use crate::runtime::state::GuestState;

/// How many functions of a backtrace are shown.
const SHOWN_FRAMES: usize = 12;

/// Works out what stopped a guest.
pub(crate) fn stopped(
    plugin: &str,
    limits: &Limits,
    store: &Store<GuestState>,
    call: Call,
    deadline: Deadline,
    error: wasmtime::Error,
) -> DetectorError {
    let plugin = plugin.to_owned();
    let state = store.data();
    match (error.downcast_ref::<Trap>(), limits.fuel, deadline) {
        (Some(Trap::Interrupt), _, Deadline::Call(deadline)) => {
            return DetectorError::Deadline { plugin, call, deadline };
        }
        (Some(Trap::Interrupt), _, Deadline::Run(deadline, _)) => {
            return DetectorError::RunDeadline { plugin, call, deadline };
        }
        (Some(Trap::OutOfFuel), Some(fuel), _) => return DetectorError::Fuel { plugin, call, fuel },
        _ => {}
    }
    match state.memory.denied {
        Some(Denial::Memory(asked_bytes)) => {
            return DetectorError::Memory { plugin, call, asked_bytes, allowed_bytes: limits.memory_bytes };
        }
        Some(Denial::TableEntries(asked)) => {
            return DetectorError::TableEntries { plugin, call, asked, allowed: MAX_TABLE_ENTRIES };
        }
        None => {}
    }
    let system = Refusal::of(&error).map(|refusal| (refusal, true));
    if let Some((refusal, is_told)) = system.or(state.memory.refused.map(|refusal| (refusal, false))) {
        let (during, source) = (call.to_string(), is_told.then_some(error));
        return DetectorError::System { plugin, during, refusal, source };
    }
    // wasmtime has no type for this error.
    if error.root_cause().to_string().starts_with("too much data is being copied") {
        // There is a backtrace only during a call of the host: an answer comes when the guest has returned.
        let (allowed_bytes, because) = state.allowed_bytes(error.is::<WasmBacktrace>());
        return DetectorError::Transfer { plugin, call, allowed_bytes, because };
    }
    let is_crash = error.is::<Trap>() || error.is::<I32Exit>() || error.is::<WasmBacktrace>();
    if !is_crash {
        return DetectorError::Malformation { plugin, call, source: error };
    }
    let panic = state.log.panic();
    let mut log = state.log.last_lines();
    if state.log.dropped_lines() > 0 {
        log.push(format!("({} lines were dropped from the host's log)", state.log.dropped_lines()));
    }
    let trap = TrapReport {
        summary: summary(&error, panic.is_some()),
        panic,
        backtrace: error.downcast_ref().map(backtrace).unwrap_or_default(),
        log,
    };
    DetectorError::Trap { plugin, call, trap: Box::new(trap) }
}

fn summary(error: &wasmtime::Error, panicked: bool) -> String {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return format!("it called exit({})", exit.0);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) if panicked => "it panicked".into(),
        Some(Trap::UnreachableCodeReached) => "it aborted itself".into(),
        Some(Trap::StackOverflow) => "its call stack overflowed".into(),
        Some(trap) => trap.to_string(),
        None => printable(&error.root_cause().to_string()).into_owned(),
    }
}

/// Names of the guest's own functions, innermost first; repeated calls in a row are counted, not listed.
fn backtrace(backtrace: &WasmBacktrace) -> Vec<String> {
    let names = backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name())
        // The alternate form leaves out the hashes, which mean nothing to a reader.
        .map(|name| format!("{:#}", rustc_demangle::demangle(name)))
        .filter(|name| !is_runtime(name));
    let mut counted: Vec<(String, usize)> = Vec::new();
    for name in names {
        match counted.last_mut() {
            Some((last, times)) if *last == name => *times += 1,
            _ => counted.push((name, 1)),
        }
    }
    counted
        .iter()
        .take(SHOWN_FRAMES)
        .map(|(name, times)| match times {
            1 => printable(name).into_owned(),
            _ => format!("{} ({times} times)", printable(name)),
        })
        .collect()
}

/// Whether a function belongs to a language's runtime rather than to the plugin.
fn is_runtime(name: &str) -> bool {
    const PREFIXES: [&str; 12] = [
        "std::",
        "core::",
        "alloc::",
        "<std::",
        "<core::",
        "<alloc::",
        "rust_",
        "__rust",
        "_rust",
        "rust_panic",
        "panic_",
        "__rustc",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || name == "abort"
}
