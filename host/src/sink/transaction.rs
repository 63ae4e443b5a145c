//! The run's one transaction: it begins under a lock, the [writer](super::writer) streams rows
//! into it, the ledger row and COMMIT end it. Dropping it at any point before leaves nothing
//! behind.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::DateTime;
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;

use super::keys::{self, DeferredKeys};
use super::ledger::{self, Entry};
use super::lock::{self, Begun};
use super::once::{self, AlreadyIngested, Candidate, Known, KnownFile, Once};
use super::outcome::{Fate, Identity, Session};
use super::runs::RunRecord;
use super::writer::Writer;
use super::{Classified, Connection, DeferKeys, IdPolicy, RunFacts, SinkError, schema};
use crate::batch::Batch;

/// What is asked of a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long to wait for others that write to the same tables.
    pub lock_timeout: Option<Duration>,
    /// Where ids come from.
    pub ids: IdPolicy,
    /// What must not be written a second time.
    pub once: Option<Once>,
    /// Whether, in empty tables, keys are built after the rows.
    pub defer_keys: DeferKeys,
}

/// An open transaction.
pub struct Transaction {
    connection: Connection,
    identity: Identity,
    terms: Terms,
    writer: Writer,
    deferred_keys: Option<DeferredKeys>,
    /// The ids that the columns can hold.
    pub id_range: std::ops::RangeInclusive<i64>,
    last_id: i64,
}

/// What the server acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The number of the run in the ledger.
    pub run_id: i64,
    /// Rows of `transactions`.
    pub rows_written: u64,
    /// Rows of `rejected_rows`.
    pub rows_rejected: u64,
    /// Rows of `skipped_rows`.
    pub rows_skipped: u64,
    /// Rows of `anomalies`.
    pub anomalies: u64,
    /// The lowest and the highest id that was written; none without rows.
    pub transaction_ids: Option<(i64, i64)>,
    /// When the run began.
    pub started_at: Timestamp,
    /// When its ledger row was written, immediately before COMMIT.
    pub committed_at: Timestamp,
    /// The earliest and the latest time of its rows; none without rows.
    pub timestamps: Option<(DateTime, DateTime)>,
    /// Files whose content an earlier run has ingested.
    pub known: Vec<KnownFile>,
    /// How long the server took for the COMMIT itself.
    pub commit_time: Duration,
}

/// A transaction that needs nothing but COMMIT.
pub enum Completed {
    /// The ledger row is written.
    Recorded(Box<Recorded>),
    /// The ledger knows this already, and `once` was asked for: there is nothing to commit.
    AlreadyIngested(Box<AlreadyIngested>),
}

/// What the ledger says of a run that is about to be committed.
pub struct Recorded {
    record: RunRecord,
    entry: Entry,
}

