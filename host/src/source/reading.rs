//! How files were read, in words that can be kept, and read again: what the ledger has of it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::timestamp::TimestampRules;
use super::{ColumnMap, Encoding, Field, InputRules};

/// Those of the [`InputRules`] that decide which values a file has. Named as on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Between fields.
    pub delimiter: char,
    /// What text it is.
    pub encoding: String,
    /// Whether the first record is a row.
    pub no_header: bool,
    /// Columns with other names, or, without a header, positions.
    pub columns: BTreeMap<String, String>,
    /// Whether amounts have a decimal comma.
    pub decimal_comma: bool,
    /// How timestamps are written.
    pub timestamp_format: String,
    /// The zone to which timestamps were converted.
    pub timezone: Option<String>,
}

impl Reading {
    /// What the rules say.
    #[must_use]
    pub fn of(rules: &InputRules) -> Reading {
        let columns = rules.columns.0.iter();
        Reading {
            delimiter: rules.delimiter.into(),
            encoding: rules.encoding.name().to_owned(),
            no_header: !rules.has_header,
            columns: columns.map(|(field, name)| (field.name().to_owned(), name.clone())).collect(),
            decimal_comma: rules.decimal_point == b',',
            timestamp_format: rules.timestamps.form.to_string(),
            timezone: rules.timestamps.zone.as_ref().and_then(TimeZone::iana_name).map(str::to_owned),
        }
    }

    /// The rules that say this; none where this host does not know a name in it.
    #[must_use]
    pub fn rules(&self) -> Option<InputRules> {
        let column = |(field, name): (&String, &String)| Some((field.parse::<Field>().ok()?, name.clone()));
        let zone = match &self.timezone {
            Some(name) => Some(TimeZone::get(name).ok()?),
            None => None,
        };
        Some(InputRules {
            delimiter: u8::try_from(self.delimiter).ok()?,
            encoding: Encoding::by_name(&self.encoding)?,
            has_header: !self.no_header,
            columns: ColumnMap(self.columns.iter().map(column).collect::<Option<_>>()?),
            decimal_point: if self.decimal_comma { b',' } else { b'.' },
            timestamps: TimestampRules { form: self.timestamp_format.parse().ok()?, zone },
            ..InputRules::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_means_the_same_when_it_is_read_again() {
        let kept = [
            Reading::of(&InputRules::default()),
            Reading {
                delimiter: '\t',
                encoding: "windows-1252".into(),
                no_header: true,
                columns: [("amount".to_owned(), "3".to_owned())].into(),
                decimal_comma: true,
                timestamp_format: "%d/%m/%Y %H:%M".into(),
                timezone: Some("Europe/Berlin".into()),
            },
        ];
        for form in ["iso", "epoch-seconds", "epoch-millis", "epoch-micros"] {
            let reading = Reading { timestamp_format: form.into(), ..kept[0].clone() };
            assert_eq!(Reading::of(&reading.rules().unwrap()), reading);
        }
        for reading in kept {
            assert_eq!(Reading::of(&reading.rules().unwrap()), reading);
            let json = serde_json::to_string(&reading).unwrap();
            assert_eq!(serde_json::from_str::<Reading>(&json).unwrap(), reading);
        }
    }
}
