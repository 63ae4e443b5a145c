//! A watch, as asked for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use host_sink::Once;

use super::inbox::Complete;
use crate::cli::{FolderArgs, OnceArg, WatchArgs};
use crate::config::{RunConfig, time};
use crate::error::{Error, WatchError};

/// Between two looks at the folder if the system tells what happens there: it may forget something.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A watch, as asked for.
pub struct WatchConfig {
    /// The run of each file; its files are replaced by that file.
    pub run: RunConfig,
    /// The folder.
    pub folder: PathBuf,
    /// When a file is complete.
    pub complete: Complete,
    /// Between two looks at the folder.
    pub look_every: Duration,
    /// Whether the system is asked to tell what happens there.
    pub with_notices: bool,
    /// Where to serve metrics.
    pub metrics: Option<SocketAddr>,
    /// The program to start after each run, and how long it may take.
    pub hook: Option<(PathBuf, Duration)>,
}

impl WatchConfig {
    /// Validates what was given.
    ///
    /// # Errors
    /// [`WatchError::Argument`] for an argument of `host run` that means nothing here, and those of
    /// [`RunConfig::new`].
    pub fn new(arguments: WatchArgs) -> Result<WatchConfig, Error> {
        let WatchArgs { run, folder: FolderArgs { settle, done_file, poll, metrics, hook, hook_timeout } } =
            arguments;
        let refused = [
            ("--rejects", run.rejects.is_some()),
            ("--once=all", run.once == Some(OnceArg::All)),
            ("--capture", run.capture.is_some()),
        ];
        if let Some((argument, _)) = refused.into_iter().find(|(_, is_given)| *is_given) {
            return Err(WatchError::Argument(argument).into());
        }
        let mut run = RunConfig::new(run)?;
        run.options.once = Some(Once::File);
        let folder = run.ingest.files.pop().unwrap_or_default();
        let complete =
            if done_file { Complete::Marked } else { Complete::Settled(time("--settle", settle)?) };
        let poll = poll.map(|given| time("--poll", given)).transpose()?;
        let hook_timeout = time("--hook-timeout", hook_timeout)?;
        Ok(WatchConfig {
            run,
            folder,
            complete,
            look_every: poll.unwrap_or(LOOK_EVERY),
            with_notices: poll.is_none(),
            metrics,
            hook: hook.map(|program| (program, hook_timeout)),
        })
    }
}
