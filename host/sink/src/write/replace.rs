//! `--on-conflict replace`: rows of a file take the places of stored rows that have their ids. What these
//! were, their anomalies included, is kept in `replaced_rows`, in the same transaction.
//!
//! Rows are updated where they are: so columns that the operator added keep their values, and rows of other
//! tables that refer to them stay.

use std::collections::{HashMap, HashSet};

use host_core::anomaly::Classified;

use crate::connection::connect::Connection;
use crate::connection::query::Parameter;
use crate::error::SinkError;
use crate::ledger::runs::local_time;
use crate::stored::writers;
use crate::write::keep::Conflict;

/// Keeps the old rows, with the runs that wrote them, as far as that is known.
fn keep() -> String {
    let writers = writers::of("old");
    format!(
        "
    WITH old AS MATERIALIZED (
        SELECT n.line, n.differs, t.transaction_id::bigint AS id, t.user_id, t.amount, t.transaction_timestamp,
               t.is_anomalous, t.source_id, t.source_key, t.currency::text AS currency,
               t.xmin AS writer, a.transaction_id IS NOT NULL AS had_anomaly,
               a.run_id AS anomaly_run_id, a.score, a.reason
        FROM unnest($4::bigint[], $5::bigint[], $6::bool[]) AS n (id, line, differs)
            JOIN transactions t ON t.transaction_id = n.id AND t.transaction_id = ANY ($4::bigint[])
            LEFT JOIN anomalies a ON a.transaction_id = t.transaction_id
    ), known AS (
        {writers}
    ), kept AS (
        INSERT INTO replaced_rows (run_id, position, file, line, transaction_id, differs, written_by, user_id,
            amount, transaction_timestamp, is_anomalous, source_id, source_key, currency, had_anomaly, anomaly_run_id,
            score, reason)
        SELECT $1, $2, $3, line, id, differs, coalesce(known.run_id, anomaly_run_id), user_id,
            amount, transaction_timestamp, is_anomalous, source_id, source_key, currency, had_anomaly, anomaly_run_id,
            score, reason
        FROM old LEFT JOIN known USING (id)
        RETURNING had_anomaly
    )
    SELECT count(*), count(*) FILTER (WHERE had_anomaly) FROM kept"
    )
}

const REMOVE_ANOMALIES: &str = "
    WITH removed AS (DELETE FROM anomalies WHERE transaction_id = ANY ($1::bigint[]) RETURNING transaction_id)
    SELECT count(*) FROM removed";

/// Amounts are hundredths; the product is exact. Without currencies in the file, the column gets what a new row
/// would have there.
fn update(has_currencies: bool) -> String {
    let currency = if has_currencies { "n.currency" } else { "DEFAULT" };
    format!(
        "
    WITH updated AS (
        UPDATE transactions t SET user_id = n.user_id, amount = n.cents * 0.01,
            transaction_timestamp = n.at::timestamp, is_anomalous = n.is_anomalous, source_id = n.id,
            source_key = NULL, currency = {currency}
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::int[], $6::text[])
            AS n (id, user_id, cents, at, is_anomalous, currency)
        WHERE t.transaction_id = n.id AND t.transaction_id = ANY ($1::bigint[])
        RETURNING t.transaction_id
    )
    SELECT count(*) FROM updated"
    )
}

/// Writes the rows of a part whose ids are taken in place of the stored ones; their anomalies are still to be
/// written. `may_leave_out` names the triggers of `transactions` that may leave rows out.
///
/// # Errors
/// If the server refuses something, or does less than it was asked to.
pub(crate) async fn replace(
    connection: &Connection,
    run_id: i64,
    part: &Classified,
    conflicts: &HashMap<usize, Conflict>,
    may_leave_out: impl Fn() -> Vec<String>,
) -> Result<u64, SinkError> {
    let Classified { batch, anomalies, .. } = part;
    let mut taken: Vec<(usize, Conflict)> = conflicts.iter().map(|(i, conflict)| (*i, *conflict)).collect();
    taken.sort_unstable_by_key(|(i, _)| *i);
    let of_rows = |values: &[i64]| -> Vec<i64> { taken.iter().map(|(i, _)| values[*i]).collect() };
    let ids = of_rows(&batch.transaction_ids);
    let lines: Vec<i64> = taken.iter().map(|(i, _)| batch.lines[*i] as i64).collect();
    let differs: Vec<bool> = taken.iter().map(|(_, conflict)| conflict.differs).collect();
    let file = batch.file.to_string();
    let parameters: [&dyn Parameter; 6] = [&run_id, &batch.file_position, &file, &ids, &lines, &differs];
    let [kept, anomalous] =
        counts(connection, "keep the rows that are replaced", &keep(), &parameters).await?;
    expect("replaced_rows", ids.len() as u64, kept, Vec::new)?;
    if anomalous > 0 {
        let doing = "remove the anomalies of the rows that are replaced";
        let [removed] = counts(connection, doing, REMOVE_ANOMALIES, &[&ids]).await?;
        expect("anomalies", anomalous, removed, Vec::new)?;
    }
    let found: HashSet<usize> = anomalies.iter().map(|anomaly| anomaly.row as usize).collect();
    let is_anomalous: Vec<i32> = taken.iter().map(|(i, _)| i32::from(found.contains(i))).collect();
    let time = |micros: &i64| local_time(*micros).map(|time| time.to_string());
    let times: Vec<Option<String>> = of_rows(&batch.timestamps_micros).iter().map(time).collect();
    let (users, cents) = (of_rows(&batch.user_ids), of_rows(&batch.amounts_cents));
    let texts = batch.currencies.as_text();
    let currency = |i: &usize| texts.map(|texts| texts.get(*i)).filter(|text| !text.is_empty());
    let currencies: Vec<Option<String>> = taken
        .iter()
        .map(|(i, _)| currency(i).map(|text| connection.encoding.storable(text).into_owned()))
        .collect();
    let parameters: [&dyn Parameter; 6] = [&ids, &users, &cents, &times, &is_anomalous, &currencies];
    let update = update(texts.is_some());
    let [updated] = counts(connection, "replace rows of `transactions`", &update, &parameters).await?;
    expect("transactions", ids.len() as u64, updated, may_leave_out)?;
    Ok(updated)
}

/// The one row of a query that counts.
async fn counts<const N: usize>(
    connection: &Connection,
    doing: &'static str,
    query: &str,
    parameters: &[&dyn Parameter],
) -> Result<[u64; N], SinkError> {
    let rows = connection.query(doing, query, parameters).await?;
    let row = rows.first().ok_or(SinkError::StrangeAnswer("a count"))?;
    Ok(std::array::from_fn(|i| row.get::<_, i64>(i).unsigned_abs()))
}

fn expect(
    table: &'static str,
    sent: u64,
    stored: u64,
    triggers: impl Fn() -> Vec<String>,
) -> Result<(), SinkError> {
    if sent == stored {
        return Ok(());
    }
    Err(SinkError::CountMismatch { table, sent, stored, triggers: triggers() })
}
