//! Work that can be interrupted.

use crate::error::Error;
use crate::interrupt::Interrupts;

/// Does `work`, unless an interrupt comes first.
pub(crate) async fn unless_interrupted<T, E: From<Error>>(
    interrupts: &mut Interrupts,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::select! {
        done = work => done,
        interrupt = interrupts.next() => Err(Error::Interrupted(interrupt).into()),
    }
}
