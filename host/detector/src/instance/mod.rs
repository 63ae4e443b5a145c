//! A live detector, and the one gate through which every call into a guest passes: the deadline is set before
//! the call, and whatever stops it is reported as what it is.
//!
//! The engine asks whether a guest may go on when it loops or calls one of its own functions, not while the
//! host works for it: so the clock is also checked whenever the host returns to the guest, and once more at
//! the end. A late answer is discarded.

mod deadline;
mod stopped;

use std::sync::Arc;
use std::time::{Duration, Instant};

use host_core::anomaly::Anomaly;
use host_core::batch::Batch;
use host_core::column::ColumnRequest;
use host_core::state::State;
use wasmtime::component::ResourceTable;
use wasmtime::{CallHook, Engine, Store, StoreContextMut, Trap, UpdateDeadline};

use self::deadline::Deadline;
use self::stopped::Stopped;
use crate::contract::exports::Exports;
use crate::contract::settings::{self, Refused};
use crate::contract::types::{GuestError, Metadata};
use crate::error::{BatchSpan, Call, DetectorError};
use crate::plugin::load::{Plugin, file_name};
use crate::plugin::source::Source;
use crate::runtime::guest_log::GuestLog;
use crate::runtime::limits::{Limits, MemoryLimiter};
use crate::runtime::profile::Profile;
use crate::runtime::state::{Clock, GuestState};
use crate::runtime::wasi;
use crate::verify;

/// Longer than any description or error that somebody is to read.
const SHORT_ANSWER_BYTES: usize = 4 << 20;
/// More than the longest reason and what belongs to it, however that is encoded.
const MAX_ANOMALY_BYTES: usize = 4 * verify::MAX_REASON_BYTES;

/// When the engine asks next whether the guest may go on, in ticks from now.
const NEXT_TICK: u64 = 1;

/// A plugin's live instance. It has described itself; [`configure`](Self::configure) comes next.
pub struct Detector {
    /// Its description of itself, verified.
    pub metadata: Metadata,
    /// The further columns that it needs, verified; none before it is [configured](Self::configure).
    pub columns: Vec<ColumnRequest>,
    guest: Guest,
    /// What it may still pass on of its state.
    allowance: verify::StateAllowance,
}

