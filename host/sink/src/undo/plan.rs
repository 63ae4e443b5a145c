//! Which runs have to be undone together: a run, those that continued its state or replaced its rows, those that
//! continued theirs, and so on.

use std::collections::HashMap;

use tokio_postgres::Row;

use crate::connection::connect::Connection;
use crate::connection::query::Parameter;
use crate::error::SinkError;
use crate::ledger::read;
use crate::ledger::runs::LedgerRun;
use crate::undo::error::{Need, UndoError};

/// The runs that depend on others which are not undone, newest first.
const LATER: &str = "
    WITH RECURSIVE replaced AS (
        SELECT DISTINCT p.written_by, p.run_id FROM replaced_rows p JOIN ingest_runs r USING (run_id)
        WHERE p.written_by IS NOT NULL AND r.undone_at IS NULL
    ), needs (earlier, later, is_state) AS MATERIALIZED (
        SELECT state_predecessor, run_id, true FROM ingest_runs
        WHERE state_predecessor IS NOT NULL AND undone_at IS NULL
        UNION ALL
        SELECT written_by, run_id, false FROM replaced
    ), all_of_them AS (
        SELECT $1::bigint AS run_id
        UNION
        SELECT needs.later FROM all_of_them JOIN needs ON needs.earlier = run_id
    )
    SELECT needs.later, bool_or(needs.is_state)
    FROM needs JOIN all_of_them ON needs.earlier = all_of_them.run_id
    GROUP BY needs.later ORDER BY needs.later DESC";

/// For some runs, those whose state they continued, and whether entries of those before were merged into theirs.
const CHAIN: &str = "
    SELECT run_id, state_predecessor, EXISTS (SELECT FROM detector_state_bases b WHERE b.run_id = r.run_id)
    FROM ingest_runs r WHERE run_id = ANY ($1::bigint[])";

/// What is undone together.
pub(crate) struct Plan {
    /// Newest first; the last is the one that was asked for.
    pub runs: Vec<LedgerRun>,
    /// The others, and why.
    pub needs: Vec<(i64, Need)>,
    /// Whether entries of a state were merged into those of one of these runs, so that they are not all there.
    pub is_merged: bool,
}

/// What is undone if this run is.
///
/// # Errors
/// [`UndoError`] if it cannot be undone, or if there are others and `cascades` does not allow that.
pub(crate) async fn plan(connection: &Connection, run_id: i64, cascades: bool) -> Result<Plan, SinkError> {
    let run = read::run(connection, run_id).await?.ok_or(UndoError::NoRun { run_id })?;
    if let Some(at) = run.undone_at {
        return Err(UndoError::AlreadyUndone { run_id, at }.into());
    }
    let doing = "look for runs that depend on it";
    let parameters: [&dyn Parameter; 1] = [&run_id];
    let rows = connection.query(doing, LATER, &parameters).await?;
    let need = |row: &Row| (row.get(0), if row.get(1) { Need::State } else { Need::Rows });
    let needs: Vec<(i64, Need)> = rows.iter().map(need).collect();
    let mut runs = Vec::with_capacity(needs.len() + 1);
    for (later, _) in &needs {
        let found = read::run(connection, *later).await?;
        runs.push(found.ok_or(SinkError::StrangeAnswer("the same question twice"))?);
    }
    runs.push(run);
    let ids: Vec<i64> = runs.iter().map(|run| run.record.run_id).collect();
    let chain = connection.query(doing, CHAIN, &[&ids]).await?;
    let predecessors = chain.iter().map(|row| (row.get(0), row.get(1))).collect();
    let bases: Vec<i64> = chain.iter().filter(|row| row.get(2)).map(|row| row.get(0)).collect();
    if let Some(run_id) = merged(&predecessors, &bases) {
        return Err(UndoError::Merged { run_id }.into());
    }
    if !needs.is_empty() && !cascades {
        return Err(UndoError::NeededBy { run_id, needs }.into());
    }
    Ok(Plan { runs, needs, is_merged: !bases.is_empty() })
}

/// A run whose state was merged with what was known before it, if there is one: what was known then is not there any
/// more. If the state began with one of these runs, nothing has to be known.
fn merged(predecessors: &HashMap<i64, Option<i64>>, bases: &[i64]) -> Option<i64> {
    bases.iter().find_map(|base| {
        let mut first = *base;
        while let Some(Some(earlier)) = predecessors.get(&first) {
            if !predecessors.contains_key(earlier) {
                return Some(first);
            }
            first = *earlier;
        }
        None
    })
}
