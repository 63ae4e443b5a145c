//! Threads, which the system may refuse (`ulimit -u`, a limit on tasks): the one place that starts them, so
//! that a refusal is an error and not a panic. The process does not wait for its threads when it ends.

use std::io;
use std::thread;

use thiserror::Error;
use tokio::sync::oneshot;

/// Why work could not be done on a separate thread.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "thread_")]
#[non_exhaustive]
pub enum ThreadError {
    /// The system does not allow another one.
    #[error("the system refused another thread")]
    Refused(#[source] io::Error),
    /// It ended without a result, which is a bug in the host.
    #[error("internal error: a thread ended without a result")]
    Died,
}

impl ThreadError {
    /// What the user can do, if anything.
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

/// Does `work` on a detached thread.
///
/// # Errors
/// If the system does not allow another thread.
pub fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), ThreadError> {
    thread::Builder::new().spawn(work).map(drop).map_err(ThreadError::Refused)
}

/// Does blocking `work` on a separate thread, so that signals are still handled meanwhile.
///
/// # Errors
/// If the system does not allow another thread, or the thread died.
pub async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ThreadError> {
    let (done, result) = oneshot::channel();
    spawn(move || {
        // Fails only if the caller no longer waits.
        let _ = done.send(work());
    })?;
    result.await.map_err(|_| ThreadError::Died)
}
