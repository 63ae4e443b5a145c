//! `host undo`: says what would be removed, asks, and removes it.

use host_core::exit;
use host_sink::{Connection, LedgerRun, Target, UndoRequest};

use super::agree::{Question, ask};
use super::start::catch_interrupts;
use super::told::note_unless_told;
use crate::cli::UndoArgs;
use crate::config;
use crate::error::{ConfigError, Error, Failure};
use crate::interrupt::Interrupts;
use crate::pipeline;
use crate::pipeline::unless_interrupted;
use crate::report::{self, Reporter, UndoObject};

pub(super) async fn undo(arguments: UndoArgs, reporter: &Reporter) -> Result<u8, Failure> {
    let target = config::target(&arguments.removal.database)?;
    let request = UndoRequest {
        run_id: arguments.run,
        cascades: arguments.cascade,
        is_forced: arguments.force,
        lock_timeout: config::lock_timeout(arguments.removal.lock_timeout)?,
    };
    let mut interrupts = catch_interrupts()?;
    let (connection, agreed) = agree(&arguments, &target, &mut interrupts).await?;
    let committed = pipeline::undo(connection, request, &agreed, &mut interrupts).await?;
    let object = UndoObject::new(&committed);
    let told = reporter.end(exit::COMMITTED, object, || report::undone(&committed));
    let run = arguments.run;
    note_unless_told(told, &format!("run {run} is undone, but that"), Some(&format!("runs {run}")));
    Ok(exit::COMMITTED)
}

/// The runs that may be undone, and a connection. The question is asked before the lock is taken, which others would
/// wait for.
async fn agree(
    arguments: &UndoArgs,
    target: &Target,
    interrupts: &mut Interrupts,
) -> Result<(Connection, Vec<i64>), Error> {
    let looking = async {
        let none = || ConfigError::NoRun(arguments.run);
        let snapshot = host_sink::look(target).await?.ok_or_else(none)?;
        let plan = snapshot.undo_plan(arguments.run, arguments.cascade).await?;
        Ok::<_, Error>((snapshot.end().await?, plan))
    };
    let (connection, plan) = unless_interrupted(interrupts, looking).await?;
    if !arguments.removal.yes {
        ask_about(arguments, &plan, interrupts).await?;
    }
    Ok((connection, plan.iter().map(|run| run.record.run_id).collect()))
}

async fn ask_about(
    arguments: &UndoArgs,
    plan: &[LedgerRun],
    interrupts: &mut Interrupts,
) -> Result<(), Error> {
    let mut command = format!("undo {}", arguments.run);
    for (option, is_given) in [(" --cascade", arguments.cascade), (" --force", arguments.force)] {
        command.push_str(if is_given { option } else { "" });
    }
    let (what, subject) = (report::to_undo(plan), format!("run {}", arguments.run));
    ask(Question { what, question: "remove it?", command, subject }, interrupts).await
}
