//! Merging what a long chain of runs has written of a state. To continue it, all of their entries are read; so, every
//! ten runs, of what was written before the last ten only the newest entry of each user is kept. The last ten stay apart:
//! each of them can still be undone and verified. `host state prune` merges these as well.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use host_core::state::{Entry, StateDigest};
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
    VALUES ($1, $2, $3, clock_timestamp()) RETURNING (extract(epoch FROM merged_at) * 1000000)::bigint";

/// What was merged.
pub(super) struct Merged {
    /// How many runs.
    pub runs: u64,
    /// The newest of them.
    pub run_id: i64,
    /// How many entries are gone.
    pub removed: u64,
    /// How many are left.
    pub left: u64,
    /// When, in microseconds since 1970.
    pub at_micros: i64,
}

/// Merges the oldest of the runs that a run continues, if there are enough of them. All of their entries have just been
/// read, and were as the ledger says.
pub(super) async fn oldest(connection: &Connection, continued: &StateChain) -> Result<(), SinkError> {
    // The newest is the run that is being written.
    if let Some(merged) = merge(connection, continued.oldest(APART - 1, MERGED)).await? {
        tracing::info!("merged the oldest {} runs of the state `{}`", merged.runs, continued.name);
    }
    Ok(())
}

/// Merges all of these runs, whose entries were read in the same way.
pub(super) async fn all(connection: &Connection, chain: &StateChain) -> Result<Option<Merged>, SinkError> {
    merge(connection, chain.oldest(0, 1)).await
}

/// Merges these runs, oldest first, of whose entries this is the digest.
async fn merge(
    connection: &Connection,
    oldest: Option<(Vec<i64>, StateDigest)>,
) -> Result<Option<Merged>, SinkError> {
    let Some((runs, mut digest)) = oldest else { return Ok(None) };
    let before = digest.entries();
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&runs, Type::INT8_ARRAY)];
    let removed = connection.answer(DOING, connection.client.query_typed_raw(DELETE, parameters)).await?;
    let mut removed = pin!(removed);
    while let Some(row) = connection.answer(DOING, removed.try_next()).await? {
        digest.remove(Entry { user_id: row.get(0), value: row.get(1) });
    }
    let run_id = runs.last().copied().unwrap_or_default();
    let (left, sha256) = (digest.entries(), digest.to_string());
    let recorded = connection.query(DOING, RECORD, &[&run_id, &signed(left), &sha256]).await?;
    let at_micros =
        recorded.first().ok_or(SinkError::LedgerRowRefused { table: "detector_state_bases" })?.get(0);
    let removed = before.wrapping_sub(left);
    Ok(Some(Merged { runs: runs.len() as u64, run_id, removed, left, at_micros }))
}
