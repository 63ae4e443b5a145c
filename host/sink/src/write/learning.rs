//! What the run of a learning detector reads and writes besides its rows: feedback on earlier rows, and the further
//! columns of its own, so that these can be handed over once something becomes known of them.

use crate::error::SinkError;
use crate::ledger::facts::FeedbackSpan;
use crate::schema::relations::Relations;
use crate::stored::feedback;
use crate::write::state::StateWriter;
use crate::write::transaction::Transaction;

impl Transaction {
    /// The feedback that the run's detector is to be given: what was committed since the run whose state it continues
    /// was given any.
    ///
    /// # Errors
    /// [`SinkError::PrivilegesMissing`], and if the server refuses.
    pub async fn feedback_span(&self) -> Result<FeedbackSpan, SinkError> {
        Relations::look_up(&self.connection).await?.check_learning()?;
        let predecessor = self.state.as_ref().and_then(StateWriter::predecessor);
        feedback::span(&self.connection, predecessor).await
    }

    /// From now on, the further columns of the rows that are written are kept, too.
    pub fn keep_columns(&mut self) {
        self.writer.keep_columns(&self.connection);
    }
}
