//! `host state`: what detectors know from one run to the next.

use host_core::exit;
use host_core::text::shell_quoted;
use host_sink::{Connection, Shrunk, StateSummary};
use serde_json::json;

use super::agree::{Question, ask};
use super::start::{catch_interrupts, look};
use super::told::note_unless_told;
use crate::cli::{StateCommand, StateListArgs, StateRemoveArgs, StateShowArgs};
use crate::error::{ConfigError, Error, Failure};
use crate::interrupt::Interrupts;
use crate::pipeline::{Shrinking, unless_interrupted};
use crate::report::{self, Reporter, ShrunkObject, StateObject, StateShowObject};
use crate::{config, pipeline};

pub(super) async fn state(command: StateCommand, reporter: &Reporter) -> Result<u8, Failure> {
    match command {
        StateCommand::List(arguments) => list(&arguments, reporter).await.map_err(Failure::without_rows),
        StateCommand::Show(arguments) => show(&arguments, reporter).await.map_err(Failure::without_rows),
        StateCommand::Prune(arguments) => remove(arguments, Shrinking::Prune, reporter).await,
        StateCommand::Drop(arguments) => remove(arguments, Shrinking::Drop, reporter).await,
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

/// `prune` and `drop`. The question is asked before the lock is taken, which others would wait for.
async fn remove(
    arguments: StateRemoveArgs,
    shrinking: Shrinking,
    reporter: &Reporter,
) -> Result<u8, Failure> {
    let lock_timeout = config::lock_timeout(arguments.removal.lock_timeout)?;
    let mut interrupts = catch_interrupts()?;
    let looking = look_at(&arguments, shrinking);
    let (found, connection) = unless_interrupted(&mut interrupts, looking).await?;
    let shrunk = match connection {
        None => Shrunk::default(),
        Some(connection) => {
            if !arguments.removal.yes {
                agree(&found, shrinking, &mut interrupts).await?;
            }
            let name = arguments.state.clone();
            pipeline::shrink(connection, name, shrinking, lock_timeout, &mut interrupts).await?
        }
    };
    let object = ShrunkObject::new(&arguments.state, &shrunk);
    let told = reporter.end(exit::COMMITTED, object, || report::shrunk(&found, shrinking, &shrunk));
    note_unless_told(told, "it is done, but that", Some("state list"));
    Ok(exit::COMMITTED)
}

/// The state, and a connection if there is something to do.
async fn look_at(
    arguments: &StateRemoveArgs,
    shrinking: Shrinking,
) -> Result<(StateSummary, Option<Connection>), Error> {
    let none = || ConfigError::NoState(arguments.state.clone());
    let snapshot = look(&arguments.removal.database).await?.ok_or_else(none)?;
    let Some(found) = snapshot.states(Some(&arguments.state)).await?.pop() else {
        snapshot.close().await;
        return Err(none().into());
    };
    let has_work = match shrinking {
        Shrinking::Drop => true,
        Shrinking::Prune => snapshot.state_after(found.run_id).await?.can_be_merged(),
    };
    if has_work {
        return Ok((found, Some(snapshot.end().await?)));
    }
    snapshot.close().await;
    Ok((found, None))
}

async fn agree(found: &StateSummary, shrinking: Shrinking, interrupts: &mut Interrupts) -> Result<(), Error> {
    let word = match shrinking {
        Shrinking::Prune => "prune",
        Shrinking::Drop => "drop",
    };
    let question = Question {
        what: report::to_shrink(found, shrinking),
        question: "remove them?",
        command: format!("state {word} {}", shell_quoted(&found.name)),
        subject: format!("the state `{}`", found.name),
    };
    ask(question, interrupts).await
}
