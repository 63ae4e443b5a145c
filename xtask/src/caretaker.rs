//! Cleans up after this process, however that ends: by ^C for instance, which would skip every destructor.
//!
//! It is a shell in the background that waits for the end of a pipe which only this process holds open.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::shell::say;

/// Its script is run when this is dropped, or when this process ends.
pub struct Caretaker(Child);

impl Caretaker {
    /// Starts one, `prepare`d with what the script gets as `$0`, `$1` … and finds in its environment.
    pub fn start(script: &str, prepare: impl FnOnce(&mut Command)) -> Result<Caretaker> {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("read -r _; {script}")]);
        // In a group of its own, so that ^C does not reach it.
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        prepare(&mut shell);
        Ok(Caretaker(shell.spawn().context("start a shell")?))
    }
}

impl Drop for Caretaker {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // The task's result is what matters; what could not be cleaned up is worth a word.
        match self.0.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => say(&format!("cleaning up: {status}")),
            Err(error) => say(&format!("cleaning up: {error}")),
        }
    }
}
