//! The confined process: a component comes in on standard input, the answer goes out on standard output, and
//! nothing else is open but standard error. It ends when its parent does.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use host_core::digest::Sha256Digest;
use rustix::process::{Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit};
use serde::{Deserialize, Serialize};

use crate::plugin::debug_info;
use crate::refusal::Refusal;
use crate::runtime::engine;

/// Functions are compiled in parallel, which takes memory for each: on a machine with many cores no more than
/// elsewhere, so that a plugin that can be compiled on one machine can be compiled on all.
const THREADS: usize = 2;
/// How much of this process's standard error is looked at.
pub const SAID_BYTES: u64 = 4_096;
/// The exit code if the component is not valid; standard output then has the error's causes.
pub const EXIT_INVALID: i32 = 3;
/// The exit code if there was not enough memory and the process noticed.
pub const EXIT_MEMORY: i32 = 4;
/// The exit code if the order is not understood or the system refuses what it asks for.
const EXIT_ORDER: u8 = 5;

/// What to do with the component.
#[derive(Deserialize, Serialize)]
pub enum Job {
    /// Compile it for this.
    Compile(engine::Settings),
    /// Find these offsets in its source.
    Locate(Vec<usize>),
}

/// A job, and what the process may use.
#[derive(Deserialize, Serialize)]
pub struct Order {
    /// What to do.
    pub job: Job,
    /// All address space of the process, in bytes.
    pub memory_bytes: u64,
    /// How much of a processor's time it may take; `None` if it does not matter.
    pub processor_seconds: Option<u64>,
    /// The process with which this one ends.
    pub parent: u32,
}

/// Carries out an order.
#[allow(clippy::print_stderr, reason = "the parent reads it")]
pub fn carry_out(order: &OsStr) -> ExitCode {
    let order = order.to_str().and_then(|order| serde_json::from_str(order).ok());
    let Some(order) = order else {
        eprintln!("the order is not understood");
        return ExitCode::from(EXIT_ORDER);
    };
    if let Err(error) = confine(&order) {
        eprintln!("it could not be confined: {error}");
        return ExitCode::from(EXIT_ORDER);
    }
    let answered = match component().and_then(|component| answer(&order.job, &component)) {
        Ok(content) => {
            let digest = Sha256Digest::of(&content);
            write(digest.as_bytes()).and_then(|()| write(&content)).map(|()| 0)
        }
        Err(error) if is_memory(&error) => Ok(EXIT_MEMORY),
        Err(error) => write(&causes(&error)).map(|()| EXIT_INVALID),
    };
    // If the parent no longer reads, it does not look at this code either.
    ExitCode::from(answered.ok().and_then(|code| u8::try_from(code).ok()).unwrap_or(EXIT_ORDER))
}

fn answer(job: &Job, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    match job {
        Job::Compile(settings) => {
            engine::for_compiling(settings, has_threads())?.precompile_component(component)
        }
        Job::Locate(offsets) => Ok(serde_json::to_vec(&debug_info::places(component, offsets)?)?),
    }
}

/// Gives up everything that the job does not need.
fn confine(order: &Order) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
    if parent.map(i64::from) != Some(i64::from(order.parent)) {
        return Err(io::Error::other("its parent no longer exists"));
    }
    close_all_but_standard()?;
    let set = |resource, limit| setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) });
    set(Resource::As, order.memory_bytes)?;
    set(Resource::Core, 0)?;
    if let Some(seconds) = order.processor_seconds {
        set(Resource::Cpu, seconds)?;
    }
    // No other file can be opened, let alone written.
    set(Resource::Nofile, 3)?;
    // Its standard error is a file, of which no more is looked at.
    set(Resource::Fsize, SAID_BYTES)?;
    Ok(())
}

/// The host may have inherited open files from its own parent, and passed them on.
fn close_all_but_standard() -> io::Result<()> {
    let open = std::fs::read_dir("/proc/self/fd")?;
    let numbers = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let numbers: Vec<i32> = numbers.filter(|&number| number > 2).collect();
    for number in numbers {
        // One of them was the folder itself, which is already closed.
        let _ = nix::unistd::close(number);
    }
    Ok(())
}

/// What came in.
fn component() -> wasmtime::Result<Vec<u8>> {
    let mut component = Vec::new();
    let mut stdin = io::stdin().lock();
    stdin.read_to_end(&mut component)?;
    // It is a file in memory, and now in memory twice.
    rustix::fs::ftruncate(stdin.as_fd(), 0)?;
    Ok(component)
}

/// Starts the threads that compile in parallel. If the system does not allow them, compiling without them is
/// merely slower; the compiler itself would panic.
fn has_threads() -> bool {
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global().is_ok()
}

#[allow(clippy::disallowed_methods, reason = "for the parent, not for people")]
fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn is_memory(error: &wasmtime::Error) -> bool {
    let is_of_io = |error: &io::Error| error.kind() == io::ErrorKind::OutOfMemory;
    error.is::<wasmtime::OutOfMemory>()
        || error.chain().any(|cause| cause.downcast_ref().is_some_and(is_of_io))
        || Refusal::of(error) == Some(Refusal::AddressSpace)
}

/// An error for another process.
fn causes(error: &wasmtime::Error) -> Vec<u8> {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    // Serialising strings as JSON cannot fail.
    serde_json::to_vec(&causes).unwrap_or_default()
}

/// The error of another process.
pub fn error_from(causes: &[u8]) -> wasmtime::Error {
    let causes: Vec<String> = serde_json::from_slice(causes).unwrap_or_default();
    let mut causes = causes.into_iter().rev();
    let root = causes.next().unwrap_or_else(|| "the compiler gave up on it".into());
    causes.fold(wasmtime::Error::msg(root), wasmtime::Error::context)
}
