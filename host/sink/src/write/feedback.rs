//! What has become known of rows, appended to `feedback` in one transaction. That is under a lock of the table, so
//! that the numbers of its rows grow in the order in which they are committed: a run that has seen a number has seen
//! all below it.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::connection::connect::Connection;
use crate::connection::lock::Wait;
use crate::connection::outcome::Identity;
use crate::connection::query::Parameter;
use crate::connection::{ending, lock};
use crate::error::{SinkError, Work};
use crate::ledger::runs::local_time;
use crate::schema::relations::Relations;
use crate::stored::writers;
use crate::write::writer::expect;

/// A transaction in which labels are appended. Dropping it leaves nothing behind.
pub struct FeedbackTransaction {
    connection: Connection,
    identity: Identity,
    /// The table with its schema, quoted, for queries by other sessions.
    table: String,
    /// When they are recorded.
    recorded_at: Timestamp,
    /// The number of the last row that was appended.
    last_id: Option<i64>,
    appended: u64,
    /// Which ids each run has written, the newest first; once that is needed.
    ranges: Option<Vec<(i64, i64, i64)>>,
}

/// Which row is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowId {
    /// The one with this `transaction_id`.
    Transaction(i64),
    /// The one with this `source_id`, or this `source_key`.
    Source {
        /// As a number, if it can be one.
        number: Option<i64>,
        /// As text.
        key: String,
    },
}

/// What was found of a row that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundRow {
    /// It is this one.
    Row {
        /// Its `transaction_id`.
        transaction_id: i64,
        /// The run that wrote it.
        run_id: i64,
        /// Whether its file had another id.
        has_other_source_id: bool,
    },
    /// There is none.
    Missing,
    /// There are several.
    Several,
    /// It is there, but no run has written it.
    OfNoRun,
}

/// A label to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLabel {
    /// The row's `transaction_id`.
    pub transaction_id: i64,
    /// The run that wrote the row.
    pub run_id: i64,
    /// What it has turned out to be.
    pub is_fraud: bool,
    /// Since when that is known, in microseconds since 1970; `None` if that was not said, so that it is now.
    pub known_at_micros: Option<i64>,
    /// The physical line in the file, from 1.
    pub line: u64,
}

/// What became of labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Those that are new.
    pub recorded: u64,
    /// Those of them that correct an earlier one.
    pub corrections: u64,
    /// Those of them that say fraud.
    pub frauds: u64,
    /// Those that were recorded before.
    pub known: u64,
}

impl Appended {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Appended) -> Appended {
        Appended {
            recorded: self.recorded + other.recorded,
            corrections: self.corrections + other.corrections,
            frauds: self.frauds + other.frauds,
            known: self.known + other.known,
        }
    }
}

/// What the server said about the labels that are there already.
struct Before {
    /// The last one of the row.
    last: Option<bool>,
    /// Whether there is one that says the same since the same time.
    has_same: bool,
}

