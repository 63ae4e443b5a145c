//! What `host config show` prints.

use std::fmt::Write as _;

use host_core::text::{one_line, path, shell_quoted};
use serde::Serialize;

use crate::profiles::{Given, Held, Origin, ProfileFile};

/// The options of a command.
pub struct Shown<'a> {
    /// What the command was given.
    pub given: &'a Given,
    /// The file with the profiles, if there is one.
    pub file: Option<&'a ProfileFile>,
    /// Its options.
    pub held: &'a [Held],
    /// The options that it does not have.
    pub without: &'a [String],
}

/// The same for programs.
#[derive(Serialize)]
pub struct ShownObject<'a> {
    /// The file with the profiles.
    file: Option<String>,
    /// All profiles in it.
    profiles: Vec<ProfileObject>,
    /// The one that is used.
    profile: Option<&'a str>,
    options: Vec<OptionObject<'a>>,
    /// Names of options that have no value.
    without_value: &'a [String],
}

#[derive(Serialize)]
struct ProfileObject {
    name: String,
    line: u64,
}

#[derive(Serialize)]
struct OptionObject<'a> {
    option: &'a str,
    /// Null if it takes none.
    value: Option<&'a str>,
    origin: &'static str,
    /// Where it is in the file with the profiles.
    line: Option<u64>,
    /// The environment variable.
    variable: Option<&'a str>,
}

impl<'a> Shown<'a> {
    /// For programs.
    #[must_use]
    pub fn object(&self) -> ShownObject<'a> {
        let of = |held: &'a Held| {
            let (origin, line, variable) = match &held.origin {
                Origin::CommandLine => ("command_line", None, None),
                Origin::Profile(place) => ("profile", Some(place.line), None),
                Origin::Environment(variable) => ("environment", None, Some(variable.as_str())),
                Origin::Default => ("default", None, None),
            };
            OptionObject { option: &held.option, value: held.value.as_deref(), origin, line, variable }
        };
        let names = self.file.map(ProfileFile::names).unwrap_or_default();
        ShownObject {
            file: self.file.map(|file| path(&file.path)),
            profiles: names
                .into_iter()
                .map(|(name, place)| ProfileObject { name, line: place.line })
                .collect(),
            profile: self.given.profile.as_ref().map(|profile| profile.name.as_str()),
            options: self.held.iter().map(of).collect(),
            without_value: self.without,
        }
    }

    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = match (&self.given.profile, self.file) {
            (Some(profile), _) => format!("profile `{}`, {}\n\n", one_line(&profile.name), profile.place),
            (None, Some(_)) => "no profile is used; see --profile\n\n".to_owned(),
            (None, None) => String::new(),
        };
        let rows: Vec<[String; 3]> = self.held.iter().map(row).collect();
        let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
        let (option, value) = (width(0), width(1).min(MAX_VALUE_WIDTH));
        for row in &rows {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "  {:option$}  {:value$}  {}", row[0], row[1], row[2]);
        }
        let _ = writeln!(text, "\nwithout a value: {}", self.without.join(", "));
        let names = self.file.map(ProfileFile::names).unwrap_or_default();
        if let (Some(file), false) = (self.file, names.is_empty()) {
            let _ = writeln!(text, "\nprofiles in `{}`:", path(&file.path));
            for (name, place) in names {
                let _ =
                    writeln!(text, "  line {:<4} --profile {}", place.line, one_line(&shell_quoted(&name)));
            }
        }
        text
    }
}

/// Longer values are not cut, but stick out.
const MAX_VALUE_WIDTH: usize = 40;

fn row(held: &Held) -> [String; 3] {
    let origin = match &held.origin {
        Origin::CommandLine => "command line".to_owned(),
        Origin::Profile(place) => place.to_string(),
        Origin::Environment(variable) => format!("environment {variable}"),
        Origin::Default => "default".to_owned(),
    };
    let value = held.value.as_deref().map_or("yes".into(), |value| one_line(value).into_owned());
    [held.option.clone(), value, origin]
}
