//! Compiling in a separate process. A file of a few kilobytes can make a compiler take gigabytes, minutes or
//! its whole stack, and inside the host it can neither be interrupted nor limited: so this program starts
//! itself again (see [`process`]), with a limit on its address space, a deadline and none of the files that
//! are open here. Whatever happens to that process is the plugin's fault, not the host's.

mod machine_code;
mod process;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use process::{EXIT_INVALID, EXIT_MEMORY, Order, SAID_BYTES};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::runtime::engine;
use crate::runtime::limits::{Limits, MIN_COMPILE_MEMORY_BYTES};
pub use machine_code::MachineCode;

/// The first argument of a compiler process; the second is the [`Order`].
const ARGUMENT: &str = "compile-plugin";

/// The program that is started to compile.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Must be the first thing that `host`'s `main` calls. If the arguments say that this process was started to
/// compile, it does so and returns the exit code. Otherwise it registers this program as the one that is
/// started to compile, and returns `None`.
#[must_use]
pub fn serve(arguments: &[OsString]) -> Option<ExitCode> {
    if let [_, first, order] = arguments
        && first == ARGUMENT
    {
        return Some(process::compile(order));
    }
    // By this name it is found even if another version has taken its place on disk.
    compile_with(PathBuf::from("/proc/self/exe"));
    None
}

/// For programs other than `host` that use this library: sets the `host` that is started to compile. Only the
/// first call counts.
pub fn compile_with(program: PathBuf) {
    // If it is already set, it stays.
    let _ = PROGRAM.set(program);
}

/// Why there is no machine code.
#[derive(Debug)]
pub enum CompileError {
    /// The process could not be started, or its output could not be read.
    Start(io::Error),
    /// It took too long.
    Deadline,
    /// It needed more memory than it may have.
    Memory,
    /// It needed more address space than the system allows this process, which is less than the limit.
    SystemMemory,
    /// It died; in words.
    Crash(String),
    /// The component is not valid WebAssembly.
    Invalid(wasmtime::Error),
}

/// Compiles a component within the limits.
pub fn compile(
    component: Vec<u8>,
    settings: &engine::Settings,
    limits: &Limits,
) -> Result<MachineCode, CompileError> {
    let give_up = Instant::now().checked_add(limits.compile_deadline);
    let inherited_bytes = getrlimit(Resource::As).current.unwrap_or(u64::MAX);
    let memory_bytes = inherited_bytes.min(limits.compile_memory_bytes as u64);
    let order = Order { settings: settings.clone(), memory_bytes, parent: std::process::id() };

    let said = in_memory("said", &[]).map_err(CompileError::Start)?;
    let mut started = start(&order, component, &said).map_err(CompileError::Start)?;
    let answer = started.read(give_up)?;
    let status = started.end().map_err(CompileError::Start)?;

    let is_out_of_memory = |said: &str| said.contains("memory allocation of");
    match status.code() {
        Some(0) => {
            let code = MachineCode::from_bytes(answer);
            code.ok_or_else(|| CompileError::Crash("its output is damaged".into()))
        }
        Some(EXIT_INVALID) => Err(CompileError::Invalid(process::error_from(&answer))),
        code => {
            let said = last_words(said);
            // If there is not even room for its own stack, the system kills it.
            let has_no_room = memory_bytes < MIN_COMPILE_MEMORY_BYTES as u64 && status.signal().is_some();
            if code != Some(EXIT_MEMORY) && !has_no_room && !is_out_of_memory(&said) {
                return Err(CompileError::Crash(end_of(status, &said)));
            }
            let is_ours = memory_bytes < inherited_bytes;
            Err(if is_ours { CompileError::Memory } else { CompileError::SystemMemory })
        }
    }
}

fn start(order: &Order, component: Vec<u8>, said: &File) -> io::Result<Started> {
    let unknown = || io::Error::other("no program to compile with is known (see `compile_with`)");
    let program = PROGRAM.get().ok_or_else(unknown)?;
    let input = in_memory("plugin", &component)?;
    drop(component);
    let mut command = Command::new(program);
    command
        .arg0("host")
        .arg(ARGUMENT)
        .arg(serde_json::to_string(order)?)
        // It must not see passwords, for instance.
        .env_clear()
        // One arena per thread would take 64 MiB of address space each.
        .env("MALLOC_ARENA_MAX", "1")
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(said.try_clone()?)
        // ^C at the terminal goes to the host only, which ends this process.
        .process_group(0);
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    Ok(Started { child, stdout })
}

/// An anonymous file in memory, positioned at its beginning.
fn in_memory(name: &str, content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

/// A compiler process, which is killed when this is dropped.
struct Started {
    child: Child,
    stdout: ChildStdout,
}

impl Started {
    /// Reads all of its output.
    fn read(&mut self, give_up: Option<Instant>) -> Result<Vec<u8>, CompileError> {
        let mut answer = Vec::new();
        loop {
            self.wait_for_more(give_up)?;
            // As much as is available, up to what a pipe holds.
            let mut piece = [0; 64 * 1024];
            match self.stdout.read(&mut piece) {
                Ok(0) => return Ok(answer),
                Ok(bytes) => answer.extend_from_slice(&piece[..bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(CompileError::Start(error)),
            }
        }
    }

    fn wait_for_more(&self, give_up: Option<Instant>) -> Result<(), CompileError> {
        loop {
            let left = give_up.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(CompileError::Deadline);
            }
            // More than a Timespec can hold means no timeout.
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::new(&self.stdout, PollFlags::IN)], timeout.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(CompileError::Start(error.into())),
            }
        }
    }

    /// Waits for it to end, which is soon, since it has closed its output.
    fn end(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may already have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The beginning of what it wrote to its standard error.
fn last_words(mut said: File) -> String {
    let mut words = Vec::new();
    // If they cannot be read, the status is all that is known.
    let _ = said.rewind().and_then(|()| said.take(SAID_BYTES).read_to_end(&mut words));
    String::from_utf8_lossy(&words).into_owned()
}

/// How it ended, in words.
fn end_of(status: ExitStatus, said: &str) -> String {
    match (status.signal(), said.lines().find(|line| !line.trim().is_empty())) {
        (_, Some(line)) => host_core::text::printable(line).into_owned(),
        (Some(signal), None) => {
            let name = nix::sys::signal::Signal::try_from(signal).map_or("unknown", |signal| signal.as_str());
            format!("it was killed by the signal {name}")
        }
        (None, None) => format!("it exited with code {}", status.code().unwrap_or_default()),
    }
}
