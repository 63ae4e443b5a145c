//! What a benchmark is made of: the files that are loaded, the programs and the server that take part, and
//! what must be in the tables afterwards, whoever has loaded them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::database::Database;
use super::programs::Programs;
use super::python::Python;
use crate::shell::say;

/// What the host classifies with, and the others were given the results of.
pub const DETECTOR: &str = "threshold.wasm";
/// What finds as many anomalies as there are rows.
pub const TALKATIVE: &str = "../test-plugins/talkative.wasm";

/// All columns that the host fills but `anomaly_id`, which the server counts up.
pub const TRANSACTION_COLUMNS: &str =
    "transaction_id, user_id, amount, transaction_timestamp, is_anomalous, source_id";
/// The same of the other table.
pub const ANOMALY_COLUMNS: &str =
    "transaction_id, user_id, amount, transaction_timestamp, score, reason, run_id";

/// What is in the tables: compared after every load. All rows are the same in all loads.
const FINGERPRINT: &str = "SELECT t.*, a.* FROM \
    (SELECT count(*), count(*) FILTER (WHERE is_anomalous = 1), sum(amount), sum(user_id), sum(source_id), \
        min(transaction_timestamp), max(transaction_timestamp) FROM transactions) AS t, \
    (SELECT count(*), sum(amount), sum(octet_length(reason)), sum(score::numeric) FROM anomalies) AS a";

/// What the contenders need.
pub struct Bench {
    pub programs: Programs,
    pub database: Database,
    pub python: Python,
}

/// The files, which are removed at the end of this.
pub struct Data {
    pub folder: PathBuf,
    pub rows: u64,
    pub anomalies: u64,
    /// What [`fingerprint`] is to give.
    pub fingerprint: String,
}

impl Data {
    /// A header, and rows as they come.
    pub fn raw_csv(&self) -> PathBuf {
        self.folder.join("raw.csv")
    }

    /// Rows of a table without a header; `format` is a format of COPY.
    pub fn classified(&self, table: &str, format: &str) -> PathBuf {
        self.folder.join(format!("{table}.{format}"))
    }

    /// Whether what is loaded is what should be; over a connection of its own.
    pub fn check(&self, bench: &Bench) -> Result<()> {
        let found = fingerprint(&bench.database)?;
        ensure!(found == self.fingerprint, "loaded {found} instead of {}", self.fingerprint);
        Ok(())
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            say(&format!("remove {}: {error}", self.folder.display()));
        }
    }
}

/// What is in the tables now.
pub fn fingerprint(database: &Database) -> Result<String> {
    database.query(FINGERPRINT)
}
