//! Makes the files of one size, all with the same rows: the raw CSV that the host reads, and what others
//! are given already classified, as CSV and as encoded for binary COPY. Every run makes the same.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::contenders::host;
use super::measure::measure;
use super::spec::{ANOMALY_COLUMNS, Bench, DETECTOR, Data, TRANSACTION_COLUMNS, fingerprint};
use crate::random::{Random, timestamp};
use crate::shell::{output, say};

const USERS: usize = 10_000;
/// One row in so many is above the limit of the `threshold` plugin.
const ROWS_PER_ANOMALY: usize = 50;
const LIMIT_CENTS: i64 = 50_000;
const SEED: u64 = 0x2024_0500_0010;
/// Files, tables, indexes and write-ahead log of one load, generously.
const DISK_BYTES_PER_ROW: u64 = 600;
const DISK_BYTES: u64 = 2 << 30;

/// Generates the raw CSV, has the host load it, and the server write what it has got.
pub fn make(bench: &Bench, rows: u64) -> Result<Data> {
    say(&format!("generating {rows} rows"));
    let folder = bench.database.folder().join(format!("data-{rows}"));
    fs::create_dir(&folder).with_context(|| format!("create {}", folder.display()))?;
    let mut data = Data { folder, rows, anomalies: 0, fingerprint: String::new() };
    let (anomalies, cents) = write_raw(&data.raw_csv(), rows).context("write the raw CSV")?;
    data.anomalies = anomalies;

    bench.database.empty()?;
    measure(host(bench, DETECTOR, &data), &bench.database).context("load the data once")?;
    data.fingerprint = fingerprint(&bench.database)?;
    // The generator's own numbers: what the others are compared with is right.
    let amount = format!("{}.{:02}", cents / 100, cents % 100);
    let expected = format!("{rows}|{anomalies}|{amount}|");
    if !data.fingerprint.starts_with(&expected) {
        bail!("the host loaded {} instead of {expected}", data.fingerprint);
    }
    for format in ["csv", "binary"] {
        for (table, columns) in [("transactions", TRANSACTION_COLUMNS), ("anomalies", ANOMALY_COLUMNS)] {
            let file = data.classified(table, format);
            let copy = format!(
                "\\copy (SELECT {columns} FROM {table} ORDER BY transaction_id) TO '{}' (FORMAT {format})",
                file.display()
            );
            output(bench.database.psql().args(["-c", &copy]))?;
        }
    }
    // Else they would be written to the disk while the first contender is being measured.
    output(&mut Command::new("sync"))?;
    Ok(data)
}

/// How many are anomalous, and the sum of all amounts in hundredths.
fn write_raw(path: &Path, rows: u64) -> Result<(u64, i64)> {
    const SECONDS_OF_YEAR: u64 = 366 * 86_400;
    let mut random = Random::new(SEED);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(file, "transaction_id,user_id,amount,timestamp")?;
    let (mut anomalies, mut sum_cents) = (0, 0);
    for id in 1..=rows {
        let user = 1 + random.below(USERS);
        let cents = if random.below(ROWS_PER_ANOMALY) == 0 {
            anomalies += 1;
            LIMIT_CENTS + 1 + random.below(450_000) as i64
        } else {
            50 + random.below(LIMIT_CENTS as usize - 49) as i64
        };
        sum_cents += cents;
        let time = timestamp((id - 1) * SECONDS_OF_YEAR / rows);
        writeln!(file, "{id},{user},{}.{:02},{time}", cents / 100, cents % 100)?;
    }
    file.flush()?;
    Ok((anomalies, sum_cents))
}

/// Says so before, not after an hour.
pub fn check_space(folder: &Path, rows: u64) -> Result<()> {
    let free = output(Command::new("df").args(["--output=avail", "--block-size=1"]).arg(folder))?;
    let free_bytes: u64 =
        free.lines().last().unwrap_or_default().trim().parse().context("read what `df` prints")?;
    let needed_bytes = DISK_BYTES + DISK_BYTES_PER_ROW * rows;
    ensure!(
        free_bytes >= needed_bytes,
        "{rows} rows need about {} MiB in {}, which has {} MiB; use another folder by TMPDIR, or --rows",
        needed_bytes >> 20,
        folder.display(),
        free_bytes >> 20,
    );
    Ok(())
}
