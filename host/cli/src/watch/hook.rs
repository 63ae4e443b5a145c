//! The program that is started after every run.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use host_core::threads;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::output;

/// Between two looks at whether it has ended.
const INTERVAL: Duration = Duration::from_millis(10);

/// Starts the program with this text on its standard input, and waits for its end. What it prints goes to stderr. If it
/// takes longer than it may, it is killed, and so is what it has started.
///
/// # Errors
/// In words, if it cannot be started, fails, or takes too long.
pub fn run(program: &Path, input: String, longest: Duration) -> Result<(), String> {
    let status = finish(program, input, longest).map_err(|error| error.to_string())?;
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(status.to_string()),
        None => Err(format!("it took longer than {}", host_core::text::seconds(longest))),
    }
}

/// `None` if it took too long.
fn finish(program: &Path, input: String, longest: Duration) -> io::Result<Option<ExitStatus>> {
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(output::stderr_of_children()?).stderr(output::stderr_of_children()?);
    // ^C is for us: the hook of a run that was committed is not cut off.
    let mut child = command.process_group(0).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may not read, or not all of it, which is its own affair.
        let writing = threads::spawn(move || drop(stdin.write_all(input.as_bytes())));
        if let Err(error) = writing {
            stop(&mut child)?;
            return Err(error.into());
        }
    }
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= longest {
            stop(&mut child)?;
            return Ok(None);
        }
        thread::sleep(INTERVAL);
    }
}

fn stop(child: &mut Child) -> io::Result<()> {
    // It is its own group's leader, and has not been waited for: the number is still its own.
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    child.wait().map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_hook_reads_fails_or_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let read = folder.path().join("read");
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
            path
        };
        let longest = Duration::from_secs(60);
        let reads = script("reads", &format!("cat > '{}'", read.display()));
        assert_eq!(run(&reads, "{}\n".into(), longest), Ok(()));
        assert_eq!(fs::read_to_string(&read).unwrap(), "{}\n");
        // More than fits into a pipe.
        assert_eq!(run(&script("deaf", "exit 0"), "x".repeat(1 << 20), longest), Ok(()));
        assert_eq!(run(&script("fails", "exit 3"), String::new(), longest), Err("exit status: 3".into()));
        let slow = run(&script("slow", "sleep 600"), String::new(), Duration::from_millis(50));
        assert_eq!(slow, Err("it took longer than 0.05 s".into()));
        assert!(run(&folder.path().join("nothing"), String::new(), longest).is_err());
    }
}
