//! What stopped a guest, worked out from the engine's error and from what the host noted on the way.

use host_core::text::printable;
use wasmtime::{Store, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::deadline::Deadline;
use crate::error::{Call, DetectorError, TrapReport};
use crate::plugin::source::Source;
use crate::refusal::Refusal;
use crate::runtime::limits::{Denial, Limits, MAX_TABLE_ENTRIES};
use crate::runtime::state::GuestState;
use crate::trace::{Trace, called_exit};

/// The call in which a guest was stopped, and what it was held to.
pub(crate) struct Stopped<'a> {
    pub plugin: &'a str,
    pub limits: &'a Limits,
    pub source: &'a Source,
    pub call: Call,
    pub deadline: Deadline,
}

impl Stopped<'_> {
    /// Works out what stopped the guest.
    pub fn by(self, store: &Store<GuestState>, error: wasmtime::Error) -> DetectorError {
        let state = store.data();
        let cause = cause(self, state, error);
        // Panic messages that are not part of it.
        state.log.settle();
        cause
    }
}

fn cause(stopped: Stopped<'_>, state: &GuestState, error: wasmtime::Error) -> DetectorError {
    let Stopped { plugin, limits, source, call, deadline } = stopped;
    let plugin = plugin.to_owned();
    let trace = || Box::new(Trace::of(&error, |offsets| source.places(offsets)));
    match (error.downcast_ref::<Trap>(), limits.fuel, deadline) {
        (Some(Trap::Interrupt), _, Deadline::Call(deadline)) => {
            return DetectorError::Deadline { plugin, call, deadline, trace: trace() };
        }
        (Some(Trap::Interrupt), _, Deadline::Run(deadline, _)) => {
            return DetectorError::RunDeadline { plugin, call, deadline, trace: trace() };
        }
        (Some(Trap::OutOfFuel), Some(fuel), _) => {
            return DetectorError::Fuel { plugin, call, fuel, trace: trace() };
        }
        _ => {}
    }
    match state.memory.denied {
        Some(Denial::Memory(asked_bytes)) => {
            let (allowed_bytes, trace) = (limits.memory_bytes, trace());
            return DetectorError::Memory { plugin, call, asked_bytes, allowed_bytes, trace };
        }
        Some(Denial::TableEntries(asked)) => {
            return DetectorError::TableEntries {
                plugin,
                call,
                asked,
                allowed: MAX_TABLE_ENTRIES,
                trace: trace(),
            };
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
        return DetectorError::Transfer { plugin, call, allowed_bytes, because, trace: trace() };
    }
    let is_crash = error.is::<Trap>() || error.is::<I32Exit>() || error.is::<WasmBacktrace>();
    if !is_crash {
        return DetectorError::Malformation { plugin, call, source: error };
    }
    let panics = state.log.take_panics();
    let mut log = state.log.last_lines();
    if state.log.dropped_lines() > 0 {
        log.push(format!("({} lines were dropped from the host's log)", state.log.dropped_lines()));
    }
    let trap = TrapReport { summary: summary(&error, !panics.is_empty()), panics, trace: trace(), log };
    DetectorError::Trap { plugin, call, trap: Box::new(trap) }
}

fn summary(error: &wasmtime::Error, panicked: bool) -> String {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return format!("it called exit({})", exit.0);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) if panicked => "it panicked".into(),
        Some(Trap::UnreachableCodeReached) if called_exit(error) => "it called `exit`".into(),
        Some(Trap::UnreachableCodeReached) => "it aborted itself".into(),
        Some(Trap::StackOverflow) => "its call stack overflowed".into(),
        Some(trap) => trap.to_string(),
        None => printable(&error.root_cause().to_string()).into_owned(),
    }
}