impl Detector {
    /// Starts an instance and lets it describe itself.
    ///
    /// # Errors
    /// If it crashes, exceeds a limit, or its description breaks the rules.
    pub fn start(plugin: &Plugin) -> Result<Detector, DetectorError> {
        let mut guest = Guest::start(plugin)?;
        let metadata = guest.call(Call::Describe, |exports, store| exports.describe(store))?;
        verify::metadata(&metadata).map_err(|violation| guest.violation(Call::Describe, violation))?;
        Ok(Detector { metadata, columns: Vec::new(), guest, allowance: verify::StateAllowance::default() })
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

    /// Hands over the settings, as name and value: those that are given, and the defaults of the others. It
    /// returns which further [`columns`](Self::columns) it needs; they are verified.
    ///
    /// # Errors
    /// [`DetectorError::Setting`] if there is no such setting, or the detector refuses its value.
    pub fn configure(&mut self, given: &[(String, String)]) -> Result<(), DetectorError> {
        let settings = settings::complete(&self.metadata, given)
            .map_err(|Refused { name, message }| self.refused_setting(name, message))?;
        let answer =
            self.guest.call(Call::Configure, |exports, store| exports.configure(store, &settings))?;
        let columns = answer.map_err(|error| self.guest_error(Call::Configure, error))?;
        verify::columns(&columns).map_err(|violation| self.guest.violation(Call::Configure, violation))?;
        self.columns = columns;
        Ok(())
    }

    /// Classifies a batch; the anomalies are verified.
    ///
    /// # Errors
    /// If the detector crashes, exceeds a limit, returns an error, or breaks the contract. The instance is
    /// unusable afterwards.
    pub fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, DetectorError> {
        let call = || Call::Classify(BatchSpan::of(batch));
        let answer = self.guest.call(call(), |exports, store| exports.classify(store, batch))?;
        let anomalies = answer.map_err(|error| self.guest_error(call(), error))?;
        verify::anomalies(&anomalies, batch.len(), self.guest.limits.batch_anomalies)
            .map_err(|violation| self.guest.violation(call(), violation))?;
        Ok(anomalies)
    }

    /// How anomalous each row of a batch is, for a scoring detector; the scores are verified.
    ///
    /// # Errors
    /// Like [`classify`](Self::classify).
    pub fn score(&mut self, batch: &Batch) -> Result<Vec<f64>, DetectorError> {
        let call = || Call::Score(BatchSpan::of(batch));
        let answer = self.guest.call(call(), |exports, store| exports.score(store, batch))?;
        let scores = answer.map_err(|error| self.guest_error(call(), error))?;
        verify::scores(&scores, batch.len()).map_err(|violation| self.guest.violation(call(), violation))?;
        Ok(scores)
    }

    /// Tells the detector that there are no more rows.
    ///
    /// # Errors
    /// Like [`classify`](Self::classify).
    pub fn finish(&mut self) -> Result<(), DetectorError> {
        let answer = self.guest.call(Call::Finish, |exports, store| exports.finish(store))?;
        answer.map_err(|error| self.guest_error(Call::Finish, error))
    }

    /// What a stateful detector has learned since it was restored, or since the last call, in its own format;
    /// verified. There may be more until it is empty.
    ///
    /// # Errors
    /// Like [`classify`](Self::classify).
    pub fn snapshot(&mut self) -> Result<State, DetectorError> {
        let answer = self.guest.call(Call::Snapshot, |exports, store| exports.snapshot(store))?;
        let state = answer.map_err(|error| self.guest_error(Call::Snapshot, error))?;
        verify::state(&state, self.metadata.ordering)
            .and_then(|()| self.allowance.take(&state))
            .map_err(|violation| self.guest.violation(Call::Snapshot, violation))?;
        Ok(state)
    }

    /// Gives a stateful detector, before its first batch, a part of what [`snapshot`](Self::snapshot) returned.
    ///
    /// # Errors
    /// Like [`classify`](Self::classify).
    pub fn restore(&mut self, state: &State) -> Result<(), DetectorError> {
        let answer = self.guest.call(Call::Restore, |exports, store| exports.restore(store, state))?;
        answer.map_err(|error| self.guest_error(Call::Restore, error))
    }

    /// Tells a learning detector, before its first batch, what has become known of these rows.
    ///
    /// # Errors
    /// Like [`classify`](Self::classify).
    pub fn feedback(&mut self, batch: &Batch, labels: &[bool]) -> Result<(), DetectorError> {
        let call = || Call::Feedback { rows: batch.len() as u64 };
        let answer = self.guest.call(call(), |exports, store| exports.feedback(store, batch, labels))?;
        answer.map_err(|error| self.guest_error(call(), error))
    }

    /// How many lines of the guest's log were dropped because there were too many.
    #[must_use]
    pub fn dropped_log_lines(&self) -> u64 {
        self.guest.store.data().log.dropped_lines()
    }

    /// The most memory the guest ever had, in bytes. Its stack counts towards the limit, but not here: it is
    /// the thread's, and hardly any of it is used.
    #[must_use]
    pub fn peak_memory_bytes(&self) -> usize {
        self.guest.store.data().memory.peak_bytes.saturating_sub(self.guest.limits.stack_bytes)
    }

    /// How much fuel the guest has used; `None` if it has no limit.
    #[must_use]
    pub fn used_fuel(&self) -> Option<u64> {
        let left = self.guest.store.get_fuel().ok()?;
        Some(self.guest.limits.fuel?.saturating_sub(left))
    }

    /// From now on, where the guest is is written down here.
    pub fn set_profile(&mut self, profile: Profile) {
        self.guest.store.data_mut().profile = Some(Box::new(profile));
    }

    /// What has been written down; `None` if it was not asked for.
    pub fn take_profile(&mut self) -> Option<Profile> {
        self.guest.store.data_mut().profile.take().map(|profile| *profile)
    }

    fn guest_error(&self, call: Call, error: GuestError) -> DetectorError {
        match error {
            GuestError::InvalidSetting { name, message } => self.refused_setting(name, message),
            GuestError::Other { kind, message } => {
                DetectorError::Guest { plugin: self.guest.plugin.clone(), call, kind, message }
            }
        }
    }

    fn refused_setting(&self, setting: String, message: String) -> DetectorError {
        DetectorError::Setting {
            plugin: self.guest.plugin.clone(),
            setting,
            message,
            known: self.metadata.settings.iter().map(|known| known.name.clone()).collect(),
        }
    }
}

/// The instance itself: a store and the exports in it.
struct Guest {
    plugin: String,
    limits: Limits,
    source: Arc<Source>,
    store: Store<GuestState>,
    exports: Box<dyn Exports>,
    /// How long all calls so far have taken.
    spent: Duration,
}

impl Guest {
    fn start(plugin: &Plugin) -> Result<Guest, DetectorError> {
        let name = file_name(&plugin.file);
        let (limits, source) = (plugin.limits.clone(), Arc::clone(&plugin.source));
        let mut store = new_store(plugin.component.engine(), &name, &limits, plugin.fixed_bytes);
        let deadline = Deadline::of(&limits, Duration::ZERO);
        let stopped = |store: &Store<GuestState>, error| {
            let (plugin, limits, source) = (&name, &limits, &source);
            Stopped { plugin, limits, source, call: Call::Start, deadline }.by(store, error)
        };
        if let Some(fuel) = limits.fuel {
            store.set_fuel(fuel).map_err(|error| stopped(&store, error))?;
        }
        let (exports, spent) = within(deadline, &mut store, |store| {
            let instance = plugin.component.instantiate(&mut *store)?;
            plugin.contract.exports(store, &instance)
        });
        let exports = exports.map_err(|error| stopped(&store, error))?;
        Ok(Guest { plugin: name, limits, source, store, exports, spent })
    }

