//! Who loads: each writes the same rows into both tables in one transaction.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::python;
use super::spec::{ANOMALY_COLUMNS, Bench, DETECTOR, Data, TRANSACTION_COLUMNS};
use crate::shell::{output, root};

/// A way of loading.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    /// Reads, classifies, writes.
    Host,
    /// The same, with the keys in place while it writes, as everybody else has them.
    HostKeysInPlace,
    /// Is given the rows already classified, as CSV.
    CopyCsv,
    /// Is given them encoded as the server takes them.
    CopyBinary,
    /// Reads, classifies, writes.
    Python,
}

impl Contender {
    /// In the order of the table.
    pub const ALL: [Contender; 5] = [
        Contender::Host,
        Contender::HostKeysInPlace,
        Contender::CopyCsv,
        Contender::CopyBinary,
        Contender::Python,
    ];

    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Host => "`host run`, threshold",
            Contender::HostKeysInPlace => "`host run --defer-keys never`",
            Contender::CopyCsv => "psql `\\copy`, CSV, classified before",
            Contender::CopyBinary => "psql `\\copy`, binary, encoded before",
            Contender::Python => "Python, csv and psycopg COPY",
        }
    }

    /// Whether it can be asked to load so many rows.
    pub fn takes_part(self, bench: &Bench, rows: u64) -> bool {
        self != Contender::Python || (rows <= python::MAX_ROWS && bench.python.program.is_ok())
    }

    /// The process that is measured.
    pub fn command(self, bench: &Bench, data: &Data) -> Command {
        match self {
            Contender::Host => host(bench, DETECTOR, data),
            Contender::HostKeysInPlace => {
                let mut host = host(bench, DETECTOR, data);
                host.args(["--defer-keys", "never"]);
                host
            }
            Contender::CopyCsv => copy(bench, data, "csv"),
            Contender::CopyBinary => copy(bench, data, "binary"),
            Contender::Python => bench.python.loader(bench.database.url(), &data.raw_csv()),
        }
    }
}

/// The host, on the raw file.
pub fn host(bench: &Bench, plugin: &str, data: &Data) -> Command {
    let mut host = Command::new(&bench.programs.host);
    host.args(["run", "--format", "json", "--database-url", bench.database.url(), "--plugin"]);
    host.arg(bench.programs.plugins.join(plugin)).arg(data.raw_csv());
    host.env("XDG_CACHE_HOME", cache(bench));
    host
}

/// Where the host keeps compiled plugins.
fn cache(bench: &Bench) -> PathBuf {
    bench.database.folder().join("cache")
}

/// Has the host compile a plugin and keep it, as it is after anybody's first run.
pub fn compile(bench: &Bench, plugin: &str) -> Result<()> {
    let mut check = Command::new(&bench.programs.host);
    check.arg("check").arg("--plugin").arg(bench.programs.plugins.join(plugin));
    check.arg(root().join("data/consumed_transactions.csv")).env("XDG_CACHE_HOME", cache(bench));
    output(&mut check).map(drop)
}

fn copy(bench: &Bench, data: &Data, format: &str) -> Command {
    let mut psql = bench.database.psql();
    psql.arg("--single-transaction");
    for (table, columns) in [("transactions", TRANSACTION_COLUMNS), ("anomalies", ANOMALY_COLUMNS)] {
        let file = data.classified(table, format);
        psql.arg("-c");
        psql.arg(format!("\\copy {table} ({columns}) FROM '{}' (FORMAT {format})", file.display()));
    }
    psql
}
