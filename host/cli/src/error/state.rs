//! Why a detector cannot go on from what it has learned in earlier runs.

use host_core::text::{printable, shell_quoted};
use host_sink::PluginFacts;
use thiserror::Error;

/// Why a detector cannot go on from what it has learned in earlier runs.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "state_")]
pub enum StateError {
    /// `--state` with a plugin that has none.
    #[error("`{}` has no state: what it says of a row does not depend on earlier runs", printable(plugin))]
    NotStateful {
        /// The plugin.
        plugin: String,
    },
    /// Another plugin has written it.
    #[error(
        "the state `{}` is one of `{}`, which wrote it in run {run_id}, and not of `{}`",
        printable(state),
        printable(theirs),
        printable(ours)
    )]
    OtherPlugin {
        /// The state.
        state: String,
        /// Its newest run.
        run_id: i64,
        /// That run's plugin.
        theirs: String,
        /// The plugin.
        ours: String,
    },
    /// The detector itself refuses it.
    #[error(
        "{} does not take the state `{}`, which {} wrote in run {run_id}{}: {}",
        printable(detector), printable(state), printable(writer),
        if *settings_differ { " with other settings" } else { "" }, printable(message)
    )]
    Refused {
        /// The state.
        state: String,
        /// Its newest run.
        run_id: i64,
        /// The detector, with its version.
        detector: Box<str>,
        /// What wrote the state: "it", or another version.
        writer: Box<str>,
        /// Whether that had other settings.
        settings_differ: bool,
        /// The detector's own words.
        message: Box<str>,
    },
}

impl StateError {
    /// That a detector refuses what another run has written.
    pub(crate) fn refused(
        state: String,
        run_id: i64,
        detector: &PluginFacts,
        writer: &PluginFacts,
        message: String,
    ) -> StateError {
        let named = |plugin: &PluginFacts| format!("`{}` {}", plugin.name, plugin.version);
        let is_same = writer.version == detector.version;
        StateError::Refused {
            state,
            run_id,
            detector: named(detector).into(),
            writer: if is_same { "it".into() } else { named(writer).into() },
            settings_differ: writer.settings != detector.settings,
            message: message.into(),
        }
    }

    /// What the user can do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            StateError::NotStateful { .. } => "leave out `--state`".into(),
            StateError::OtherPlugin { state, ours, .. } => {
                let free = if state == ours { format!("{ours}-2") } else { ours.clone() };
                format!("choose another name, such as `--state {}`", shell_quoted(&free))
            }
            StateError::Refused { state, settings_differ, .. } => {
                let settings = if *settings_differ { "; or give the settings of that run" } else { "" };
                let other = format!("{state}-2");
                let other = shell_quoted(&other);
                format!(
                    "to begin anew, pass `--state new`, or another name, such as `--state {other}`, beside which this one can be continued later{settings}"
                )
            }
        })
    }
}
