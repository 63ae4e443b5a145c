//! What one process took: time, CPU time of its own and of the server, memory.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use wait4::Wait4 as _;

use super::database::Database;

/// One load.
pub struct Measured {
    /// From before the process is started to after its end.
    pub wall: Duration,
    /// User and system time of all threads of the process.
    pub client_cpu: Duration,
    /// User and system time of all processes of the server meanwhile, to hundredths of a second.
    pub server_cpu: Duration,
    /// The most memory that the process had, as the kernel says when it has ended.
    pub peak_rss_bytes: u64,
    /// The same as the host says it of itself.
    pub own_peak_rss_bytes: Option<u64>,
}

/// Runs a process to its end. Nothing else may be using the server.
pub fn measure(mut command: Command, database: &Database) -> Result<Measured> {
    // Files, because a pipe would be full at some point and needed a reader.
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(std::process::Stdio::null());
    command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    database.settle()?;
    let server_cpu_before = database.cpu()?;
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("run {command:?}"))?;
    // The kernel adds what a process had before it became another program: a few MiB of ours.
    let ended = child.wait4().context("wait for the process")?;
    let wall = started.elapsed();
    database.settle()?;
    let server_cpu = database.cpu()?.saturating_sub(server_cpu_before);
    let printed = read(&mut stdout)?;
    if !ended.status.success() {
        bail!("{command:?}: {}\n{printed}{}", ended.status, read(&mut stderr)?);
    }
    let summary: Option<serde_json::Value> = serde_json::from_str(&printed).ok();
    Ok(Measured {
        wall,
        client_cpu: ended.rusage.utime + ended.rusage.stime,
        server_cpu,
        peak_rss_bytes: ended.rusage.maxrss,
        own_peak_rss_bytes: summary.and_then(|summary| summary.get("peak_memory_bytes")?.as_u64()),
    })
}

fn read(file: &mut File) -> Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
