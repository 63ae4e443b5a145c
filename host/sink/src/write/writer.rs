//! Writes classified batches to COPY streams.
//!
//! The COPY of transactions goes on while little has been collected for the other tables; then that is
//! written by COPYs of its own (an anomaly refers to its transaction, which must therefore come first),
//! and the next segment begins. So memory stays bounded, and a run costs few round trips.

use std::collections::HashMap;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::SinkExt as _;
use host_core::anomaly::{Anomaly, Classified};
use host_core::batch::{Batch, RowPlace};
use host_core::column::Column;
use tokio_postgres::{CopyInSink, Statement};

use crate::connection::connect::Connection;
use crate::error::SinkError;
use crate::ledger::ids::AllottedIds;
use crate::ledger::runs::Written;
use crate::ledger::skips::SkipDigest;
use crate::schema::columns::{TableWidths, Widths};
use crate::server_error::ErrorClass;
use crate::write::copy::{
    ANOMALY_COLUMNS, CopyBuffer, KEPT_COLUMNS, REJECT_COLUMNS, SKIPPED_COLUMNS, TransactionRow,
    transaction_columns,
};
use crate::write::keep::{Conflict, KeptIds};
use crate::write::numbers::Numbers;
use crate::write::options::{IdPolicy, OnConflict, TransactionOptions};
use crate::write::places::Places;
use crate::write::replace::replace;
use crate::write::triggers;
use crate::write::triggers::Trigger;

/// Size of a message to the server.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;
/// Rows that are encoded between checks of how much is ready.
const ROWS_AT_A_TIME: usize = 512;
/// A segment ends when what is collected for the other tables reaches this size.
const SEGMENT_SIDE_BYTES: usize = 1024 * 1024;

/// Writes the rows of one run.
pub(crate) struct Writer {
    run_id: i64,
    widths: Widths,
    has_currencies: bool,
    ids: Ids,
    /// `None` once there is nothing more to write.
    copies: Option<Copies>,
    stream: Option<Pin<Box<CopyInSink<Bytes>>>>,
    transactions: CopyBuffer,
    /// Where the rows of the current COPY of transactions are.
    places: Places,
    anomalies: CopyBuffer,
    /// The tuples of that COPY that the buffered anomalies belong to; `None` for rows that were written in
    /// place of stored ones.
    anomalous_tuples: Vec<Option<usize>>,
    rejected: CopyBuffer,
    skipped: CopyBuffer,
    /// Further columns, if they are kept for feedback.
    kept: Option<CopyBuffer>,
    /// Skipped rows so far whose values differ from those of the rows already there.
    pub skipped_differing: u64,
    /// Replaced rows so far whose values were others.
    pub replaced_differing: u64,
    /// The digest of all skipped rows.
    pub skip_digest: SkipDigest,
    /// The operator's triggers, which may refuse rows.
    triggers: Vec<Trigger>,
    /// What the server has acknowledged so far.
    pub written: Written,
}

/// Statements of the transaction's session.
struct Copies {
    transactions: Statement,
    anomalies: Statement,
}

/// What becomes of a row.
enum Key {
    /// It is written with this id.
    New(i64),
    /// It was written in place of the row that had this id.
    InPlace(i64),
    /// It is skipped.
    Taken(Conflict),
}

/// Where ids come from.
enum Ids {
    /// The host allots them.
    Assigned(AllottedIds),
    /// From the file.
    Kept(KeptIds),
}

impl Writer {
    /// Prepares the statements.
    pub async fn new(
        connection: &Connection,
        numbers: &Numbers,
        widths: Widths,
        options: TransactionOptions,
        triggers: Vec<Trigger>,
    ) -> Result<Writer, SinkError> {
        let columns = transaction_columns(options.transaction_ids, options.has_currencies);
        // Both are sent at once. If the first is refused, the server refuses the second because of that,
        // which the user does not need to know.
        let (transactions, anomalies) = tokio::join!(
            prepare(connection, "prepare to write the transactions", &columns),
            prepare(connection, "prepare to write the anomalies", ANOMALY_COLUMNS),
        );
        let (copy_transactions, copy_anomalies) = (transactions?, anomalies?);
        let ids = match options.ids {
            IdPolicy::Assign => Ids::Assigned(numbers.allotted()),
            IdPolicy::Keep(on_conflict) => Ids::Kept(KeptIds::new(on_conflict)),
        };
        let buffer = |widths| CopyBuffer::new(widths, connection.encoding.clone());
        Ok(Writer {
            run_id: numbers.run_id,
            widths,
            has_currencies: options.has_currencies,
            ids,
            copies: Some(Copies { transactions: copy_transactions, anomalies: copy_anomalies }),
            stream: None,
            transactions: buffer(widths.transactions),
            places: Places::default(),
            anomalies: buffer(widths.anomalies),
            anomalous_tuples: Vec::new(),
            rejected: buffer(TableWidths::NARROW),
            skipped: buffer(TableWidths::NARROW),
            kept: None,
            skipped_differing: 0,
            replaced_differing: 0,
            skip_digest: SkipDigest::default(),
            triggers,
            written: Written::default(),
        })
    }

