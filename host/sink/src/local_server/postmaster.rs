//! The server's process, as described by its file `postmaster.pid`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A running server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postmaster {
    /// Where its socket is, or was.
    pub socket_folder: Option<PathBuf>,
    pub phase: Phase,
}

/// The state that the server reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Starting,
    Ready,
    Stopping,
}

/// Lines of the file, from 0.
const SOCKET_LINE: usize = 4;
const PHASE_LINE: usize = 7;

impl Postmaster {
    /// The server running on the cluster in `data`; `None` if there is none. A process id alone would not
    /// tell: after a crash it may belong to another process.
    pub fn of(data: &Path) -> Option<Postmaster> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid: u32 = lines.first()?.parse().ok()?;
        // A server's working directory is its data folder; a process that has ended has none.
        let place = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        let works_in = place(Path::new(&format!("/proc/{pid}/cwd")))?;
        if works_in != place(data)? {
            return None;
        }
        let phase = match lines.get(PHASE_LINE) {
            Some(&"ready" | &"standby") => Phase::Ready,
            Some(&"stopping") => Phase::Stopping,
            _ => Phase::Starting,
        };
        let socket = lines.get(SOCKET_LINE).filter(|line| !line.is_empty()).map(PathBuf::from);
        Some(Postmaster { socket_folder: socket.filter(|folder| folder.is_absolute()), phase })
    }
}
