//! What a guest logs: through `host.log`, and on standard output and error if it uses WASI. All of it passes
//! through here, made printable, into the host's own log; the last lines are kept for a crash report. A flood
//! is dropped and counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use host_core::text::printable_up_to;
use tracing::Level;

/// How much of one message is looked at; in the rest only the line breaks are counted. A guest can pass tens
/// of megabytes at a time, and looking at them takes the host's time.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// A line is truncated after this many characters.
const MAX_LINE_CHARS: usize = 2_000;
/// How many lines a crash report shows.
const KEPT_LINES: usize = 10;
/// What Rust's panic messages start with, on a line of their own: `panicked at src/lib.rs:10:5:`
const PANIC: &str = "panicked at ";

/// A guest's log. Clones share it.
#[derive(Clone, Default)]
pub struct GuestLog(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    plugin: String,
    max_lines: u64,
    /// How many lines were logged.
    lines: u64,
    /// How many lines were too many, or in the part of a message that is not looked at.
    dropped: u64,
    last: VecDeque<String>,
    panic: Option<String>,
    /// Whether the next lines belong to the panic's message.
    in_panic: bool,
    /// The beginning of a line of standard output or error that has not ended yet.
    unfinished: Vec<u8>,
}

impl GuestLog {
    /// A log for a plugin of this name; lines after the first `max_lines` are dropped.
    #[must_use]
    pub fn new(plugin: &str, max_lines: u64) -> GuestLog {
        GuestLog(Arc::new(Mutex::new(State { plugin: plugin.to_owned(), max_lines, ..State::default() })))
    }

    /// Logs a message, line by line.
    pub fn message(&self, level: Level, message: &str) {
        let (message, rest) = message.split_at(message.floor_char_boundary(MAX_MESSAGE_BYTES));
        let mut state = self.state();
        state.in_panic = false;
        for line in message.lines() {
            state.line(level, line);
        }
        state.drop_lines(rest.as_bytes());
    }

