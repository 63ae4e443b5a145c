//! From nothing to 1,800 rows and 38 anomalies in a database that can be looked at.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::shell::{self, cargo, output, root, say, target};
use crate::{plugins, setup};

/// The folder of the profile that is compiled in a third of a release's time: somebody waits for it.
const PROFILE: &str = "debug";
/// What it leaves out besides, from the project's root.
const UNOPTIMISED: &str = "xtask/src/demo.toml";

/// Builds, ingests, counts.
pub fn run() -> Result<()> {
    plugins::build_for_users(PROFILE)?;
    shell::run(cargo().args(["build", "--locked", "--package", "host", "--config", UNOPTIMISED]))?;
    let program = target()?.join(PROFILE).join("host");
    setup::postgresql(&program)?;

    let host = || {
        let mut command = Command::new(&program);
        // The embedded server, whatever other database the environment names.
        command.current_dir(root()).env_remove("DATABASE_URL").env_remove("PGHOST").env_remove("PGHOSTADDR");
        command.env_remove("PGSERVICE").env_remove("PGDATABASE");
        command
    };
    shell::run(host().args(["db", "start"]))?;
    let count = |table: &str| -> Result<u64> {
        let query = format!("SELECT count(*) FROM {table}");
        // Not there yet: no rows.
        let printed = output(host().args(["db", "psql", "-XAtc", &query])).unwrap_or_default();
        Ok(printed.trim().parse().unwrap_or(0))
    };
    let before = (count("transactions")?, count("anomalies")?);
    shell::run(host().args(["run", "--plugin", "threshold.wasm", "data/consumed_transactions.csv"]))?;
    let after = (count("transactions")?, count("anomalies")?);
    let added = (after.0 - before.0, after.1 - before.1);
    ensure!(added == (1_800, 38), "the run added {added:?} rows; it should be 1800 and 38");
    say(&format!("counted from new connections: {} transactions and {} anomalies more", added.0, added.1));
    say(&format!("look at them:   target/{PROFILE}/host db psql"));
    say(&format!("stop the server: target/{PROFILE}/host db stop"));
    Ok(())
}
