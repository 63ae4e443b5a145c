//! Removing what is stored of a state, from BEGIN to the acknowledged COMMIT.

use std::time::Duration;

use host_sink::{Connection, Shrunk, StateTransaction, Work};

use super::end::{confirmed, ended};
use super::interrupted::unless_interrupted;
use crate::error::{Error, Failure};
use crate::interrupt::Interrupts;
use crate::panics::TransactionPhase;

/// What is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrinking {
    /// Of each user all entries but the newest.
    Prune,
    /// Everything.
    Drop,
}

/// Removes it. Returns what was removed only after the server has acknowledged COMMIT.
///
/// # Errors
/// A [`Failure`], which says what state the database is in.
pub async fn shrink(
    connection: Connection,
    name: String,
    shrinking: Shrinking,
    lock_timeout: Option<Duration>,
    interrupts: &mut Interrupts,
) -> Result<Shrunk, Failure> {
    TransactionPhase::None.begins();
    let begin = async { Ok::<_, Failure>(StateTransaction::begin(connection, name, lock_timeout).await?) };
    let mut transaction = unless_interrupted(interrupts, begin).await?;
    TransactionPhase::Begun.begins();
    let removing = async {
        Ok::<_, Error>(match shrinking {
            Shrinking::Prune => transaction.prune().await?,
            Shrinking::Drop => transaction.drop_all().await?,
        })
    };
    match unless_interrupted(interrupts, removing).await {
        Ok(shrunk) => {
            let query = transaction.deciding_query();
            confirmed(transaction.commit(shrunk), Work::State, query, interrupts).await
        }
        Err(error) => {
            let roll_back = |is_lost, patience| transaction.roll_back(is_lost, patience);
            Err(ended(roll_back, error, interrupts).await)
        }
    }
}
