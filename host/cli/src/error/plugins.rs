//! Why no plugin was found.

use std::path::PathBuf;

use host_core::environment::VariableError;
use host_core::text::{printable, shell_quoted};
use thiserror::Error;

/// Why a plugin was not found. `plugin` is its name, as given.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "plugin_")]
pub enum LookupError {
    /// An environment variable that says where plugins are cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// There is no such file in the places where plugins are looked for.
    #[error("no plugin `{}`; looked in {}", printable(plugin), places(looked_in))]
    NotFound {
        /// As given.
        plugin: String,
        /// The places, in order.
        looked_in: Vec<PathBuf>,
        /// The most similar name among the plugins that exist.
        nearest: Option<String>,
    },
    /// Different files have this name in the places where plugins are looked for.
    #[error("`{}` is ambiguous; it matches {}", printable(plugin), places(found))]
    Ambiguous {
        /// As given.
        plugin: String,
        /// The files.
        found: Vec<PathBuf>,
    },
}

impl LookupError {
    /// What the user can do.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            LookupError::Variable(error) => error.help(),
            LookupError::NotFound { nearest: Some(nearest), .. } => {
                format!("did you mean `{}`?", shell_quoted(nearest))
            }
            LookupError::NotFound { .. } => "give a path, or put the plugin into one of these folders".into(),
            LookupError::Ambiguous { .. } => "give the path of the one you mean, or remove the others".into(),
        }
    }
}

fn places(looked_in: &[PathBuf]) -> String {
    let places: Vec<_> = looked_in.iter().map(|place| format!("`{}`", place.display())).collect();
    places.join(", ")
}
