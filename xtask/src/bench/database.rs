//! The throwaway server of the benchmark: emptied before every load, asked afterwards, and
//! watched for the CPU time that it takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::programs::Programs;
use crate::server::Server;
use crate::shell::{output, say};

/// What the kernel counts CPU time in, in `/proc/PID/stat`: `USER_HZ`, which is part of its
/// interface and 100 wherever PostgreSQL and this project run.
const TICKS_PER_SECOND: u64 = 100;
/// How long a connection's process may take to end after its client.
const BACKEND_PATIENCE: Duration = Duration::from_secs(30);

/// The server, with the host's tables.
pub struct Database {
    server: Server,
    psql: PathBuf,
    postmaster_pid: u32,
}

impl Database {
    /// Starts the server, and has the host make its tables.
    pub fn start(programs: &Programs) -> Result<Database> {
        let server = Server::start(&programs.host, None)?;
        let postmaster_pid = server.postmaster_pid()?;
        let database = Database { server, psql: programs.psql.clone(), postmaster_pid };
        say(&format!("loading into {}", database.url()));
        output(Command::new(&programs.host).args(["migrate", "--database-url", database.url()]))?;
        // It would start in the midst of one load and not of another.
        database.query(
            "ALTER TABLE transactions SET (autovacuum_enabled = off); \
             ALTER TABLE anomalies SET (autovacuum_enabled = off)",
        )?;
        Ok(database)
    }

    /// For psql and everything else that takes one.
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// Removed at the end, with everything in it.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// A psql that takes commands, each with `-c`, and stops at the first that fails.
    pub fn psql(&self) -> Command {
        let mut psql = Command::new(&self.psql);
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url()]);
        psql
    }

    /// What a query gives, columns divided by `|`.
    pub fn query(&self, sql: &str) -> Result<String> {
        Ok(output(self.psql().args(["-c", sql]))?.trim().to_owned())
    }

    /// So that every load starts alike: nothing in the tables, nothing to be written by the server.
    pub fn empty(&self) -> Result<()> {
        self.query(
            "TRUNCATE transactions, anomalies, ingest_runs, ingest_files, rejected_rows, skipped_rows \
             RESTART IDENTITY",
        )?;
        self.query("CHECKPOINT").map(drop)
    }

    /// Waits until no client's process is left, because only then all its CPU time is counted.
    pub fn settle(&self) -> Result<()> {
        let started = Instant::now();
        while self.has_clients()? {
            ensure!(started.elapsed() < BACKEND_PATIENCE, "a connection's process does not end");
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn has_clients(&self) -> Result<bool> {
        let children = processes()?.into_iter().filter(|process| process.parent_pid == self.postmaster_pid);
        Ok(children.into_iter().any(|process| {
            let title = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
            // One that has ended and not been waited for has no title any more.
            title.is_empty() || String::from_utf8_lossy(&title).contains("[local]")
        }))
    }

    /// CPU time of all processes of the server since it was started, those that have ended
    /// included; to be asked for when the server has settled.
    pub fn cpu(&self) -> Result<Duration> {
        let ticks = processes()?
            .iter()
            .map(|process| {
                if process.pid == self.postmaster_pid {
                    process.own_ticks + process.ended_children_ticks
                } else if process.parent_pid == self.postmaster_pid {
                    process.own_ticks
                } else {
                    0
                }
            })
            .sum::<u64>();
        Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
    }
}

/// From `/proc/PID/stat`.
struct Process {
    pid: u32,
    parent_pid: u32,
    own_ticks: u64,
    ended_children_ticks: u64,
}

fn processes() -> Result<Vec<Process>> {
    let pids = fs::read_dir("/proc").context("list /proc")?.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse().ok()
    });
    // A process may end while we look.
    Ok(pids.filter_map(|pid| process(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect())
}

/// Fields are numbered as in proc(5); the second, in parentheses, may contain anything.
fn process(pid: u32, stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Process {
        pid,
        parent_pid: u32::try_from(field(4)?).ok()?,
        own_ticks: field(14)? + field(15)?,
        ended_children_ticks: field(16)? + field(17)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_called_anything() {
        let stat = "7 (a) b (c) S 3 7 7 0 -1 4194304 100 0 0 0 11 22 33 44 20 0 1 0 5 6 7";
        let process = process(7, stat).unwrap();
        assert_eq!((process.parent_pid, process.own_ticks, process.ended_children_ticks), (3, 33, 77));
    }
}
