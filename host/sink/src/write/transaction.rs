//! The run's one transaction: it begins under a lock, the [writer](crate::write::writer) streams rows
//! into it, the ledger row and COMMIT end it. Dropping it at any earlier point leaves nothing behind.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use host_core::anomaly::Classified;
use host_core::batch::Batch;
use host_core::capacity::Capacity;
use host_core::facts::IdKind;

use crate::connection::connect::Connection;
use crate::connection::outcome::Identity;
use crate::connection::{ending, lock};
use crate::error::{SinkError, Work};
use crate::known_file::KnownFile;
use crate::ledger::facts::{Candidate, RunFacts};
use crate::ledger::once::{AlreadyIngested, Known};
use crate::ledger::record::{EarlierHeader, Entry};
use crate::ledger::runs::{LedgerRun, RunRecord, WrittenDigests};
use crate::ledger::{once, record};
use crate::schema::columns;
use crate::schema::columns::Widths;
use crate::schema::relations::Relations;
use crate::stored::replaced;
use crate::write::keys::DeferredKeys;
use crate::write::numbers::Numbers;
use crate::write::options::{IdPolicy, OnConflict, TransactionOptions};
use crate::write::state::StateWriter;
use crate::write::users::Users;
use crate::write::writer::Writer;
use crate::write::{keys, triggers};

/// An open transaction.
pub struct Transaction {
    pub(super) connection: Connection,
    identity: Identity,
    numbers: Numbers,
    options: TransactionOptions,
    pub(super) writer: Writer,
    /// If the files have textual ids of users.
    users: Option<Users>,
    deferred_keys: Option<DeferredKeys>,
    widths: Widths,
    /// If the detector has one.
    pub(super) state: Option<StateWriter>,
}

/// What the server acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The run as stored in the ledger.
    pub run: LedgerRun,
    /// Files whose content an earlier run has ingested.
    pub known: Vec<KnownFile>,
    /// What the last file of the same source, or else of the same name, had as its header.
    pub earlier_header: Option<EarlierHeader>,
    /// Skipped rows whose values differ from those of the rows already there.
    pub rows_skipped_differing: u64,
    /// Replaced rows whose values were others.
    pub rows_replaced_differing: u64,
    /// How long the server took for the COMMIT itself.
    pub commit_time: Duration,
}

/// A transaction that needs nothing but COMMIT.
pub enum Completed {
    /// The ledger row is written.
    Recorded(Box<Recorded>),
    /// The ledger already has this, and `once` was asked for: there is nothing to commit.
    AlreadyIngested(Box<AlreadyIngested>),
}

/// What the ledger says about a run that is about to be committed.
pub struct Recorded {
    record: RunRecord,
    entry: Entry,
}

