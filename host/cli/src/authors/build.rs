//! `host plugin build`: runs what a project is built with, whatever its language. What the tools print goes to stderr
//! as it is.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::SystemTime;

use bytesize::ByteSize;
use host_core::text::{path, printable};
use serde::Serialize;

use super::project::{Project, from_here};
use crate::error::{Error, ToolsError};
use crate::output;

/// A plugin that was built; field names are part of the interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Built {
    /// The detector's name.
    pub name: String,
    /// The language.
    pub language: &'static str,
    /// The plugin's file, printable.
    pub file: String,
    /// Its size.
    pub bytes: u64,
}

/// Builds a project, after installing what that needs. `start` runs a command to its end.
///
/// # Errors
/// [`ToolsError::Build`] if a command fails, [`ToolsError::NothingBuilt`] if there is no plugin afterwards.
pub fn build(
    project: &Project,
    run: &mut dyn FnMut(&mut Command) -> std::io::Result<ExitStatus>,
) -> Result<Built, Error> {
    let facts = project.facts();
    let started = SystemTime::now();
    let install = facts.install.as_ref().filter(|install| install.is_needed(&project.folder));
    for line in install.map(|install| install.command).into_iter().chain([facts.build]) {
        let fail = |source| ToolsError::Start { command: line, source };
        let status = run(&mut command(project, line).map_err(fail)?).map_err(fail)?;
        if !status.success() {
            return Err(ToolsError::Build { command: line, status }.into());
        }
    }
    let file = project.plugin_file()?;
    let nothing = || ToolsError::NothingBuilt { command: facts.build, file: from_here(&file) };
    let metadata = fs::metadata(&file).map_err(|_| nothing())?;
    mark_as_current(&file, started);
    mark_as_newer(project, started)?;
    Ok(Built {
        name: project.name.clone(),
        language: facts.title,
        file: path(&from_here(&file)),
        bytes: metadata.len(),
    })
}

/// A line for a shell, in the project's folder.
fn command(project: &Project, line: &str) -> std::io::Result<Command> {
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(&project.folder).stdin(Stdio::null());
    // Standard output is for our own result.
    command.stdout(output::stderr_of_children()?);
    Ok(command)
}

/// A tool that finds that there is nothing to do leaves the plugin as it is, however new its sources are.
fn mark_as_current(file: &Path, started: SystemTime) {
    change_time(file, |built| (built < started).then_some(started));
}

/// A source that was saved during the build may have been read before that, but is older than what was built in the
/// end: tools that compare times would never build it. So it is made newer than that.
fn mark_as_newer(project: &Project, started: SystemTime) -> Result<(), ToolsError> {
    let saved = project.sources()?.into_iter().filter(|(_, changed)| *changed > started);
    saved.for_each(|(source, _)| change_time(&source, |_| Some(SystemTime::now())));
    Ok(())
}

/// Gives a file another time of its last change, if there is to be one for the time that it has. A build is no failure
/// because this is.
fn change_time(file: &Path, new: impl FnOnce(SystemTime) -> Option<SystemTime>) {
    let changed = File::options().append(true).open(file).and_then(|file| {
        let time = new(file.metadata()?.modified()?);
        time.map_or(Ok(()), |time| file.set_modified(time))
    });
    if let Err(error) = changed {
        tracing::info!("could not set the time of `{}`: {error}", path(file));
    }
}

impl Built {
    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let Built { name, language, file, bytes } = self;
        format!("built `{}` ({language}): {file}, {}\n", printable(name), ByteSize::b(*bytes))
    }
}
