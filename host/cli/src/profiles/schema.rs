//! A JSON schema of the file with the profiles, for editors, made from what clap knows about the options. It is of
//! draft 7, which is what editors know for TOML.

use std::any::TypeId;

use clap::{Arg, CommandFactory as _};
use serde_json::{Map, Value, json};

use super::options::{self, Kind};
use crate::cli::Cli;

/// The schema.
#[must_use]
pub fn schema() -> Value {
    let options: Map<String, Value> = options::all(&Cli::command())
        .iter()
        .filter_map(|option| Some((name(option)?, of_option(option))))
        .collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Profiles of host: its options, kept in host.toml",
        "type": "object",
        "properties": {
            "profile": {
                "description": "A table for each profile, which `host run --profile NAME` uses",
                "type": "object",
                "additionalProperties": { "$ref": "#/definitions/profile" },
            },
        },
        "additionalProperties": false,
        "definitions": {
            "profile": {
                "description": "Options of `host run`, by their long names",
                "type": "object",
                "properties": options,
                "additionalProperties": false,
            },
        },
    })
}

fn name(option: &Arg) -> Option<String> {
    option.get_long().map(str::to_owned)
}

fn of_option(option: &Arg) -> Value {
    const SCALAR: [&str; 3] = ["string", "number", "boolean"];
    let mut schema = match options::kind(option) {
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Value => of_value(option),
        Kind::MaybeValue => json!({ "anyOf": [{ "type": "boolean" }, of_value(option)] }),
        Kind::Values => json!({ "type": "array", "items": of_value(option) }),
        Kind::Pairs => json!({ "anyOf": [
            { "type": "object", "additionalProperties": { "type": SCALAR } },
            { "type": "array", "items": { "type": "string", "pattern": "^[^=]+=" } },
        ] }),
    };
    if let Some(help) = option.get_help().or(option.get_long_help()) {
        schema["description"] = help.to_string().into();
    }
    if let [default] = option.get_default_values()
        && options::kind(option) == Kind::Value
    {
        schema["default"] = default.to_string_lossy().into();
    }
    schema
}

fn of_value(option: &Arg) -> Value {
    let possible = option.get_possible_values();
    if !possible.is_empty() {
        let names: Vec<&str> = possible.iter().map(|value| value.get_name()).collect();
        return json!({ "enum": names });
    }
    let value = option.get_value_parser().type_id();
    let whole = [TypeId::of::<u8>(), TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<usize>()];
    match value {
        _ if whole.iter().any(|whole| value == *whole) => json!({ "type": ["integer", "string"] }),
        _ if options::is_path(option, "a/b") => json!({ "type": "string" }),
        // Such as a count or a percentage.
        _ => json!({ "type": ["string", "number"] }),
    }
}
