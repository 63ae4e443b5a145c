//! `cargo xtask bench`: how fast the host is, compared with other ways of loading the same rows,
//! and how much memory it takes.
//!
//! One run sets up its own server, generates the data once a size, and takes turns: every round
//! loads it with every contender, so that whatever else the machine does falls on all alike. A
//! ratio is that of two loads of the same round. Every load is counted afterwards over another
//! connection: a contender that loads something else ends the benchmark.

mod contenders;
mod data;
mod database;
mod loads;
mod machine;
mod measure;
mod memory;
mod python;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use self::database::Database;
use self::loads::Loads;
use crate::shell::{self, cargo, output, say, target};
use crate::{plugins, setup};

/// The name of the benchmark that is here and not in `host/benches`.
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
    setup::wasm_targets()?;
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

/// What the contenders need.
struct Bench {
    programs: Programs,
    database: Database,
    python: python::Python,
}

/// Paths of what is run.
struct Programs {
    host: PathBuf,
    /// From this working tree, not given by `--host`.
    is_built_here: bool,
    /// PostgreSQL's own, not a distribution's wrapper around it, which takes longer to start.
    psql: PathBuf,
    /// The folder of the plugins, built from this working tree.
    plugins: PathBuf,
}

fn ingest(options: &Options) -> Result<()> {
    let programs = programs(options.host.as_deref())?;
    let python = python::find()?;
    let database = Database::start(&programs)?;
    let largest = options.rows.iter().copied().max().unwrap_or(0);
    data::check_space(database.folder(), largest)?;
    let before = machine::Machine::look(&programs, &database)?;
    let bench = Bench { programs, database, python };
    contenders::compile(&bench, contenders::DETECTOR)?;
    contenders::compile(&bench, contenders::TALKATIVE)?;

    let (mut sizes, mut memory) = (Vec::new(), Vec::new());
    let outcome = options.rows.iter().try_for_each(|&rows| -> Result<()> {
        let factor = if rows <= SMALL_ROWS { ROUNDS_OF_SMALL } else { 1 };
        let data = data::make(&bench, rows)?;
        let loads = Loads::measure(&bench, &data, usize::from(options.rounds) * factor)?;
        let peaks = memory::measure_all(&bench, &data, &loads);
        sizes.push(loads);
        memory.extend(peaks?);
        Ok(())
    });
    // Also where a size failed: the others took their time.
    table::print(&before, &machine::load_average()?, &bench, &sizes, &memory);
    outcome
}

fn programs(given_host: Option<&Path>) -> Result<Programs> {
    let target = target()?;
    let host = match given_host {
        Some(host) => host.canonicalize().with_context(|| format!("find {}", host.display()))?,
        None => {
            shell::run(cargo().args(["build", "--release", "--locked", "--package", "host"]))?;
            target.join("release/host")
        }
    };
    setup::postgresql(&host)?;
    let psql = Path::new(output(Command::new(&host).args(["db", "programs"]))?.trim()).join("psql");
    ensure!(psql.is_file(), "psql is to be in the folder that `host db programs` prints");
    say(&format!("measuring {}", host.display()));
    Ok(Programs { host, is_built_here: given_host.is_none(), psql, plugins: target.join("release/plugins") })
}
