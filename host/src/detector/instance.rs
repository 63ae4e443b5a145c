//! A live detector, and the one gate through which every call into a guest passes: the deadline
//! is set before it, and whatever stopped it is told as what it is.
//!
//! The engine asks whether a guest may go on where it loops or calls a function of its own, not while the host
//! works for it: so the clock is looked at whenever the guest gets something from the host, and once more at the end. An
//! answer that comes late is none.

use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{CallHook, Engine, Store, StoreContextMut, Trap, UpdateDeadline, WasmBacktrace};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

use super::contract::{Exports, GuestError};
use super::error::{TransferLimit, TrapReport};
use super::guest_log::GuestLog;
use super::limits::{Denial, MAX_TABLE_ENTRIES, MemoryKeeper};
use super::load::{Plugin, file_name};
use super::{Anomaly, Call, DetectorError, Limits, Metadata, Refusal, verify, wasi};
use crate::batch::Batch;
use crate::text::printable;

/// How many functions of a backtrace are shown.
const SHOWN_FRAMES: usize = 12;

/// What a guest may pass to a function of the host: far more than any line of a log, and little enough to be
/// looked at in no time.
const HOST_CALL_BYTES: usize = 4 << 20;

/// More than any description or error has that somebody is to read.
const SHORT_ANSWER_BYTES: usize = 4 << 20;
/// More than the longest reason and what goes with it, however that is encoded.
const MAX_ANOMALY_BYTES: usize = 4 * verify::MAX_REASON_BYTES;

/// When the engine asks next whether the guest may go on, in ticks from now.
const NEXT_TICK: u64 = 1;

/// What the host keeps for a guest.
pub struct GuestState {
    pub(super) log: GuestLog,
    memory: MemoryKeeper,
    pub(super) wasi: WasiCtx,
    pub(super) clock: wasi::Clock,
    pub(super) resources: ResourceTable,
    /// All lists and strings that one call may pass.
    transfer_bytes: usize,
    /// What the answer to the call that is under way may be.
    answer_bytes: usize,
    /// When the call that is under way must have ended; `None` if it may take for ever.
    must_end_by: Option<Instant>,
}

impl GuestState {
    /// Whether the call that is under way should have ended.
    fn is_late(&self) -> bool {
        self.must_end_by.is_some_and(|end| Instant::now() > end)
    }

    /// How much the guest may pass now, to a function of the host or as its answer, and what allows no more.
    fn allowed_bytes(&self, to_host_function: bool) -> (usize, TransferLimit) {
        let limits = [
            (self.transfer_bytes, TransferLimit::Setting),
            if to_host_function {
                (HOST_CALL_BYTES, TransferLimit::HostFunction)
            } else {
                (self.answer_bytes, TransferLimit::Answer)
            },
            (self.memory.left_bytes(), TransferLimit::Memory { allowed_bytes: self.memory.limit_bytes }),
        ];
        limits.into_iter().fold((usize::MAX, TransferLimit::Setting), |least, limit| {
            if limit.0 < least.0 { limit } else { least }
        })
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.resources }
    }
}

/// A plugin's live instance. It has described itself; [`configure`](Self::configure) comes next.
pub struct Detector {
    /// What it says about itself, verified.
    pub metadata: Metadata,
    guest: Guest,
}

impl Detector {
    /// Starts an instance and lets it describe itself.
    ///
    /// # Errors
    /// Where it crashes, takes too much, or describes itself against the rules.
    pub fn start(plugin: &Plugin) -> Result<Detector, DetectorError> {
        let mut guest = Guest::start(plugin)?;
        let metadata = guest.call(Call::Describe, |exports, store| exports.describe(store))?;
        verify::metadata(&metadata).map_err(|violation| guest.violation(Call::Describe, violation))?;
        Ok(Detector { metadata, guest })
    }

    /// Lets it describe itself once more.
    ///
    /// # Errors
    /// Like [`start`](Self::start).
    pub fn describe(&mut self) -> Result<Metadata, DetectorError> {
        let metadata = self.guest.call(Call::Describe, |exports, store| exports.describe(store))?;
        verify::metadata(&metadata).map_err(|violation| self.guest.violation(Call::Describe, violation))?;
        Ok(metadata)
    }

    /// Hands over the settings that were given, by name and value.
    ///
    /// # Errors
    /// [`DetectorError::Setting`] where the detector refuses one.
    pub fn configure(&mut self, settings: &[(String, String)]) -> Result<(), DetectorError> {
        let answer = self.guest.call(Call::Configure, |exports, store| exports.configure(store, settings))?;
        answer.map_err(|error| self.guest_error(Call::Configure, error))
    }

