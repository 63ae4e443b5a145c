//! What the system refuses, as distinct from what a plugin does wrong. The engine needs a lot of address
//! space and executable memory; if a limit or hardening forbids that, the plugin is not at fault.

use std::error::Error;
use std::fmt;
use std::io;

use rustix::io::Errno;

/// Something that the system does not let this process have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// More address space, or memory.
    AddressSpace,
    /// Memory that was written to and then made executable.
    ExecutableMemory,
    /// One more thread.
    Thread,
    /// One more open file.
    OpenFile,
    /// Starting this program again.
    Process,
}

impl Refusal {
    /// From the engine's error; `None` if the system has no part in it.
    #[must_use]
    pub fn of(error: &wasmtime::Error) -> Option<Refusal> {
        error.chain().find_map(Refusal::of_cause)
    }

    /// From the error of starting a process.
    #[must_use]
    pub fn of_start(error: &io::Error) -> Option<Refusal> {
        match Errno::from_io_error(error)? {
            Errno::ACCESS | Errno::PERM | Errno::NOSYS => Some(Refusal::Process),
            _ => Refusal::of_cause(error),
        }
    }

    fn of_cause(cause: &(dyn Error + 'static)) -> Option<Refusal> {
        let of_io = || Errno::from_io_error(cause.downcast_ref::<io::Error>()?);
        match cause.downcast_ref().copied().or_else(of_io)? {
            Errno::NOMEM => Some(Refusal::AddressSpace),
            Errno::ACCESS | Errno::PERM => Some(Refusal::ExecutableMemory),
            Errno::AGAIN => Some(Refusal::Thread),
            Errno::MFILE | Errno::NFILE => Some(Refusal::OpenFile),
            _ => None,
        }
    }

    /// What the user can do.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Refusal::AddressSpace => {
                "raise the limit on memory or address space (ulimit -v, systemd's LimitAS=), or lower `--memory-limit` and `--jobs`"
            }
            Refusal::ExecutableMemory => {
                "the host compiles plugins to machine code, which hardening forbids (systemd's MemoryDenyWriteExecute=, SELinux's execmem); allow it for this program, or pass `--engine interpreter`, which needs none and is slower"
            }
            Refusal::Thread => {
                "raise the limit on processes (ulimit -u, systemd's TasksMax=), or lower `--jobs`"
            }
            Refusal::Process => {
                "the host compiles plugins in a process of its own; allow it to start itself (systemd's SystemCallFilter= and NoExecPaths=, seccomp)"
            }
            Refusal::OpenFile => "raise the limit on open files (ulimit -n, systemd's LimitNOFILE=)",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::AddressSpace => "address space",
            Refusal::ExecutableMemory => "executable memory",
            Refusal::Thread => "another thread",
            Refusal::OpenFile => "another open file",
            Refusal::Process => "another process",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_depends_on_what_was_asked_for() {
        let error = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        for (errno, asking_for_memory, starting) in [
            (Errno::NOMEM, Some(Refusal::AddressSpace), Some(Refusal::AddressSpace)),
            (Errno::AGAIN, Some(Refusal::Thread), Some(Refusal::Thread)),
            (Errno::MFILE, Some(Refusal::OpenFile), Some(Refusal::OpenFile)),
            (Errno::PERM, Some(Refusal::ExecutableMemory), Some(Refusal::Process)),
            (Errno::ACCESS, Some(Refusal::ExecutableMemory), Some(Refusal::Process)),
            (Errno::NOENT, None, None),
        ] {
            assert_eq!(Refusal::of(&error(errno).into()), asking_for_memory, "{errno}");
            assert_eq!(Refusal::of_start(&error(errno)), starting, "{errno}");
        }
    }
}
