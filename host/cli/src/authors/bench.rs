//! `host plugin bench`: what a plugin costs, compared with the detector `threshold` in the same run. Rounds
//! alternate, so that other load on the machine affects both; medians are reported.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use host_core::batch::Batch;
use host_core::text::{counted, path};
use host_detector::{Cache, DetectorError, Limits, Plugin, Requirements, Sandbox};
use host_source::InputRules;
use serde::Serialize;

use super::start::{Settings, start};
use super::workload;
use crate::error::{Error, ToolsError};
use crate::plugins;

/// What others are measured against.
const BASELINE: &str = "threshold";
/// As `host run` passes them.
const BATCH_ROWS: usize = 8_192;
const ROWS: usize = 8 * BATCH_ROWS;
const ROUNDS: usize = 7;
/// Calls with a single row, to measure what a call costs.
const CALLS: usize = 200;
/// A profile has this many samples, unless the plugin spends hardly any time in functions of its own.
const SAMPLES: u64 = 1_000;
const PROFILE_TIME: Duration = Duration::from_secs(10);

/// What was measured; field names are part of the interface.
#[derive(Debug, Serialize)]
pub struct Measured {
    rows: usize,
    plugin: Costs,
    threshold: Costs,
    /// Nanoseconds per row, divided by those of `threshold`.
    ratio: f64,
    /// Where the plugin spends its time, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profiled>,
}

/// A profile that was written.
#[derive(Debug, Serialize)]
struct Profiled {
    /// The file, printable.
    file: String,
    /// How often one has looked where the plugin is.
    samples: u64,
}

#[derive(Debug, Serialize)]
struct Costs {
    name: String,
    nanos_per_row: f64,
    rows_per_second: f64,
    call_micros: f64,
    anomalies: usize,
    memory_bytes: usize,
    bytes: u64,
    compile_seconds: f64,
}

/// Measures on generated rows, or on those of a file.
///
/// # Errors
/// If a plugin or the file cannot be used.
pub fn bench(
    file: &Path,
    settings: &Settings,
    limits: &Limits,
    rows: Option<&Path>,
    profile: Option<&Path>,
) -> Result<Measured, Error> {
    let (ours, ours_sizes) = load(file, limits)?;
    let (theirs, their_sizes) = load(&plugins::lookup(Path::new(BASELINE))?, limits)?;
    let columns = start(&ours, settings)?.columns;
    let batch = match rows {
        Some(file) => workload::read(file, &InputRules::default(), &columns)?,
        None => workload::generated(ROWS, &columns),
    };
    let plain = Batch { columns: Vec::new(), ..batch.clone() };

    let (mut our_rounds, mut their_rounds) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        our_rounds.push(round(&ours, settings, &batch)?);
        their_rounds.push(round(&theirs, &[], &plain)?);
    }
    let profile = profile.map(|to| profiled(&ours, settings, &batch, to)).transpose()?;
    let ours = costs(ours_sizes, &our_rounds);
    let theirs = costs(their_sizes, &their_rounds);
    Ok(Measured {
        rows: batch.len(),
        ratio: ours.nanos_per_row / theirs.nanos_per_row,
        plugin: ours,
        threshold: theirs,
        profile,
    })
}

/// What is known before anything runs.
struct Sizes {
    name: String,
    bytes: u64,
    compile_seconds: f64,
}

/// Compiles the plugin again, whatever is in the cache: how long that takes is one of the questions.
fn load(file: &Path, limits: &Limits) -> Result<(Plugin, Sizes), DetectorError> {
    let sandbox = Sandbox::new(limits.clone(), Requirements::default(), Cache::none())?;
    let info = host_detector::examine(&sandbox, file)?;
    let plugin = host_detector::load(&sandbox, file)?;
    let name = host_detector::Detector::start(&plugin)?.metadata.name;
    let compile_seconds = plugin.compile_time.unwrap_or_default().as_secs_f64();
    Ok((plugin, Sizes { name, bytes: info.bytes, compile_seconds }))
}

struct Round {
    nanos_per_row: f64,
    call_micros: f64,
    anomalies: usize,
    memory_bytes: usize,
}

