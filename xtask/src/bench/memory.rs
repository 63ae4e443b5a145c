//! The host's peak memory where something grows that should not: every row anomalous with a long
//! reason, also in as many instances as may be, a plugin that is compiled first, and a server that is slower than the reader. Once each;
//! time does not matter here.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::contenders::{Contender, host};
use super::loads::{Loads, median_seconds};
use super::measure::{Measured, measure};
use super::spec::{Bench, DETECTOR, Data, TALKATIVE};
use crate::shell::say;

/// Above, these take too long, and a file of that size tells as much.
const MAX_ROWS: u64 = 2_000_000;
/// Reasons that are long, and nearly the longest that there may be.
const REASON_BYTES: [u64; 2] = [200, 950];
/// The most that may be asked for.
const MANY_INSTANCES: [&str; 4] = ["--jobs", "16", "--batch-rows", "65536"];
/// Some microseconds a row; the reader takes a fraction of one.
const SLOW_SERVER: &str = "CREATE FUNCTION bench_slow() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN FOR i IN 1..500 LOOP END LOOP; RETURN NEW; END $$; \
    CREATE TRIGGER bench_slow BEFORE INSERT ON transactions FOR EACH ROW EXECUTE FUNCTION bench_slow()";
const FAST_SERVER: &str = "DROP TRIGGER bench_slow ON transactions; DROP FUNCTION bench_slow()";

/// A line of the table.
pub struct Memory {
    pub rows: u64,
    pub case: String,
    pub wall_seconds: f64,
    /// The most of all loads.
    pub peak_rss_bytes: u64,
    pub own_peak_rss_bytes: Option<u64>,
}

/// All cases for one file; the ordinary one has been measured already.
pub fn measure_all(bench: &Bench, data: &Data, loads: &Loads) -> Result<Vec<Memory>> {
    let usual = loads.of(Contender::Host).unwrap_or_default();
    let mut lines = vec![line(data, "2 % anomalous".into(), usual)];
    if data.rows <= MAX_ROWS {
        for (reason_bytes, arguments) in
            [(REASON_BYTES[0], &[][..]), (REASON_BYTES[1], &[]), (REASON_BYTES[1], &MANY_INSTANCES)]
        {
            let load = all_anomalous(bench, data, reason_bytes, arguments).context("every row anomalous")?;
            let with: String = arguments.iter().map(|argument| format!(" {argument}")).collect();
            let case = format!("every row anomalous, reasons of {reason_bytes} bytes{with}");
            lines.push(line(data, case, &[load]));
        }
        let load = uncached(bench, data).context("a plugin that is not in the cache")?;
        lines.push(line(data, "2 % anomalous, the plugin has to be compiled first".into(), &[load]));
        let load = slow_server(bench, data).context("a slow server")?;
        lines.push(line(data, "a trigger makes the server slow".into(), &[load]));
    }
    Ok(lines)
}

fn all_anomalous(bench: &Bench, data: &Data, reason_bytes: u64, arguments: &[&str]) -> Result<Measured> {
    bench.database.empty()?;
    let mut host = host(bench, TALKATIVE, data);
    host.args(["--set", &format!("reason-bytes={reason_bytes}")]).args(arguments);
    let load = run(host, data, bench)?;
    let stored = bench.database.query("SELECT count(*), sum(octet_length(reason)) FROM anomalies")?;
    ensure!(stored == format!("{}|{}", data.rows, data.rows * reason_bytes), "stored {stored}");
    Ok(load)
}

fn uncached(bench: &Bench, data: &Data) -> Result<Measured> {
    bench.database.empty()?;
    let mut host = host(bench, DETECTOR, data);
    let cache = tempfile::tempdir().context("make a temporary folder")?;
    host.env("XDG_CACHE_HOME", cache.path());
    let load = run(host, data, bench)?;
    data.check(bench)?;
    Ok(load)
}

fn slow_server(bench: &Bench, data: &Data) -> Result<Measured> {
    bench.database.empty()?;
    bench.database.query(SLOW_SERVER)?;
    let load = run(host(bench, DETECTOR, data), data, bench)?;
    bench.database.query(FAST_SERVER)?;
    data.check(bench)?;
    Ok(load)
}

fn run(host: Command, data: &Data, bench: &Bench) -> Result<Measured> {
    say(&format!("{} rows, for the peak of memory", data.rows));
    measure(host, &bench.database)
}

fn line(data: &Data, case: String, loads: &[Measured]) -> Memory {
    Memory {
        rows: data.rows,
        case,
        wall_seconds: median_seconds(loads, |load| load.wall),
        peak_rss_bytes: loads.iter().map(|load| load.peak_rss_bytes).max().unwrap_or(0),
        own_peak_rss_bytes: loads.iter().filter_map(|load| load.own_peak_rss_bytes).max(),
    }
}
