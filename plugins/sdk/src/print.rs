//! `println!` and its like. A plugin has no standard output, and Rust's own macros print into nothing: these write
//! into the host's log. On native targets, in tests, they print as Rust's do.

use std::fmt::Arguments;

use crate::log::Level;

/// Where the text goes.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Prints a text; on to the host goes what is before its last line break.
#[doc(hidden)]
#[cfg(target_family = "wasm")]
pub fn print(stream: Stream, text: Arguments<'_>) {
    use std::cell::RefCell;

    thread_local! {
        static UNFINISHED: RefCell<[String; 2]> = const { RefCell::new([String::new(), String::new()]) };
    }
    // What it formats may print itself.
    let text = text.to_string();
    UNFINISHED.with_borrow_mut(|unfinished| {
        let line = &mut unfinished[stream as usize];
        line.push_str(&text);
        if let Some(end) = line.rfind('\n') {
            crate::log::log(level_of(stream), &line[..end]);
            line.drain(..=end);
        }
    });
}

/// Prints a text.
#[doc(hidden)]
#[cfg(not(target_family = "wasm"))]
#[allow(clippy::print_stderr, clippy::print_stdout, reason = "natively there is no host to log to")]
pub fn print(stream: Stream, text: Arguments<'_>) {
    match level_of(stream) {
        Level::Info => std::print!("{text}"),
        _ => std::eprint!("{text}"),
    }
}

fn level_of(stream: Stream) -> Level {
    match stream {
        Stream::Out => Level::Info,
        Stream::Err => Level::Warn,
    }
}

/// As [`std::print!`], into the host's log; shown by `host -v` once the line has ended.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => {
        $crate::print::print($crate::print::Stream::Out, ::std::format_args!($($argument)*))
    };
}

/// As [`std::println!`], into the host's log; shown by `host -v`.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($argument:tt)*) => { $crate::print!("{}\n", ::std::format_args!($($argument)*)) };
}

/// As [`std::eprint!`], into the host's log, once the line has ended.
#[macro_export]
macro_rules! eprint {
    ($($argument:tt)*) => {
        $crate::print::print($crate::print::Stream::Err, ::std::format_args!($($argument)*))
    };
}

/// As [`std::eprintln!`], into the host's log.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::eprint!("\n") };
    ($($argument:tt)*) => { $crate::eprint!("{}\n", ::std::format_args!($($argument)*)) };
}

/// As [`std::dbg!`], into the host's log.
#[macro_export]
macro_rules! dbg {
    () => { $crate::eprintln!("[{}:{}:{}]", ::std::file!(), ::std::line!(), ::std::column!()) };
    ($value:expr $(,)?) => {
        // With `match`, what is temporary in the value lives as long as in the place of the value itself.
        match $value {
            value => {
                $crate::eprintln!("[{}:{}:{}] {} = {:#?}",
                    ::std::file!(), ::std::line!(), ::std::column!(), ::std::stringify!($value), &value);
                value
            }
        }
    };
    ($($value:expr),+ $(,)?) => { ($($crate::dbg!($value)),+,) };
}
