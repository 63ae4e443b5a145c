//! Rows of `transactions` as stored, by their ids, for comparison with those of a file.

use std::collections::HashMap;
use std::error::Error;

use host_core::batch::Batch;
use tokio_postgres::types::{FromSql, Type, accepts};

use crate::connection::connect::Connection;
use crate::error::SinkError;

/// Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
pub(crate) const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A row of `transactions`. In tables that the host did not create, values may be NULL, which no file can
/// contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// See [`Batch::user_ids`].
    pub user_id: Option<i64>,
    /// See [`Batch::amounts_cents`].
    pub amount_cents: Option<i64>,
    /// See [`Batch::timestamps_micros`].
    pub timestamp_micros: Option<i64>,
    /// What the detector said; `None` if no detector was asked.
    pub is_anomalous: Option<i64>,
    /// The id in the file, if it is a number.
    pub source_id: Option<i64>,
    /// The id in the file, if it is a text.
    pub source_key: Option<String>,
    /// Whether the current transaction wrote it.
    pub is_ours: bool,
}

/// `amount` in hundredths, as text, because `NUMERIC` may hold what no number type here can.
const QUERY: &str = "
    SELECT transaction_id::bigint, user_id::bigint, trim_scale(amount * 100)::text, transaction_timestamp,
           is_anomalous::bigint, source_id, source_key, coalesce(xmin = pg_current_xact_id_if_assigned()::xid, false)
    FROM transactions WHERE transaction_id = ANY ($1::bigint[])";

/// The rows that exist with these ids.
pub(crate) async fn rows(connection: &Connection, ids: &[i64]) -> Result<HashMap<i64, StoredRow>, SinkError> {
    let found = connection.query("look for ids in `transactions`", QUERY, &[&ids]).await?;
    let row = |row: &tokio_postgres::Row| {
        let stored = StoredRow {
            user_id: row.get(1),
            amount_cents: row.get::<_, Option<&str>>(2).and_then(|cents| cents.parse().ok()),
            timestamp_micros: row.get::<_, Option<Micros>>(3).map(|micros| micros.0),
            is_anomalous: row.get(4),
            source_id: row.get(5),
            source_key: row.get(6),
            is_ours: row.get(7),
        };
        (row.get(0), stored)
    };
    Ok(found.iter().map(row).collect())
}

impl StoredRow {
    /// Whether it has the values of row `i` of a batch.
    #[must_use]
    pub fn has_values_of(&self, batch: &Batch, i: usize) -> bool {
        are_values_of(batch, i, (self.user_id, self.amount_cents, self.timestamp_micros))
    }
}

/// Whether a user, an amount and a timestamp are those of row `i` of a batch.
fn are_values_of(batch: &Batch, i: usize, stored: (Option<i64>, Option<i64>, Option<i64>)) -> bool {
    stored == (Some(batch.user_ids[i]), Some(batch.amounts_cents[i]), Some(batch.timestamps_micros[i]))
}

/// A timestamp in microseconds since 1970, exactly; infinities become values that no file can contain.
pub(crate) struct Micros(pub(crate) i64);

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Micros, Box<dyn Error + Sync + Send>> {
        Ok(Micros(i64::from_be_bytes(raw.try_into()?).saturating_add(EPOCH_MICROS)))
    }

    accepts!(TIMESTAMP);
}

/// A row of `anomalies`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAnomaly {
    /// The values that it shares with its transaction.
    pub user_id: Option<i64>,
    /// See [`Batch::amounts_cents`].
    pub amount_cents: Option<i64>,
    /// See [`Batch::timestamps_micros`].
    pub timestamp_micros: Option<i64>,
    /// What the detector said.
    pub score: Option<f64>,
    /// Why.
    pub reason: Option<String>,
    /// The run that wrote it.
    pub run_id: Option<i64>,
}

impl StoredAnomaly {
    /// Whether it has the values of row `i` of a batch.
    #[must_use]
    pub fn has_values_of(&self, batch: &Batch, i: usize) -> bool {
        are_values_of(batch, i, (self.user_id, self.amount_cents, self.timestamp_micros))
    }
}

const ANOMALIES: &str = "
    SELECT transaction_id::bigint, user_id::bigint, trim_scale(amount * 100)::text, transaction_timestamp,
           score, reason, run_id
    FROM anomalies WHERE transaction_id = ANY ($1::bigint[])";

/// The anomalies of these transactions, for those that have one.
pub(crate) async fn anomalies(
    connection: &Connection,
    ids: &[i64],
) -> Result<HashMap<i64, StoredAnomaly>, SinkError> {
    let found = connection.query("look for ids in `anomalies`", ANOMALIES, &[&ids]).await?;
    let row = |row: &tokio_postgres::Row| {
        let stored = StoredAnomaly {
            user_id: row.get(1),
            amount_cents: row.get::<_, Option<&str>>(2).and_then(|cents| cents.parse().ok()),
            timestamp_micros: row.get::<_, Option<Micros>>(3).map(|micros| micros.0),
            score: row.get(4),
            reason: row.get(5),
            run_id: row.get(6),
        };
        (row.get(0), stored)
    };
    Ok(found.iter().map(row).collect())
}
