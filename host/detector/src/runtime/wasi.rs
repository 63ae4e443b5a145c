//! WASI for guests that import it without needing it (as plain `wasm32-wasip2` builds do): everything can be
//! imported and nothing is granted. No files, sockets, environment, arguments or input; output goes to the
//! guest's log; the clocks stand still or count; random numbers are the same in every run.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamError, StreamResult, subscribe};
use wasmtime_wasi::{Deterministic, HostWallClock, WasiCtx, async_trait};

use crate::runtime::guest_log::GuestLog;
use crate::runtime::state::{Clock, GuestState};

/// Any fixed numbers would do: what matters is that they are always the same.
const SEED: u8 = 0x2a;
/// How far the monotonic clock moves each time it is read.
const CLOCK_STEP_NANOS: u64 = 1_000;
/// How much a guest may write to its output at a time. Writing more breaks WASI's rules.
const WRITE_BYTES: usize = 64 * 1024;
/// How many random bytes a guest may ask for at a time. Each takes a fifth of a microsecond.
const MAX_RANDOM_BYTES: u64 = 64 * 1024;
/// How many handles (streams, pollables, errors) a guest may hold.
pub const MAX_RESOURCES: usize = 1_000;

/// Adds WASI to the linker: what ordinary Rust, Go, C, Python and JavaScript guests import. There is no
/// `wasi:http`.
pub fn link(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    // The standard interfaces, and then one of them replaced.
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<GuestState, VirtualTime>(linker, |state| VirtualTimeView {
        clock: &mut state.clock,
        resources: &mut state.resources,
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Whether an import is one of those that [`link`] adds.
pub fn offers(import: &str) -> bool {
    const PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
    let parts = import
        .strip_prefix("wasi:")
        .and_then(|rest| Some((rest.split_once('/')?.0, rest.split_once('@')?.1)));
    parts.is_some_and(|(package, version)| PACKAGES.contains(&package) && version.starts_with("0.2."))
}

/// A context that grants nothing. Chance is what [`Limits`](crate::Limits) say.
pub fn context(log: &GuestLog, chance: u8) -> WasiCtx {
    let seed = SEED ^ chance;
    let output = |level| Output { log: log.clone(), level };
    WasiCtx::builder()
        .stdout(output(tracing::Level::INFO))
        .stderr(output(tracing::Level::WARN))
        .wall_clock(StoppedClock(Duration::from_secs(u64::from(chance) * 1_000_000)))
        .secure_random(Deterministic::new(vec![seed]))
        .insecure_random(Deterministic::new(vec![seed]))
        .insecure_random_seed(u128::from(seed))
        .max_random_size(MAX_RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .allow_blocking_current_thread(true)
        .build()
}

/// It is always the same time: 1970, unless chance says otherwise.
struct StoppedClock(Duration);

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
    fn now(&self) -> Duration {
        self.0
    }
}

struct VirtualTime;

impl HasData for VirtualTime {
    type Data<'a> = VirtualTimeView<'a>;
}

struct VirtualTimeView<'a> {
    clock: &'a mut Clock,
    resources: &'a mut ResourceTable,
}

impl monotonic_clock::Host for VirtualTimeView<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.clock.nanos = self.clock.nanos.saturating_add(CLOCK_STEP_NANOS);
        Ok(self.clock.nanos)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(CLOCK_STEP_NANOS)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.clock.nanos = self.clock.nanos.max(when);
        let elapsed = self.resources.push(Elapsed)?;
        subscribe(self.resources, elapsed)
    }

    fn subscribe_duration(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.subscribe_instant(self.clock.nanos.saturating_add(nanos))
    }
}

/// A time that has come.
struct Elapsed;

#[async_trait]
impl Pollable for Elapsed {
    async fn ready(&mut self) {}
}

/// Standard output or error: into the log, at once and without limit (a pipe that fills up would make the
/// guest abort).
#[derive(Clone)]
struct Output {
    log: GuestLog,
    level: tracing::Level,
}

impl Output {
    fn take(&self, bytes: &[u8]) {
        self.log.write(self.level, bytes);
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > WRITE_BYTES {
            let message =
                format!("it wrote {} bytes at once; `check-write` allows {WRITE_BYTES}", bytes.len());
            return Err(StreamError::trap(&message));
        }
        self.take(&bytes);
        Ok(())
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let taken = bytes.len().min(WRITE_BYTES);
        self.take(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
