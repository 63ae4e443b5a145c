//! Panics are bugs in this program. They are reported like every other error, with what is known about
//! the database, and end the program with a documented exit code, never with Rust's 101.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{DatabaseState, Error, Failure};
use crate::output;

static LAST: Mutex<Option<String>> = Mutex::new(None);
static TRANSACTION: AtomicU8 = AtomicU8::new(0);

/// How far this process has got with its transaction, to say what a panic leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TransactionPhase {
    /// There is none, or none any more: this process may have several, one after the other.
    None = 0,
    /// Rows may have been sent.
    Begun = 1,
    /// COMMIT may have been sent.
    Committing = 2,
    /// The server has acknowledged it.
    Committed = 3,
}

impl TransactionPhase {
    /// Enters this phase.
    pub fn begins(self) {
        TRANSACTION.store(self as u8, Ordering::SeqCst);
    }
}

/// From now on, panics are remembered rather than printed: the code that misses the thread that died
/// fails with an [`Error::Internal`], which shows the [`last`] panic.
pub fn remember() {
    std::panic::set_hook(Box::new(|info| {
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            output::message(&format!("{backtrace}\n"));
        }
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(described(info));
    }));
}

/// The latest panic of this process, with its source location.
#[must_use]
pub fn last() -> Option<String> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Does `work`; a panic in it becomes a [`Failure`].
///
/// # Errors
/// Those of `work`, and [`Error::Internal`].
pub fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // Nothing that `work` uses is used again.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Failure { error: Error::Internal("the program panicked"), database: left_behind() })
    })
}

fn left_behind() -> DatabaseState {
    match TRANSACTION.load(Ordering::SeqCst) {
        phase if phase == TransactionPhase::Committed as u8 => DatabaseState::Committed,
        phase if phase == TransactionPhase::Committing as u8 => DatabaseState::Unknown,
        phase if phase == TransactionPhase::Begun as u8 => DatabaseState::NeverCommitted,
        _ => DatabaseState::NotConcerned,
    }
}

fn described(info: &PanicHookInfo) -> String {
    let payload = info.payload();
    let message = payload.downcast_ref::<&str>().copied();
    let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let place = info.location().map(|place| format!(", at {place}")).unwrap_or_default();
    format!("{}{place}", message.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use host_core::exit;

    use super::*;
    use crate::diagnostic;

    #[test]
    fn a_panic_is_an_error_with_a_documented_exit_code() {
        remember();
        let phases = [
            (None, exit::INTERNAL, None),
            (Some(TransactionPhase::Begun), exit::INTERNAL, Some("note: nothing was written: ")),
            (
                Some(TransactionPhase::Committing),
                exit::UNKNOWN,
                Some("note: whether the run was committed is not known"),
            ),
            (Some(TransactionPhase::Committed), exit::COMMITTED, Some("note: the run was committed")),
        ];
        for (phase, code, note) in phases {
            if let Some(phase) = phase {
                phase.begins();
            }
            let failure = caught::<()>(|| panic!("index {} of 3", 7)).unwrap_err();
            let text = diagnostic::render(&failure);
            assert_eq!(failure.exit_code(), code, "{text}");
            assert!(text.contains("  caused by: index 7 of 3, at host/cli/src/panics.rs:"), "{text}");
            assert_eq!(text.lines().find(|line| line.starts_with("note: ")).is_some(), note.is_some());
            assert!(note.is_none_or(|note| text.contains(note)), "{text}");
        }
    }
}
