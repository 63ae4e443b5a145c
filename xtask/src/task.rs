//! The command line of `cargo xtask`, and what does each task.

use anyhow::Result;
use clap::Parser;

use crate::dist::{archive, deb};
use crate::{bench, changelog, compose, demo, packages, plugins, sample_data, shapes, test};

/// Development tasks of this project
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Task {
    /// Build everything, ingest the sample file into the embedded server, show the counts
    Demo,
    /// Formatting, lints, plugins, all tests, documentation
    Test {
        /// Passed on to nextest, for instance a test's name
        arguments: Vec<String>,
    },
    /// Build the plugins and put them beside the host, where it finds them by name
    Plugins,
    /// Measure; prints ratios from one run
    Bench {
        /// `ingest`, or benchmarks of host/cli/benches; all of them where none is named
        names: Vec<String>,
        #[command(flatten)]
        ingest: bench::Options,
    },
    /// Do for long, and with much, what a test does for a moment: `watch` (500 files, 20 kills, two crashes of the server)
    Soak {
        /// What
        #[arg(value_parser = ["watch"])]
        what: String,
    },
    /// Write data/consumed_transactions.csv and data/shapes again
    SampleData,
    /// Try the image and docker-compose.yml with a container engine
    Compose {
        #[command(flatten)]
        options: compose::Options,
    },
    /// Build a release's archive for this machine, in the folder dist of the target folder
    Dist,
    /// Build the package for Debian and Ubuntu, in the folder debian of the target folder
    Deb {
        #[command(flatten)]
        options: deb::Options,
    },
    /// Build the SDKs as packages for the registries of their languages, in the folder packages of the target folder
    Packages,
    /// Print what CHANGELOG.md says of a version
    ReleaseNotes {
        /// Such as 0.1.0
        version: String,
    },
}

impl Task {
    /// Does it.
    pub fn run(self) -> Result<()> {
        match self {
            Task::Demo => demo::run(),
            Task::Test { arguments } => test::run(&arguments),
            Task::Plugins => plugins::build(),
            Task::Bench { names, ingest } => bench::run(&names, &ingest),
            Task::Soak { what } => test::soak(&what),
            Task::SampleData => sample_data::write().and_then(|()| shapes::write()),
            Task::Compose { options } => compose::run(&options),
            Task::Dist => archive::make(),
            Task::Deb { options } => deb::make(&options),
            Task::Packages => packages::build(),
            Task::ReleaseNotes { version } => changelog::print_notes(&version),
        }
    }
}