    /// Logs bytes that a guest writes to a stream, in pieces that may end anywhere.
    pub fn write(&self, level: Level, bytes: &[u8]) {
        let (bytes, rest) = bytes.split_at(bytes.len().min(MAX_MESSAGE_BYTES));
        let mut state = self.state();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            // An endless line is truncated, like any other.
            let room = (MAX_LINE_CHARS * 4).saturating_sub(state.unfinished.len());
            state.unfinished.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut state.unfinished);
                state.line(level, &String::from_utf8_lossy(&line));
            }
        }
        state.drop_lines(rest);
    }

    /// The last lines, the oldest first, without a panic's message.
    #[must_use]
    pub fn last_lines(&self) -> Vec<String> {
        self.state().last.iter().cloned().collect()
    }

    /// The message of the last panic, if there was one.
    #[must_use]
    pub fn panic(&self) -> Option<String> {
        self.state().panic.clone()
    }

    /// How many lines were dropped.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.state().dropped
    }

    /// A poisoned lock means that another thread panicked; the text is still usable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn line(&mut self, level: Level, line: &str) {
        let line = printable_up_to(line.trim_end(), MAX_LINE_CHARS).into_owned();
        if let Some(at) = line.find(PANIC) {
            self.panic = Some(line[at..].to_owned());
            self.in_panic = true;
        } else if line.starts_with("note: run with `RUST_BACKTRACE") {
            self.in_panic = false;
        } else if self.in_panic
            && let Some(panic) = &mut self.panic
            && panic.len() < MAX_LINE_CHARS
        {
            panic.push(' ');
            panic.push_str(&line);
        } else {
            if self.lines < self.max_lines {
                self.lines += 1;
                self.emit(level, &line);
            } else {
                self.dropped += 1;
            }
            self.last.push_back(line);
        }
        if self.last.len() > KEPT_LINES {
            self.last.pop_front();
        }
    }

    /// Counts the lines of a text that is not looked at.
    fn drop_lines(&mut self, text: &[u8]) {
        let is_unfinished = text.last().is_some_and(|&last| last != b'\n');
        let breaks = memchr::memchr_iter(b'\n', text).count();
        self.dropped += breaks as u64 + u64::from(is_unfinished);
    }

    fn emit(&self, level: Level, line: &str) {
        let plugin = &self.plugin;
        // tracing's macros need the level at compile time.
        match level {
            Level::ERROR => tracing::error!(target: "guest", "{plugin}: {line}"),
            Level::WARN => tracing::warn!(target: "guest", "{plugin}: {line}"),
            Level::INFO => tracing::info!(target: "guest", "{plugin}: {line}"),
            _ => tracing::debug!(target: "guest", "{plugin}: {line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_LINES: u64 = 1_000;

    #[test]
    fn a_panic_is_recognised_with_its_message() {
        let log = GuestLog::new("p", MAX_LINES);
        log.message(Level::WARN, "before");
        log.message(Level::ERROR, "panicked at src/lib.rs:3:5:\nindex out of bounds\nby one");
        log.message(Level::WARN, "after");
        assert_eq!(log.panic().as_deref(), Some("panicked at src/lib.rs:3:5: index out of bounds by one"));
        assert_eq!(log.last_lines(), ["before", "after"]);
    }

    #[test]
    fn a_panic_is_recognised_in_the_pieces_that_come_by_stderr() {
        let log = GuestLog::new("p", MAX_LINES);
        for piece in [
            "\nthread '<unnamed>' pan",
            "icked at src/lib.rs:3:5:\nno",
            "t good\n",
            "note: run with `RUST_BACKTRACE=1`\n",
            "x",
        ] {
            log.write(Level::WARN, piece.as_bytes());
        }
        assert_eq!(log.panic().as_deref(), Some("panicked at src/lib.rs:3:5: not good"));
    }

    #[test]
    fn a_line_without_end_takes_no_memory_without_end() {
        let log = GuestLog::new("p", MAX_LINES);
        (0..1_000).for_each(|_| log.write(Level::INFO, &[b'x'; 10_000]));
        log.write(Level::INFO, b"\n");
        assert_eq!(log.last_lines()[0].chars().count(), MAX_LINE_CHARS + 1);
    }

    #[test]
    fn of_a_long_message_the_beginning_is_logged_and_the_rest_counted() {
        let text = "line\n".repeat(MAX_MESSAGE_BYTES);
        let lines = (MAX_MESSAGE_BYTES / "line\n".len()) as u64;
        for (max_lines, dropped) in
            [(u64::MAX, MAX_MESSAGE_BYTES as u64 - lines), (10, MAX_MESSAGE_BYTES as u64 - 10)]
        {
            let log = GuestLog::new("p", max_lines);
            log.message(Level::INFO, &text);
            // The line at the cut was begun, and the rest of it is dropped.
            assert!([dropped, dropped + 1].contains(&log.dropped_lines()), "{}", log.dropped_lines());
            let log = GuestLog::new("p", max_lines);
            log.write(Level::INFO, text.as_bytes());
            assert!([dropped, dropped + 1].contains(&log.dropped_lines()), "{}", log.dropped_lines());
        }
        // No character is cut in two.
        let log = GuestLog::new("p", MAX_LINES);
        log.message(Level::INFO, &format!("x{}", "ä".repeat(MAX_MESSAGE_BYTES)));
        assert_eq!((log.last_lines().len(), log.dropped_lines()), (1, 1));
    }

    #[test]
    fn a_flood_is_counted_and_the_last_lines_stay() {
        let log = GuestLog::new("p", MAX_LINES);
        for i in 0..MAX_LINES + 50 {
            log.message(Level::INFO, &format!("line {i}\x1b[2J"));
        }
        assert_eq!(log.dropped_lines(), 50);
        assert_eq!(log.last_lines().len(), KEPT_LINES);
        assert_eq!(log.last_lines()[KEPT_LINES - 1], "line 1049\\u{1b}[2J");
    }
}
