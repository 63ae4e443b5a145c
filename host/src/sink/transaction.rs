//! The run's one transaction. Rows and anomalies are streamed in by COPY; the ledger row and
//! COMMIT end it. Dropping it at any point before leaves nothing behind.
//!
//! COPY of transactions goes on for as long as the anomalies collected meanwhile are few; then
//! they are written by a COPY of their own (an anomaly refers to its transaction, which must
//! therefore come first) and the next segment begins. So memory stays bounded, and a run costs
//! few round trips.

use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio_postgres::{Client, CopyInSink, SimpleQueryMessage, Statement, ToStatement};

use super::copy::{ANOMALY_COLUMNS, CopyBuffer, REJECT_COLUMNS, TRANSACTION_COLUMNS, TransactionRow};
use super::error::ServerError;
use super::ledger::{self, Counts};
use super::schema::IdType;
use super::{Classified, Connection, RunFacts, SinkError};

/// Size of a message to the server.
const CHUNK_BYTES: usize = 256 * 1024;
/// A segment ends when its anomalies and rejected rows come to this size.
const SEGMENT_SIDE_BYTES: usize = 1024 * 1024;

/// Everything before the first row, in one round trip. The lock keeps others from inserting
/// transactions until we have committed, so that the ids after the highest one are ours; readers
/// are not kept from anything.
const BEGIN: &str = "
    BEGIN;
    LOCK TABLE transactions IN SHARE ROW EXCLUSIVE MODE;
    SELECT coalesce(max(transaction_id), 0), pg_current_xact_id()::text,
           nextval(pg_get_serial_sequence('ingest_runs', 'run_id'))
    FROM transactions";

/// An open transaction.
pub struct Transaction {
    connection: Connection,
    /// This run's number in the ledger.
    pub run_id: i64,
    xact_id: String,
    first_id: i64,
    next_id: i64,
    copy_transactions: Statement,
    copy_anomalies: Statement,
    stream: Option<Pin<Box<CopyInSink<Bytes>>>>,
    transactions: CopyBuffer,
    anomalies: CopyBuffer,
    rejected: CopyBuffer,
    anomalies_written: u64,
    rejected_written: u64,
    id_type: IdType,
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
    /// Rows of `anomalies`.
    pub anomalies: u64,
    /// The first and the last id that was allotted; none without rows.
    pub transaction_ids: Option<(i64, i64)>,
    /// The latest earlier run of a file with the same content.
    pub earlier_run: Option<i64>,
    /// How long the server took for the COMMIT itself.
    pub commit_time: Duration,
}

/// What the ledger says of a run that is about to be committed.
pub struct Recorded {
    counts: Counts,
    earlier_run: Option<i64>,
}

