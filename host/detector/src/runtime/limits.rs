//! What a guest may use of the machine, and the limiter that enforces its memory limit.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

use crate::refusal::Refusal;

/// What one table entry costs: a reference and its bookkeeping.
const TABLE_ENTRY_BYTES: usize = 16;

/// The most entries that all tables of a guest may have together: more than any plugin has, and few enough
/// that an instruction that goes over all of them takes hardly any time. The deadline is checked before such
/// an instruction, not during it.
pub const MAX_TABLE_ENTRIES: usize = 500_000;

/// With less than this, no plugin can be compiled.
pub const MIN_COMPILE_MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// How the code of guests is executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum EngineKind {
    /// As machine code.
    #[default]
    Native,
    /// By an interpreter, Pulley, which needs no executable memory and is many times slower.
    Interpreter,
}

/// The limits imposed on a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How its code is executed.
    pub engine: EngineKind,
    /// How long one call may take.
    pub call_deadline: Duration,
    /// How long all calls of a run may take together.
    pub run_deadline: Option<Duration>,
    /// How long compiling may take.
    pub compile_deadline: Duration,
    /// All address space of the compiler process.
    pub compile_memory_bytes: usize,
    /// Roughly the number of instructions in a run; they are not counted if there is no limit.
    pub fuel: Option<u64>,
    /// An instance's memories, tables, globals, stack, and the data it passes, together.
    pub memory_bytes: usize,
    /// The guest's call stack.
    pub stack_bytes: usize,
    /// All lists and strings that one call may pass between guest and host.
    pub transfer_bytes: usize,
    /// The number of anomalies in one batch.
    pub batch_anomalies: usize,
    /// The number of lines in the log.
    pub log_lines: u64,
    /// The size of the plugin's file.
    pub plugin_bytes: u64,
    /// Whether even the bits of a NaN must be the same on every machine, which costs time.
    pub deterministic_nan: bool,
    /// Where random numbers and clocks begin. They are always the same, and no answer may depend on them;
    /// another number is for finding out whether one does.
    pub chance: u8,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            engine: EngineKind::default(),
            call_deadline: Duration::from_secs(10),
            run_deadline: None,
            compile_deadline: Duration::from_secs(120),
            compile_memory_bytes: 448 * MIB,
            fuel: None,
            memory_bytes: 256 * MIB,
            stack_bytes: MIB,
            transfer_bytes: 64 * MIB,
            batch_anomalies: usize::MAX,
            log_lines: 1_000,
            plugin_bytes: 64 * MIB as u64,
            deterministic_nan: false,
            chance: 0,
        }
    }
}

const MIB: usize = 1024 * 1024;

/// The total that a guest asked for and was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Of memory, in bytes.
    Memory(usize),
    /// Of entries in its tables.
    TableEntries(usize),
}

#[derive(Clone, Copy, Debug, Default)]
struct Growth {
    bytes: usize,
    table_entries: usize,
}

/// Why a guest may not pass more data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferLimit {
    /// The user's limit for a call.
    Setting,
    /// The limit for any function of the host.
    HostFunction,
    /// The longest that a correct answer to this call can be.
    Answer,
    /// Its memory limit, of which no more is left: what it passes counts as memory.
    Memory {
        /// All of it.
        allowed_bytes: usize,
    },
}

/// Keeps count of what the guest has and remembers what it was denied, so that the bare `unreachable` with
/// which a guest responds to a denial can be reported as what it is.
#[derive(Debug)]
pub struct MemoryLimiter {
    /// The most that the guest may have.
    pub limit_bytes: usize,
    used_bytes: usize,
    table_entries: usize,
    /// The most that the guest ever had.
    pub peak_bytes: usize,
    /// The growth in progress, to be taken back should it fail.
    growing: Growth,
    /// What was asked for when a limit was first hit.
    pub denied: Option<Denial>,
    /// What the system refused although the limit allows it.
    pub refused: Option<Refusal>,
}

