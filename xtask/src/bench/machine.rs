//! Where it was measured: figures say nothing without.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context as _, Result};

use super::database::Database;
use super::programs::Programs;
use crate::shell::{output, root};

/// The machine, its programs, and what else it did when the benchmark began.
pub struct Machine {
    /// Names and values, in order.
    pub facts: Vec<(&'static str, String)>,
    pub load_average: String,
}

impl Machine {
    /// Asks the kernel and the programs.
    pub fn look(programs: &Programs, database: &Database) -> Result<Machine> {
        let cores = available_parallelism().context("count the cores")?;
        let cpu = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "of unknown model".into());
        let memory_kib: u64 = line_of("/proc/meminfo", "MemTotal")
            .and_then(|text| text.trim_end_matches(" kB").parse().ok())
            .unwrap_or(0);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let file_system = output(Command::new("df").arg("--output=fstype").arg(database.folder()))?;
        let settings = database.query(
            "SELECT string_agg(name || ' ' || current_setting(name), ', ' ORDER BY name) FROM pg_settings \
             WHERE name IN ('fsync', 'synchronous_commit', 'shared_buffers', 'max_wal_size')",
        )?;
        let server = database.query("SHOW server_version")?;
        let facts = vec![
            ("CPU", format!("{cpu}, {cores} cores")),
            ("memory", format!("{:.1} GiB", memory_kib as f64 / f64::from(1 << 20))),
            ("kernel", kernel.trim().to_owned()),
            ("file system", file_system.lines().last().unwrap_or_default().trim().to_owned()),
            ("PostgreSQL", format!("{server}; {settings}; client and server on the same machine")),
            ("host", version(programs)),
        ];
        Ok(Machine { facts, load_average: load_average()? })
    }
}

/// With the commit of the working tree, where that is what was built.
fn version(programs: &Programs) -> String {
    let version = output(Command::new(&programs.host).arg("--version")).unwrap_or_default();
    let version = version.trim();
    if !programs.is_built_here {
        return format!("{version}, given by --host");
    }
    let describe = ["describe", "--always", "--dirty", "--abbrev=10"];
    match output(Command::new("git").args(describe).current_dir(root())) {
        Ok(commit) => format!("{version}, release build of {}", commit.trim()),
        Err(_) => format!("{version}, release build"),
    }
}

/// Of the last 1, 5 and 15 minutes.
pub fn load_average() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg").context("read the load")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(", "))
}

/// From files with lines such as `name : value`.
fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    Some(value.trim().to_owned())
}
