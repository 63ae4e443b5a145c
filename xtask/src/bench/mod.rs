//! `cargo xtask bench`: how fast the host is, compared with other ways of loading the same rows,
//! and how much memory it takes.
//!
//! One run sets up its own server, generates the data once a size, and takes turns: every round
//! loads it with every contender, so that whatever else the machine does falls on all alike. A
//! ratio is that of two loads of the same round. Every load is counted afterwards over another
//! connection: a contender that loads something else ends the benchmark.

mod contenders;
mod database;
mod generate;
mod loads;
mod machine;
mod measure;
mod memory;
mod programs;
mod python;
mod spec;
mod tables;

use std::path::PathBuf;

use anyhow::Result;

use self::database::Database;
use self::loads::Loads;
use self::programs::Programs;
use self::python::Python;
use self::spec::Bench;
use crate::plugins;
use crate::shell::{self, cargo};

/// The name of the benchmark that is here and not in `host/cli/benches`.
const INGEST: &str = "ingest";
/// Up to this size a load takes a fraction of a second, so there can be more of them, and must be:
/// what else the machine does weighs more.
const SMALL_ROWS: u64 = 100_000;
const ROUNDS_OF_SMALL: usize = 3;

/// How the ingest benchmark is done.
#[derive(clap::Args)]
pub struct Options {
    /// Rows of the files that are loaded
    #[arg(long, value_delimiter = ',', default_value = "1800,100000,2000000,10000000",
          value_parser = clap::value_parser!(u64).range(1..=2_000_000_000))]
    rows: Vec<u64>,
    /// How often every contender loads every file; three times as often up to 100,000 rows
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// The `host` program to measure, instead of one that is built now
    #[arg(long)]
    host: Option<PathBuf>,
}

/// Builds and runs the named benchmarks, or all.
pub fn run(names: &[String], options: &Options) -> Result<()> {
    plugins::build()?;
    if names.is_empty() || names.iter().any(|name| name == INGEST) {
        ingest(options)?;
    }
    let others: Vec<_> = names.iter().filter(|name| *name != INGEST).collect();
    if !others.is_empty() || names.is_empty() {
        let mut bench = cargo();
        bench.args(["bench", "--locked", "--package", "host"]);
        if names.is_empty() {
            bench.arg("--benches");
        }
        bench.args(others.iter().flat_map(|name| ["--bench", name.as_str()]));
        shell::run(&mut bench)?;
    }
    Ok(())
}

fn ingest(options: &Options) -> Result<()> {
    let programs = Programs::find(options.host.as_deref())?;
    let python = Python::find()?;
    let database = Database::start(&programs)?;
    let largest = options.rows.iter().copied().max().unwrap_or(0);
    generate::check_space(database.folder(), largest)?;
    let before = machine::Machine::look(&programs, &database)?;
    let bench = Bench { programs, database, python };
    contenders::compile(&bench, spec::DETECTOR)?;
    contenders::compile(&bench, spec::TALKATIVE)?;

    let (mut sizes, mut memory) = (Vec::new(), Vec::new());
    let outcome = options.rows.iter().try_for_each(|&rows| -> Result<()> {
        let factor = if rows <= SMALL_ROWS { ROUNDS_OF_SMALL } else { 1 };
        let data = generate::make(&bench, rows)?;
        let loads = Loads::measure(&bench, &data, usize::from(options.rounds) * factor)?;
        let peaks = memory::measure_all(&bench, &data, &loads);
        sizes.push(loads);
        memory.extend(peaks?);
        Ok(())
    });
    // Also where a size failed: the others took their time.
    tables::print(&before, &machine::load_average()?, &bench, &sizes, &memory);
    outcome
}
