//! Settings: from the text that the host passes to values that a detector can use. A wrong name or value is
//! refused with an error that names the setting and says what would be right.

use std::str::FromStr;

use rust_decimal::Decimal;

use crate::bindings::ingest::detector::types::Setting;
use crate::{Error, InvalidSetting, Metadata, SettingDescription, SettingKind};

/// The settings of a run, checked against the detector's [`Metadata`] and with defaults filled in. The
/// getters panic on a name that `describe` does not list: that is a bug in the detector, which its first test
/// shows.
#[derive(Debug)]
pub struct Settings {
    values: Vec<(SettingDescription, Option<String>)>,
}

impl Settings {
    /// Checks `given` (name, value) against what the detector describes.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for an unknown name, a name given twice, or a value that is
    /// not of the setting's kind.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(
        metadata: &Metadata,
        given: &[(N, V)],
    ) -> Result<Settings, Error> {
        let mut values: Vec<_> = metadata.settings.iter().map(|known| (known.clone(), None)).collect();
        for (name, value) in given {
            let (name, value) = (name.as_ref(), value.as_ref());
            let Some((known, slot)) = values.iter_mut().find(|(known, _)| known.name == name) else {
                return Err(invalid(name, unknown(metadata)));
            };
            check_kind(known, value)?;
            if slot.replace(value.to_owned()).is_some() {
                return Err(invalid(name, "it is given twice".into()));
            }
        }
        for (known, slot) in &mut values {
            if slot.is_none() {
                slot.clone_from(&known.default);
            }
        }
        Ok(Settings { values })
    }

    /// The same from the contract's own records.
    pub(crate) fn from_contract(metadata: &Metadata, given: Vec<Setting>) -> Result<Settings, Error> {
        let pairs: Vec<_> = given.into_iter().map(|one| (one.name, one.value)).collect();
        Settings::new(metadata, &pairs)
    }

    /// The error for a value that is of the right kind but not acceptable.
    #[must_use]
    pub fn refuse(name: &str, message: impl Into<String>) -> Error {
        invalid(name, message.into())
    }

    /// A text; `None` if the setting is optional and not set, as with the other getters.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.values.iter().find(|(known, _)| known.name == name);
        assert!(found.is_some(), "the detector reads the setting `{name}`, which describe() does not list");
        found?.1.as_deref()
    }

    /// A whole number.
    ///
    /// # Errors
    /// If the value is not a whole number of 64 bits.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Error> {
        self.parse(name, "a whole number such as `30`")
    }

    /// An exact decimal.
    ///
    /// # Errors
    /// If the value is not a decimal.
    pub fn decimal(&self, name: &str) -> Result<Option<Decimal>, Error> {
        self.parse(name, DECIMAL)
    }

    /// A decimal as hundredths, for comparing with [`Row::amount_cents`](crate::Row::amount_cents).
    ///
    /// # Errors
    /// If the value is not a decimal, has more than two places, or does not fit 64 bits.
    pub fn cents(&self, name: &str) -> Result<Option<i64>, Error> {
        let Some(value) = self.decimal(name)? else { return Ok(None) };
        let cents = value.checked_mul(Decimal::ONE_HUNDRED).filter(|cents| cents.fract().is_zero());
        match cents.and_then(|cents| i64::try_from(cents).ok()) {
            Some(cents) => Ok(Some(cents)),
            None => Err(invalid(
                name,
                format!("`{value}` is not an amount: it may have two decimal places, such as `12.50`"),
            )),
        }
    }

    /// A decimal as floating point, for statistics. Not for money.
    ///
    /// # Errors
    /// If the value is not a decimal.
    pub fn number(&self, name: &str) -> Result<Option<f64>, Error> {
        let Some(value) = self.decimal(name)? else { return Ok(None) };
        // Every decimal has a nearest f64.
        Ok(value.to_string().parse().ok())
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// If the value is neither.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Error> {
        self.parse(name, BOOLEAN)
    }

    fn parse<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Error> {
        self.text(name).map(|value| parse(name, value, expected)).transpose()
    }
}

impl Error {
    /// The name of the setting that was refused; `None` for other errors.
    #[must_use]
    pub fn setting(&self) -> Option<&str> {
        match self {
            Error::InvalidSetting(InvalidSetting { name, .. }) => Some(name),
            _ => None,
        }
    }
}

