//! From the arguments that were typed, and a profile, to those that clap parses.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory as _};
use host_core::column::is_same;
use host_core::environment::Environment;
use host_core::secret::may_hold_password;
use host_core::text::nearest;
use toml_edit::{Item, TableLike, Value};

use super::file::ProfileFile;
use super::options::{self, Kind};
use crate::cli::{Cli, PROFILE_ID, after_command};
use crate::error::{Error, ProfileError, ProfilePlace};

/// What a command was given.
#[derive(Debug, Default)]
pub struct Given {
    /// All arguments: those that were typed, and those of the profile.
    pub arguments: Vec<OsString>,
    /// The profile that some of them come from.
    pub profile: Option<Profile>,
}

/// What a profile has added to the arguments.
#[derive(Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub place: ProfilePlace,
    /// What was added: nothing that was typed as well.
    pub entries: Vec<Entry>,
    /// Whether there is a password in it which others may read.
    pub has_open_password: bool,
}

/// An option of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its long name, without hyphens.
    pub option: String,
    /// Its value, if it has one.
    pub value: Option<OsString>,
    /// Where it is.
    pub place: ProfilePlace,
}

impl Entry {
    fn argument(&self) -> OsString {
        let mut argument = OsString::from(format!("--{}", self.option));
        if let Some(value) = &self.value {
            argument.push("=");
            argument.push(value);
        }
        argument
    }
}

/// Adds the options of the profile that the arguments ask for, if they do, right after the command's name.
///
/// # Errors
/// If the profile cannot be used.
pub fn expand(typed: &[OsString], environment: &Environment) -> Result<Given, Error> {
    let as_typed = Given { arguments: typed.to_vec(), profile: None };
    // Nearly always there is none, and clap need not be asked.
    if !typed.iter().any(|argument| argument.to_string_lossy().starts_with("--profile")) {
        return Ok(as_typed);
    }
    // What is wrong with the arguments is said later, when all of them are there.
    let Ok(matches) = Cli::command().ignore_errors(true).try_get_matches_from(typed) else {
        return Ok(as_typed);
    };
    let (names, matches) = innermost(&matches);
    let Ok(Some(name)) = matches.try_get_one::<String>(PROFILE_ID) else { return Ok(as_typed) };
    let Some(position) = after_command(typed, &names) else { return Ok(as_typed) };

    let asked = matches.try_get_one::<PathBuf>("config").ok().flatten();
    let Some(file) = ProfileFile::find(asked.map(PathBuf::as_path), environment)? else {
        let looked = ProfileFile::places(environment)?;
        return Err(ProfileError::NoFile { name: name.clone(), looked }.into());
    };
    let (table, place) = file.profile(name)?;
    let mut entries = entries(&file, table)?;
    let has_open_password = file.is_open_to_others && entries.iter().any(has_password);
    entries.retain(|entry| is_wanted(entry, &names, matches));
    let mut arguments = typed.to_vec();
    arguments.splice(position..position, entries.iter().map(Entry::argument));
    Ok(Given { arguments, profile: Some(Profile { name: name.clone(), place, entries, has_open_password }) })
}

/// The names of the innermost command, and its arguments.
pub fn innermost(mut matches: &ArgMatches) -> (Vec<&str>, &ArgMatches) {
    let mut names = Vec::new();
    while let Some((name, inner)) = matches.subcommand() {
        names.push(name);
        matches = inner;
    }
    (names, matches)
}

fn has_password(entry: &Entry) -> bool {
    entry.option == "database-url"
        && entry.value.as_ref().is_some_and(|value| may_hold_password(&value.to_string_lossy()))
}

/// Whether the command has this option, and it was not typed; of pairs, whether its name was not.
fn is_wanted(entry: &Entry, names: &[&str], typed: &ArgMatches) -> bool {
    let cli = Cli::command();
    let command = names.iter().try_fold(&cli, |command, name| command.find_subcommand(name));
    let mut known = command.into_iter().flat_map(options::of);
    let Some(option) = known.find(|option| option.get_long() == Some(entry.option.as_str())) else {
        return false;
    };
    let id = option.get_id().as_str();
    if typed.value_source(id) != Some(ValueSource::CommandLine) {
        return true;
    }
    let name = |pair: &OsStr| pair.to_string_lossy().split('=').next().unwrap_or_default().to_owned();
    let is_typed =
        |own: &OsString| typed.get_raw(id).into_iter().flatten().any(|pair| is_same(&name(pair), &name(own)));
    options::kind(option) == Kind::Pairs && !entry.value.as_ref().is_some_and(is_typed)
}

