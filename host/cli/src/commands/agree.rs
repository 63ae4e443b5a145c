//! Asking before something is removed.

use std::io::{self, IsTerminal as _};

use host_core::threads::in_thread;

use crate::error::{ConfigError, Error};
use crate::interrupt::Interrupts;
use crate::output;
use crate::pipeline::unless_interrupted;

/// What somebody has to agree to.
pub(super) struct Question {
    /// What would be removed: lines.
    pub what: String,
    /// The question itself, such as "remove it?".
    pub question: &'static str,
    /// The command that asks, without `--yes`.
    pub command: String,
    /// What stays as it is if nobody agrees.
    pub subject: String,
}

/// Asks on a terminal.
///
/// # Errors
/// [`ConfigError::NobodyToAsk`] or [`ConfigError::NotAgreed`]
pub(super) async fn ask(question: Question, interrupts: &mut Interrupts) -> Result<(), Error> {
    let Question { what, question, command, subject } = question;
    if !(output::is_seen() && io::stdin().is_terminal()) {
        let what = what.trim_end().replace('\n', "; ");
        return Err(ConfigError::NobodyToAsk { what, command: command + " --yes" }.into());
    }
    output::message(&format!("{what}{question} [y/N] "));
    let answer = in_thread(|| {
        let mut answer = String::new();
        // If nothing can be read, nobody has agreed.
        let _ = io::stdin().read_line(&mut answer);
        answer
    });
    let answer = unless_interrupted(interrupts, async { Ok::<_, Error>(answer.await?) }).await?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(ConfigError::NotAgreed(subject).into()),
    }
}
