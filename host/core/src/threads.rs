//! Threads, which the system may refuse (`ulimit -u`, a limit on tasks): the one place that starts
//! them, so that this is an error and not a panic. Nobody waits for a thread at the end of the
//! process.

use std::io;
use std::thread;

use thiserror::Error;
use tokio::sync::oneshot;

/// Why something was not done on a thread of its own.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "thread_")]
#[non_exhaustive]
pub enum ThreadError {
    /// The system allows no more of them.
    #[error("the system allows no further thread")]
    Refused(#[source] io::Error),
    /// It ended without a result, which is a bug of ours.
    #[error("internal error: a thread ended without saying so")]
    Died,
}

impl ThreadError {
    /// What the user can do, where there is something.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            ThreadError::Refused(_) => {
                Some("allow this user more processes and threads (`ulimit -u`, systemd's TasksMax=)".into())
            }
            ThreadError::Died => None,
        }
    }
}

impl From<ThreadError> for io::Error {
    fn from(error: ThreadError) -> io::Error {
        io::Error::other(error)
    }
}

/// Does `work` on a thread that nobody waits for.
///
/// # Errors
/// Where the system does not allow it.
pub fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), ThreadError> {
    thread::Builder::new().spawn(work).map(drop).map_err(ThreadError::Refused)
}

/// Does `work` that blocks on a thread, so that signals are heard meanwhile.
///
/// # Errors
/// Where the system does not allow it, or the thread died.
pub async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ThreadError> {
    let (done, result) = oneshot::channel();
    spawn(move || {
        // Whoever asked has stopped waiting.
        let _ = done.send(work());
    })?;
    result.await.map_err(|_| ThreadError::Died)
}
