//! What commands begin with.

use host_sink::Snapshot;

use crate::authors::project;
use crate::cli::{DatabaseArgs, RunArgs};
use crate::config;
use crate::error::Error;
use crate::interrupt::Interrupts;

/// If no plugin is given, it is that of the project in this folder.
pub(super) fn choose_plugin(arguments: &mut RunArgs) -> Result<(), Error> {
    let plugin = &mut arguments.ingest.plugin;
    *plugin = Some(project::chosen_plugin(plugin.as_deref())?);
    Ok(())
}

pub(super) fn catch_interrupts() -> Result<Interrupts, Error> {
    Interrupts::catch().map_err(Error::Runtime)
}

/// The stored runs; `None` if there are none yet.
pub(super) async fn look(database: &DatabaseArgs) -> Result<Option<Snapshot>, Error> {
    Ok(host_sink::look(&config::target(database)?).await?)
}
