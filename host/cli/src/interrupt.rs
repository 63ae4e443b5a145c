//! ^C and `kill`: caught from the start of a command, so that it can end in an orderly way, and say so.

use std::io;
use std::os::unix::net::UnixStream;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGINT, which is what ^C sends.
    Interrupt,
    /// SIGTERM, which is what `kill` and service managers send.
    Terminate,
}

/// Requests to end, as they arrive.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    /// Caught so that writing beyond the file size limit (`ulimit -f`) is an error like any other, rather
    /// than the end of the process.
    _file_size: Signal,
}

/// `SIGXFSZ`
const FILE_SIZE: i32 = nix::sys::signal::Signal::SIGXFSZ as i32;

impl Interrupts {
    /// From now on, these signals no longer end the process.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn catch() -> io::Result<Interrupts> {
        // The runtime needs such a pair, and panics if no more files can be opened.
        UnixStream::pair()?;
        Ok(Interrupts {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            _file_size: signal(SignalKind::from_raw(FILE_SIZE))?,
        })
    }

    /// The next request.
    pub async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.interrupt.recv() => Interrupt::Interrupt,
            _ = self.terminate.recv() => Interrupt::Terminate,
        }
    }
}