    /// From now on, the further columns of the rows that are written are kept, too.
    pub fn keep_columns(&mut self, connection: &Connection) {
        self.kept = Some(CopyBuffer::new(TableWidths::NARROW, connection.encoding.clone()));
    }

    /// Encodes a batch and sends what is ready; gives the batch back if it is not needed any more.
    pub async fn write(
        &mut self,
        connection: &Connection,
        part: Classified,
    ) -> Result<Option<Batch>, SinkError> {
        match &mut self.ids {
            Ids::Assigned(_) => {
                self.write_assigned(connection, &part).await?;
                Ok(Some(part.batch))
            }
            Ids::Kept(keeper) => {
                if keeper.add(part) {
                    self.write_kept(connection).await?;
                }
                Ok(None)
            }
        }
    }

    /// Sends what has reached the size of a message, or of a segment.
    async fn send_what_is_ready(&mut self, connection: &Connection) -> Result<(), SinkError> {
        if self.transactions.len() >= CHUNK_BYTES {
            self.send_transactions(connection).await?;
        }
        if self.side_bytes() >= SEGMENT_SIDE_BYTES || self.is_first_look_due() {
            self.end_segment(connection).await?;
        }
        Ok(())
    }

    /// Size of what is collected besides the transactions themselves.
    fn side_bytes(&self) -> usize {
        let kept = self.kept.as_ref().map_or(0, CopyBuffer::len);
        self.anomalies.len() + self.rejected.len() + self.skipped.len() + kept + self.places.size_bytes()
    }

    /// Whether no rows have been counted by the server yet although there are some, and a trigger may leave
    /// rows out: this should not be found out only at the end of a large file.
    fn is_first_look_due(&self) -> bool {
        let may_be_left_out = || self.triggers.iter().any(|trigger| trigger.may_leave_out);
        self.written.transactions == 0 && self.transactions.rows() > 0 && may_be_left_out()
    }

    /// Ends a COPY in progress, so that something can be asked; the next row begins another one.
    pub async fn pause(&mut self, connection: &Connection) -> Result<(), SinkError> {
        self.end_segment(connection).await
    }

    /// Writes everything that is left.
    pub async fn finish(&mut self, connection: &Connection) -> Result<(), SinkError> {
        self.write_kept(connection).await?;
        self.end_segment(connection).await
    }

    /// Ends an unfinished COPY with an error at the server.
    pub fn abandon(&mut self) {
        self.stream = None;
        self.close_statements();
    }

    /// Gives up the statement names in the server's session. This is sent at once: after the transaction, a
    /// pooler may give the session to somebody else.
    pub fn close_statements(&mut self) {
        self.copies = None;
    }

    /// Allots ids to the rows of a part, one after the other.
    async fn write_assigned(&mut self, connection: &Connection, part: &Classified) -> Result<(), SinkError> {
        let Ids::Assigned(ids) = self.ids else { return Ok(()) };
        let (first_row, rows) = (part.batch.first_row, part.batch.len() as u64);
        let max = *self.widths.id_range().end();
        let last = first_row.checked_add(rows).and_then(|end| ids.of_row(end.saturating_sub(1)));
        if last.is_none_or(|last| last > max) && rows > 0 {
            return Err(SinkError::IdsExhausted { last_id: max, rows: None });
        }
        // The last row has an id, so all have.
        let key_of = |i: usize| Key::New(ids.of_row(first_row + i as u64).unwrap_or(max));
        self.write_part(connection, part, key_of).await
    }

    /// Writes the rows that wait for their ids to be compared with those in the table. That can
    /// only be asked between two COPYs.
    async fn write_kept(&mut self, connection: &Connection) -> Result<(), SinkError> {
        let Ids::Kept(keeper) = &mut self.ids else { return Ok(()) };
        let parts = keeper.take();
        if parts.is_empty() {
            return Ok(());
        }
        self.end_segment(connection).await?;
        let Ids::Kept(keeper) = &self.ids else { return Ok(()) };
        let replaces = keeper.on_conflict == OnConflict::Replace;
        let conflicts = keeper.conflicts(connection, &parts).await?;
        if replaces {
            for (part, conflicts) in parts.iter().zip(&conflicts).filter(|(_, taken)| !taken.is_empty()) {
                self.replace(connection, part, conflicts).await?;
            }
        }
        for (part, conflicts) in parts.into_iter().zip(conflicts) {
            let key_of = |i| match conflicts.get(&i) {
                None => Key::New(part.batch.transaction_ids[i]),
                Some(_) if replaces => Key::InPlace(part.batch.transaction_ids[i]),
                Some(conflict) => Key::Taken(*conflict),
            };
            self.write_part(connection, &part, key_of).await?;
        }
        Ok(())
    }