const BOOLEAN: &str = "`true` or `false`";
const DECIMAL: &str = "a decimal number such as `3.5`";
const INTEGER: &str = "a whole number such as `30`";

/// The host does the same before it passes a setting on; this is for native tests.
fn check_kind(known: &SettingDescription, value: &str) -> Result<(), Error> {
    let number = value.strip_prefix('-').unwrap_or(value);
    let is_number = number.starts_with(|first: char| first.is_ascii_digit()) && !number.ends_with('.');
    let not = |expected: &str| Err(invalid(&known.name, format!("`{value}` is not {expected}")));
    match known.kind {
        SettingKind::Integer if !is_number || value.parse::<i64>().is_err() => not(INTEGER),
        SettingKind::Decimal if !is_number || value.parse::<Decimal>().is_err() => not(DECIMAL),
        SettingKind::Boolean if value.parse::<bool>().is_err() => not(BOOLEAN),
        _ => Ok(()),
    }
}

fn parse<T: FromStr>(name: &str, value: &str, expected: &str) -> Result<T, Error> {
    value.parse().map_err(|_| invalid(name, format!("`{value}` is not {expected}")))
}

fn unknown(metadata: &Metadata) -> String {
    let known: Vec<_> = metadata.settings.iter().map(|one| format!("`{}`", one.name)).collect();
    if known.is_empty() {
        "unknown setting; this detector has none".into()
    } else {
        format!("unknown setting; this detector has {}", known.join(", "))
    }
}

fn invalid(name: &str, message: String) -> Error {
    Error::InvalidSetting(InvalidSetting { name: name.into(), message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ordering;

    fn metadata() -> Metadata {
        Metadata::new("test", "1", "", Ordering::Any)
            .setting("limit", SettingKind::Decimal, "500", "")
            .setting("history", SettingKind::Integer, "30", "")
            .setting("strict", SettingKind::Boolean, "false", "")
            .optional_setting("below", SettingKind::Decimal, "")
            .optional_setting("label", SettingKind::Text, "")
    }

    #[test]
    fn defaults_hold_where_nothing_is_given() {
        let settings = Settings::new::<&str, &str>(&metadata(), &[]).unwrap();
        assert_eq!(settings.cents("limit"), Ok(Some(50_000)));
        assert_eq!(settings.integer("history"), Ok(Some(30)));
        assert_eq!(settings.boolean("strict"), Ok(Some(false)));
        assert_eq!(settings.decimal("below"), Ok(None));
        assert_eq!(settings.text("label"), None);
    }

    #[test]
    fn values_arrive_as_their_kind() {
        let given = [("limit", "-0.25"), ("history", "-7"), ("strict", "true"), ("label", "a b")];
        let settings = Settings::new(&metadata(), &given).unwrap();
        assert_eq!(settings.cents("limit"), Ok(Some(-25)));
        assert_eq!(settings.number("limit"), Ok(Some(-0.25)));
        assert_eq!(settings.integer("history"), Ok(Some(-7)));
        assert_eq!(settings.boolean("strict"), Ok(Some(true)));
        assert_eq!(settings.text("label"), Some("a b"));
    }

    #[test]
    fn what_cannot_be_taken_is_refused_by_name() {
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
        let cases: &[Case<'_>] = &[
            (
                &[("limt", "1")],
                "limt",
                "unknown setting; this detector has `limit`, `history`, `strict`, `below`, `label`",
            ),
            (&[("limit", "1"), ("limit", "1")], "limit", "it is given twice"),
            (&[("limit", "1,5")], "limit", "`1,5` is not a decimal number such as `3.5`"),
            (&[("limit", "NaN")], "limit", "`NaN` is not a decimal number such as `3.5`"),
            (&[("history", "3.5")], "history", "`3.5` is not a whole number such as `30`"),
            (&[("strict", "yes")], "strict", "`yes` is not `true` or `false`"),
        ];
        for (given, name, message) in cases {
            let error = Settings::new(&metadata(), given).unwrap_err();
            let expected = InvalidSetting { name: (*name).into(), message: (*message).into() };
            assert_eq!(error, Error::InvalidSetting(expected), "{given:?}");
        }
    }

    #[test]
    fn an_amount_has_two_places_at_most() {
        let settings = Settings::new(&metadata(), &[("limit", "1.005"), ("below", "1.50000")]).unwrap();
        assert!(settings.cents("limit").is_err());
        assert_eq!(settings.cents("below"), Ok(Some(150)));
    }
}
