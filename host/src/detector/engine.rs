//! The WebAssembly engine: how guests are compiled and stopped.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use wasmtime::{Cache, CacheConfig, Config, Engine};

use super::Limits;

/// How often the clock of deadlines ticks.
pub const TICK: Duration = Duration::from_millis(10);

/// An engine for guests with these limits, whose epoch advances every [`TICK`] for as long as
/// the engine lives.
///
/// Compiled plugins are kept in `cache_folder`, where that can be written.
pub fn new(limits: &Limits, cache_folder: Option<&Path>) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        // A guest's results must not depend on the machine that it runs on.
        .relaxed_simd_deterministic(true)
        .cache(cache_folder.and_then(cache));
    let engine = Engine::new(&config)?;
    start_ticking(&engine);
    Ok(engine)
}

/// The number of epochs after which a call has certainly had its time.
pub fn deadline_ticks(deadline: Duration) -> u64 {
    let ticks = deadline.as_millis().div_ceil(TICK.as_millis());
    // The tick that is under way when the call starts does not count.
    u64::try_from(ticks).unwrap_or(u64::MAX / 2).saturating_add(1)
}

/// `~/.cache/host` or what the environment says instead.
pub fn default_cache_folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("host"))
}

/// A cache that cannot be had costs time, not correctness: it is mentioned and done without.
fn cache(folder: &Path) -> Option<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(folder.join("plugins"));
    match Cache::new(config) {
        Ok(cache) => Some(cache),
        Err(error) => {
            tracing::info!("compiling without a cache: {error:#}");
            None
        }
    }
}

fn start_ticking(engine: &Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        loop {
            thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    });
}
