//! `host state`: what detectors know from one run to the next; reads only.

use host_core::exit;
use serde_json::json;

use super::start::look;
use crate::cli::{StateCommand, StateListArgs, StateShowArgs};
use crate::error::{ConfigError, Error};
use crate::report::{self, Reporter, StateObject, StateShowObject};

pub(super) async fn state(command: &StateCommand, reporter: &Reporter) -> Result<u8, Error> {
    match command {
        StateCommand::List(arguments) => list(arguments, reporter).await,
        StateCommand::Show(arguments) => show(arguments, reporter).await,
    }
}

async fn list(arguments: &StateListArgs, reporter: &Reporter) -> Result<u8, Error> {
    let states = match look(&arguments.database).await? {
        Some(snapshot) => {
            let states = snapshot.states(None).await?;
            snapshot.close().await;
            states
        }
        None => Vec::new(),
    };
    for state in &states {
        reporter.record(&StateObject::new(state), String::new)?;
    }
    reporter.end(exit::COMMITTED, json!({ "listed": states.len() }), || report::states(&states))?;
    Ok(exit::COMMITTED)
}

async fn show(
    StateShowArgs { state, limit, database }: &StateShowArgs,
    reporter: &Reporter,
) -> Result<u8, Error> {
    let none = || ConfigError::NoState(state.clone());
    let snapshot = look(database).await?.ok_or_else(none)?;
    let found = snapshot.states(Some(state)).await?.pop();
    let (runs, not_shown) = snapshot.runs_of_state(state, *limit).await?;
    snapshot.close().await;
    let found = found.ok_or_else(none)?;
    let object = StateShowObject::new(&found, &runs, not_shown);
    reporter.end(exit::COMMITTED, object, || report::state_page(&found, &runs, not_shown))?;
    Ok(exit::COMMITTED)
}
