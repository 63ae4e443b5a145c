//! The script that somebody would write instead: Python's `csv`, and COPY by psycopg.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use indicatif::HumanCount;

use crate::setup;
use crate::shell::{output, root, say, target, works};

/// It takes several times as long as the others, which at ten million rows is minutes a load.
pub const MAX_ROWS: u64 = 2_000_000;
/// With its own libpq and its part in C: the fastest that there is.
const PSYCOPG: &str = "psycopg[binary]==3.2.10";
const SCRIPT: &str = "xtask/src/bench/loader.py";

/// A Python that can talk to PostgreSQL, or why there is none.
pub struct Python {
    pub program: Result<PathBuf, String>,
}

impl Python {
    /// An environment of its own in the target folder, made the first time; else the system's Python,
    /// if that has psycopg.
    pub fn find() -> Result<Python> {
        let folder = target()?.join("bench-python");
        let own = folder.join("bin/python3");
        let system = PathBuf::from("python3");
        let has_psycopg = |python: &Path| works(Command::new(python).args(["-c", "import psycopg"]));
        if !works(Command::new(&system).arg("--version")) {
            return Ok(Python { program: Err("there is no python3".into()) });
        }
        if !has_psycopg(&own) {
            say(&format!("making a Python environment with {PSYCOPG}"));
            if let Err(error) = setup::python(&folder, &[PSYCOPG]) {
                say(&format!("{error:#}"));
            }
        }
        let program = [own, system].into_iter().find(|python| has_psycopg(python));
        Ok(Python { program: program.ok_or_else(|| format!("{PSYCOPG} could not be installed")) })
    }

    /// Which one it is, or why there is none.
    pub fn description(&self) -> String {
        let program = match &self.program {
            Ok(program) => program,
            Err(reason) => return format!("left out: {reason}"),
        };
        let ask = "import platform, psycopg; \
                   print(platform.python_version() + ', psycopg', psycopg.__version__, psycopg.pq.__impl__)";
        let versions = output(Command::new(program).args(["-c", ask])).unwrap_or_default();
        format!("{}; not above {} rows, because it is slow", versions.trim(), HumanCount(MAX_ROWS))
    }

    /// The script, loading this file into this database. Only where there is a Python.
    pub fn loader(&self, url: &str, file: &Path) -> Command {
        // Contenders that do not take part are not asked.
        let mut loader = Command::new(self.program.as_deref().unwrap_or(Path::new("python3")));
        loader.arg(root().join(SCRIPT)).arg(url).arg(file);
        loader
    }
}
