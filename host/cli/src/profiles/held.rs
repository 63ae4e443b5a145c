//! Which options a command has, and where each comes from.

use clap::CommandFactory as _;
use clap::parser::ValueSource;
use host_core::environment::Environment;
use host_core::secret::{hide_passwords, may_hold_password};

use super::given::{Given, innermost};
use super::options::{self, Kind};
use crate::cli::Cli;
use crate::error::ProfilePlace;

/// An option that a command has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its long name, without hyphens.
    pub option: String,
    /// Its value, without a password; `None` if it takes none.
    pub value: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where an option comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was typed.
    CommandLine,
    /// It is in the profile.
    Profile(ProfilePlace),
    /// It is in this variable.
    Environment(String),
    /// Nobody has said anything.
    Default,
}

/// The options of a command, in the order of its help, and the names of those that have no value.
#[must_use]
pub fn held(given: &Given, environment: &Environment) -> (Vec<Held>, Vec<String>) {
    let cli = Cli::command();
    // They were parsed before.
    let Ok(matches) = cli.clone().try_get_matches_from(&given.arguments) else {
        return (Vec::new(), Vec::new());
    };
    let (names, matches) = innermost(&matches);
    let command = names.iter().try_fold(&cli, |command, name| command.find_subcommand(name));
    let (mut all, mut without) = (Vec::new(), Vec::new());
    for option in command.into_iter().flat_map(options::of) {
        let id = option.get_id().as_str();
        let name = option.get_long().unwrap_or_default();
        let source = matches.value_source(id);
        let is_off = options::kind(option) == Kind::Switch && source != Some(ValueSource::CommandLine);
        let Some(source) = source.filter(|_| !is_off) else {
            match of_environment(name, environment) {
                Some(held) => all.push(held),
                None => without.push(name.to_owned()),
            }
            continue;
        };
        let values =
            matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy().into_owned());
        let values: Vec<String> = values.collect();
        let origin = |value: &str| match source {
            ValueSource::CommandLine => of_profile(given, name, value).unwrap_or(Origin::CommandLine),
            ValueSource::EnvVariable => {
                let variable = option.get_env().unwrap_or_default();
                Origin::Environment(variable.to_string_lossy().into_owned())
            }
            _ => Origin::Default,
        };
        if options::kind(option) == Kind::Switch {
            all.push(Held { option: name.to_owned(), value: None, origin: origin("") });
        } else {
            all.extend(values.iter().map(|value| Held {
                option: name.to_owned(),
                value: Some(shown(name, value)),
                origin: origin(value),
            }));
        }
    }
    (all, without)
}

fn of_profile(given: &Given, option: &str, value: &str) -> Option<Origin> {
    let own = given.profile.as_ref()?.entries.iter().filter(|entry| entry.option == option);
    // Without a value, it is the only one.
    let is_it = |own: &str| own == value;
    let mut of_value =
        own.filter(|entry| entry.value.as_ref().is_none_or(|own| is_it(&own.to_string_lossy())));
    of_value.next().map(|entry| Origin::Profile(entry.place.clone()))
}

/// The database is chosen by variables that clap does not know.
fn of_environment(option: &str, environment: &Environment) -> Option<Held> {
    const VARIABLE: &str = "DATABASE_URL";
    let url = (option == "database-url").then(|| environment.text(VARIABLE).ok().flatten()).flatten()?;
    let origin = Origin::Environment(VARIABLE.to_owned());
    Some(Held { option: option.to_owned(), value: Some(shown(option, url)), origin })
}

fn shown(option: &str, value: &str) -> String {
    let hidden = hide_passwords(value);
    if option == "database-url" && may_hold_password(&hidden) && hidden.contains("password") {
        return "(not shown, because a password may be in it)".to_owned();
    }
    hidden.into_owned()
}