impl MemoryLimiter {
    /// A limiter for a new instance, which has `fixed_bytes` from the start.
    #[must_use]
    pub fn new(limit_bytes: usize, fixed_bytes: usize) -> MemoryLimiter {
        MemoryLimiter {
            limit_bytes,
            used_bytes: fixed_bytes,
            table_entries: 0,
            peak_bytes: fixed_bytes,
            growing: Growth::default(),
            denied: None,
            refused: None,
        }
    }

    /// How much more the guest may have.
    #[must_use]
    pub fn left_bytes(&self) -> usize {
        self.limit_bytes.saturating_sub(self.used_bytes)
    }

    fn grow(&mut self, by: Growth) -> bool {
        let wanted_bytes = self.used_bytes.saturating_add(by.bytes);
        let wanted_entries = self.table_entries.saturating_add(by.table_entries);
        let denial = if wanted_bytes > self.limit_bytes {
            Some(Denial::Memory(wanted_bytes))
        } else if wanted_entries > MAX_TABLE_ENTRIES {
            Some(Denial::TableEntries(wanted_entries))
        } else {
            None
        };
        if let Some(denial) = denial {
            self.denied.get_or_insert(denial);
            self.growing = Growth::default();
            return false;
        }
        self.used_bytes = wanted_bytes;
        self.table_entries = wanted_entries;
        self.peak_bytes = self.peak_bytes.max(wanted_bytes);
        self.growing = by;
        true
    }

    /// Forgets earlier denials: the guest has coped with them.
    pub fn begin_call(&mut self) {
        self.denied = None;
        self.refused = None;
    }

    fn take_back(&mut self) {
        let Growth { bytes, table_entries } = std::mem::take(&mut self.growing);
        self.used_bytes -= bytes;
        self.table_entries -= table_entries;
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(Growth { bytes: desired.saturating_sub(current), table_entries: 0 }))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = self.refused.or(Refusal::of(&error));
        self.take_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let table_entries = desired.saturating_sub(current);
        Ok(self.grow(Growth { bytes: table_entries.saturating_mul(TABLE_ENTRY_BYTES), table_entries }))
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = self.refused.or(Refusal::of(&error));
        self.take_back();
        Ok(())
    }

    // A component consists of several core instances; a Python guest has about twenty.
    fn instances(&self) -> usize {
        100
    }

    fn memories(&self) -> usize {
        20
    }

    fn tables(&self) -> usize {
        100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_counts_not_each_memory_alone() {
        let mut keeper = MemoryLimiter::new(1000, 0);
        assert!(keeper.memory_growing(0, 600, None).unwrap());
        assert!(!keeper.memory_growing(0, 600, None).unwrap());
        assert_eq!(keeper.denied, Some(Denial::Memory(1200)));
        assert!(keeper.memory_growing(600, 1000, None).unwrap());
        assert!(!keeper.table_growing(0, 1, None).unwrap());
        assert_eq!((keeper.denied, keeper.peak_bytes), (Some(Denial::Memory(1200)), 1000));
    }

    #[test]
    fn tables_have_so_many_entries_together_whatever_the_memory() {
        let mut keeper = MemoryLimiter::new(usize::MAX, 0);
        assert!(keeper.table_growing(0, MAX_TABLE_ENTRIES - 1, None).unwrap());
        assert!(!keeper.table_growing(0, 2, None).unwrap());
        assert_eq!(keeper.denied, Some(Denial::TableEntries(MAX_TABLE_ENTRIES + 1)));
        keeper.begin_call();
        assert!(keeper.table_growing(0, 1, None).unwrap());
        keeper.table_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert!(keeper.table_growing(0, 1, None).unwrap());
        assert_eq!(keeper.denied, None);
    }

    #[test]
    fn a_growth_that_failed_is_not_counted() {
        let mut keeper = MemoryLimiter::new(1000, 0);
        assert!(keeper.memory_growing(0, 900, None).unwrap());
        keeper.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert!(keeper.table_growing(0, 1000 / TABLE_ENTRY_BYTES, None).unwrap());
        // A failure that follows a denial takes nothing back.
        assert!(!keeper.memory_growing(0, 900, None).unwrap());
        keeper.memory_grow_failed(wasmtime::Error::msg("denied")).unwrap();
        assert!(!keeper.memory_growing(0, 900, None).unwrap());
    }
}
