//! What the detector has learned, as the transaction offers it: what it continues is read before the first row, and
//! what it has changed is written after the last.

use host_core::state::State;

use crate::error::SinkError;
use crate::schema::relations::Relations;
use crate::stored::state;
use crate::stored::state::StateChain;
use crate::write::state::StateWriter;
use crate::write::transaction::Transaction;

impl Transaction {
    /// From now on, what the detector learns is the state of this name. Returns what it continues: `None` if it
    /// begins anew, because that is wanted or because there is none yet.
    ///
    /// # Errors
    /// [`SinkError::PrivilegesMissing`], [`SinkError::StateDamaged`] or [`SinkError::StateMerged`], and if the
    /// server refuses.
    pub async fn open_state(&mut self, name: &str, anew: bool) -> Result<Option<StateChain>, SinkError> {
        Relations::look_up(&self.connection).await?.check_stateful()?;
        let newest = if anew { None } else { state::newest(&self.connection, name).await? };
        let chain = match newest {
            Some(run_id) => Some(state::continuable(&self.connection, run_id).await?),
            None => None,
        };
        let (run_id, continued) = (self.run_id(), chain.clone());
        self.state = Some(StateWriter::new(&self.connection, run_id, name.to_owned(), continued));
        Ok(chain)
    }

    /// Whether what the detector learns is to be written.
    #[must_use]
    pub fn has_state(&self) -> bool {
        self.state.is_some()
    }

    /// Writes a part of what the detector has learned, after all rows.
    ///
    /// # Errors
    /// [`SinkError::StateTwice`], and if the server refuses.
    pub async fn write_state(&mut self, part: &State) -> Result<(), SinkError> {
        self.writer.finish(&self.connection).await?;
        let state = self.state.as_mut().ok_or(SinkError::WriterClosed)?;
        state.write(&self.connection, part).await
    }
}