    /// Writes rows in place of those that have their ids, between two COPYs.
    async fn replace(
        &mut self,
        connection: &Connection,
        part: &Classified,
        conflicts: &HashMap<usize, Conflict>,
    ) -> Result<(), SinkError> {
        let may_leave_out =
            || triggers::names(&self.triggers, "transactions", |trigger| trigger.may_leave_out);
        let replaced = replace(connection, self.run_id, part, conflicts, may_leave_out).await?;
        self.written.transactions += replaced;
        self.written.replaced += replaced;
        self.replaced_differing += conflicts.values().filter(|conflict| conflict.differs).count() as u64;
        Ok(())
    }

    /// Encodes the rows that `key_of` does not skip, sending what is ready on the way.
    async fn write_part(
        &mut self,
        connection: &Connection,
        part: &Classified,
        key_of: impl Fn(usize) -> Key,
    ) -> Result<(), SinkError> {
        let Classified { batch, rejected, anomalies } = part;
        let mut found = anomalies.iter().peekable();
        for first in (0..batch.len()).step_by(ROWS_AT_A_TIME) {
            for i in first..batch.len().min(first + ROWS_AT_A_TIME) {
                let anomaly = found.next_if(|anomaly| anomaly.row as usize == i);
                self.encode(batch, i, anomaly, key_of(i));
            }
            self.send_what_is_ready(connection).await?;
        }
        for row in rejected {
            self.rejected.start_if_empty();
            self.rejected.put_rejected(self.run_id, row);
        }
        self.send_what_is_ready(connection).await
    }

    fn encode(&mut self, batch: &Batch, i: usize, anomaly: Option<&Anomaly>, key: Key) {
        let (transaction_id, is_in_place) = match key {
            Key::New(id) => (id, false),
            Key::InPlace(id) => (id, true),
            Key::Taken(Conflict { differs }) => {
                self.skipped_differing += u64::from(differs);
                self.skip_digest.add_row(batch, i, differs);
                self.skipped.start_if_empty();
                self.skipped.put_skipped(self.run_id, batch, i, differs);
                return;
            }
        };
        let row = TransactionRow {
            transaction_id,
            user_id: batch.user_ids[i],
            amount_cents: batch.amounts_cents[i],
            timestamp_micros: batch.timestamps_micros[i],
        };
        widen(&mut self.written.transaction_ids, row.transaction_id);
        widen(&mut self.written.timestamps_micros, row.timestamp_micros);
        if let Some(kept) = &mut self.kept
            && batch.columns.iter().any(|column| *column != Column::Absent)
        {
            kept.start_if_empty();
            kept.put_kept(transaction_id, self.run_id, &batch.columns, i);
        }
        let tuple = (!is_in_place).then(|| self.put_transaction(row, anomaly.is_some(), batch, i));
        if let Some(anomaly) = anomaly {
            self.anomalies.start_if_empty();
            self.anomalies.put_anomaly(row, anomaly.score, &anomaly.reason, self.run_id);
            self.anomalous_tuples.push(tuple);
        }
    }

    /// Encodes row `i` of a batch; returns its position in the current COPY, from 0.
    fn put_transaction(&mut self, row: TransactionRow, is_anomalous: bool, batch: &Batch, i: usize) -> usize {
        if self.stream.is_none() && self.transactions.is_empty() {
            self.transactions.start_if_empty();
            self.places.clear();
        }
        let tuple = self.places.push(batch, i);
        let currency = || batch.currencies.as_text().map_or("", |texts| texts.get(i));
        let currency = self.has_currencies.then(currency);
        self.transactions.put_transaction(row, is_anomalous, batch.source_id(i), currency);
        tuple
    }