impl Transaction {
    /// Begins, waits for runs in progress to end, and checks whether the tables fit. `size_bytes` is the
    /// size of the files, if they have one.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn begin(
        connection: Connection,
        options: TransactionOptions,
        size_bytes: Option<u64>,
    ) -> Result<Transaction, SinkError> {
        let (identity, prepared) = ending::begin_with(&connection, options.lock_timeout, async |identity| {
            Prepared::new(&connection, identity, options, size_bytes).await
        })
        .await?;
        let Prepared { numbers, writer, users, deferred_keys, widths } = prepared;
        let state = None;
        Ok(Transaction {
            connection,
            identity,
            numbers,
            options,
            writer,
            users,
            deferred_keys,
            widths,
            state,
        })
    }

    /// Its connection, for what is read part by part.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The database, for messages.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.connection.server
    }

    /// This run's number in the ledger.
    #[must_use]
    pub fn run_id(&self) -> i64 {
        self.numbers.run_id
    }

    /// A query that tells, at any later time, whether the run was committed.
    #[must_use]
    pub fn deciding_query(&self) -> String {
        self.identity.deciding_query()
    }

    /// How many rows there are ids for; `None` if the file brings its own ids.
    #[must_use]
    pub fn ids_left(&self) -> Option<u64> {
        match self.options.ids {
            IdPolicy::Assign => Some(self.numbers.ids_left(self.last_possible_id())),
            IdPolicy::Keep(_) => None,
        }
    }

    /// The highest id that the columns can hold.
    #[must_use]
    pub fn last_possible_id(&self) -> i64 {
        *self.widths.id_range().end()
    }

    /// What the tables can hold of a row.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        self.widths.capacity(self.options.ids != IdPolicy::Assign, self.numbers.has_textual_users)
    }

    /// What part of a run was ingested before, if that matters.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn known(&self, candidate: &Candidate<'_>) -> Result<Known, SinkError> {
        match self.options.once {
            Some(once) => once::look_up(&self.connection, once, candidate).await,
            None => Ok(Known::Files(BTreeMap::new())),
        }
    }

    /// The numbers of users with these ids; those who are new get one. A COPY in progress is ended.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn number_users(&mut self, keys: &[String]) -> Result<Vec<i64>, SinkError> {
        let users = self.users.as_mut().ok_or(SinkError::WriterClosed)?;
        self.writer.pause(&self.connection).await?;
        users.numbers(&self.connection, keys).await
    }

    /// Writes a batch; gives it back for reuse if it is not needed any more.
    ///
    /// # Errors
    /// If the server refuses a row or the ids run out.
    pub async fn write(&mut self, part: Classified) -> Result<Option<Batch>, SinkError> {
        self.writer.write(&self.connection, part).await
    }

    /// Writes what is left, checks that nothing was lost, and writes the ledger row. What remains
    /// is [`commit`](Self::commit).
    ///
    /// # Errors
    /// If the server refuses something, or counts differ. The transaction must then still be rolled back.
    pub async fn complete(&mut self, facts: &RunFacts) -> Result<Completed, SinkError> {
        self.writer.finish(&self.connection).await?;
        let state = match &mut self.state {
            Some(state) => Some(state.finish(&self.connection).await?),
            None => None,
        };
        if let Some(keys) = self.deferred_keys.take() {
            keys.build(&self.connection).await?;
        }
        let written = self.writer.written;
        let read = facts.files.iter().map(|file| file.rows_read).sum();
        if read != written.transactions + written.rejected + written.skipped {
            return Err(SinkError::RowsLost {
                read,
                written: written.transactions,
                skipped: written.skipped,
                rejected: written.rejected,
            });
        }
        // The content of a pipe is only known now.
        match self.known(&facts.candidate()).await? {
            Known::All(already_ingested) => return Ok(Completed::AlreadyIngested(already_ingested)),
            Known::Files(known) => {
                if let Some(file) = known.into_values().next() {
                    return Err(SinkError::PartlyIngested { file });
                }
            }
        }
        let Numbers { run_id, ledger, sequence, .. } = &self.numbers;
        if let Some((sequence, (_, highest))) = sequence.as_ref().zip(written.transaction_ids) {
            sequence.move_past(&self.connection, highest).await?;
        }
        let digests = WrittenDigests {
            skipped: (written.skipped > 0).then(|| self.writer.skip_digest.digest().to_string()),
            replaced: match written.replaced {
                0 => None,
                _ => replaced::digest(&self.connection, *run_id).await?,
            },
        };
        let record = RunRecord::new(*run_id, facts, self.options.ids.recorded(), &written, digests, state);
        let entry = record::record(&self.connection, &record).await?;
        let condition = format!("run_id = {run_id} AND sha256 = '{}'", entry.sha256);
        self.identity.is_recorded(ledger.clone(), condition);
        Ok(Completed::Recorded(Box::new(Recorded { record, entry })))
    }

    /// Commits, and returns only when the server has confirmed it: if the connection is lost on the way, the
    /// server is asked over another one.
    ///
    /// # Errors
    /// [`SinkError::OutcomeUnknown`] if the server could not be asked what became of it; after any other
    /// error, the server has confirmed that nothing was written.
    pub async fn commit(mut self, recorded: Recorded) -> Result<Committed, SinkError> {
        let started = Instant::now();
        self.writer.close_statements();
        ending::commit(&self.connection, &self.identity, Work::Run).await?;
        let commit_time = started.elapsed();
        if let Some(notice) = self.connection.encoding.notice() {
            tracing::warn!("{notice}");
        }
        self.connection.close().await;
        let Recorded { record, entry } = recorded;
        Ok(Committed {
            run: LedgerRun {
                record,
                committed_at: entry.committed_at,
                undone_at: None,
                is_intact: Some(true),
            },
            known: entry.known,
            earlier_header: entry.earlier_header,
            rows_skipped_differing: self.writer.skipped_differing,
            rows_replaced_differing: self.writer.replaced_differing,
            commit_time,
        })
    }

    /// Rolls back, and waits for the server to confirm it, at most this long. If the server does not answer,
    /// or the connection is already lost, the session is ended over another connection.
    ///
    /// # Errors
    /// If it does not confirm; it rolls back nevertheless, because COMMIT was never sent.
    pub async fn roll_back(mut self, is_lost: bool, patience: Duration) -> Result<(), SinkError> {
        self.writer.abandon();
        if let Some(state) = &mut self.state {
            state.abandon();
        }
        ending::roll_back(self.connection, &self.identity, is_lost, patience).await
    }
}

/// What a transaction needs besides its connection, once it holds the lock.
struct Prepared {
    numbers: Numbers,
    writer: Writer,
    /// If the files have textual ids of users.
    users: Option<Users>,
    deferred_keys: Option<DeferredKeys>,
    widths: Widths,
}

impl Prepared {
    async fn new(
        connection: &Connection,
        identity: &Identity,
        options: TransactionOptions,
        size_bytes: Option<u64>,
    ) -> Result<Prepared, SinkError> {
        if options.ids == IdPolicy::Keep(OnConflict::Replace) {
            Relations::look_up(connection).await?.check_replaceable()?;
        }
        lock::lock(connection, identity, options.lock_timeout).await?;
        // Under the lock, since somebody may have altered the tables while we waited for it; in one round
        // trip, in which the first error is the real one.
        let (widths, triggers, numbers) = tokio::join!(
            columns::check(connection, options.has_currencies),
            triggers::look_up(connection),
            Numbers::look_up(connection)
        );
        let (widths, triggers, numbers) = (widths?, triggers?, numbers?);
        let users = match options.user_ids {
            IdKind::Text => Some(Users::look_up(connection, &widths).await?),
            IdKind::Number | IdKind::None => None,
        };
        // Triggers may still have work pending at the end, and keys cannot be built before that is done.
        let may_defer = options.defer_keys.applies_to(size_bytes)
            && options.ids == IdPolicy::Assign
            && triggers.is_empty();
        let deferred_keys =
            if may_defer && numbers.last_id.is_none() { keys::defer(connection).await? } else { None };
        if let Some(taken) = numbers.taken_name {
            connection.skip_names(taken).await?;
        }
        let writer = Writer::new(connection, &numbers, widths, options, triggers).await?;
        Ok(Prepared { numbers, writer, users, deferred_keys, widths })
    }
}
