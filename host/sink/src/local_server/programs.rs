//! PostgreSQL's own programs: where they are, which user runs them, and what they say when they fail.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use host_core::environment::Environment;
use nix::unistd::{Uid, User};

use crate::local_server::error::{EmbeddedError, at};

/// Where Debian and its kin keep the programs of each major version.
const PROGRAMS_FOLDER: &str = "/usr/lib/postgresql";

/// PostgreSQL's programs.
pub struct Programs {
    pub folder: PathBuf,
}

impl Programs {
    /// Those of the highest installed version if the system keeps several versions side by side (their
    /// server programs are not on the PATH then), else those on the PATH.
    pub fn find() -> Result<Programs, EmbeddedError> {
        let has_server =
            |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file();
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(PROGRAMS_FOLDER)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let version = entry.file_name().to_str()?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
            .filter(|(_, folder)| has_server(folder))
            .collect();
        versions.sort();
        let on_path = || Environment::of_process().system_folders("PATH").find(has_server);
        let folder = versions.pop().map(|(_, folder)| folder).or_else(on_path);
        folder
            .map(|folder| Programs { folder })
            .ok_or(EmbeddedError::NotInstalled { folder: PROGRAMS_FOLDER })
    }

    /// One of PostgreSQL's programs, run as a user that it accepts.
    pub fn command(&self, program: &'static str) -> Result<Command, EmbeddedError> {
        let mut command = Command::new(self.folder.join(program));
        // The caller's variables are meant for clients, and must not influence the server.
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
        if let Some(user) = server_user()? {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        Ok(command)
    }

    pub fn check_version(&self, data_folder: &Path, data: &str) -> Result<(), EmbeddedError> {
        let output = Command::new(self.folder.join("postgres"))
            .arg("--version")
            .output()
            .map_err(at("run", &self.folder.join("postgres")))?;
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        let text = String::from_utf8_lossy(&output.stdout);
        let installed =
            text.split_whitespace().nth(2).and_then(|version| version.split('.').next()).unwrap_or_default();
        if installed == data {
            return Ok(());
        }
        Err(EmbeddedError::Version {
            folder: data_folder.to_owned(),
            data: data.to_owned(),
            installed: installed.to_owned(),
        })
    }
}

/// The user to run the server as if we are root, since PostgreSQL refuses to run as root.
pub fn server_user() -> Result<Option<User>, EmbeddedError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
    user.map(Some).ok_or(EmbeddedError::NoUser)
}

/// A standard input with this content.
pub fn text(input: &str) -> Result<File, EmbeddedError> {
    let make = || {
        let mut file = tempfile::tempfile()?;
        file.write_all(input.as_bytes())?;
        file.rewind()?;
        Ok(file)
    };
    make().map_err(at("write", Path::new("a temporary file")))
}

/// A standard input that is never read, but holds a lock until the program has ended, even if we are
/// killed meanwhile: otherwise another process could start it a second time.
pub fn held(lock: &File) -> Result<File, EmbeddedError> {
    lock.try_clone().map_err(at("share", Path::new("a lock")))
}

/// Runs a program to its end. Its output goes to a file: a pipe would be inherited by the server
/// that it starts, and never closed.
pub fn run(program: &'static str, command: &mut Command, stdin: File) -> Result<(), EmbeddedError> {
    let failed = |source| EmbeddedError::File { doing: "run", path: program.into(), source };
    let mut output = tempfile::tempfile().map_err(failed)?;
    let status = command
        .stdin(stdin)
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output.try_clone().map_err(failed)?)
        // ^C at the terminal is for us, not for a server that is being started.
        .process_group(0)
        .status()
        .map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let mut printed = Vec::new();
    output.rewind().map_err(failed)?;
    output.read_to_end(&mut printed).map_err(failed)?;
    Err(EmbeddedError::Program { program, output: last_lines(&String::from_utf8_lossy(&printed)) })
}

/// The last lines, where a program says why it gave up.
fn last_lines(printed: &str) -> String {
    const SHOWN_LINES: usize = 6;
    let lines: Vec<&str> = printed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("; ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_cause_of_a_failure_is_at_the_end() {
        let printed = format!("{}no space left\n\nremoving it\n", "this went well\n".repeat(50));
        assert!(
            crate::local_server::programs::last_lines(&printed)
                .ends_with("this went well; no space left; removing it")
        );
        assert!(crate::local_server::programs::last_lines(&printed).len() < 200);
    }
}
