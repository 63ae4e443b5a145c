//! How files are to be read; and the part of these rules that determines a file's values, in a form that the
//! ledger keeps and that can be read back.

use host_core::facts::{IdKind, Reading};
use jiff::tz::TimeZone;

use crate::cell::timestamp::TimestampRules;
use crate::csv::field::{ColumnMap, Field};
use crate::csv::records::Dialect;
use crate::input::encoding::Encoding;
use crate::tally::RejectLimit;

/// How files are to be read.
#[derive(Clone, Debug)]
pub struct InputRules {
    /// The byte between fields.
    pub delimiter: u8,
    /// The byte around fields that contain delimiters or line breaks.
    pub quote: u8,
    /// The text encoding.
    pub encoding: Encoding,
    /// Whether the first record names the columns.
    pub has_header: bool,
    /// Columns that have other names in the file.
    pub columns: ColumnMap,
    /// The decimal point of amounts, and of numbers in further columns.
    pub decimal_point: u8,
    /// How timestamps are written.
    pub timestamps: TimestampRules,
    /// What the files have as ids of transactions.
    pub transaction_ids: IdKind,
    /// What they have as ids of users.
    pub user_ids: IdKind,
    /// How many records may be rejected.
    pub max_rejects: RejectLimit,
    /// Whether an empty file among others is an error.
    pub strict_files: bool,
    /// The number of rows in a batch, at most.
    pub batch_rows: usize,
}

impl Default for InputRules {
    fn default() -> InputRules {
        InputRules {
            delimiter: b',',
            quote: b'"',
            encoding: Encoding::Utf8,
            has_header: true,
            columns: ColumnMap::default(),
            decimal_point: b'.',
            timestamps: TimestampRules::default(),
            transaction_ids: IdKind::default(),
            user_ids: IdKind::default(),
            max_rejects: RejectLimit::default(),
            strict_files: false,
            batch_rows: 8_192,
        }
    }
}

impl InputRules {
    /// The characters between and around fields.
    pub(crate) fn dialect(&self) -> Dialect {
        Dialect { delimiter: self.delimiter, quote: self.quote }
    }

    /// The columns that files do not have.
    #[must_use]
    pub fn absent(&self) -> Vec<Field> {
        [(Field::TransactionId, self.transaction_ids), (Field::UserId, self.user_ids)]
            .into_iter()
            .filter(|(_, kind)| *kind == IdKind::None)
            .map(|(field, _)| field)
            .collect()
    }

    /// The part of these rules that the ledger keeps.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading {
            delimiter: self.delimiter.into(),
            encoding: self.encoding.name().to_owned(),
            no_header: !self.has_header,
            columns: self
                .columns
                .iter()
                .map(|(name, in_file)| (name.to_owned(), in_file.to_owned()))
                .collect(),
            decimal_comma: self.decimal_point == b',',
            timestamp_format: self.timestamps.form.to_string(),
            timezone: self.timestamps.zone.as_ref().and_then(TimeZone::iana_name).map(str::to_owned),
            transaction_ids: self.transaction_ids,
            user_ids: self.user_ids,
            quote: self.quote.into(),
        }
    }

    /// The rules that this describes; `None` if this host does not know a name in it.
    #[must_use]
    pub fn of_reading(reading: &Reading) -> Option<InputRules> {
        let mut columns = ColumnMap::default();
        let are_distinct = reading.columns.iter().all(|(name, in_file)| columns.add(name, in_file));
        let zone = match &reading.timezone {
            Some(name) => Some(TimeZone::get(name).ok()?),
            None => None,
        };
        Some(InputRules {
            delimiter: u8::try_from(reading.delimiter).ok()?,
            quote: u8::try_from(reading.quote).ok()?,
            encoding: Encoding::by_name(&reading.encoding)?,
            has_header: !reading.no_header,
            columns: are_distinct.then_some(columns)?,
            decimal_point: if reading.decimal_comma { b',' } else { b'.' },
            timestamps: TimestampRules { form: reading.timestamp_format.parse().ok()?, zone },
            transaction_ids: reading.transaction_ids,
            user_ids: reading.user_ids,
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
            InputRules::default().reading(),
            Reading {
                delimiter: '\t',
                encoding: "windows-1252".into(),
                no_header: true,
                columns: [("amount".to_owned(), "3".to_owned()), ("city".to_owned(), "5".to_owned())].into(),
                decimal_comma: true,
                timestamp_format: "%d/%m/%Y %H:%M".into(),
                timezone: Some("Europe/Berlin".into()),
                transaction_ids: IdKind::None,
                user_ids: IdKind::Text,
                quote: '\'',
            },
        ];
        for form in ["iso", "epoch-days", "epoch-hours", "epoch-seconds", "epoch-millis", "epoch-micros"] {
            let reading = Reading { timestamp_format: form.into(), ..kept[0].clone() };
            assert_eq!(InputRules::of_reading(&reading).unwrap().reading(), reading);
        }
        for reading in kept {
            assert_eq!(InputRules::of_reading(&reading).unwrap().reading(), reading);
            let json = serde_json::to_string(&reading).unwrap();
            assert_eq!(serde_json::from_str::<Reading>(&json).unwrap(), reading);
        }
    }

    /// The digest of a ledger row is made of its JSON, so that of earlier hosts must come out the same.
    #[test]
    fn what_earlier_hosts_kept_is_written_as_it_was() {
        let earlier = r#"{"delimiter":",","encoding":"utf-8","no_header":false,"columns":{},"decimal_comma":false,"timestamp_format":"iso","timezone":null}"#;
        let reading: Reading = serde_json::from_str(earlier).unwrap();
        assert_eq!(InputRules::of_reading(&reading).unwrap().reading(), InputRules::default().reading());
        assert_eq!(serde_json::to_string(&reading).unwrap(), earlier);
    }
}
