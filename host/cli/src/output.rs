//! The gate: everything that the program prints, on stdout and on stderr, leaves through here (only the
//! progress bar draws by itself, and it shows nothing but our own numbers).
//!
//! It ensures that
//! - a message is one write, so that those of different threads do not mix;
//! - no control character from a file's name, a plugin, a server or an argument reaches a terminal:
//!   all but line breaks are written as escapes, whatever was done before; colours are added after that;
//! - no password is shown, not even from a URL in a place where none is expected;
//! - a stderr that is full, broken or closed loses the message, never the run;
//! - the caller knows if something could not be written to stdout.
//!
//! `clippy.toml` forbids `std::io::stdout` and `stderr` everywhere else.

mod colors;

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::ColorChoice;
use clap::builder::StyledStr;
use host_core::environment::Environment;
use host_core::secret::hide_passwords;
use host_core::text::{self, Escape};
use jiff::Timestamp;

/// How long to wait before retrying a stream that its other users have made non-blocking.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Writes a result to stdout. A reader that has gone away (`| head`) has seen what it wanted: that
/// is not an error.
///
/// # Errors
/// If it could not be written, such as to a full disk.
pub fn result(text: &str) -> io::Result<()> {
    let text = text::without_control_characters(text, Escape::Text);
    if colors::on_stdout() { stdout(&colors::paint(&text)) } else { stdout(&text) }
}

/// Writes clap's help to stdout.
///
/// # Errors
/// If it could not be written.
pub fn help(text: &StyledStr) -> io::Result<()> {
    match colors::on_stdout() {
        true => stdout(&colors::with_colors_only(&text.ansi().to_string())),
        false => result(&text.to_string()),
    }
}

/// Writes clap's message to stderr. What was typed has been made printable in it.
pub fn usage(text: &StyledStr) {
    match colors::on_stderr() {
        true => to_stderr(&colors::with_colors_only(&hide_passwords(&text.ansi().to_string()))),
        false => message(&text.to_string()),
    }
}

/// Writes JSON to stdout: like [`result`], but escapes are those of JSON, so that a reader gets back
/// every character.
///
/// # Errors
/// If it could not be written.
pub fn json(json: &str) -> io::Result<()> {
    stdout(&text::without_control_characters(json, Escape::Json))
}

/// Writes a message to stderr. If that is not possible, the message is lost, and nothing else.
pub fn message(text: &str) {
    let text = hide_passwords(text);
    let text = text::without_control_characters(&text, Escape::Text);
    if colors::on_stderr() { to_stderr(&colors::paint(&text)) } else { to_stderr(&text) }
}

fn to_stderr(text: &str) {
    // If this fails, there is nobody left to tell.
    let _ = write(Stream::Stderr, text.as_bytes());
}

/// Decides once and for all whether there are colours.
#[allow(clippy::disallowed_methods, reason = "they are only asked")]
pub fn choose_colors(choice: ColorChoice, environment: &Environment) {
    colors::choose(choice, environment, (io::stdout().is_terminal(), io::stderr().is_terminal()));
}

/// From now on, what is said on stderr is JSON, one object per line.
pub fn log_as_json() {
    IS_JSON.store(true, Ordering::Relaxed);
}

/// Whether it is.
#[must_use]
pub fn is_log_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Says something on stderr: as `text`, which ends in a line break, or as a line of the JSON log.
pub fn say(level: &str, message: &str, text: &str) {
    if is_log_json() {
        let fields = [("message".to_owned(), message.into())];
        json_line(level, "host", fields.into_iter().collect());
    } else {
        self::message(text);
    }
}

/// A line of the JSON log: the time, how much it matters, who says it, and what.
pub fn json_line(level: &str, source: &str, fields: serde_json::Map<String, serde_json::Value>) {
    let time = Timestamp::now().strftime("%FT%T%.6fZ").to_string();
    let mut line = serde_json::Map::new();
    for (name, value) in [("time", time.as_str()), ("level", level), ("source", source)] {
        line.insert(name.to_owned(), value.into());
    }
    line.extend(fields);
    let line = serde_json::Value::Object(line).to_string() + "\n";
    let line = hide_passwords(&line);
    // If this fails, there is nobody left to tell.
    let _ = write(Stream::Stderr, text::without_control_characters(&line, Escape::Json).as_bytes());
}

/// For what other programs print that is not a result of ours: it goes to stderr as it is.
///
/// # Errors
/// If stderr cannot be passed on.
#[allow(clippy::disallowed_methods, reason = "it is only passed on")]
pub fn stderr_of_children() -> io::Result<Stdio> {
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

/// Whether stderr is a terminal, and what is written there is for people.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "it is only asked")]
pub fn is_seen() -> bool {
    io::stderr().is_terminal() && !is_log_json()
}

/// For tracing: each call of `write` is one event.
pub struct Log;

impl Write for Log {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        // An event is one line, whatever it contains.
        let line = text.strip_suffix('\n').unwrap_or(&text);
        message(&format!("{}\n", text::one_line(line)));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stdout(text: &str) -> io::Result<()> {
    match write(Stream::Stdout, text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// Bypasses the standard library's own buffers, which would hold back what could not be written and
/// retry at exit.
fn write(stream: Stream, bytes: &[u8]) -> io::Result<()> {
    static STDOUT: Mutex<Option<File>> = Mutex::new(None);
    static STDERR: Mutex<Option<File>> = Mutex::new(None);
    let file = match stream {
        Stream::Stdout => &STDOUT,
        Stream::Stderr => &STDERR,
    };
    // Held while writing. A panic could not have left it in an inconsistent state.
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    let file = match &mut *file {
        Some(file) => file,
        unopened => unopened.insert(open(stream)?),
    };
    write_all(file, bytes)
}

#[allow(clippy::disallowed_methods, reason = "this is the module that writes to them")]
fn open(stream: Stream) -> io::Result<File> {
    let handle = match stream {
        Stream::Stdout => io::stdout().as_fd().try_clone_to_owned()?,
        Stream::Stderr => io::stderr().as_fd().try_clone_to_owned()?,
    };
    Ok(File::from(handle))
}

fn write_all(mut output: impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(BUSY_PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepts two bytes at a time, and is interrupted and busy in between.
    struct Reluctant(Vec<u8>, u8);

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 = (self.1 + 1) % 3;
            match self.1 {
                0 => Err(io::ErrorKind::Interrupted.into()),
                1 => Err(io::ErrorKind::WouldBlock.into()),
                _ => {
                    let taken = bytes.len().min(2);
                    self.0.extend(&bytes[..taken]);
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_of_it_is_written() {
        let mut output = Reluctant(Vec::new(), 0);
        write_all(&mut output, b"12345").unwrap();
        assert_eq!(output.0, b"12345");
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(write_all(full, b"1").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
