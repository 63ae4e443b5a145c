//! What is done to a plugin's bytes in a separate process, because no library does it safely to bytes that may
//! be hostile: compiling them, and looking up lines in their debug information. A file of a few kilobytes can
//! make a compiler take gigabytes or minutes, and a parser overflow its stack; inside the host, neither can be
//! interrupted or limited. So this program starts itself again (see [`process`]), with a limit on its address
//! space, a deadline and none of the files that are open here. Whatever happens to that process is the
//! plugin's fault, not the host's.

mod process;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use host_core::digest::Sha256Digest;
use process::{Order, SAID_BYTES};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

pub(crate) use process::{EXIT_INVALID, EXIT_MEMORY, Job, error_from};

/// The first argument of such a process; the second is the [`Order`].
const ARGUMENT: &str = "compile-plugin";

/// What goes before every answer: a digest of the rest, which may be executed.
pub(crate) const DIGEST_BYTES: usize = 32;

/// The program that is started.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Must be the first thing that `host`'s `main` calls. If the arguments say that this process was started to
/// do a job, it does so and returns the exit code. Otherwise it registers this program as the one that is
/// started for jobs, and returns `None`.
#[must_use]
pub fn serve(arguments: &[OsString]) -> Option<ExitCode> {
    if let [_, first, order] = arguments
        && first == ARGUMENT
    {
        return Some(process::carry_out(order));
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

/// What such a process may use.
pub(crate) struct Bounds {
    /// All its address space.
    pub memory_bytes: u64,
    /// How much of a processor's time; `None` if only the clock counts.
    pub processor_seconds: Option<u64>,
    /// When it is no longer waited for; `None` if it may take forever.
    pub give_up: Option<Instant>,
}

/// How such a process has ended.
pub(crate) struct Ended {
    pub status: ExitStatus,
    /// What it wrote to its standard output; after a success see [`content_of`].
    pub answer: Vec<u8>,
    /// The beginning of what it wrote to its standard error.
    pub said: String,
}

impl Ended {
    /// How it ended, in words.
    pub fn in_words(&self) -> String {
        match (self.status.signal(), self.said.lines().find(|line| !line.trim().is_empty())) {
            (_, Some(line)) => host_core::text::printable(line).into_owned(),
            (Some(signal), None) => {
                let name =
                    nix::sys::signal::Signal::try_from(signal).map_or("unknown", |signal| signal.as_str());
                format!("it was killed by the signal {name}")
            }
            (None, None) => format!("it exited with code {}", self.status.code().unwrap_or_default()),
        }
    }
}

/// Why it is not known how such a process has ended.
#[derive(Debug)]
pub(crate) enum Lost {
    /// It could not be started, or its output could not be read.
    Start(io::Error),
    /// It took too long.
    Deadline,
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Lost {
        Lost::Start(error)
    }
}

/// How much address space the system allows this process, and so those that it starts.
pub(crate) fn inherited_memory_bytes() -> u64 {
    getrlimit(Resource::As).current.unwrap_or(u64::MAX)
}

/// Does a job with a component in a process of its own.
pub(crate) fn run(job: Job, component: Vec<u8>, bounds: &Bounds) -> Result<Ended, Lost> {
    let Bounds { memory_bytes, processor_seconds, give_up } = *bounds;
    let order = Order { job, memory_bytes, processor_seconds, parent: std::process::id() };
    let said = in_memory("said", &[])?;
    let mut started = start(&order, component, &said)?;
    let answer = started.read(give_up)?;
    let status = started.end()?;
    Ok(Ended { status, answer, said: beginning_of(said) })
}

/// The answer without the digest before it; `None` if that does not match.
pub(crate) fn content_of(answer: &[u8]) -> Option<&[u8]> {
    let (digest, content) = answer.split_at_checked(DIGEST_BYTES)?;
    (Sha256Digest::of(content).as_bytes() == digest).then_some(content)
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
    fn read(&mut self, give_up: Option<Instant>) -> Result<Vec<u8>, Lost> {
        let mut answer = Vec::new();
        loop {
            self.wait_for_more(give_up)?;
            // As much as is available, up to what a pipe holds.
            let mut piece = [0; 64 * 1024];
            match self.stdout.read(&mut piece) {
                Ok(0) => return Ok(answer),
                Ok(bytes) => answer.extend_from_slice(&piece[..bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Lost::Start(error)),
            }
        }
    }

    fn wait_for_more(&self, give_up: Option<Instant>) -> Result<(), Lost> {
        loop {
            let left = give_up.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(Lost::Deadline);
            }
            // More than a Timespec can hold means no timeout.
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::new(&self.stdout, PollFlags::IN)], timeout.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(Lost::Start(error.into())),
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
fn beginning_of(mut said: File) -> String {
    let mut words = Vec::new();
    // If they cannot be read, the status is all that is known.
    let _ = said.rewind().and_then(|()| said.take(SAID_BYTES).read_to_end(&mut words));
    String::from_utf8_lossy(&words).into_owned()
}
