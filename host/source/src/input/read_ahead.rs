//! Reading on a separate thread, so that data is already decompressed or decoded when it is asked for, and
//! the parser need not wait.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use host_core::threads;

/// Size of a piece.
const PIECE_BYTES: usize = 256 * 1024;
/// How many pieces may wait; each is reused.
const WAITING_PIECES: usize = 2;

/// The bytes of another reader, read ahead.
pub(crate) struct ReadAhead {
    pieces: Receiver<io::Result<Vec<u8>>>,
    /// Consumed pieces, to be filled again.
    spent: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    position: usize,
    at_end: bool,
}

impl ReadAhead {
    /// Starts to read. The thread ends with the input, or when this reader is dropped.
    ///
    /// # Errors
    /// If the system refuses another thread.
    pub fn new(mut input: impl Read + Send + 'static) -> io::Result<ReadAhead> {
        let (pieces_out, pieces) = sync_channel(WAITING_PIECES);
        let (spent, spent_in) = sync_channel::<Vec<u8>>(WAITING_PIECES + 1);
        threads::spawn(move || {
            loop {
                let mut piece = spent_in.try_recv().unwrap_or_default();
                piece.clear();
                let read = (&mut input).take(PIECE_BYTES as u64).read_to_end(&mut piece);
                let is_last = !matches!(read, Ok(1..));
                if pieces_out.send(read.map(|_| piece)).is_err() || is_last {
                    return;
                }
            }
        })?;
        Ok(ReadAhead { pieces, spent, current: Vec::new(), position: 0, at_end: false })
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.current.len() && !self.at_end {
            let next = self.pieces.recv().map_err(|_| io::Error::other("the reading thread died"))??;
            let spent = std::mem::replace(&mut self.current, next);
            self.position = 0;
            // The thread has ended; another call gets the same answer.
            self.at_end = self.current.is_empty();
            // If enough pieces are waiting, this one is dropped.
            let _ = self.spent.try_send(spent);
        }
        let count = buffer.len().min(self.current.len() - self.position);
        buffer[..count].copy_from_slice(&self.current[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_the_same_and_so_is_the_error() {
        let bytes: Vec<u8> = (0..3 * PIECE_BYTES + 17).map(|i| (i % 251) as u8).collect();
        let mut read = Vec::new();
        let mut ahead = ReadAhead::new(io::Cursor::new(bytes.clone())).unwrap();
        ahead.read_to_end(&mut read).unwrap();
        assert!(read == bytes);
        assert_eq!(ahead.read(&mut [0]).unwrap(), 0, "the end stays the end");

        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::InvalidData.into())
            }
        }
        let mut ahead = ReadAhead::new(io::Cursor::new(b"abc").chain(Broken)).unwrap();
        let error = ahead.read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
