//! The options that may be in a profile: those of the commands that have `--profile`, as clap describes them.

use std::any::TypeId;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

use crate::cli::PROFILE_ID;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it is given or not.
    Switch,
    /// A value, or nothing, which means a certain one.
    MaybeValue,
    /// A value.
    Value,
    /// A value each time it is given.
    Values,
    /// `NAME=VALUE` each time it is given.
    Pairs,
}

/// What this option takes.
pub fn kind(option: &Arg) -> Kind {
    let is_pair =
        || option.get_value_names().is_some_and(|names| names.iter().any(|name| name.contains('=')));
    match option.get_action() {
        ArgAction::Append if is_pair() => Kind::Pairs,
        ArgAction::Append => Kind::Values,
        ArgAction::Set if option.get_num_args().is_some_and(|count| count.min_values() == 0) => {
            Kind::MaybeValue
        }
        ArgAction::Set => Kind::Value,
        _ => Kind::Switch,
    }
}

/// Whether the value is a path; that of `--plugin` is one if it has a `/`, else a name.
pub fn is_path(option: &Arg, value: &str) -> bool {
    let is_or_name =
        option.get_value_names().is_some_and(|names| names.iter().any(|name| name.as_str() == "PLUGIN"));
    option.get_value_parser().type_id() == TypeId::of::<PathBuf>()
        && value != "-"
        && (!is_or_name || value.contains('/'))
}

/// Whether options of this command may come from a profile.
pub fn takes_profiles(command: &Command) -> bool {
    command.get_arguments().any(|argument| argument.get_id() == PROFILE_ID)
}

/// The options of a command that may be in a profile. Those that all commands have may not, nor those that it
/// refuses.
pub fn of(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|argument| {
        let is_own = !argument.is_global_set() && !argument.is_hide_set() && argument.get_id() != PROFILE_ID;
        is_own && argument.get_long().is_some_and(|long| !["help", "version"].contains(&long))
    })
}

/// All options that may be in a profile, each once. A command takes from a profile those that it has.
pub fn all(command: &Command) -> Vec<Arg> {
    let mut found: Vec<Arg> = Vec::new();
    if takes_profiles(command) {
        found.extend(of(command).cloned());
    }
    for option in command.get_subcommands().flat_map(all) {
        if found.iter().all(|other| other.get_long() != option.get_long()) {
            found.push(option);
        }
    }
    found
}