impl FeedbackTransaction {
    /// Begins, and waits for others who append to the table to end.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn begin(
        connection: Connection,
        lock_timeout: Option<Duration>,
    ) -> Result<FeedbackTransaction, SinkError> {
        let first = async |identity: &Identity| begun(&connection, identity, lock_timeout).await;
        let (identity, (table, recorded_at)) = ending::begin_with(&connection, lock_timeout, first).await?;
        Ok(FeedbackTransaction {
            connection,
            identity,
            table,
            recorded_at,
            last_id: None,
            appended: 0,
            ranges: None,
        })
    }

    /// The database, for messages.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.connection.server
    }

    /// A query that tells, at any later time, whether it was committed.
    #[must_use]
    pub fn deciding_query(&self) -> String {
        self.identity.deciding_query()
    }

    /// Looks for rows; in the order of the ids.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn find(&mut self, ids: &[RowId]) -> Result<Vec<FoundRow>, SinkError> {
        let matches = matches(&self.connection, ids).await?;
        let unique: Vec<i64> =
            matches.values().filter(|found| found.rows == 1).map(|found| found.transaction_id).collect();
        let mut writers = writers::writers(&self.connection, &unique).await?;
        for &id in &unique {
            if !writers.contains_key(&id)
                && let Some(run_id) = self.run_with(id).await?
            {
                writers.insert(id, run_id);
            }
        }
        let found = |at: usize| match matches.get(&(at as i64 + 1)) {
            None => FoundRow::Missing,
            Some(found) if found.rows > 1 => FoundRow::Several,
            Some(&Match { transaction_id, has_other_source_id, .. }) => match writers.get(&transaction_id) {
                Some(&run_id) => FoundRow::Row { transaction_id, run_id, has_other_source_id },
                None => FoundRow::OfNoRun,
            },
        };
        Ok((0..ids.len()).map(found).collect())
    }

    /// The newest run that can have written this id. Who wrote a row cannot be seen any more once it was restored from
    /// a backup, or updated by somebody.
    async fn run_with(&mut self, transaction_id: i64) -> Result<Option<i64>, SinkError> {
        const RANGES: &str = "
            SELECT first_transaction_id, last_transaction_id, run_id FROM ingest_runs
            WHERE first_transaction_id IS NOT NULL AND undone_at IS NULL ORDER BY run_id DESC";
        if self.ranges.is_none() {
            let rows = self.connection.query("look up which ids runs have written", RANGES, &[]).await?;
            self.ranges = Some(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect());
        }
        let mut ranges = self.ranges.iter().flatten();
        let has_it = |(first, last, _): &&(i64, i64, i64)| (*first..=*last).contains(&transaction_id);
        Ok(ranges.find(has_it).map(|(_, _, run_id)| *run_id))
    }

    /// Appends those of these labels that say something new; `file` is the file that they come from, and
    /// `now_micros` since when something is known of which that is not said.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn append(
        &mut self,
        file: &str,
        labels: &[NewLabel],
        now_micros: i64,
    ) -> Result<Appended, SinkError> {
        let before = self.before(labels).await?;
        let (mut last, mut seen) = (HashMap::new(), HashSet::new());
        let mut new = Vec::new();
        let mut appended = Appended::default();
        for (label, before) in labels.iter().zip(before) {
            let row = (label.transaction_id, label.run_id);
            let last_label = last.get(&row).copied().or(before.last);
            let is_known = match label.known_at_micros {
                Some(known_at) => before.has_same || seen.contains(&(row, label.is_fraud, known_at)),
                None => last_label == Some(label.is_fraud),
            };
            if is_known {
                appended.known += 1;
                continue;
            }
            last.insert(row, label.is_fraud);
            seen.insert((row, label.is_fraud, label.known_at_micros.unwrap_or(now_micros)));
            appended.recorded += 1;
            appended.frauds += u64::from(label.is_fraud);
            appended.corrections += u64::from(last_label.is_some_and(|last| last != label.is_fraud));
            new.push(*label);
        }
        self.insert(file, &new, now_micros).await?;
        Ok(appended)
    }

    async fn before(&self, labels: &[NewLabel]) -> Result<Vec<Before>, SinkError> {
        const BEFORE: &str = "
            SELECT last.is_fraud,
                   EXISTS (SELECT FROM feedback f WHERE f.transaction_id = g.transaction_id AND f.run_id = g.run_id
                               AND f.is_fraud = g.is_fraud AND f.known_at = g.known_at::timestamp)
            FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::text[])
                     WITH ORDINALITY AS g (transaction_id, run_id, is_fraud, known_at, position)
                LEFT JOIN LATERAL (SELECT f.is_fraud FROM feedback f
                                   WHERE f.transaction_id = g.transaction_id AND f.run_id = g.run_id
                                   ORDER BY feedback_id DESC LIMIT 1) AS last ON true
            ORDER BY g.position";
        let Columns { transaction_ids, run_ids, are_fraud, .. } = Columns::of(labels);
        let known_at: Vec<Option<String>> =
            labels.iter().map(|label| Some(local_time(label.known_at_micros?)?.to_string())).collect();
        let parameters: [&dyn Parameter; 4] = [&transaction_ids, &run_ids, &are_fraud, &known_at];
        let rows = self.connection.query("look for what is known already", BEFORE, &parameters).await?;
        if rows.len() != labels.len() {
            return Err(SinkError::StrangeAnswer("a question about feedback"));
        }
        Ok(rows.iter().map(|row| Before { last: row.get(0), has_same: row.get(1) }).collect())
    }

    async fn insert(&mut self, file: &str, labels: &[NewLabel], now_micros: i64) -> Result<(), SinkError> {
        const INSERT: &str = "
            WITH new AS (
                INSERT INTO feedback (transaction_id, run_id, is_fraud, known_at, file, line, recorded_at)
                SELECT transaction_id, run_id, is_fraud, known_at::timestamp, $6, line, $7::text::timestamptz
                FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::text[], $5::bigint[]) WITH ORDINALITY
                    AS g (transaction_id, run_id, is_fraud, known_at, line, position)
                ORDER BY position
                RETURNING feedback_id
            )
            SELECT count(*), max(feedback_id) FROM new";
        if labels.is_empty() {
            return Ok(());
        }
        let Columns { transaction_ids, run_ids, are_fraud, lines } = Columns::of(labels);
        let known_at = |label: &NewLabel| -> Option<DateTime> {
            local_time(label.known_at_micros.unwrap_or(now_micros))
        };
        let known_at: Vec<String> =
            labels.iter().map(|label| known_at(label).unwrap_or_default().to_string()).collect();
        let (file, recorded_at) = (file.to_owned(), self.recorded_at.to_string());
        let parameters: [&dyn Parameter; 7] =
            [&transaction_ids, &run_ids, &are_fraud, &known_at, &lines, &file, &recorded_at];
        let rows = self.connection.query("write the feedback", INSERT, &parameters).await?;
        let stored = rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs());
        expect("feedback", labels.len() as u64, stored, Vec::new())?;
        self.last_id = rows.first().and_then(|row| row.get(1));
        self.appended += stored;
        Ok(())
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.appended == 0
    }

    /// From now on, COMMIT may be sent.
    pub fn complete(&mut self) {
        if let Some(last_id) = self.last_id {
            let (table, micros) = (&self.table, self.recorded_at.as_microsecond());
            let condition = format!(
                "feedback_id = {last_id} AND (extract(epoch FROM recorded_at) * 1000000)::bigint = {micros}"
            );
            self.identity.is_recorded(table.clone(), condition);
        }
    }

    /// Commits, and returns only when the server has confirmed it.
    ///
    /// # Errors
    /// [`SinkError::OutcomeUnknown`] if the server could not be asked what became of it; after any other
    /// error, the server has confirmed that nothing was written.
    pub async fn commit(self) -> Result<Duration, SinkError> {
        let started = Instant::now();
        ending::commit(&self.connection, &self.identity, Work::Feedback).await?;
        let commit_time = started.elapsed();
        self.connection.close().await;
        Ok(commit_time)
    }

    /// Rolls back, and waits for the server to confirm it, at most this long.
    ///
    /// # Errors
    /// If it does not confirm; it rolls back nevertheless, because COMMIT was never sent.
    pub async fn roll_back(self, is_lost: bool, patience: Duration) -> Result<(), SinkError> {
        ending::roll_back(self.connection, &self.identity, is_lost, patience).await
    }
}

