//! What has become known of rows, for the run of a detector that learns from it, and for its replay: which numbers of
//! `feedback` it is given, and these rows, with the further columns that were kept of them.
//!
//! A replay must see what the run saw: rows as they were before it, and before all later runs.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::Row;

use crate::connection::connect::Connection;
use crate::connection::query::Parameter;
use crate::error::SinkError;
use crate::ledger::facts::FeedbackSpan;
use crate::stored::rows::Micros;
use crate::write::copy::number_of_text;

const DOING: &str = "read the feedback";
/// At most so many rows are fetched at a time, and fewer if they are long.
const MOST_ROWS: usize = 4_096;
const FIRST_ROWS: usize = 256;
/// How many bytes of kept texts should be fetched at a time.
const FETCHED_BYTES: usize = 1024 * 1024;

/// The numbers that a run is given whose predecessor, if it has one, is this one.
pub(crate) async fn span(
    connection: &Connection,
    predecessor: Option<i64>,
) -> Result<FeedbackSpan, SinkError> {
    const SPAN: &str = "
        SELECT coalesce((SELECT feedback_through FROM ingest_runs WHERE run_id = $1), 0),
               coalesce((SELECT max(feedback_id) FROM feedback), 0)";
    let rows = connection.query("look for feedback", SPAN, &[&predecessor]).await?;
    let row = rows.first().ok_or(SinkError::StrangeAnswer("a question about feedback"))?;
    let (after, through): (i64, i64) = (row.get(0), row.get(1));
    // Numbers that are gone were restored away; what comes after them is not known yet.
    Ok(FeedbackSpan { after, through: through.max(after) })
}

/// A run that was undone after this one, and of whose rows this one was given feedback; `None` if there is none.
pub(crate) async fn undone_since(
    connection: &Connection,
    run_id: i64,
    span: FeedbackSpan,
) -> Result<Option<i64>, SinkError> {
    const UNDONE: &str = "
        SELECT min(r.run_id) FROM feedback f JOIN ingest_runs r USING (run_id)
        WHERE feedback_id > $1 AND feedback_id <= $2
          AND undone_at > (SELECT committed_at FROM ingest_runs WHERE run_id = $3)";
    let parameters: [&dyn Parameter; 3] = [&span.after, &span.through, &run_id];
    let rows = connection.query("look for runs that were undone", UNDONE, &parameters).await?;
    Ok(rows.first().and_then(|row| row.get(0)))
}

/// A row of which something has become known.
#[derive(Clone, Debug)]
pub struct LabelledRow {
    /// Its user, amount in hundredths and time in microseconds; `None` if it is not there any more, or has no such
    /// values.
    pub values: Option<(i64, i64, i64)>,
    /// What it has turned out to be.
    pub is_fraud: bool,
    /// The further columns that were kept of it; `None` if none were.
    pub kept: Option<KeptRow>,
}

/// Further columns of a row.
#[derive(Clone, Debug)]
pub struct KeptRow {
    names: Arc<[String]>,
    texts: Vec<Option<String>>,
}

impl KeptRow {
    /// The text of a column; `None` if the file had no such column, or the run did not keep it.
    #[must_use]
    pub fn text(&self, is_it: impl Fn(&str) -> bool) -> Option<&str> {
        let place = self.names.iter().position(|name| is_it(name))?;
        self.texts.get(place)?.as_deref()
    }

    /// The same as a number: NaN if it is empty, `None` also if it is none.
    #[must_use]
    pub fn number(&self, is_it: impl Fn(&str) -> bool) -> Option<f64> {
        number_of_text(self.text(is_it)?)
    }
}

/// Feedback on its way to a detector, in the order in which it became known.
pub struct FeedbackRows {
    /// The names of the columns that runs have kept.
    names: HashMap<i64, Arc<[String]>>,
    next_rows: usize,
}

