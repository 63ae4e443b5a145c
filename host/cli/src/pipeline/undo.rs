//! Undoing runs, from BEGIN to the acknowledged COMMIT.

use host_sink::{CommittedUndo, Connection, UndoRequest, UndoTransaction, Work};

use super::end::{confirmed, ended};
use super::interrupted::unless_interrupted;
use crate::error::{Error, Failure};
use crate::interrupt::Interrupts;
use crate::panics::TransactionPhase;

/// Undoes a run, and those that depend on it if that is asked for. `agreed` are the runs of which the user knows.
/// Returns what was removed only after the server has acknowledged COMMIT.
///
/// # Errors
/// A [`Failure`], which says what state the database is in.
pub async fn undo(
    connection: Connection,
    request: UndoRequest,
    agreed: &[i64],
    interrupts: &mut Interrupts,
) -> Result<CommittedUndo, Failure> {
    TransactionPhase::None.begins();
    let begin = async { Ok::<_, Failure>(UndoTransaction::begin(connection, request).await?) };
    let mut transaction = unless_interrupted(interrupts, begin).await?;
    TransactionPhase::Begun.begins();
    let removing = async { Ok::<_, Error>(transaction.remove(agreed).await?) };
    match unless_interrupted(interrupts, removing).await {
        Ok(undone) => {
            let query = transaction.deciding_query();
            confirmed(transaction.commit(undone), Work::Undo, query, interrupts).await
        }
        Err(error) => {
            let roll_back = |is_lost, patience| transaction.roll_back(is_lost, patience);
            Err(ended(roll_back, error, interrupts).await)
        }
    }
}
