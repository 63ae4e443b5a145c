//! Looking at what runs have written, and whether there is a server at all. Nothing is created or altered.

use crate::connection::connect::connect;
use crate::connection::target::{Server, Target};
use crate::error::SinkError;
use crate::schema::migrations::State;
use crate::stored::snapshot::Snapshot;

/// Asks the server whether it is there. The embedded one is not asked: it is started when it is needed.
///
/// # Errors
/// If the server cannot be reached, or refuses the connection.
pub async fn reach(target: &Target) -> Result<(), SinkError> {
    if let Server::Embedded(_) = target.server {
        return Ok(());
    }
    let connection = connect(target).await?;
    connection.simple_query("ask the server whether it is there", "SELECT 1").await?;
    connection.close().await;
    Ok(())
}

/// Looks at what runs have written; `None` if there is nothing yet. Nothing is created or altered.
///
/// # Errors
/// If the server cannot be reached, or its tables are not those that this host knows.
pub async fn look(target: &Target) -> Result<Option<Snapshot>, SinkError> {
    if !target.is_there() {
        return Ok(None);
    }
    let connection = connect(target).await?;
    let missing = State::look_up(&connection).await?.missing()?;
    if missing.iter().any(|migration| migration.version == 1) {
        connection.close().await;
        return Ok(None);
    }
    if let Some(first) = missing.first() {
        return Err(SinkError::NotMigrated { version: first.version, name: first.name });
    }
    Snapshot::take(connection).await.map(Some)
}
