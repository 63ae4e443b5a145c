//! `host plugin dev`: while an author writes, builds the plugin on every save, runs the cases and the rules of
//! `host plugin check`, and says what is different from the last time.
//!
//! [`watch`] knows when something was saved; a [`round`] is a build and what follows it; [`progress`] compares rounds.

mod progress;
mod round;
mod watch;

use std::sync::Arc;

use host_core::threads::in_thread;

pub use self::progress::Progress;
use self::round::{Children, Round};
use self::watch::Watch;
use super::project::Project;
use crate::error::Error;
use crate::interrupt::{Interrupt, Interrupts};

/// Does round after round until it is asked to end. `tell` is given the progress of each.
///
/// # Errors
/// If the project cannot be watched. A build that fails is part of the work.
pub async fn dev(
    project: &Project,
    interrupts: &mut Interrupts,
    mut tell: impl FnMut(&Progress) -> Result<(), Error>,
) -> Result<Interrupt, Error> {
    let mut watch = Watch::start(project)?;
    let mut last = None;
    loop {
        let changed = watch.look()?;
        let children = Arc::new(Children::default());
        let (of_round, ours) = (children.clone(), project.clone());
        let mut round = std::pin::pin!(in_thread(move || Round::run(&ours, &of_round)));
        let mut is_outdated = false;
        let round = loop {
            tokio::select! {
                done = &mut round => break done??,
                interrupt = interrupts.next() => {
                    children.stop();
                    return Ok(interrupt);
                }
                // However often it is saved meanwhile, one round follows. What is checked is not what counts any more.
                differs = watch.differs(), if !is_outdated => {
                    differs?;
                    is_outdated = true;
                    children.skip_rules();
                }
            }
        };
        let progress = Progress::new(changed, watch.files(), round, last.take());
        tell(&progress)?;
        last = Some(progress);
        tokio::select! {
            differs = watch.differs() => differs?,
            interrupt = interrupts.next() => return Ok(interrupt),
        }
    }
}
