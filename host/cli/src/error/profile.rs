//! Why a profile cannot be used or written.

use std::fmt;
use std::path::PathBuf;

use host_core::exit;
use host_core::text::{listed, path, printable, shell_quoted};
use thiserror::Error;

/// How many profiles a message names.
const SHOWN_PROFILES: usize = 20;

/// A place in the file of the profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfilePlace {
    /// The file.
    pub file: PathBuf,
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
}

impl fmt::Display for ProfilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", path(&self.file), self.line, self.column)
    }
}

/// Why a profile cannot be used or written.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "profile_")]
pub enum ProfileError {
    /// There is no file with profiles.
    #[error("there is no profile `{}`: {}", printable(name), looked_for(looked))]
    NoFile {
        /// The profile that was asked for.
        name: String,
        /// Where a file was looked for.
        looked: Vec<PathBuf>,
    },
    /// The file cannot be read.
    #[error("could not read the profiles in `{}`", path(file))]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("could not write a profile to `{}`", path(file))]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is too long to be one with profiles.
    #[error("`{}` is longer than {max_bytes} bytes, which no file with profiles is", path(file))]
    TooLong {
        /// The file.
        file: PathBuf,
        /// How long it may be.
        max_bytes: u64,
    },
    /// The file is not TOML.
    #[error("{place}: {}", printable(problem))]
    Syntax {
        /// Where.
        place: ProfilePlace,
        /// What is wrong there.
        problem: String,
    },
    /// The file has no profile of this name.
    #[error("there is no profile `{}` in `{}`", printable(name), path(file))]
    NoProfile {
        /// The profile that was asked for.
        name: String,
        /// The file.
        file: PathBuf,
        /// The profiles in it.
        known: Vec<String>,
        /// The one that may have been meant.
        nearest: Option<String>,
    },
    /// A key that means nothing.
    #[error("{place}: unknown key `{}`", printable(key))]
    UnknownKey {
        /// Where.
        place: ProfilePlace,
        /// The key.
        key: String,
        /// The one that may have been meant.
        nearest: Option<String>,
        /// What is allowed there, in words.
        allowed: &'static str,
    },
    /// A value that its option does not take.
    #[error("{place}: `{}` {problem}", printable(key))]
    Value {
        /// Where.
        place: ProfilePlace,
        /// The key.
        key: String,
        /// What is wrong with the value.
        problem: &'static str,
    },
    /// Options that are refused, as they would be if they were typed.
    #[error("{place}: `{}`: {}", printable(key), printable(said))]
    Refused {
        /// Where.
        place: ProfilePlace,
        /// The key.
        key: String,
        /// Why.
        said: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// A profile of this name cannot be added, because there is one.
    #[error("{place}: there is a profile `{}` already", printable(name))]
    Exists {
        /// Where it begins.
        place: ProfilePlace,
        /// Its name.
        name: String,
    },
}

fn looked_for(looked: &[PathBuf]) -> String {
    let looked: Vec<String> = looked.iter().map(|file| format!("`{}`", path(file))).collect();
    format!("no file {} exists", looked.join(" or "))
}

impl ProfileError {
    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            ProfileError::Read { .. } | ProfileError::Write { .. } => exit::INPUT,
            _ => exit::USAGE,
        }
    }

    /// Where it is, if that is a single place.
    #[must_use]
    pub fn place(&self) -> Option<&ProfilePlace> {
        match self {
            ProfileError::Syntax { place, .. }
            | ProfileError::UnknownKey { place, .. }
            | ProfileError::Value { place, .. }
            | ProfileError::Refused { place, .. }
            | ProfileError::Exists { place, .. } => Some(place),
            _ => None,
        }
    }

    /// What the user can do, if anything.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            ProfileError::NoFile { .. } => {
                Some("create it with a table `[profile.NAME]`, or name another with `--config`".into())
            }
            ProfileError::NoProfile { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `--profile {}`?", shell_quoted(nearest)))
            }
            ProfileError::NoProfile { known, .. } if known.is_empty() => {
                Some("it has no profiles at all".into())
            }
            ProfileError::NoProfile { known, .. } => {
                Some(format!("it has {}", listed(known, SHOWN_PROFILES)))
            }
            ProfileError::UnknownKey { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            ProfileError::UnknownKey { allowed, .. } => Some((*allowed).into()),
            ProfileError::Refused { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{}`?", printable(nearest)))
            }
            ProfileError::Exists { .. } => Some("choose another name, or remove that one first".into()),
            _ => None,
        }
    }
}
