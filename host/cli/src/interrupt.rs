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
    /// Whether the first request only asks to end after what is being done.
    is_patient: bool,
    /// That first request.
    asked: Option<Interrupt>,
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
            is_patient: false,
            asked: None,
            _file_size: signal(SignalKind::from_raw(FILE_SIZE))?,
        })
    }

    /// From now on, the first request only asks to end after what is being done: [`next`](Self::next) does not
    /// return it, but [`asked`](Self::asked) does.
    #[must_use]
    pub fn patient(self) -> Interrupts {
        Interrupts { is_patient: true, ..self }
    }

    /// The next request that ends what is being done.
    pub async fn next(&mut self) -> Interrupt {
        let request = self.received().await;
        if !self.is_patient || self.asked.is_some() {
            return request;
        }
        self.asked = Some(request);
        tracing::warn!("will end after this run; interrupt again to end at once");
        self.received().await
    }

    /// The first request; returns at once if there was one. For those who are doing nothing that has to be
    /// ended in an orderly way.
    pub async fn asked(&mut self) -> Interrupt {
        match self.asked {
            Some(request) => request,
            None => {
                let request = self.received().await;
                *self.asked.insert(request)
            }
        }
    }

    /// Whether there was a request that nobody has acted upon yet.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    async fn received(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.interrupt.recv() => Interrupt::Interrupt,
            _ = self.terminate.recv() => Interrupt::Terminate,
        }
    }
}
