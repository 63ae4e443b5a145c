//! Work that blocks, on a thread of its own, so that signals are heard meanwhile. A thread that
//! nobody waits for any more ends with the process, which does not wait for it.

use std::thread;

use tokio::sync::oneshot;

/// Does `work` on a thread; none where it died.
pub async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = oneshot::channel();
    thread::spawn(move || {
        // Whoever asked has stopped waiting.
        let _ = done.send(work());
    });
    result.await.ok()
}
