//! How the system tells that something has happened in the folder. It may forget to, on network file systems it often
//! does, and it does not say what matters: it only is a reason to look.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host_core::text::path;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::sleep;

/// A sender that writes all the time must not keep us looking all the time.
const PAUSE: Duration = Duration::from_millis(50);

/// What the system tells.
pub struct Notices {
    happened: Arc<Notify>,
    _watcher: Option<RecommendedWatcher>,
}

impl Notices {
    /// From now on, the system tells; where it cannot, there is a warning.
    pub fn start(folder: &Path, are_wanted: bool) -> Notices {
        let happened = Arc::new(Notify::new());
        let teller = happened.clone();
        let start = || {
            // Also if it is an error: then something may have been forgotten, and looking is right.
            let mut watcher = notify::recommended_watcher(move |_| teller.notify_one())?;
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok::<_, notify::Error>(watcher)
        };
        let watcher = are_wanted.then(start).and_then(|started| {
            started
                .inspect_err(|error| {
                    tracing::warn!("the system does not tell what happens in `{}`: {error}", path(folder));
                })
                .ok()
        });
        Notices { happened, _watcher: watcher }
    }

    /// Waits until something has happened, but not for longer than this.
    pub async fn wait(&self, longest: Duration) {
        if longest <= PAUSE {
            return sleep(longest).await;
        }
        sleep(PAUSE).await;
        tokio::select! {
            () = self.happened.notified() => {}
            () = sleep(longest - PAUSE) => {}
        }
    }
}