fn round(plugin: &Plugin, settings: &Settings, rows: &Batch) -> Result<Round, DetectorError> {
    let all: Vec<usize> = (0..rows.len()).collect();
    let batch = |indices: &[usize]| workload::select(rows, indices, indices[0] as u64);
    let batches: Vec<Batch> = all.chunks(BATCH_ROWS).map(batch).collect();
    let mut detector = start(plugin, settings)?;
    let mut anomalies = 0;
    let started = Instant::now();
    for batch in &batches {
        anomalies += black_box(detector.classify(batch)?).len();
    }
    let nanos_per_row = started.elapsed().as_secs_f64() * 1e9 / rows.len() as f64;
    let memory_bytes = detector.peak_memory_bytes();

    let mut detector = start(plugin, settings)?;
    let calls: Vec<Batch> = all.chunks(1).take(CALLS).map(batch).collect();
    let started = Instant::now();
    for batch in &calls {
        black_box(detector.classify(batch)?);
    }
    let call_micros = started.elapsed().as_secs_f64() * 1e6 / calls.len() as f64;
    Ok(Round { nanos_per_row, call_micros, anomalies, memory_bytes })
}

/// Writes where the plugin spends its time, on the same rows in as many rounds as it takes.
fn profiled(plugin: &Plugin, settings: &Settings, rows: &Batch, to: &Path) -> Result<Profiled, Error> {
    let all: Vec<usize> = (0..rows.len()).collect();
    let mut profile = plugin.profile()?;
    let started = Instant::now();
    while profile.samples() < SAMPLES && started.elapsed() < PROFILE_TIME {
        let mut detector = start(plugin, settings)?;
        detector.set_profile(profile);
        for indices in all.chunks(BATCH_ROWS) {
            black_box(detector.classify(&workload::select(rows, indices, indices[0] as u64))?);
        }
        profile = detector.take_profile().ok_or(Error::Internal("a detector lost its profile"))?;
    }
    let samples = profile.samples();
    let write = fs::write(to, profile.json()?);
    write.map_err(|source| ToolsError::File {
        doing: "write the profile to",
        path: to.to_owned(),
        source,
    })?;
    Ok(Profiled { file: path(to), samples })
}

fn costs(sizes: Sizes, rounds: &[Round]) -> Costs {
    let median = |value: fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let nanos_per_row = median(|round| round.nanos_per_row);
    Costs {
        name: sizes.name,
        nanos_per_row,
        rows_per_second: 1e9 / nanos_per_row,
        call_micros: median(|round| round.call_micros),
        // Always the same: the plugins are deterministic.
        anomalies: rounds.first().map_or(0, |round| round.anomalies),
        memory_bytes: rounds.iter().map(|round| round.memory_bytes).max().unwrap_or_default(),
        bytes: sizes.bytes,
        compile_seconds: sizes.compile_seconds,
    }
}

impl Measured {
    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = format!(
            "{} rows in batches of {BATCH_ROWS}, medians of {ROUNDS} alternating rounds\n",
            self.rows
        );
        let Measured { plugin, threshold, .. } = self;
        // Writing into a String cannot fail.
        let mut line = |label: &str, ours: String, theirs: String| {
            let _ = writeln!(text, "  {label:<22}{ours:>16}{theirs:>16}");
        };
        line("", shortened(&plugin.name), shortened(&threshold.name));
        line("ns a row", format!("{:.1}", plugin.nanos_per_row), format!("{:.1}", threshold.nanos_per_row));
        line(
            "million rows a second",
            format!("{:.2}", plugin.rows_per_second / 1e6),
            format!("{:.2}", threshold.rows_per_second / 1e6),
        );
        line(
            "a call with one row",
            format!("{:.1} µs", plugin.call_micros),
            format!("{:.1} µs", threshold.call_micros),
        );
        line("anomalies", plugin.anomalies.to_string(), threshold.anomalies.to_string());
        let size = |bytes: u64| ByteSize::b(bytes).to_string();
        line("memory", size(plugin.memory_bytes as u64), size(threshold.memory_bytes as u64));
        line("plugin", size(plugin.bytes), size(threshold.bytes));
        line(
            "compiling",
            format!("{:.3} s", plugin.compile_seconds),
            format!("{:.3} s", threshold.compile_seconds),
        );
        let _ = writeln!(text, "{:.1} times the time of `{}` for a row", self.ratio, threshold.name);
        if let Some(Profiled { file, samples }) = &self.profile {
            let samples = counted(*samples, "sample");
            let _ = writeln!(
                text,
                "profile: {file}, {samples}; to look at it, open it at https://profiler.firefox.com"
            );
        }
        text
    }
}

/// To fit a column of fifteen characters.
fn shortened(name: &str) -> String {
    host_core::text::printable_up_to(name, 14).into_owned()
}
