//! What the host keeps for one guest while it lives.

use std::time::Instant;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::runtime::guest_log::GuestLog;
use crate::runtime::limits::{MemoryLimiter, TransferLimit};
use crate::runtime::profile::Profile;

/// How much a guest may pass to a function of the host: far more than any log line, and little enough to
/// process in hardly any time.
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
    /// The longest that the answer to the current call may be.
    pub(crate) answer_bytes: usize,
    /// When the current call must have ended; `None` if it may take forever.
    pub(crate) must_end_by: Option<Instant>,
    /// Where it has been, if somebody wants to know.
    pub(crate) profile: Option<Box<Profile>>,
}

impl GuestState {
    /// Whether the current call should have ended.
    pub(crate) fn is_late(&self) -> bool {
        self.must_end_by.is_some_and(|end| Instant::now() > end)
    }

    /// How much the guest may pass now, to a function of the host or as its answer, and which limit that is.
    pub(crate) fn allowed_bytes(&self, to_host_function: bool) -> (usize, TransferLimit) {
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

/// The monotonic clock: time passes only when the guest reads the clock or sleeps. It never really sleeps,
/// since no deadline could interrupt that.
pub struct Clock {
    pub(crate) nanos: u64,
}