/// All that is in a profile.
fn entries(file: &ProfileFile, table: &dyn TableLike) -> Result<Vec<Entry>, ProfileError> {
    let known = options::all(&Cli::command());
    let mut entries = Vec::new();
    for (key, item) in table.iter() {
        let Some(option) = known.iter().find(|option| option.get_long() == Some(key)) else {
            let names = known.iter().filter_map(|option| option.get_long());
            return Err(ProfileError::UnknownKey {
                place: file.place_of_key(table, key),
                key: key.to_owned(),
                nearest: nearest(key, names).map(str::to_owned),
                allowed: "keys are the long options of `host run`, without hyphens: see `host run --help`",
            });
        };
        let wrong = |(problem, place)| ProfileError::Value { place, key: key.to_owned(), problem };
        let values = values(file, option, item, file.place_of_key(table, key)).map_err(wrong)?;
        entries.extend(values.into_iter().map(|(value, place)| Entry {
            option: key.to_owned(),
            value,
            place,
        }));
    }
    Ok(entries)
}

/// Something, and where it is in the file.
type Placed<T> = (T, ProfilePlace);

/// The values with which an option is given, one for each time, and where they are. `None` is no value.
fn values(
    file: &ProfileFile,
    option: &Arg,
    item: &Item,
    place: ProfilePlace,
) -> Result<Vec<Placed<Option<OsString>>>, Placed<&'static str>> {
    let wrong = |problem| (problem, place.clone());
    let kind = options::kind(option);
    if let (Kind::Switch | Kind::MaybeValue, Some(is_given)) = (kind, item.as_bool()) {
        return Ok(if is_given { vec![(None, place)] } else { Vec::new() });
    }
    let one = |value: &Value, place: ProfilePlace| {
        let Some(text) = scalar(value) else {
            return Err(("takes text, a number, true or false", place));
        };
        let is_path = options::is_path(option, &text);
        Ok((Some(if is_path { file.resolve(&text).into_os_string() } else { text.into() }), place))
    };
    match (kind, item.as_array(), item.as_table_like()) {
        (Kind::Switch, ..) => Err(wrong("takes true or false")),
        (Kind::Pairs, None, Some(table)) => {
            let pair = |(name, item): (&str, &Item)| {
                let place = file.place_of_key(table, name);
                match item.as_value().and_then(scalar) {
                    Some(value) => Ok((Some(format!("{name}={value}").into()), place)),
                    None => Err(("takes text, a number, true or false for each name", place)),
                }
            };
            table.iter().map(pair).collect()
        }
        (Kind::Pairs | Kind::Values, Some(array), _) => {
            array.iter().map(|value| one(value, file.place(value.span()))).collect()
        }
        (Kind::Pairs, ..) => Err(wrong("is a table or a list, such as { limit = 5 } or [\"limit=5\"]")),
        (_, Some(_), _) => Err(wrong("takes a single value, not a list")),
        (_, _, Some(_)) => Err(wrong("takes a value, not a table")),
        _ => match item.as_value() {
            Some(value) => Ok(vec![one(value, place)?]),
            None => Err(wrong("takes a value, not tables")),
        },
    }
}

/// As it would be typed; `None` for dates, lists and tables.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Float(number) if number.value().is_finite() => Some(number.value().to_string()),
        Value::Boolean(truth) => Some(truth.value().to_string()),
        _ => None,
    }
}

impl Given {
    /// If clap refuses an option that is from the profile: the error that says where it is.
    #[must_use]
    pub fn blamed(&self, said: &clap::Error) -> Option<ProfileError> {
        let mut names = [ContextKind::InvalidArg, ContextKind::PriorArg].into_iter().flat_map(|kind| {
            match said.get(kind) {
                Some(ContextValue::String(name)) => vec![name.clone()],
                Some(ContextValue::Strings(names)) => names.clone(),
                _ => Vec::new(),
            }
        });
        let entries = &self.profile.as_ref()?.entries;
        let entry = names.find_map(|name| {
            // As in a help: `--once[=<WHAT>]`.
            let long = name.strip_prefix("--")?.split([' ', '=', '[']).next()?.to_owned();
            entries.iter().find(|entry| entry.option == long)
        })?;
        let text = said.render().to_string();
        let first = text.split("\n\n").next().unwrap_or_default();
        let words: Vec<&str> = first.trim_start_matches("error: ").split_whitespace().collect();
        let nearest = match said.get(ContextKind::SuggestedValue) {
            Some(ContextValue::String(value)) => Some(value.clone()),
            _ => None,
        };
        Some(ProfileError::Refused {
            place: entry.place.clone(),
            key: entry.option.clone(),
            said: words.join(" "),
            nearest,
        })
    }
}
