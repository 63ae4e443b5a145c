//! The benchmarks of `host/benches`, on plugins as they are shipped.

use anyhow::Result;

use crate::shell::{self, cargo};
use crate::{plugins, setup};

/// Builds and runs them.
pub fn run(names: &[String]) -> Result<()> {
    setup::wasm_targets()?;
    plugins::build()?;
    let mut bench = cargo();
    bench.args(["bench", "--locked", "--package", "host"]);
    if names.is_empty() {
        bench.arg("--benches");
    }
    bench.args(names.iter().flat_map(|name| ["--bench", name]));
    shell::run(&mut bench)
}
