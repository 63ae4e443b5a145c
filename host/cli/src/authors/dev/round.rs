//! A round: the build, the cases, the rules. Each is a command of this program or of the project's tools in a process
//! of its own, so that a round is what an author would see who gives these commands, and can be ended at any moment.

use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use host_core::text::one_line;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::Value;

use crate::authors::build::{self, Built};
use crate::authors::project::Project;
use crate::error::{Error, ToolsError};

/// The processes of a round, one after the other.
#[derive(Default)]
pub(super) struct Children(Mutex<State>);

#[derive(Default)]
struct State {
    /// The group of the one that is running.
    group: Option<Pid>,
    is_stopped: bool,
    /// Whether the rules are not to be tried, because they will be in the next round.
    skips_rules: bool,
    tries_rules: bool,
}

impl Children {
    /// Ends the one that runs; no other is started.
    pub fn stop(&self) {
        let mut state = self.state();
        state.is_stopped = true;
        state.end();
    }

    /// Ends the rules, or leaves them out.
    pub fn skip_rules(&self) {
        let mut state = self.state();
        state.skips_rules = true;
        if state.tries_rules {
            state.end();
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic could not have left it in an inconsistent state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a command to its end, in a group of processes of its own: what it starts ends with it.
    fn output(&self, command: &mut Command) -> io::Result<Output> {
        let child = {
            let mut state = self.state();
            if state.is_stopped {
                return Err(ErrorKind::Interrupted.into());
            }
            let child = command.process_group(0).spawn()?;
            state.group = i32::try_from(child.id()).ok().map(Pid::from_raw);
            child
        };
        let output = child.wait_with_output();
        self.state().group = None;
        output
    }

    fn status(&self, command: &mut Command) -> io::Result<ExitStatus> {
        self.output(command).map(|output| output.status)
    }
}

impl State {
    fn end(&self) {
        if let Some(group) = self.group {
            // It may have ended by itself.
            let _ = killpg(group, Signal::SIGTERM);
        }
    }
}

/// What came of a round.
pub(super) struct Round {
    pub build: Result<Built, Error>,
    pub build_time: Duration,
    /// `None` if they could not be run, which has been said.
    pub cases: Option<Vec<Case>>,
    /// `None` if they could not be tried, or were left out for the next round.
    pub rules: Option<Vec<Rule>>,
}

/// What `host plugin test` says of a case.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Case {
    pub case: String,
    pub differences: Vec<String>,
}

/// What `host plugin check` says of a rule.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Rule {
    pub rule: String,
    pub result: String,
    pub detail: String,
    pub fix: Option<String>,
}

impl Round {
    /// Fails only if this program cannot be started.
    pub fn run(project: &Project, children: &Children) -> Result<Round, Error> {
        let started = Instant::now();
        let build = build::build(project, &mut |command| children.status(command));
        let build_time = started.elapsed();
        let mut round = Round { build, build_time, cases: None, rules: None };
        if round.build.is_err() {
            return Ok(round);
        }
        let file = project.plugin_file()?;
        round.cases = told(children, "test", &file, &["--cases".as_ref(), &project.cases()], "cases")?;
        let is_wanted = {
            let mut state = children.state();
            state.tries_rules = true;
            !state.skips_rules
        };
        if is_wanted {
            round.rules = told(children, "check", &file, &[], "rules")?;
        }
        Ok(round)
    }
}

/// What a command of this program says about the plugin under this name; `None` if it fails, for which it says
/// the reason itself, or is ended.
fn told<T: for<'a> Deserialize<'a>>(
    children: &Children,
    command: &'static str,
    plugin: &Path,
    arguments: &[&Path],
    name: &str,
) -> Result<Option<T>, ToolsError> {
    let fail = |source| ToolsError::Start { command, source };
    let program = std::env::current_exe().map_err(fail)?;
    let mut process = Command::new(program);
    process.args(["plugin", command]).arg(plugin).args(arguments).args(["--format", "json"]);
    let output = match children.output(process.stdin(Stdio::null()).stdout(Stdio::piped())) {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let said: Option<Value> = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    if said.is_none() {
        tracing::info!("`host plugin {command}` ended early: {}: {}", output.status, one_line(&text));
    }
    Ok(said.and_then(|mut said| serde_json::from_value(said[name].take()).ok()))
}
