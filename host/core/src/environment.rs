//! The environment, read in one place. A variable that is set but cannot be used (empty, not UTF-8, a
//! relative path where an absolute one is needed) was set by mistake, such as a secret that was not filled
//! in. Treating it as "not set" would send the rows somewhere else, so it is an error.
//! clippy's `disallowed-methods` keep other modules from reading variables in another way.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::text::printable;

/// Why a variable cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "variable_")]
#[non_exhaustive]
pub enum VariableError {
    /// Set to nothing.
    #[error("the environment variable `{0}` is set, but empty")]
    Empty(String),
    /// Bytes that are not text.
    #[error("the environment variable `{0}` is not valid UTF-8")]
    NotText(String),
    /// A path that depends on where the program was started.
    #[error("the environment variable `{name}` must hold absolute paths, not `{}`", printable(&path.to_string_lossy()))]
    Relative {
        /// The variable.
        name: String,
        /// The path.
        path: PathBuf,
    },
    /// Text that is not in the required form.
    #[error("the environment variable `{name}` is invalid: {}", printable(problem))]
    Invalid {
        /// The variable.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

impl VariableError {
    /// The variable.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            VariableError::Empty(name)
            | VariableError::NotText(name)
            | VariableError::Relative { name, .. }
            | VariableError::Invalid { name, .. } => name,
        }
    }

    /// What the user can do.
    #[must_use]
    pub fn help(&self) -> String {
        format!("correct it, or take it out of the environment: unset {}", self.name())
    }
}

/// The variables of this process, or those of a test.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment of this process. If `HOME` is not set, as in a bare container or a cron job, it is
    /// taken from the system's user database, as libpq does.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn of_process() -> Environment {
        let mut variables: BTreeMap<_, _> = std::env::vars_os().collect();
        if !variables.contains_key(OsStr::new("HOME")) {
            let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
            let home = user.map(|user| user.dir).filter(|home| home.is_dir());
            variables.extend(home.map(|home| ("HOME".into(), home.into_os_string())));
        }
        Environment(variables)
    }

    /// Whether it is set, whatever its value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(OsStr::new(name))
    }

    /// A variable's text; `None` if it is not set.
    ///
    /// # Errors
    /// [`VariableError`] if it is set, but empty or not text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, VariableError> {
        let Some(value) = self.0.get(OsStr::new(name)) else { return Ok(None) };
        match value.to_str() {
            Some("") => Err(VariableError::Empty(name.to_owned())),
            Some(text) => Ok(Some(text)),
            None => Err(VariableError::NotText(name.to_owned())),
        }
    }

    /// An absolute path; `None` if it is not set.
    ///
    /// # Errors
    /// [`VariableError`] if it is set to anything else.
    pub fn path(&self, name: &str) -> Result<Option<PathBuf>, VariableError> {
        let path = self.text(name)?.map(|text| absolute(name, Path::new(text)));
        path.transpose()
    }

    /// Absolute paths, separated by `:`; empty ones are skipped; no paths if it is not set.
    ///
    /// # Errors
    /// [`VariableError`] if it is set to anything else.
    pub fn paths(&self, name: &str) -> Result<Vec<PathBuf>, VariableError> {
        let list = std::env::split_paths(self.text(name)?.unwrap_or_default());
        list.filter(|path| !path.as_os_str().is_empty()).map(|path| absolute(name, &path)).collect()
    }

    /// A list of the system's folders, such as `PATH`; empty if it is not set.
    pub fn system_folders(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        self.0.get(OsStr::new(name)).into_iter().flat_map(std::env::split_paths)
    }
}

fn absolute(name: &str, path: &Path) -> Result<PathBuf, VariableError> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    Err(VariableError::Relative { name: name.to_owned(), path: path.to_owned() })
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Environment {
        Environment(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn environment() -> Environment {
        let mut environment: Environment =
            [("TEXT", "ü"), ("EMPTY", ""), ("ONE", "/a"), ("RELATIVE", "a/b"), ("LIST", ":/a::/b")]
                .into_iter()
                .collect();
        environment.0.insert("BYTES".into(), OsString::from_vec(vec![b'/', 0xff]));
        environment
    }

    #[test]
    fn what_is_set_is_usable_or_an_error() {
        let environment = environment();
        let empty = || VariableError::Empty("EMPTY".into());
        let bytes = || VariableError::NotText("BYTES".into());
        let relative =
            |name: &str, path: &str| VariableError::Relative { name: name.into(), path: path.into() };
        assert_eq!(environment.text("ABSENT"), Ok(None));
        assert_eq!(environment.text("TEXT"), Ok(Some("ü")));
        assert_eq!(environment.text("EMPTY"), Err(empty()));
        assert_eq!(environment.text("BYTES"), Err(bytes()));
        assert_eq!(environment.path("ABSENT"), Ok(None));
        assert_eq!(environment.path("ONE"), Ok(Some("/a".into())));
        assert_eq!(environment.path("EMPTY"), Err(empty()));
        assert_eq!(environment.path("BYTES"), Err(bytes()));
        assert_eq!(environment.path("RELATIVE"), Err(relative("RELATIVE", "a/b")));
        assert_eq!(environment.paths("ABSENT"), Ok(Vec::new()));
        assert_eq!(environment.paths("LIST"), Ok(vec!["/a".into(), "/b".into()]));
        assert_eq!(environment.paths("EMPTY"), Err(empty()));
        assert_eq!(environment.paths("RELATIVE"), Err(relative("RELATIVE", "a/b")));
    }
}
