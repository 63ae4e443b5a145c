//! Merging what a long chain of runs has written of a state. To continue it, all of their entries are read; so, every
//! ten runs, of what was written before the last ten only the newest entry of each user is kept. The last ten stay apart:
//! each of them can still be undone and verified.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use host_core::state::Entry;
use tokio_postgres::types::{ToSql, Type};

use crate::connection::connect::Connection;
use crate::error::SinkError;
use crate::ledger::record::signed;
use crate::stored::state::StateChain;

/// How many runs stay apart.
const APART: usize = 10;
/// How many are merged at a time.
const MERGED: usize = 10;

const DOING: &str = "merge what runs have written of a state";

/// What is newer takes the place of what is older, and what is empty says that nothing is known.
const DELETE: &str = "
    DELETE FROM detector_states WHERE ctid = ANY (ARRAY (
        SELECT row FROM (
            SELECT ctid AS row, value = '' AS is_empty,
                   row_number() OVER (PARTITION BY user_id ORDER BY run_id DESC) AS age
            FROM detector_states WHERE run_id = ANY ($1::bigint[])
        ) entries WHERE is_empty OR age > 1
    )) RETURNING user_id, value";

const RECORD: &str = "
    INSERT INTO detector_state_bases (run_id, entries, sha256, merged_at)
    VALUES ($1, $2, $3, clock_timestamp())";

/// Merges the oldest of the runs that a run continues, if there are enough of them. All of their entries have just been
/// read, and were as the ledger says.
pub(super) async fn merge(connection: &Connection, continued: &StateChain) -> Result<(), SinkError> {
    // The newest is the run that is being written.
    let Some((runs, mut digest)) = continued.oldest(APART - 1, MERGED) else { return Ok(()) };
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&runs, Type::INT8_ARRAY)];
    let removed = connection.answer(DOING, connection.client.query_typed_raw(DELETE, parameters)).await?;
    let mut removed = pin!(removed);
    while let Some(row) = connection.answer(DOING, removed.try_next()).await? {
        digest.remove(Entry { user_id: row.get(0), value: row.get(1) });
    }
    let newest = runs.last().copied().unwrap_or_default();
    let (entries, sha256) = (signed(digest.entries()), digest.to_string());
    connection.query(DOING, RECORD, &[&newest, &entries, &sha256]).await?;
    tracing::info!("merged the oldest {} runs of the state `{}`", runs.len(), continued.name);
    Ok(())
}