    async fn send_transactions(&mut self, connection: &Connection) -> Result<(), SinkError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let copies = self.copies.as_ref().ok_or(SinkError::WriterClosed)?;
                let begin = connection.client.copy_in(&copies.transactions);
                let stream = connection.answer(WRITE_TRANSACTIONS, begin).await?;
                self.stream.insert(Box::pin(stream))
            }
        };
        let chunk = self.transactions.take();
        let sent = connection.answer(WRITE_TRANSACTIONS, stream.send(chunk)).await;
        sent.map_err(|error| {
            refused(&self.triggers, "transactions", error, |tuple| self.places.of_tuple(tuple))
        })
    }

    fn expect(&self, table: &'static str, sent: u64, stored: u64) -> Result<(), SinkError> {
        expect(table, sent, stored, triggers::names(&self.triggers, table, |trigger| trigger.may_leave_out))
    }

    /// Writes everything that is buffered, transactions first.
    async fn end_segment(&mut self, connection: &Connection) -> Result<(), SinkError> {
        if self.stream.is_some() || !self.transactions.is_empty() {
            self.transactions.end();
            self.send_transactions(connection).await?;
        }
        if let Some(mut stream) = self.stream.take() {
            let stored = connection.answer(WRITE_TRANSACTIONS, stream.as_mut().finish()).await;
            let stored = stored.map_err(|error| {
                refused(&self.triggers, "transactions", error, |tuple| self.places.of_tuple(tuple))
            })?;
            self.expect("transactions", self.transactions.rows(), stored)?;
            self.written.transactions += stored;
        }
        let anomalous = std::mem::take(&mut self.anomalous_tuples);
        if !self.anomalies.is_empty() {
            let copies = self.copies.as_ref().ok_or(SinkError::WriterClosed)?;
            let stored =
                copy_at_once(connection, "write the anomalies", &copies.anomalies, &mut self.anomalies)
                    .await
                    .map_err(|error| {
                        let of_anomaly = |i| self.places.of_tuple((*anomalous.get::<usize>(i)?)?);
                        refused(&self.triggers, "anomalies", error, of_anomaly)
                    })?;
            self.expect("anomalies", self.anomalies.rows(), stored)?;
            self.written.anomalies += stored;
        }
        for (buffer, table, doing, columns, written) in [
            (
                &mut self.rejected,
                "rejected_rows",
                "write the rejected rows",
                REJECT_COLUMNS,
                &mut self.written.rejected,
            ),
            (
                &mut self.skipped,
                "skipped_rows",
                "write the skipped rows",
                SKIPPED_COLUMNS,
                &mut self.written.skipped,
            ),
        ] {
            if !buffer.is_empty() {
                let copy = prepare(connection, doing, columns).await?;
                let stored = copy_at_once(connection, doing, &copy, buffer).await?;
                expect(table, buffer.rows(), stored, Vec::new())?;
                *written += stored;
            }
        }
        if let Some(kept) = self.kept.as_mut().filter(|kept| !kept.is_empty()) {
            const DOING: &str = "keep the further columns";
            let copy = prepare(connection, DOING, KEPT_COLUMNS).await?;
            let stored = copy_at_once(connection, DOING, &copy, kept).await?;
            expect("kept_columns", kept.rows(), stored, Vec::new())?;
        }
        Ok(())
    }
}

const WRITE_TRANSACTIONS: &str = "write the transactions";

/// Prepares a COPY to these columns.
pub(super) async fn prepare(
    connection: &Connection,
    doing: &'static str,
    columns: &str,
) -> Result<Statement, SinkError> {
    let copy = format!("COPY {columns} FROM STDIN (FORMAT binary)");
    connection.answer(doing, connection.client.prepare(&copy)).await
}

/// A COPY of what is buffered; returns how many rows the server stored.
pub(super) async fn copy_at_once(
    connection: &Connection,
    doing: &'static str,
    copy: &Statement,
    buffer: &mut CopyBuffer,
) -> Result<u64, SinkError> {
    buffer.end();
    let mut bytes = buffer.take();
    let copying = async {
        let mut stream = Box::pin(connection.client.copy_in(copy).await?);
        // Small messages, since each is copied once more on its way.
        while !bytes.is_empty() {
            stream.send(bytes.split_to(bytes.len().min(CHUNK_BYTES))).await?;
        }
        stream.as_mut().finish().await
    };
    connection.answer(doing, copying).await
}

/// If a row was refused: which one, and which triggers may have refused it.
fn refused(
    triggers: &[Trigger],
    table: &'static str,
    error: SinkError,
    place_of_tuple: impl Fn(usize) -> Option<RowPlace>,
) -> SinkError {
    match error {
        SinkError::Statement { source, .. } if source.class() == ErrorClass::RowRefused => {
            // The server counts from 1.
            let tuple = source.tuple_of_copy().and_then(|line| usize::try_from(line).ok()?.checked_sub(1));
            let place = tuple.and_then(place_of_tuple);
            let triggers = triggers::names(triggers, table, |_| true);
            SinkError::RowRefused { table, place, triggers, source }
        }
        other => other,
    }
}

/// Widens a range so that it holds a value.
fn widen(range: &mut Option<(i64, i64)>, value: i64) {
    *range = Some(range.map_or((value, value), |(lowest, highest)| (lowest.min(value), highest.max(value))));
}

/// The triggers are those that may have left rows out.
pub(super) fn expect(
    table: &'static str,
    sent: u64,
    stored: u64,
    triggers: Vec<String>,
) -> Result<(), SinkError> {
    if sent == stored { Ok(()) } else { Err(SinkError::CountMismatch { table, sent, stored, triggers }) }
}
