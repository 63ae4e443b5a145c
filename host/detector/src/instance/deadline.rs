//! The deadline of a call.

use std::time::Duration;

use crate::runtime::limits::Limits;

/// The deadline that comes first, that of the call or that of the run.
#[derive(Clone, Copy)]
pub(crate) enum Deadline {
    Call(Duration),
    /// The time allowed, and what is left of it.
    Run(Duration, Duration),
}

impl Deadline {
    pub(crate) fn of(limits: &Limits, spent: Duration) -> Deadline {
        match limits.run_deadline.map(|allowed| (allowed, allowed.saturating_sub(spent))) {
            Some((allowed, left)) if left < limits.call_deadline => Deadline::Run(allowed, left),
            _ => Deadline::Call(limits.call_deadline),
        }
    }

    /// The time that is left.
    pub(crate) fn left(self) -> Duration {
        match self {
            Deadline::Call(left) | Deadline::Run(_, left) => left,
        }
    }
}
