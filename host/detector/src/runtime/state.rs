//! What the host keeps for one guest while it lives.

use std::time::Instant;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::runtime::guest_log::GuestLog;
use crate::runtime::limits::{MemoryLimiter, TransferLimit};

/// What a guest may pass to a function of the host: far more than any line of a log, and little enough to be
/// looked at in no time.
const HOST_CALL_BYTES: usize = 4 << 20;

/// What the host keeps for a guest.
pub struct GuestState {
    pub(crate) log: GuestLog,
    pub(crate) memory: MemoryLimiter,
    pub(crate) wasi: WasiCtx,
    pub(crate) clock: Clock,
    pub(crate) resources: ResourceTable,
    /// All lists and strings that one call may pass.
    pub(crate) transfer_bytes: usize,
    /// When the call that is under way must have ended; `None` if it may take for ever.
    pub(crate) must_end_by: Option<Instant>,
}

impl GuestState {
    /// How much the guest may pass now, to a function of the host or as its answer, and what allows no more.
    pub(crate) fn allowed_bytes(&self, to_host_function: bool) -> (usize, TransferLimit) {
        let limits = [
            (self.transfer_bytes, TransferLimit::Setting),
            (if to_host_function { HOST_CALL_BYTES } else { usize::MAX }, TransferLimit::HostFunction),
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

/// The monotonic clock: time passes by being asked for and by being slept. Nobody really sleeps,
/// which no deadline could interrupt.
#[derive(Default)]
pub struct Clock {
    pub(crate) nanos: u64,
}