impl Transaction {
    /// Looks whether the tables fit, begins, and waits for runs that are under way to end.
    /// `size_bytes` is that of the files, where they have one.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn begin(
        connection: Connection,
        terms: Terms,
        size_bytes: Option<u64>,
    ) -> Result<Transaction, SinkError> {
        let (id_type, triggers, session) = tokio::try_join!(
            schema::check(&connection),
            schema::triggers(&connection),
            Session::of(&connection)
        )?;
        let begun = lock::begin(&connection, &session, terms.lock_timeout).await?;
        let Begun { last_id, xact_id, run_id } = begun;
        // Triggers may still have something to do at the end, which keys must not be built before.
        let may_defer =
            terms.defer_keys.applies_to(size_bytes) && terms.ids == IdPolicy::Assign && triggers.is_empty();
        let deferred_keys =
            if may_defer && last_id.is_none() { keys::defer(&connection).await? } else { None };
        let last_id = last_id.unwrap_or_default();
        let writer = Writer::new(&connection, run_id, id_type, terms.ids, last_id, triggers).await?;
        let identity = Identity { session, xact_id, run_id };
        Ok(Transaction {
            connection,
            identity,
            terms,
            writer,
            deferred_keys,
            id_range: id_type.range(),
            last_id,
        })
    }

    /// The database, for messages.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.connection.server
    }

    /// This run's number in the ledger.
    #[must_use]
    pub fn run_id(&self) -> i64 {
        self.identity.run_id
    }

    /// A query that tells, after all, whether the run was committed.
    #[must_use]
    pub fn deciding_query(&self) -> String {
        self.identity.deciding_query()
    }

    /// How many rows there are ids for; none where the file brings them.
    #[must_use]
    pub fn ids_left(&self) -> Option<u64> {
        match self.terms.ids {
            IdPolicy::Assign => Some(self.id_range.end().abs_diff(self.last_id.max(0))),
            IdPolicy::Keep(_) => None,
        }
    }

    /// What of a run was ingested before, where that matters.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn known(&self, candidate: &Candidate<'_>) -> Result<Known, SinkError> {
        match self.terms.once {
            Some(once) => once::look_up(&self.connection, once, candidate).await,
            None => Ok(Known::Files(BTreeMap::new())),
        }
    }

    /// Writes a batch; gives it back where it is not needed any more.
    ///
    /// # Errors
    /// Where the server refuses a row or the ids run out.
    pub async fn write(&mut self, part: Classified) -> Result<Option<Batch>, SinkError> {
        self.writer.write(&self.connection, part).await
    }

    /// Writes what is left, checks that nothing was lost, and writes the ledger row. What remains
    /// is [`commit`](Self::commit).
    ///
    /// # Errors
    /// Where the server refuses something, or counts differ. The transaction is still to be
    /// rolled back.
    pub async fn complete(&mut self, facts: &RunFacts) -> Result<Completed, SinkError> {
        self.writer.finish(&self.connection).await?;
        if let Some(keys) = self.deferred_keys.take() {
            keys.build(&self.connection).await?;
        }
        let written = self.writer.written;
        let read = facts.file().rows_read;
        if read != written.transactions + written.rejected + written.skipped {
            return Err(SinkError::RowsLost {
                read,
                written: written.transactions,
                skipped: written.skipped,
                rejected: written.rejected,
            });
        }
        // The content of a pipe is known only now.
        match self.known(&facts.candidate()).await? {
            Known::All(already_ingested) => return Ok(Completed::AlreadyIngested(already_ingested)),
            Known::Files(known) => {
                if let Some(file) = known.into_values().next() {
                    return Err(SinkError::PartlyIngested { file });
                }
            }
        }
        let record = RunRecord::new(self.identity.run_id, facts, self.terms.ids, &written);
        let entry = ledger::record(&self.connection, &record).await?;
        Ok(Completed::Recorded(Box::new(Recorded { record, entry })))
    }

    /// Commits, and returns only when the server has said that it did: where the connection is lost
    /// on the way, it is asked over another one.
    ///
    /// # Errors
    /// [`SinkError::OutcomeUnknown`] where the server could not be asked what became of it; after
    /// any other error the server has confirmed that nothing was written.
    pub async fn commit(self, recorded: Recorded) -> Result<Committed, SinkError> {
        let started = Instant::now();
        self.commit_and_confirm().await?;
        let commit_time = started.elapsed();
        self.connection.close().await;
        let Recorded { record, entry } = recorded;
        Ok(Committed {
            run_id: record.run_id,
            rows_written: record.rows_written,
            rows_rejected: record.rows_rejected,
            rows_skipped: record.rows_skipped,
            anomalies: record.anomalies,
            transaction_ids: record.first_transaction_id.zip(record.last_transaction_id),
            started_at: record.started_at,
            committed_at: entry.committed_at,
            timestamps: record.first_timestamp.zip(record.last_timestamp),
            known: entry.known,
            commit_time,
        })
    }

    /// Rolls back, and waits for the server to say so, at most this long. Where the connection is
    /// lost already, it is asked over another one.
    ///
    /// # Errors
    /// Where it does not; it rolls back nevertheless, because COMMIT was never sent.
    pub async fn roll_back(mut self, is_lost: bool, patience: Duration) -> Result<(), SinkError> {
        let started = Instant::now();
        let patience = patience.min(self.connection.target.patience.answer);
        self.writer.abandon();
        if !is_lost {
            let asked = self.connection.answer("roll back", self.connection.client.batch_execute("ROLLBACK"));
            match timeout(patience / 2, asked).await {
                Ok(Ok(())) => {
                    self.connection.close().await;
                    return Ok(());
                }
                Ok(Err(error)) => tracing::debug!("{error}"),
                Err(_) => tracing::debug!("no answer to ROLLBACK"),
            }
        }
        match self
            .identity
            .find_out(&self.connection, true, patience.saturating_sub(started.elapsed()))
            .await?
        {
            Fate::RolledBack => Ok(()),
            Fate::Committed => Err(SinkError::StrangeAnswer("ROLLBACK")),
        }
    }

    /// COMMIT of a transaction that the server has given up is answered without an error: it
    /// rolls back. So the server is asked, in the same round trip, what became of it.
    async fn commit_and_confirm(&self) -> Result<(), SinkError> {
        let commit = format!("COMMIT; SELECT pg_xact_status('{}'::xid8)", self.identity.xact_id);
        let asked = self.connection.client.simple_query(&commit);
        let refusal = match self.connection.answer("commit", asked).await {
            Ok(answer) => match status(&answer) {
                Some("committed") => return Ok(()),
                Some("aborted") => return Err(SinkError::NotCommitted),
                _ => SinkError::StrangeAnswer("COMMIT"),
            },
            Err(refusal) => refusal,
        };
        let is_lost = refusal.has_lost_connection();
        if is_lost {
            tracing::warn!("{refusal}; asking what became of it");
        }
        let patience = self.connection.target.patience.answer;
        match self.identity.find_out(&self.connection, is_lost, patience).await {
            Ok(Fate::Committed) => Ok(()),
            Ok(Fate::RolledBack) => Err(refusal),
            Err(source) => Err(SinkError::OutcomeUnknown {
                query: self.deciding_query(),
                source: Some(Box::new(source)),
            }),
        }
    }
}

fn status(answer: &[SimpleQueryMessage]) -> Option<&str> {
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}
