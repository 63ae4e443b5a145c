//! What a guest says: by `host.log`, and on standard output and error where it has WASI. All of
//! it passes through here, made printable, into the host's own log; the last lines are kept for
//! the report of a crash. A flood is dropped and counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Level;

use crate::text::printable_up_to;

/// A line is cut after this many characters.
const MAX_LINE_CHARS: usize = 2_000;
/// After this many lines of a plugin instance the rest is dropped.
const MAX_LINES: u64 = 1_000;
/// How many lines the report of a crash shows.
const KEPT_LINES: usize = 10;

/// A guest's log. Clones share it.
#[derive(Clone, Default)]
pub struct GuestLog(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    plugin: String,
    lines: u64,
    last: VecDeque<String>,
    panic: Option<String>,
}

impl GuestLog {
    /// For a plugin of this name.
    #[must_use]
    pub fn new(plugin: &str) -> GuestLog {
        GuestLog(Arc::new(Mutex::new(State { plugin: plugin.to_owned(), ..State::default() })))
    }

    /// Logs a message, line by line.
    pub fn message(&self, level: Level, message: &str) {
        // A poisoned lock means that another thread panicked; its text is still text.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in message.lines() {
            state.line(level, line);
        }
    }

    /// The last lines, the oldest first.
    #[must_use]
    pub fn last_lines(&self) -> Vec<String> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.last.iter().cloned().collect()
    }

    /// The message of the last panic, if there was one.
    #[must_use]
    pub fn panic(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).panic.clone()
    }

    /// How many lines were dropped.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lines.saturating_sub(MAX_LINES)
    }
}

impl State {
    fn line(&mut self, level: Level, line: &str) {
        let line = printable_up_to(line.trim_end(), MAX_LINE_CHARS);
        // Rust's panics come as "panicked at src/lib.rs:10:5:" and the message on the next lines.
        if let Some(at) = line.find("panicked at ") {
            self.panic = Some(line[at..].to_owned());
        } else if let Some(panic) = &mut self.panic
            && panic.ends_with(':')
        {
            panic.push(' ');
            panic.push_str(&line);
        }
        self.last.push_back(line.clone().into_owned());
        if self.last.len() > KEPT_LINES {
            self.last.pop_front();
        }
        self.lines += 1;
        if self.lines <= MAX_LINES {
            self.emit(level, &line);
        }
    }

    fn emit(&self, level: Level, line: &str) {
        let plugin = &self.plugin;
        // tracing's macros want the level at compile time.
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

    #[test]
    fn a_panic_is_recognised_with_its_message() {
        let log = GuestLog::new("p");
        log.message(
            Level::ERROR,
            "thread 'main' panicked at src/lib.rs:3:5:\nindex out of bounds\nnote: more",
        );
        assert_eq!(log.panic().as_deref(), Some("panicked at src/lib.rs:3:5: index out of bounds"));
    }

    #[test]
    fn a_flood_is_counted_and_the_last_lines_stay() {
        let log = GuestLog::new("p");
        for i in 0..MAX_LINES + 50 {
            log.message(Level::INFO, &format!("line {i}\x1b[2J"));
        }
        assert_eq!(log.dropped_lines(), 50);
        assert_eq!(log.last_lines().len(), KEPT_LINES);
        assert_eq!(log.last_lines()[KEPT_LINES - 1], "line 1049\\u{1b}[2J");
    }
}
