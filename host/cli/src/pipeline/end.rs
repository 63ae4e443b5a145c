//! The end of a transaction: COMMIT, or ROLLBACK.

use std::time::Duration;

use host_sink::{Committed, Recorded, SinkError, Transaction, Work};

use crate::error::{DatabaseState, Error, Failure};
use crate::interrupt::Interrupts;
use crate::panics::TransactionPhase;

/// How long the server may take to confirm a rollback before we stop waiting for it.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(5);
/// The same if somebody is waiting for us to end.
pub(super) const INTERRUPTED_PATIENCE: Duration = Duration::from_millis(700);

/// Commits a run.
pub(super) async fn commit(
    transaction: Transaction,
    recorded: Recorded,
    interrupts: &mut Interrupts,
) -> Result<Committed, Failure> {
    let query = transaction.deciding_query();
    confirmed(transaction.commit(recorded), Work::Run, query, interrupts).await
}

/// Waits for a COMMIT. From here on, only the server knows the outcome; a user who does not want to wait for it is
/// told how to ask.
pub(super) async fn confirmed<T>(
    committing: impl Future<Output = Result<T, SinkError>>,
    work: Work,
    query: String,
    interrupts: &mut Interrupts,
) -> Result<T, Failure> {
    TransactionPhase::Committing.begins();
    tokio::pin!(committing);
    let mut is_impatient = false;
    let committed = loop {
        tokio::select! {
            committed = &mut committing => break committed,
            _ = interrupts.next() => {
                if is_impatient {
                    break Err(SinkError::OutcomeUnknown { work, query, source: None });
                }
                is_impatient = true;
                tracing::warn!("COMMIT has been sent; waiting for confirmation; interrupt again to exit without it");
            }
        }
    };
    if committed.is_ok() {
        TransactionPhase::Committed.begins();
    }
    committed.map_err(|error| Failure {
        database: match error {
            SinkError::OutcomeUnknown { .. } => DatabaseState::Unknown,
            _ => DatabaseState::RolledBack,
        },
        error: error.into(),
    })
}

/// Rolls a run back.
pub(super) async fn roll_back(
    transaction: Transaction,
    error: Error,
    interrupts: &mut Interrupts,
) -> Failure {
    ended(|is_lost, patience| transaction.roll_back(is_lost, patience), error, interrupts).await
}

/// Rolls back, given whether the connection is lost and how long to wait; what is reported about the database is what
/// the server confirmed. Another interrupt ends the wait.
pub(super) async fn ended<F: Future<Output = Result<(), SinkError>>>(
    roll_back: impl FnOnce(bool, Duration) -> F,
    error: Error,
    interrupts: &mut Interrupts,
) -> Failure {
    let is_interrupted = matches!(error, Error::Interrupted(_));
    let patience = if is_interrupted { INTERRUPTED_PATIENCE } else { ROLLBACK_PATIENCE };
    let rolled_back = tokio::select! {
        rolled_back = roll_back(is_lost(&error), patience) => rolled_back.is_ok(),
        _ = interrupts.next() => false,
    };
    failure(error, rolled_back)
}

/// The same for a run, within work that an interrupt ends anyway.
pub(super) async fn rolled_back(transaction: Transaction, error: Error) -> Failure {
    let rolled_back = transaction.roll_back(is_lost(&error), ROLLBACK_PATIENCE).await.is_ok();
    failure(error, rolled_back)
}

fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Sink(error) if error.has_lost_connection())
}

fn failure(error: Error, rolled_back: bool) -> Failure {
    let database = if rolled_back { DatabaseState::RolledBack } else { DatabaseState::NeverCommitted };
    Failure { error, database }
}
