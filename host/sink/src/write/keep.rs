//! `--ids keep`: the ids of a file become the keys. Ids that are already taken are found before rows are
//! written, many at a time, so that a conflict can be reported with its line, or the row be skipped or
//! [replace](crate::write::replace) the stored one; nobody else can add ids meanwhile, because the table is
//! locked.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use host_core::anomaly::{Anomaly, Classified};
use host_core::batch::Batch;
use host_core::rejected::RejectedRow;

use crate::connection::connect::Connection;
use crate::error::{IdOwner, SinkError};
use crate::stored::{rows, writers};
use crate::write::options::OnConflict;

/// Rows that are compared at a time: enough to make the round trips and COPYs few.
const ROWS_AT_A_TIME: usize = 65_536;
/// Bytes that may wait besides the columns of these rows: rejected records and reasons.
const BYTES_AT_A_TIME: usize = 4 * 1024 * 1024;

/// Holds rows back until their ids have been compared.
pub(crate) struct KeptIds {
    pub on_conflict: OnConflict,
    waiting: Vec<Classified>,
    rows: usize,
    bytes: usize,
}

/// A row whose id is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// Whether the row that has the id has other values.
    pub differs: bool,
}

impl KeptIds {
    pub fn new(on_conflict: OnConflict) -> KeptIds {
        KeptIds { on_conflict, waiting: Vec::new(), rows: 0, bytes: 0 }
    }

    /// True when it is time to write.
    pub fn add(&mut self, mut part: Classified) -> bool {
        // The detector has seen them; nothing of them is written.
        part.batch.columns = Vec::new();
        self.rows += part.batch.len();
        self.bytes += part.rejected.iter().map(RejectedRow::size_bytes).sum::<usize>();
        self.bytes += part.anomalies.iter().map(Anomaly::size_bytes).sum::<usize>();
        self.waiting.push(part);
        self.bytes >= BYTES_AT_A_TIME || self.rows >= ROWS_AT_A_TIME
    }

    /// What is waiting.
    pub fn take(&mut self) -> Vec<Classified> {
        (self.rows, self.bytes) = (0, 0);
        std::mem::take(&mut self.waiting)
    }

    /// The rows of each part whose ids are taken, by their positions in the batch.
    ///
    /// # Errors
    /// [`SinkError::IdTaken`] for the first of them, if conflicts are to fail; if rows are to be replaced,
    /// for the first whose id this very run has written.
    pub async fn conflicts(
        &self,
        connection: &Connection,
        parts: &[Classified],
    ) -> Result<Vec<HashMap<usize, Conflict>>, SinkError> {
        let ids: Vec<i64> = parts.iter().flat_map(|part| &part.batch.transaction_ids).copied().collect();
        let stored = rows::rows(connection, &ids).await?;
        let mut first_of: HashMap<i64, (&Batch, usize)> = HashMap::with_capacity(ids.len());
        let mut conflicts = Vec::new();
        for Classified { batch, .. } in parts {
            let mut of_part = HashMap::new();
            for (i, &id) in batch.transaction_ids.iter().enumerate() {
                let first = match first_of.entry(id) {
                    Entry::Occupied(entry) => Some(*entry.get()),
                    Entry::Vacant(entry) => {
                        entry.insert((batch, i));
                        None
                    }
                };
                let (differs, is_ours) = match (stored.get(&id), first) {
                    (None, None) => continue,
                    (None, Some((first, j))) => (!has_same_values(first, j, batch, i), true),
                    (Some(stored), first) => {
                        let has_currency = batch.currencies.as_text().is_none()
                            || stored.has_currency_of(batch, i, &connection.encoding);
                        let differs = !(stored.has_values_of(batch, i) && has_currency);
                        (differs, stored.is_ours || first.is_some())
                    }
                };
                let is_refused = match self.on_conflict {
                    OnConflict::Fail => true,
                    OnConflict::Skip => false,
                    OnConflict::Replace => is_ours,
                };
                if is_refused {
                    return Err(taken(connection, batch, i, is_ours).await?);
                }
                of_part.insert(i, Conflict { differs });
            }
            conflicts.push(of_part);
        }
        Ok(conflicts)
    }
}

fn currency(batch: &Batch, i: usize) -> Option<&str> {
    batch.currencies.as_text().map(|texts| texts.get(i))
}

fn has_same_values(one: &Batch, i: usize, other: &Batch, j: usize) -> bool {
    one.user_ids[i] == other.user_ids[j]
        && one.amounts_cents[i] == other.amounts_cents[j]
        && one.timestamps_micros[i] == other.timestamps_micros[j]
        && currency(one, i) == currency(other, j)
}

async fn taken(
    connection: &Connection,
    batch: &Batch,
    i: usize,
    is_ours: bool,
) -> Result<SinkError, SinkError> {
    let transaction_id = batch.transaction_ids[i];
    let by = if is_ours {
        IdOwner::ThisRun
    } else {
        let writer = writers::writers(connection, &[transaction_id]).await?.into_values().next();
        writer.map_or(IdOwner::Unknown, IdOwner::Run)
    };
    Ok(SinkError::IdTaken { transaction_id, file: batch.file.to_string(), line: batch.lines[i], by })
}
