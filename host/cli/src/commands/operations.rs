//! `host status` and `host prune`.

use host_core::exit;
use host_sink::{Prunable, PruneRequest, RunFilter};
use jiff::Timestamp;

use crate::cli::{PruneArgs, StatusArgs};
use crate::config;
use crate::error::Error;
use crate::report::{self, Reporter};
use crate::status::{self, Expected};

/// Whether the latest run is as expected; reads only.
pub async fn status(arguments: &StatusArgs, reporter: &Reporter) -> Result<u8, Error> {
    let wanted = RunFilter { is_not_undone: true, ..config::wanted(&arguments.wanted, None) };
    let (runs, now) = match host_sink::look(&config::target(&arguments.database)?).await? {
        Some(snapshot) => {
            let (runs, _) = snapshot.runs(&wanted, status::EARLIER_RUNS + 1).await?;
            let now = snapshot.now().await?;
            snapshot.close().await;
            (runs, now)
        }
        None => (Vec::new(), Timestamp::now()),
    };
    let expected = Expected {
        max_age: arguments.max_age,
        min_rows: arguments.min_rows,
        anomaly_change: arguments.anomaly_change,
    };
    let status = status::judge(runs, now, expected);
    let exit_code = if status.problems.is_empty() { exit::COMMITTED } else { exit::UNEXPECTED };
    reporter.end(exit_code, report::StatusObject::new(&status), || report::status(&status))?;
    Ok(exit_code)
}

/// Removes what old runs have recorded beside their rows.
pub async fn prune(arguments: &PruneArgs, reporter: &Reporter) -> Result<u8, Error> {
    let given = [
        (arguments.rejects, Prunable::Rejected),
        (arguments.skipped, Prunable::Skipped),
        (arguments.replaced, Prunable::Replaced),
    ];
    let tables: Vec<Prunable> =
        given.into_iter().filter_map(|(is_given, table)| is_given.then_some(table)).collect();
    let request =
        PruneRequest { older: arguments.older, run_id: arguments.run, is_dry_run: arguments.dry_run };
    let connection = host_sink::connect(&config::target(&arguments.database)?).await?;
    host_sink::ensure_schema(&connection, None).await?;
    let removed = host_sink::prune(&connection, &tables, request).await?;
    connection.close().await;
    let object = report::PruneObject::new(&removed, arguments.dry_run);
    reporter.end(exit::COMMITTED, object, || report::pruned(&removed, arguments.dry_run))?;
    Ok(exit::COMMITTED)
}