    fn call<T>(
        &mut self,
        call: Call,
        act: impl FnOnce(&dyn Exports, &mut Store<GuestState>) -> wasmtime::Result<T>,
    ) -> Result<T, DetectorError> {
        let deadline = Deadline::of(&self.limits, self.spent);
        let state = self.store.data_mut();
        state.memory.begin_call();
        state.log.settle();
        state.answer_bytes = longest_answer_bytes(&call);
        let (answer, spent) = within(deadline, &mut self.store, |store| act(&*self.exports, store));
        self.spent += spent;
        answer.map_err(|error| {
            let Guest { plugin, limits, source, store, .. } = &*self;
            Stopped { plugin, limits, source, call, deadline }.by(store, error)
        })
    }

    fn violation(&self, call: Call, source: verify::Violation) -> DetectorError {
        DetectorError::Violation { plugin: self.plugin.clone(), call, source }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.store.data().log.settle();
    }
}

/// No correct answer is longer. To read millions of anomalies, settings or columns takes time before the first of
/// them can be refused.
fn longest_answer_bytes(call: &Call) -> usize {
    match call {
        Call::Classify(span) => {
            let rows = usize::try_from(span.rows).unwrap_or(usize::MAX);
            rows.saturating_mul(MAX_ANOMALY_BYTES).max(SHORT_ANSWER_BYTES)
        }
        Call::Snapshot => verify::MAX_STATE_PART_BYTES,
        _ => SHORT_ANSWER_BYTES,
    }
}

/// A store for one instance, which has `fixed_bytes` of memory from the start.
fn new_store(engine: &Engine, name: &str, limits: &Limits, fixed_bytes: usize) -> Store<GuestState> {
    let log = GuestLog::new(name, limits.log_lines);
    let mut resources = ResourceTable::new();
    resources.set_max_capacity(wasi::MAX_RESOURCES);
    let state = GuestState {
        memory: MemoryLimiter::new(limits.memory_bytes, fixed_bytes),
        transfer_bytes: limits.transfer_bytes,
        answer_bytes: usize::MAX,
        wasi: wasi::context(&log, limits.chance),
        clock: Clock { nanos: u64::from(limits.chance) * 1_000_000_000 },
        resources,
        log,
        must_end_by: None,
        profile: None,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.memory);
    store.call_hook(at_the_border);
    store.epoch_deadline_callback(at_a_tick);
    store
}

/// Lets a guest do something within a deadline; also returns how long it took.
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
    let is_late = answer.is_ok() && store.data().is_late();
    (if is_late { Err(Trap::Interrupt.into()) } else { answer }, spent)
}

/// Called in a guest when the engine's clock has ticked. It is not the ticks that count: each takes a bit longer than
/// it should, on a busy machine much longer, and a long deadline has many.
fn at_a_tick(mut context: StoreContextMut<'_, GuestState>) -> wasmtime::Result<UpdateDeadline> {
    if let Some(mut profile) = context.data_mut().profile.take() {
        profile.sample(&context);
        context.data_mut().profile = Some(profile);
    }
    let is_late = context.data().is_late();
    Ok(if is_late { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(NEXT_TICK) })
}

/// Called whenever control passes between guest and host.
fn at_the_border(mut context: StoreContextMut<'_, GuestState>, passes: CallHook) -> wasmtime::Result<()> {
    if context.data().profile.is_some()
        && matches!(passes, CallHook::CallingWasm | CallHook::ReturningFromHost)
    {
        // Otherwise the host's time would be that of the function that it calls next.
        context.set_epoch_deadline(NEXT_TICK);
    }
    let state = context.data();
    match passes {
        // The guest passes something: the host's copy counts as the guest's memory, too.
        CallHook::CallingHost | CallHook::ReturningFromWasm => {
            let (allowed_bytes, _) = state.allowed_bytes(matches!(passes, CallHook::CallingHost));
            context.set_hostcall_fuel(allowed_bytes);
            Ok(())
        }
        CallHook::ReturningFromHost if state.is_late() => Err(Trap::Interrupt.into()),
        CallHook::ReturningFromHost | CallHook::CallingWasm => Ok(()),
    }
}

#[cfg(test)]
mod border_tests;