/// What comes before the first label: the table's name, and the time.
async fn begun(
    connection: &Connection,
    identity: &Identity,
    lock_timeout: Option<Duration>,
) -> Result<(String, Timestamp), SinkError> {
    const BEGUN: &str = "
        SELECT format('%I.%I', relnamespace::regnamespace, relname),
               (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
        FROM pg_class WHERE oid = 'feedback'::regclass";
    Relations::look_up(connection).await?.check_labelling()?;
    let wait = Wait {
        statement: "LOCK TABLE feedback IN SHARE ROW EXCLUSIVE MODE",
        doing: "lock `feedback`",
        lock: "the lock on `feedback`",
    };
    lock::wait(connection, identity, lock_timeout, &wait).await?;
    let rows = connection.query("look at the table `feedback`", BEGUN, &[]).await?;
    let begun =
        rows.first().and_then(|row| Some((row.get(0), Timestamp::from_microsecond(row.get(1)).ok()?)));
    begun.ok_or(SinkError::StrangeAnswer("a question about `feedback`"))
}

/// Columns of labels, as parameters of queries.
struct Columns {
    transaction_ids: Vec<i64>,
    run_ids: Vec<i64>,
    are_fraud: Vec<bool>,
    lines: Vec<i64>,
}

impl Columns {
    fn of(labels: &[NewLabel]) -> Columns {
        Columns {
            transaction_ids: labels.iter().map(|label| label.transaction_id).collect(),
            run_ids: labels.iter().map(|label| label.run_id).collect(),
            are_fraud: labels.iter().map(|label| label.is_fraud).collect(),
            lines: labels.iter().map(|label| i64::try_from(label.line).unwrap_or(i64::MAX)).collect(),
        }
    }
}

/// Rows with an id.
struct Match {
    rows: i64,
    /// Of one of them.
    transaction_id: i64,
    has_other_source_id: bool,
}

/// The rows with these ids, by the ids' positions from 1; those without a row are left out.
async fn matches(connection: &Connection, ids: &[RowId]) -> Result<HashMap<i64, Match>, SinkError> {
    const MATCHES: &str = "
        SELECT position, count(*), min(transaction_id), coalesce(bool_or(has_other), false)
        FROM (
            SELECT w.position, t.transaction_id::bigint,
                   source_key IS NOT NULL OR source_id <> t.transaction_id AS has_other
            FROM unnest($1::bigint[]) WITH ORDINALITY AS w (id, position)
                JOIN transactions t ON t.transaction_id = w.id
            UNION ALL
            SELECT w.position, t.transaction_id::bigint, false
            FROM unnest($2::bigint[]) WITH ORDINALITY AS w (id, position) JOIN transactions t ON t.source_id = w.id
            UNION ALL
            SELECT w.position, t.transaction_id::bigint, false
            FROM unnest($3::text[]) WITH ORDINALITY AS w (id, position) JOIN transactions t ON t.source_key = w.id
        ) AS found
        GROUP BY position";
    let own = |id: &RowId| if let RowId::Transaction(id) = id { Some(*id) } else { None };
    let number = |id: &RowId| if let RowId::Source { number, .. } = id { *number } else { None };
    let key = |id: &RowId| match id {
        // Written in another way, it could be that of another row.
        RowId::Source { key, .. } if connection.encoding.replaced(key).is_none() => Some(key.clone()),
        _ => None,
    };
    let own: Vec<Option<i64>> = ids.iter().map(own).collect();
    let numbers: Vec<Option<i64>> = ids.iter().map(number).collect();
    let keys: Vec<Option<String>> = ids.iter().map(key).collect();
    let parameters: [&dyn Parameter; 3] = [&own, &numbers, &keys];
    let rows = connection.query("look for rows by their ids", MATCHES, &parameters).await?;
    let found = |row: &tokio_postgres::Row| {
        let found = Match { rows: row.get(1), transaction_id: row.get(2), has_other_source_id: row.get(3) };
        (row.get(0), found)
    };
    Ok(rows.iter().map(found).collect())
}
