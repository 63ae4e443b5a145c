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
/// How many panic messages a crash report shows: a panic may be followed by others, and the first is the one that
/// matters.
const KEPT_PANICS: usize = 3;
/// How many lines of panic messages are held back for a crash report; more are merely logged.
const MAX_HELD: usize = 100;
/// What Rust's panic messages have in their first line, `thread 'main' panicked at src/lib.rs:10:5:`; others follow.
const PANICKED: &str = "panicked at ";
/// What Go's begin with, and those of the template for Zig; they are one line.
const ONE_LINE: [&str; 2] = ["panic: ", "fatal error: "];

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
    /// Panic messages, each in one line, for a crash report.
    panics: Vec<String>,
    /// Their lines, as far as they were not logged yet.
    held: Vec<(Level, String)>,
    /// Whether the next lines belong to the last panic's message.
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
        // Of a panic that is logged in several messages, the first ends in a colon.
        state.in_panic &= state.panics.last().is_some_and(|panic| panic.ends_with(':'));
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

    /// Logs the panic messages that no crash report has shown, and forgets them: the guest has survived them, or
    /// something else has stopped it.
    pub fn settle(&self) {
        self.state().settle();
    }

    /// The last lines, the oldest first, without panic messages and empty lines.
    #[must_use]
    pub fn last_lines(&self) -> Vec<String> {
        self.state().last.iter().cloned().collect()
    }

    /// The panic messages since the last [`settle`](Self::settle), each in one line, the first one first; they are
    /// not logged any more.
    #[must_use]
    pub fn take_panics(&self) -> Vec<String> {
        let mut state = self.state();
        state.held.clear();
        std::mem::take(&mut state.panics)
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
        if let Some(at) = line.find(PANICKED)
            && self.panics.len() < KEPT_PANICS
        {
            self.in_panic = true;
            self.panics.push(line[at..].to_owned());
            self.held.push((level, line));
        } else if self.in_panic && line.starts_with("note: run with `RUST_BACKTRACE") {
            self.in_panic = false;
        } else if self.in_panic && self.held.len() < MAX_HELD {
            if let Some(panic) = self.panics.last_mut().filter(|panic| panic.len() < MAX_LINE_CHARS) {
                panic.push(' ');
                panic.push_str(&line);
            }
            self.held.push((level, line));
        } else {
            self.in_panic = false;
            self.log(level, &line);
            // What follows belongs to it, so it is not held back.
            if ONE_LINE.iter().any(|beginning| line.starts_with(beginning)) && self.panics.len() < KEPT_PANICS
            {
                self.panics.push(line.trim_start_matches("panic: ").to_owned());
            } else if !line.is_empty() {
                self.last.push_back(line);
            }
        }
        if self.last.len() > KEPT_LINES {
            self.last.pop_front();
        }
    }

    fn log(&mut self, level: Level, line: &str) {
        if self.lines < self.max_lines {
            self.lines += 1;
            self.emit(level, line);
        } else {
            self.dropped += 1;
        }
    }

    fn settle(&mut self) {
        self.panics.clear();
        self.in_panic = false;
        for (level, line) in std::mem::take(&mut self.held) {
            self.log(level, &line);
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
        assert_eq!(log.take_panics(), ["panicked at src/lib.rs:3:5: index out of bounds by one"]);
        assert_eq!(log.last_lines(), ["before", "after"]);
    }

    #[test]
    fn the_first_of_several_panics_is_not_forgotten() {
        let log = GuestLog::new("p", MAX_LINES);
        for (file, why) in [("a", "the cause"), ("b", "dropped"), ("c", "cannot unwind"), ("d", "again")] {
            log.message(Level::ERROR, &format!("panicked at src/{file}.rs:3:5:\n{why}"));
        }
        let kept = ["a.rs:3:5: the cause", "b.rs:3:5: dropped", "c.rs:3:5: cannot unwind"];
        assert_eq!(log.take_panics(), kept.map(|panic| format!("panicked at src/{panic}")));
        assert_eq!(log.last_lines(), ["panicked at src/d.rs:3:5:", "again"]);
    }

    /// A program that catches its panics would otherwise lose what they say.
    #[test]
    fn a_panic_that_was_survived_is_logged() {
        let log = GuestLog::new("p", MAX_LINES);
        log.message(Level::ERROR, "panicked at src/lib.rs:3:5:\nnot good");
        assert_eq!(log.state().lines, 0);
        log.settle();
        assert_eq!(log.state().lines, 2);
        assert!(log.take_panics().is_empty());
    }

    #[test]
    fn a_panic_may_come_in_several_messages() {
        let log = GuestLog::new("p", MAX_LINES);
        for message in ["panicked at src/lib.rs:3:5:", "not good", "after"] {
            log.message(Level::ERROR, message);
        }
        assert_eq!(log.take_panics(), ["panicked at src/lib.rs:3:5: not good"]);
        assert_eq!(log.last_lines(), ["after"]);
    }

    /// In Go, what follows says where; there may be more of it than is kept.
    #[test]
    fn the_beginning_of_what_go_says_is_not_lost() {
        let log = GuestLog::new("p", MAX_LINES);
        log.write(Level::WARN, b"fatal error: all goroutines are asleep - deadlock!\n\n");
        (0..KEPT_LINES + 1).for_each(|i| log.write(Level::WARN, format!("main.f{i}()\n").as_bytes()));
        assert_eq!(log.take_panics(), ["fatal error: all goroutines are asleep - deadlock!"]);
        assert_eq!(log.last_lines()[0], "main.f1()");
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
        assert_eq!(log.take_panics(), ["panicked at src/lib.rs:3:5: not good"]);
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