/// For the run $1, the labels that it is given, the last of each row. Not those of rows of runs that had been undone
/// before it, nor those whose ids were given again because the table had been emptied.
const LABELS: &str = "
    SELECT DISTINCT ON (f.transaction_id) f.transaction_id, f.feedback_id, f.run_id, f.is_fraud, f.known_at
    FROM feedback f JOIN (
        SELECT run_id, undone_at,
               min(first_transaction_id) FILTER (WHERE ids = 'assign')
                   OVER (ORDER BY run_id ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS given_again_from
        FROM ingest_runs WHERE run_id < {run}
    ) AS r USING (run_id)
    WHERE f.feedback_id > {after} AND f.feedback_id <= {through}
      AND (r.undone_at IS NULL OR r.undone_at > (SELECT committed_at FROM ingest_runs WHERE run_id = {run}))
      AND (r.given_again_from IS NULL OR f.transaction_id < r.given_again_from)
    ORDER BY f.transaction_id, f.feedback_id DESC";

/// With the rows as they were before the run, and what was kept of them.
const ROWS: &str = "
    SELECT user_id, cents, time, is_fraud, kept_run_id, texts, coalesce(pg_column_size(texts), 0)::bigint
    FROM ({labels}) AS f
    LEFT JOIN LATERAL (
        SELECT user_id::bigint, trim_scale(amount * 100)::text AS cents, transaction_timestamp AS time FROM (
            SELECT 0 AS age, run_id AS by, user_id::bigint, amount::numeric, transaction_timestamp FROM replaced_rows p
            WHERE p.transaction_id = f.transaction_id AND p.run_id >= {run}
            UNION ALL
            SELECT 1, 0, user_id::bigint, amount::numeric, transaction_timestamp FROM transactions t
            WHERE t.transaction_id = f.transaction_id
        ) AS versions ORDER BY age, by LIMIT 1
    ) AS version ON true
    LEFT JOIN LATERAL (
        SELECT k.run_id AS kept_run_id, k.texts FROM kept_columns k
        WHERE k.transaction_id = f.transaction_id AND k.run_id >= f.run_id AND k.run_id < {run}
        ORDER BY k.run_id DESC LIMIT 1
    ) AS kept ON true
    ORDER BY f.known_at, f.feedback_id";

impl FeedbackRows {
    /// Begins to read what a run is given.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn open(
        connection: &Connection,
        run_id: i64,
        span: FeedbackSpan,
    ) -> Result<FeedbackRows, SinkError> {
        const NAMES: &str = "SELECT run_id, kept_columns FROM ingest_runs WHERE kept_columns IS NOT NULL";
        let rows = connection.query("look up which columns were kept", NAMES, &[]).await?;
        let names = rows.iter().map(|row| (row.get(0), row.get::<_, Vec<String>>(1).into())).collect();
        let query = ROWS
            .replace("{labels}", LABELS)
            .replace("{run}", &run_id.to_string())
            .replace("{after}", &span.after.to_string())
            .replace("{through}", &span.through.to_string());
        let declare = format!("DECLARE host_feedback NO SCROLL CURSOR FOR {query}");
        connection.simple_query(DOING, &declare).await?;
        Ok(FeedbackRows { names, next_rows: FIRST_ROWS })
    }

    /// The next rows; empty after the last.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn next(&mut self, connection: &Connection) -> Result<Vec<LabelledRow>, SinkError> {
        let fetch = format!("FETCH {} FROM host_feedback", self.next_rows);
        let rows = connection.query(DOING, &fetch, &[]).await?;
        let bytes: i64 = rows.iter().map(|row| row.get::<_, i64>(6)).sum();
        let rows_for_bytes = rows.len() * FETCHED_BYTES / usize::try_from(bytes).unwrap_or(1).max(1);
        self.next_rows = rows_for_bytes.clamp(1, MOST_ROWS).min(2 * self.next_rows);
        if rows.is_empty() {
            connection.simple_query(DOING, "CLOSE host_feedback").await?;
        }
        Ok(rows.iter().map(|row| self.labelled(row)).collect())
    }

    fn labelled(&self, row: &Row) -> LabelledRow {
        let cents = row.get::<_, Option<&str>>(1).and_then(|cents| cents.parse().ok());
        let micros = row.get::<_, Option<Micros>>(2).map(|micros| micros.0);
        let values = row.get::<_, Option<i64>>(0).zip(cents).zip(micros);
        let names = row.get::<_, Option<i64>>(4).and_then(|run_id| self.names.get(&run_id));
        let kept = names.zip(row.get::<_, Option<Vec<Option<String>>>>(5));
        LabelledRow {
            values: values.map(|((user_id, cents), micros)| (user_id, cents, micros)),
            is_fraud: row.get(3),
            kept: kept.map(|(names, texts)| KeptRow { names: names.clone(), texts }),
        }
    }
}
