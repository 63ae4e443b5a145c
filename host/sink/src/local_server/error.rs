//! What can go wrong with the embedded server.

use std::io;
use std::path::{Path, PathBuf};

use host_core::text::printable_up_to;
use thiserror::Error;

/// Why the embedded server does not work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// PostgreSQL is not installed.
    #[error("PostgreSQL's programs (initdb, pg_ctl) were found neither on the PATH nor in `{folder}`")]
    NotInstalled {
        /// The other place that was searched.
        folder: &'static str,
    },
    /// One of its files or folders cannot be used.
    #[error("could not {doing} `{}`", path.display())]
    File {
        /// A verb, such as "create".
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// One of PostgreSQL's programs failed.
    #[error("`{program}` failed: {}", printable_up_to(output.trim(), 1_000))]
    Program {
        /// The program.
        program: &'static str,
        /// The end of what it printed.
        output: String,
    },
    /// The cluster belongs to another version of PostgreSQL.
    #[error("its data in `{}` is from PostgreSQL {data}, but the installed version is {installed}", folder.display())]
    Version {
        /// The cluster's folder.
        folder: PathBuf,
        /// Major version of the data.
        data: String,
        /// Major version of the programs.
        installed: String,
    },
    /// There is no unprivileged user to run it as.
    #[error("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")]
    NoUser,
}

/// The error of an operation on a file or folder.
pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError + use<> {
    let path = path.to_owned();
    move |source| EmbeddedError::File { doing, path, source }
}