impl Transaction {
    /// Begins, and waits for runs that are under way to end.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn begin(connection: Connection, id_type: IdType) -> Result<Transaction, SinkError> {
        let client = &connection.client;
        let answer = client
            .simple_query(BEGIN)
            .await
            .map_err(SinkError::statement("begin the transaction and lock `transactions`"))?;
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let field = |i| row.and_then(|row| row.get(i)).ok_or(SinkError::StrangeAnswer("BEGIN"));
        let number = |i| field(i)?.parse::<i64>().map_err(|_| SinkError::StrangeAnswer("BEGIN"));
        let (last_id, xact_id, run_id) = (number(0)?, field(1)?.to_owned(), number(2)?);
        let copy = |columns| format!("COPY {columns} FROM STDIN (FORMAT binary)");
        let (copy_transactions, copy_anomalies) = tokio::try_join!(
            async {
                client
                    .prepare(&copy(TRANSACTION_COLUMNS))
                    .await
                    .map_err(SinkError::statement("prepare to write the transactions"))
            },
            async {
                client
                    .prepare(&copy(ANOMALY_COLUMNS))
                    .await
                    .map_err(SinkError::statement("prepare to write the anomalies"))
            },
        )?;
        // A table that was filled from below zero goes on at one.
        let first_id = last_id.max(0) + 1;
        Ok(Transaction {
            connection,
            run_id,
            xact_id,
            first_id,
            next_id: first_id,
            copy_transactions,
            copy_anomalies,
            stream: None,
            transactions: CopyBuffer::new(id_type),
            anomalies: CopyBuffer::new(id_type),
            rejected: CopyBuffer::new(id_type),
            anomalies_written: 0,
            rejected_written: 0,
            id_type,
        })
    }

    /// The database, for messages.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.connection.server
    }

    /// Encodes a batch and sends what is ready.
    ///
    /// # Errors
    /// Where the server refuses a row or the ids run out.
    pub async fn write(&mut self, classified: &Classified) -> Result<(), SinkError> {
        self.encode(classified)?;
        if self.transactions.len() >= CHUNK_BYTES {
            self.send_transactions().await?;
        }
        if self.anomalies.len() + self.rejected.len() >= SEGMENT_SIDE_BYTES {
            self.end_segment().await?;
        }
        Ok(())
    }

    /// Ends the last segment, checks that nothing was lost, and writes the ledger row. What
    /// remains is [`commit`](Self::commit).
    ///
    /// # Errors
    /// Where the server refuses something, or counts differ. The transaction is still to be
    /// rolled back.
    pub async fn complete(&mut self, facts: &RunFacts) -> Result<Recorded, SinkError> {
        self.end_segment().await?;
        let counts = Counts {
            // Ids are allotted one a row.
            rows_written: self.next_id.abs_diff(self.first_id),
            rows_rejected: self.rejected_written,
            anomalies: self.anomalies_written,
            transaction_ids: (self.next_id > self.first_id).then_some((self.first_id, self.next_id - 1)),
        };
        let read = facts.file().rows_read;
        if read != counts.rows_written + counts.rows_rejected {
            let (written, rejected) = (counts.rows_written, counts.rows_rejected);
            return Err(SinkError::RowsLost { read, written, rejected });
        }
        let earlier_run = ledger::record(&self.connection.client, self.run_id, facts, &counts).await?;
        Ok(Recorded { counts, earlier_run })
    }

    /// Commits, and returns only when the server has said that it did.
    ///
    /// # Errors
    /// [`SinkError::OutcomeUnknown`] where the server could not be asked what became of it; after
    /// any other error the server has confirmed that nothing was written.
    pub async fn commit(self, recorded: Recorded) -> Result<Committed, SinkError> {
        let started = Instant::now();
        self.commit_and_confirm().await?;
        let commit_time = started.elapsed();
        let run_id = self.run_id;
        self.connection.close().await;
        let Recorded { counts, earlier_run } = recorded;
        let Counts { rows_written, rows_rejected, anomalies, transaction_ids } = counts;
        Ok(Committed {
            run_id,
            rows_written,
            rows_rejected,
            anomalies,
            transaction_ids,
            earlier_run,
            commit_time,
        })
    }

    /// Rolls back and waits for the server to say so.
    ///
    /// # Errors
    /// Where the connection is lost; then the server rolls back on its own.
    pub async fn roll_back(mut self) -> Result<(), SinkError> {
        // Dropping an unfinished COPY ends it with an error at the server.
        self.stream = None;
        self.connection.client.batch_execute("ROLLBACK").await.map_err(SinkError::statement("roll back"))?;
        self.connection.close().await;
        Ok(())
    }

    fn encode(&mut self, classified: &Classified) -> Result<(), SinkError> {
        let Classified { batch, rejected, anomalies } = classified;
        let rows = batch.len() as i64;
        let last_id = self.next_id + rows - 1;
        if last_id > self.id_type.max() {
            return Err(SinkError::IdsExhausted { last_id: self.id_type.max() });
        }
        let mut found = anomalies.iter().peekable();
        for i in 0..batch.len() {
            let row = TransactionRow {
                transaction_id: self.next_id + i as i64,
                // The source has checked that it fits.
                user_id: batch.user_ids[i] as i32,
                amount_cents: batch.amounts_cents[i],
                timestamp_micros: batch.timestamps_micros[i],
            };
            let anomaly = found.next_if(|anomaly| anomaly.row as usize == i);
            if self.stream.is_none() && self.transactions.len() == 0 {
                self.transactions.start();
            }
            self.transactions.put_transaction(row, anomaly.is_some(), batch.transaction_ids[i]);
            if let Some(anomaly) = anomaly {
                if self.anomalies.len() == 0 {
                    self.anomalies.start();
                }
                self.anomalies.put_anomaly(row, anomaly.score, &anomaly.reason, self.run_id);
            }
        }
        self.next_id += rows;
        for row in rejected {
            if self.rejected.len() == 0 {
                self.rejected.start();
            }
            self.rejected.put_rejected(self.run_id, row);
        }
        Ok(())
    }

    async fn send_transactions(&mut self) -> Result<(), SinkError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = self.connection.client.copy_in(&self.copy_transactions).await;
                self.stream.insert(Box::pin(stream.map_err(SinkError::statement(WRITE_TRANSACTIONS))?))
            }
        };
        stream.send(self.transactions.take()).await.map_err(SinkError::statement(WRITE_TRANSACTIONS))
    }

    /// Writes all that is buffered, transactions first.
    async fn end_segment(&mut self) -> Result<(), SinkError> {
        if self.stream.is_some() || self.transactions.len() > 0 {
            self.transactions.end();
            self.send_transactions().await?;
        }
        if let Some(mut stream) = self.stream.take() {
            let stored = stream.as_mut().finish().await.map_err(SinkError::statement(WRITE_TRANSACTIONS))?;
            expect("transactions", self.transactions.rows(), stored)?;
        }
        let client = &self.connection.client;
        if self.anomalies.len() > 0 {
            self.anomalies.end();
            let stored = copy_at_once(client, &self.copy_anomalies, &mut self.anomalies)
                .await
                .map_err(SinkError::statement("write the anomalies"))?;
            expect("anomalies", self.anomalies.rows(), stored)?;
            self.anomalies_written += stored;
        }
        if self.rejected.len() > 0 {
            self.rejected.end();
            let copy = format!("COPY {REJECT_COLUMNS} FROM STDIN (FORMAT binary)");
            let stored = copy_at_once(client, &copy, &mut self.rejected)
                .await
                .map_err(SinkError::statement("write the rejected rows"))?;
            expect("rejected_rows", self.rejected.rows(), stored)?;
            self.rejected_written += stored;
        }
        Ok(())
    }

    /// COMMIT of a transaction that the server has given up is answered without an error: it
    /// rolls back. So the server is asked, in the same round trip, what became of it.
    async fn commit_and_confirm(&self) -> Result<(), SinkError> {
        let ask = format!("SELECT pg_xact_status('{}'::xid8)", self.xact_id);
        let client = &self.connection.client;
        let (answer, refusal) = match client.simple_query(&format!("COMMIT; {ask}")).await {
            Ok(answer) => (answer, None),
            // The COMMIT may have been refused, or the question after it: ask once more.
            Err(error) => match client.simple_query(&ask).await {
                Ok(answer) => (answer, Some(error)),
                Err(_) => return Err(self.outcome_unknown(error)),
            },
        };
        let status = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        match (status, refusal) {
            (Some("committed"), _) => Ok(()),
            (Some("aborted"), Some(error)) => Err(SinkError::statement("commit")(error)),
            (Some("aborted"), None) => Err(SinkError::NotCommitted),
            (_, Some(error)) => Err(self.outcome_unknown(error)),
            (_, None) => Err(SinkError::NotCommitted),
        }
    }

    fn outcome_unknown(&self, error: tokio_postgres::Error) -> SinkError {
        SinkError::OutcomeUnknown {
            query: format!("SELECT run_id FROM ingest_runs WHERE run_id = {}", self.run_id),
            source: ServerError(error),
        }
    }
}

const WRITE_TRANSACTIONS: &str = "write the transactions";

/// A COPY of what is buffered; returns how many rows the server stored.
async fn copy_at_once<T>(
    client: &Client,
    copy: &T,
    buffer: &mut CopyBuffer,
) -> Result<u64, tokio_postgres::Error>
where
    T: ?Sized + ToStatement,
{
    let mut stream = Box::pin(client.copy_in(copy).await?);
    stream.send(buffer.take()).await?;
    stream.as_mut().finish().await
}

fn expect(table: &'static str, sent: u64, stored: u64) -> Result<(), SinkError> {
    if sent == stored { Ok(()) } else { Err(SinkError::CountMismatch { table, sent, stored }) }
}
