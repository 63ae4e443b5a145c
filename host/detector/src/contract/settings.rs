//! Settings, as the contract promises them to a detector: every one that it has, each once, of its kind, with
//! its default if none was given.

use host_core::text::did_you_mean;
use rust_decimal::Decimal;

use crate::contract::types::{Metadata, SettingDescription, SettingKind};

/// The longest value that is passed on, in bytes; the contract says so.
pub const MAX_VALUE_BYTES: usize = 4_096;
/// A `Decimal` has as many; the contract says so.
const MAX_DIGITS: usize = 28;

/// Why a setting cannot be passed on: its name, and what is wrong.
pub struct Refused {
    pub name: String,
    pub message: String,
}

/// All settings that the detector gets, in the order in which it describes them.
///
/// # Errors
/// The first that it does not have, that is given twice, or that has a value of another kind.
pub fn complete(metadata: &Metadata, given: &[(String, String)]) -> Result<Vec<(String, String)>, Refused> {
    let refused = |name: &str, message: String| Err(Refused { name: name.to_owned(), message });
    for (i, (name, value)) in given.iter().enumerate() {
        let Some(known) = metadata.settings.iter().find(|known| known.name == *name) else {
            let names = metadata.settings.iter().map(|known| known.name.as_str());
            return refused(name, format!("it has no such setting{}", did_you_mean(name, names)));
        };
        if given[..i].iter().any(|(other, _)| other == name) {
            return refused(name, "it is given twice".into());
        }
        if value.len() > MAX_VALUE_BYTES {
            return refused(
                name,
                format!("its value has {} bytes; at most {MAX_VALUE_BYTES} are allowed", value.len()),
            );
        }
        if !is_of_kind(value, known.kind) {
            return refused(name, format!("`{value}` is not {}", expected(known.kind)));
        }
    }
    let value_of = |known: &SettingDescription| {
        let given = given.iter().find(|(name, _)| *name == known.name).map(|(_, value)| value);
        given.or(known.default.as_ref()).map(|value| (known.name.clone(), value.clone()))
    };
    Ok(metadata.settings.iter().filter_map(value_of).collect())
}

/// Whether a value is of the kind, by the contract's grammar.
pub fn is_of_kind(value: &str, kind: SettingKind) -> bool {
    match kind {
        SettingKind::Text => true,
        SettingKind::Integer => are_digits(unsigned(value)) && value.parse::<i64>().is_ok(),
        SettingKind::Decimal => is_decimal(value),
        SettingKind::Boolean => matches!(value, "true" | "false"),
    }
}

fn is_decimal(value: &str) -> bool {
    let (whole, decimals) = match unsigned(value).split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (unsigned(value), None),
    };
    are_digits(whole)
        && decimals.is_none_or(are_digits)
        && whole.len() + decimals.map_or(0, str::len) <= MAX_DIGITS
        && value.parse::<Decimal>().is_ok()
}

fn unsigned(value: &str) -> &str {
    value.strip_prefix('-').unwrap_or(value)
}

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a value of the kind looks like.
fn expected(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Text => "text",
        SettingKind::Integer => "a whole number such as `30`",
        SettingKind::Decimal => "a decimal number such as `3.5`",
        SettingKind::Boolean => "`true` or `false`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::Ordering;

    fn metadata() -> Metadata {
        let setting = |name: &str, kind, default: Option<&str>| SettingDescription {
            name: name.into(),
            kind,
            default: default.map(str::to_owned),
            doc: String::new(),
        };
        Metadata {
            name: "test".into(),
            version: "1".into(),
            description: String::new(),
            settings: vec![
                setting("limit", SettingKind::Decimal, Some("500")),
                setting("history", SettingKind::Integer, None),
                setting("label", SettingKind::Text, Some("")),
            ],
            ordering: Ordering::Any,
        }
    }

    fn completed(given: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        let given: Vec<_> = given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        complete(&metadata(), &given).map_err(|refused| format!("{}: {}", refused.name, refused.message))
    }

    #[test]
    fn every_setting_arrives_once_with_its_value_or_default() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        assert_eq!(completed(&[]), Ok(pairs(&[("limit", "500"), ("label", "")])));
        assert_eq!(
            completed(&[("label", "x=y"), ("history", "-7")]),
            Ok(pairs(&[("limit", "500"), ("history", "-7"), ("label", "x=y")]))
        );
    }

    #[test]
    fn what_it_does_not_have_is_refused() {
        let cases = [
            (vec![("limt", "1")], "limt: it has no such setting; did you mean `limit`?"),
            (vec![("limit", "1"), ("limit", "1")], "limit: it is given twice"),
            (vec![("limit", "1,5")], "limit: `1,5` is not a decimal number such as `3.5`"),
            (vec![("history", "3.5")], "history: `3.5` is not a whole number such as `30`"),
        ];
        for (given, message) in cases {
            assert_eq!(completed(&given), Err(message.to_owned()));
        }
    }

    #[test]
    fn a_value_has_a_longest() {
        let of = |bytes: usize| completed(&[("label", &"x".repeat(bytes))]);
        assert!(of(MAX_VALUE_BYTES).is_ok());
        assert_eq!(of(4_097), Err("label: its value has 4097 bytes; at most 4096 are allowed".to_owned()));
    }

    #[test]
    fn kinds_have_a_grammar() {
        use SettingKind::{Boolean, Decimal, Integer, Text};
        let cases: &[(SettingKind, &[&str], &[&str])] = &[
            (Text, &["", "a\nb"], &[]),
            (
                Integer,
                &["0", "-1", "007", "9223372036854775807", "-9223372036854775808"],
                &["", "-", "+5", " 5", "5 ", "1.0", "1e3", "9223372036854775808", "٣", "1_000"],
            ),
            (
                Decimal,
                &["0", "-0.25", "3.5", "9999999999999999999999999999", "0.1234567890123456789012345"],
                &["", ".5", "5.", "+5", "1e3", "NaN", "1,5", "--1", "1.2.3", "99999999999999999999999999999"],
            ),
            (Boolean, &["true", "false"], &["", "True", "1", "yes"]),
        ];
        for (kind, good, bad) in cases {
            for value in *good {
                assert!(is_of_kind(value, *kind), "{value:?}");
            }
            for value in *bad {
                assert!(!is_of_kind(value, *kind), "{value:?}");
            }
        }
    }
}
