//! Which runs wrote rows. A run's rows and its row in the ledger have the same `xmin`, since the same transaction
//! writes both. A row that was put back, because the run that had replaced it was undone, has the `xmin` of that
//! transaction, and so has what is kept of it in `replaced_rows`, which names the run that wrote it.
//!
//! After a restore, all rows may have the same `xmin`; a row of which two runs could be the writer is nobody's.

use std::collections::HashMap;

use crate::connection::connect::Connection;
use crate::error::SinkError;

/// What is kept, as `p`, of rows that were put back, with the ledger row, as `u`, of the run that was undone for it.
pub(crate) const PUT_BACK: &str =
    "replaced_rows p JOIN ingest_runs u ON u.run_id = p.run_id AND u.undone_at IS NOT NULL";

/// A query for the writers, as `id` and `run_id`, of some rows: `rows` is a table or subquery with their `id` and their
/// `xmin` as `writer`.
pub(crate) fn of(rows: &str) -> String {
    format!(
        "SELECT id, max(run_id) AS run_id FROM (
            SELECT id, run_id FROM {rows} AS wanted JOIN ingest_runs r ON r.xmin = writer AND r.undone_at IS NULL
                AND id BETWEEN r.first_transaction_id AND r.last_transaction_id
            UNION ALL
            SELECT id, r.run_id FROM {rows} AS wanted JOIN {PUT_BACK} ON p.transaction_id = id AND p.xmin = writer
                JOIN ingest_runs r ON r.run_id = p.written_by AND r.undone_at IS NULL
        ) AS found
        GROUP BY id HAVING count(*) = 1"
    )
}

/// The runs that wrote these rows, as far as that is known.
pub(crate) async fn writers(connection: &Connection, ids: &[i64]) -> Result<HashMap<i64, i64>, SinkError> {
    let rows = "(SELECT transaction_id::bigint AS id, xmin AS writer FROM transactions
                 WHERE transaction_id = ANY ($1::bigint[]))";
    let rows = connection.query("look up who wrote some ids", &of(rows), &[&ids]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
