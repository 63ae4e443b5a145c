//! A user who is not root, for whatever root must not do, or sees otherwise.

use std::fmt;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell::{output, works};

/// Whom every system has.
const NAME: &str = "nobody";

/// A user to whom root can change.
pub struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// `nobody`; `None` if we are not root, and so somebody else already.
    pub fn other_than_root() -> Result<Option<User>> {
        let id = |arguments: &[&str]| -> Result<u32> {
            output(Command::new("id").args(arguments))?
                .trim()
                .parse()
                .context("could not read what `id` says")
        };
        if id(&["-u"])? != 0 {
            return Ok(None);
        }
        Ok(Some(User { uid: id(&["-u", NAME])?, gid: id(&["-g", NAME])? }))
    }

    /// Makes the program run as this user, with none of root's groups.
    pub fn become_in<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.uid(self.uid).gid(self.gid)
    }

    /// Gives the user a folder.
    pub fn own(&self, folder: &Path) -> Result<()> {
        chown(folder, Some(self.uid), Some(self.gid))
            .with_context(|| format!("could not give {} to `{NAME}`", folder.display()))
    }

    /// Whether the user can read a file.
    pub fn can_read(&self, file: &Path) -> bool {
        works(self.become_in(Command::new("test").arg("-r").arg(file)))
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}