    /// Classifies a batch; the anomalies are verified.
    ///
    /// # Errors
    /// Where the detector crashes, takes too much, gives up, or breaks the contract. The instance
    /// is of no use afterwards.
    pub fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, DetectorError> {
        let call =
            Call::Classify { first_row: batch.first_row, rows: batch.len() as u64, lines: batch.line_span() };
        let answer = self.guest.call(call.clone(), |exports, store| exports.classify(store, batch))?;
        let anomalies = answer.map_err(|error| self.guest_error(call.clone(), error))?;
        verify::anomalies(&anomalies, batch.len(), self.guest.limits.batch_anomalies)
            .map_err(|violation| self.guest.violation(call, violation))?;
        Ok(anomalies)
    }

    /// Tells the detector that there are no more rows.
    ///
    /// # Errors
    /// Like [`classify`](Self::classify).
    pub fn finish(&mut self) -> Result<(), DetectorError> {
        let answer = self.guest.call(Call::Finish, |exports, store| exports.finish(store))?;
        answer.map_err(|error| self.guest_error(Call::Finish, error))
    }

    /// What a stateful detector has learned, in a format of its own.
    ///
    /// # Errors
    /// Like [`classify`](Self::classify).
    pub fn snapshot(&mut self) -> Result<Vec<u8>, DetectorError> {
        let answer = self.guest.call(Call::Snapshot, |exports, store| exports.snapshot(store))?;
        answer.map_err(|error| self.guest_error(Call::Snapshot, error))
    }

    /// Gives a stateful detector, before its first batch, what [`snapshot`](Self::snapshot) returned.
    ///
    /// # Errors
    /// Like [`classify`](Self::classify).
    pub fn restore(&mut self, state: Vec<u8>) -> Result<(), DetectorError> {
        let answer = self.guest.call(Call::Restore, |exports, store| exports.restore(store, state))?;
        answer.map_err(|error| self.guest_error(Call::Restore, error))
    }

    /// How many lines of the guest's log were dropped because there were too many.
    #[must_use]
    pub fn dropped_log_lines(&self) -> u64 {
        self.guest.store.data().log.dropped_lines()
    }

    /// The most memory the guest ever had, in bytes. Its stack counts for the limit, not here: it is the
    /// thread's, and hardly any of it is used.
    #[must_use]
    pub fn peak_memory_bytes(&self) -> usize {
        self.guest.store.data().memory.peak_bytes.saturating_sub(self.guest.limits.stack_bytes)
    }

    /// How much fuel the guest has used, where it has a limit.
    #[must_use]
    pub fn used_fuel(&self) -> Option<u64> {
        let left = self.guest.store.get_fuel().ok()?;
        Some(self.guest.limits.fuel?.saturating_sub(left))
    }

    fn guest_error(&self, call: Call, error: GuestError) -> DetectorError {
        let plugin = self.guest.plugin.clone();
        match error {
            GuestError::InvalidSetting { name, message } => DetectorError::Setting {
                plugin,
                setting: name,
                message,
                known: self.metadata.settings.iter().map(|known| known.name.clone()).collect(),
            },
            GuestError::Other { kind, message } => DetectorError::Guest { plugin, call, kind, message },
        }
    }
}

/// The instance itself: a store and the exports in it.
struct Guest {
    plugin: String,
    limits: Limits,
    store: Store<GuestState>,
    exports: Box<dyn Exports>,
    /// How long all calls so far took.
    spent: Duration,
}

impl Guest {
    fn start(plugin: &Plugin) -> Result<Guest, DetectorError> {
        let name = file_name(&plugin.file);
        let limits = plugin.limits.clone();
        let mut store = new_store(plugin.component.engine(), &name, &limits, plugin.fixed_bytes);
        let deadline = Deadline::of(&limits, Duration::ZERO);
        let stopped =
            |store: &Store<GuestState>, error| stopped(&name, &limits, store, Call::Start, deadline, error);
        if let Some(fuel) = limits.fuel {
            store.set_fuel(fuel).map_err(|error| stopped(&store, error))?;
        }
        let (exports, spent) = within(deadline, &mut store, |store| {
            let instance = plugin.component.instantiate(&mut *store)?;
            plugin.contract.exports(store, &instance)
        });
        let exports = exports.map_err(|error| stopped(&store, error))?;
        Ok(Guest { plugin: name, limits, store, exports, spent })
    }

    fn call<T>(
        &mut self,
        call: Call,
        act: impl FnOnce(&dyn Exports, &mut Store<GuestState>) -> wasmtime::Result<T>,
    ) -> Result<T, DetectorError> {
        let deadline = Deadline::of(&self.limits, self.spent);
        let state = self.store.data_mut();
        state.memory.begin_call();
        state.answer_bytes = longest_answer_bytes(&call);
        let (answer, spent) = within(deadline, &mut self.store, |store| act(&*self.exports, store));
        self.spent += spent;
        answer.map_err(|error| stopped(&self.plugin, &self.limits, &self.store, call, deadline, error))
    }

