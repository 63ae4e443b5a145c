//! What the detector has learned, written in the run's own transaction after the rows: by COPY, part by part, as the
//! instances pass it on.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::SinkExt as _;
use host_core::state::{State, StateDigest};
use tokio_postgres::CopyInSink;
use tokio_postgres::error::SqlState;

use crate::connection::connect::Connection;
use crate::error::SinkError;
use crate::ledger::facts::StateRecord;
use crate::schema::columns::TableWidths;
use crate::stored::state::StateChain;
use crate::write::copy::{CopyBuffer, STATE_COLUMNS};
use crate::write::merge;
use crate::write::writer::{CHUNK_BYTES, expect, prepare};

const DOING: &str = "write the detector's state";

/// A COPY ends when it has reached this size: only then does the server say whether it took everything, and a detector
/// that passes on the same entry again and again must not go on for long.
const SEGMENT_BYTES: usize = 4 << 20;

/// Writes the state of one run.
pub(crate) struct StateWriter {
    run_id: i64,
    /// The state's name.
    pub name: String,
    /// What it continues; `None` if it begins anew.
    continued: Option<StateChain>,
    digest: StateDigest,
    has_shared: bool,
    buffer: CopyBuffer,
    stream: Option<Pin<Box<CopyInSink<Bytes>>>>,
    /// How much the current COPY has sent.
    sent_bytes: usize,
    /// What the server has acknowledged so far.
    stored: u64,
}

impl StateWriter {
    /// Of a state that continues this one, or begins anew.
    pub fn new(
        connection: &Connection,
        run_id: i64,
        name: String,
        continued: Option<StateChain>,
    ) -> StateWriter {
        StateWriter {
            run_id,
            name,
            continued,
            digest: StateDigest::default(),
            has_shared: false,
            buffer: CopyBuffer::new(TableWidths::NARROW, connection.encoding.clone()),
            stream: None,
            sent_bytes: 0,
            stored: 0,
        }
    }

    /// The run whose state it continues; `None` if it begins anew.
    pub fn predecessor(&self) -> Option<i64> {
        self.continued.as_ref().map(StateChain::run_id)
    }

    /// Writes a part.
    pub async fn write(&mut self, connection: &Connection, part: &State) -> Result<(), SinkError> {
        if part.shared.is_some() && std::mem::replace(&mut self.has_shared, true) {
            return Err(SinkError::StateTwice { state: self.name.clone(), source: None });
        }
        for entry in part.entries() {
            self.digest.add(entry);
            if self.stream.is_none() {
                self.buffer.start_if_empty();
            }
            self.buffer.put_state(self.run_id, entry);
            if self.buffer.len() >= CHUNK_BYTES {
                self.send(connection).await?;
            }
            if self.sent_bytes >= SEGMENT_BYTES {
                self.end_segment(connection).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, connection: &Connection) -> Result<(), SinkError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let copy = prepare(connection, DOING, STATE_COLUMNS).await?;
                let stream = connection.answer(DOING, connection.client.copy_in(&copy)).await?;
                self.stream.insert(Box::pin(stream))
            }
        };
        // Small messages, since each is copied once more on its way.
        let mut bytes = self.buffer.take();
        self.sent_bytes += bytes.len();
        while !bytes.is_empty() {
            let chunk = bytes.split_to(bytes.len().min(CHUNK_BYTES));
            let sent = connection.answer(DOING, stream.send(chunk)).await;
            sent.map_err(|error| refused(&self.name, error))?;
        }
        Ok(())
    }

    /// Writes what is buffered, and waits for the server to count it.
    async fn end_segment(&mut self, connection: &Connection) -> Result<(), SinkError> {
        if self.stream.is_some() || !self.buffer.is_empty() {
            self.buffer.end();
            self.send(connection).await?;
        }
        self.sent_bytes = 0;
        if let Some(mut stream) = self.stream.take() {
            let stored = connection.answer(DOING, stream.as_mut().finish()).await;
            self.stored += stored.map_err(|error| refused(&self.name, error))?;
        }
        expect("detector_states", self.digest.entries(), self.stored, Vec::new())
    }

    /// Writes what is left; what remains is to record it.
    pub async fn finish(&mut self, connection: &Connection) -> Result<StateRecord, SinkError> {
        self.end_segment(connection).await?;
        if let Some(continued) = &self.continued {
            merge::oldest(connection, continued).await?;
        }
        Ok(StateRecord {
            name: self.name.clone(),
            predecessor: self.predecessor(),
            entries: self.digest.entries(),
            sha256: self.digest.to_string(),
        })
    }

    /// Ends an unfinished COPY with an error at the server.
    pub fn abandon(&mut self) {
        self.stream = None;
    }
}

/// The server finds out whether a user came twice: nobody else can without remembering all of them.
fn refused(name: &str, error: SinkError) -> SinkError {
    match error {
        SinkError::Statement { source, .. } if source.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            SinkError::StateTwice { state: name.to_owned(), source: Some(source) }
        }
        other => other,
    }
}
