//! Arguments of `host watch`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use jiff::SignedDuration;

use super::run::RunArgs;

/// Arguments of `host watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub run: RunArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub folder: FolderArgs,
}

/// How a folder is watched, and who is told.
#[derive(Debug, Args)]
#[command(next_help_heading = "Watching")]
pub struct FolderArgs {
    /// A file is complete when it has not changed for this long
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub settle: SignedDuration,

    /// A file `NAME` is complete when there is a file `NAME.done` that is not older
    #[arg(long, conflicts_with = "settle")]
    pub done_file: bool,

    /// Look at the folder every so often, and do not rely on what the system tells about it: for NFS and other
    /// network file systems [default: rely on the system, and look every 10s]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "2s")]
    pub poll: Option<SignedDuration>,

    /// Serve Prometheus' metrics at http://ADDRESS/metrics, and http://ADDRESS/healthz, such as 127.0.0.1:9464. While no
    /// files arrive, the database is asked every 30s (every third look) whether it is there
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,

    /// Start this program after every run, with the run's JSON object on its standard input. It gets no arguments, and
    /// no shell is involved. If it fails, that is a warning
    #[arg(long, value_name = "PROGRAM")]
    pub hook: Option<PathBuf>,

    /// How long the hook may take before it is ended
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "hook")]
    pub hook_timeout: SignedDuration,
}