    fn violation(&self, call: Call, source: verify::Violation) -> DetectorError {
        DetectorError::Violation { plugin: self.plugin.clone(), call, source }
    }
}

/// No right answer is longer. To look at millions of anomalies, settings or columns takes time before the first
/// of them can be refused.
fn longest_answer_bytes(call: &Call) -> usize {
    match call {
        Call::Classify { rows, .. } => {
            let rows = usize::try_from(*rows).unwrap_or(usize::MAX);
            rows.saturating_mul(MAX_ANOMALY_BYTES).max(SHORT_ANSWER_BYTES)
        }
        Call::Snapshot => usize::MAX,
        _ => SHORT_ANSWER_BYTES,
    }
}

/// A store for one instance, which has `fixed_bytes` of memory from the start.
fn new_store(engine: &Engine, name: &str, limits: &Limits, fixed_bytes: usize) -> Store<GuestState> {
    let log = GuestLog::new(name, limits.log_lines);
    let mut resources = ResourceTable::new();
    resources.set_max_capacity(wasi::MAX_RESOURCES);
    let state = GuestState {
        memory: MemoryKeeper::new(limits.memory_bytes, fixed_bytes),
        transfer_bytes: limits.transfer_bytes,
        answer_bytes: usize::MAX,
        wasi: wasi::context(&log),
        clock: wasi::Clock::default(),
        resources,
        log,
        must_end_by: None,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.memory);
    store.call_hook(at_the_border);
    store.epoch_deadline_callback(at_a_tick);
    store
}

/// Which deadline comes first, that of the call or that of the run.
#[derive(Clone, Copy)]
enum Deadline {
    Call(Duration),
    /// All that is allowed, and what is left of it.
    Run(Duration, Duration),
}

impl Deadline {
    fn of(limits: &Limits, spent: Duration) -> Deadline {
        match limits.run_deadline.map(|allowed| (allowed, allowed.saturating_sub(spent))) {
            Some((allowed, left)) if left < limits.call_deadline => Deadline::Run(allowed, left),
            _ => Deadline::Call(limits.call_deadline),
        }
    }

    /// From now on.
    fn left(self) -> Duration {
        match self {
            Deadline::Call(left) | Deadline::Run(_, left) => left,
        }
    }
}

/// Lets a guest do something, for so long and no longer; also says how long it took.
fn within<T>(
    deadline: Deadline,
    store: &mut Store<GuestState>,
    act: impl FnOnce(&mut Store<GuestState>) -> wasmtime::Result<T>,
) -> (wasmtime::Result<T>, Duration) {
    let allowed = deadline.left();
    let started = Instant::now();
    store.set_epoch_deadline(NEXT_TICK);
    store.data_mut().must_end_by = started.checked_add(allowed);
    let answer = act(store);
    let spent = started.elapsed();
    let is_late = answer.is_ok() && spent > allowed;
    (if is_late { Err(Trap::Interrupt.into()) } else { answer }, spent)
}

/// In a guest, when the engine's clock has ticked. It is not the ticks that count: each takes a bit longer than it
/// should, on a busy machine by far, and a long deadline has many.
fn at_a_tick(context: StoreContextMut<'_, GuestState>) -> wasmtime::Result<UpdateDeadline> {
    let is_late = context.data().is_late();
    Ok(if is_late { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(NEXT_TICK) })
}

/// Wherever control passes between guest and host.
fn at_the_border(mut context: StoreContextMut<'_, GuestState>, passes: CallHook) -> wasmtime::Result<()> {
    let state = context.data();
    match passes {
        // The guest passes something: what the host makes of it is of the guest's memory, too.
        CallHook::CallingHost | CallHook::ReturningFromWasm => {
            let (allowed_bytes, _) = state.allowed_bytes(matches!(passes, CallHook::CallingHost));
            context.set_hostcall_fuel(allowed_bytes);
            Ok(())
        }
        CallHook::ReturningFromHost if state.is_late() => Err(Trap::Interrupt.into()),
        CallHook::ReturningFromHost | CallHook::CallingWasm => Ok(()),
    }
}

/// What stopped a guest, from the engine's error and from what the host noted on the way.
fn stopped(
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
    // There is no type for this one.
    if error.root_cause().to_string().starts_with("too much data is being copied") {
        // An answer comes when the guest's functions have returned.
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
        log.push(format!("({} lines were too many for the host's log)", state.log.dropped_lines()));
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

/// Names of the guest's own functions, innermost first; a recursion is counted, not listed.
fn backtrace(backtrace: &WasmBacktrace) -> Vec<String> {
    let names = backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name())
        // The alternate form leaves out the hashes that tell a reader nothing.
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

/// Functions of a language's runtime rather than of the plugin.
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

#[cfg(test)]
#[path = "border_tests.rs"]
mod border_tests;
